"""Walks through the graph behind a Variable, and how its functions are named in messages."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from koubai.core import Function, Variable
from koubai.core.function import as_of
from koubai.location import describe_location

_LONGEST = 12
"""Lines of a path that are shown."""


def variables_of(f: Function) -> list[Variable]:
    """The Variables that ``f`` was called with, as it saw them."""
    return [as_of(x, f) for x in f._inputs if isinstance(x, Variable)]


def functions_of(*ys: Variable) -> list[Function]:
    """All functions that ``ys`` were computed by, the latest first, as a backward pass goes."""
    found: dict[int, Function] = {}  # by id: a user's class may define == and no hash
    waiting = [y.creator for y in ys]
    while waiting:
        f = waiting.pop()
        if f is not None and id(f) not in found:
            found[id(f)] = f
            waiting += [x.creator for x in variables_of(f)]
    return sorted(found.values(), key=lambda f: -f._number)


def path(y: Variable, f: Function) -> list[Function]:
    """The functions from ``f`` to ``y``, both ends included: a shortest way."""
    if y._creator is None:
        return []
    after: dict[int, Function | None] = {id(y._creator): None}
    waiting = [y._creator]
    for g in waiting:
        for x in variables_of(g):
            if x._creator is not None and id(x._creator) not in after:
                after[id(x._creator)] = g
                waiting.append(x._creator)
    way: list[Function] = []
    here = f if id(f) in after else None
    while here is not None:
        way.append(here)
        here = after[id(here)]
    return way


def name_of(f: Function) -> str:
    return type(f).__name__


def call_of(f: Function) -> str:
    """``Multiply, called at net.py:8, in loss: y = a * b``, if the line is known."""
    where = f", called at {describe_location(f._location)}" if f._location else ""
    return name_of(f) + where


def lines_of_path(functions: Sequence[Function]) -> list[str]:
    """A line for each; of a long path the middle is left out."""
    lines = [call_of(f) for f in functions]
    if len(lines) > _LONGEST:
        half = _LONGEST // 2
        lines[half:-half] = [f"... {len(lines) - 2 * half} more ..."]
    return lines


def argument_names(f: Function, xs: Sequence[Any]) -> list[str]:
    """What to call each of ``xs``, the inputs of ``f``: its parameter in forward, and its name."""
    parameters = inspect.signature(f.forward).parameters.values()
    names = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL]
    names += [f"input {i}" for i in range(len(names), len(xs))]
    return [
        f"{name} {x.name!r}" if isinstance(x, Variable) and x.name else name
        for name, x in zip(names, xs, strict=False)
    ]
