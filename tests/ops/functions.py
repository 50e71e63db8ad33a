"""Which Functions an operation is made of, and what their docstrings say of the derivative.

The docstring of a Function is the one place where its formulas are written:

    Square root: y = sqrt(x).                           what it computes

    Gradient: gx = gy / (2 y).                          what backward computes

    Where it fails: infinite at 0, as in PyTorch.       the choice at points without a derivative
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import Any
from unittest import mock

from op_table import OPERATIONS
from ops.checks import Call
from ops.row import Operation

import koubai
from koubai import Function, Variable


@dataclass(frozen=True)
class Documented:
    """A Function, as its docstring describes it."""

    name: str
    formula: str
    gradient: str
    where_it_fails: str


def documented(cls: type[Function]) -> Documented:
    """What the docstring of ``cls`` says.

    Raises:
        ValueError: if it does not say what the gradient is.
    """
    paragraphs = [" ".join(p.split()) for p in (cls.__doc__ or "").split("\n\n")]
    labelled = {}
    for label in ("Gradient", "Where it fails"):
        found = [p for p in paragraphs if p.startswith(f"{label}: ")]
        labelled[label] = found[0].removeprefix(f"{label}: ").removesuffix(".") if found else ""
    if not labelled["Gradient"]:
        raise ValueError(f"the docstring of {cls.__name__} has no paragraph 'Gradient: ...'")
    formula = paragraphs[0].removesuffix(".")
    return Documented(cls.__name__, formula, labelled["Gradient"], labelled["Where it fails"])


def public_function(operation: Operation) -> Any:
    """koubai's function of that name, which the row's ``call`` may wrap."""
    return functools.reduce(getattr, operation.name.split("."), koubai)


@functools.cache
def recorded(name: str) -> tuple[type[Function], ...]:
    """The Functions that koubai's function ``name`` calls on the samples of its row, each once."""
    operation = next(row for row in OPERATIONS if row.name == name)
    inside = public_function(operation).__code__
    found: dict[type[Function], None] = {}
    call = Function._once  # which every call comes to

    def recording(function: Function, *inputs: Any) -> Any:
        # What the row's own call does before and after is not the operation.
        frame = inspect.currentframe()
        while frame is not None and frame.f_code is not inside:
            frame = frame.f_back
        if frame is not None:
            found[type(function)] = None
        return call(function, *inputs)

    with mock.patch.object(Function, "_once", recording):
        for sample in operation.samples:
            one = Call(operation, sample)
            one.ours(*map(Variable, one.xs))
    return tuple(found)


def own(operation: Operation) -> list[type[Function]]:
    """The Functions that bear its name, or begin with it: ClipMin and ClipMax are clip's."""
    name = operation.name.rpartition(".")[2].replace("_", "")
    classes = recorded(operation.name)
    exact = [cls for cls in classes if cls.__name__.lower() == name]
    longer = [cls for cls in classes if cls.__name__.lower().startswith(name)]
    return [*exact, *(cls for cls in longer if cls not in exact)]


def functions_of(operation: Operation) -> list[Documented]:
    """The operation's own Functions; those that it is composed of, if it has none."""
    return [documented(cls) for cls in own(operation) or recorded(operation.name)]
