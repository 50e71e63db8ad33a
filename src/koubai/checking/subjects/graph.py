"""A function of Variables, and a module: the graph computes their gradients."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from koubai.arrays import is_differentiable
from koubai.checking.subjects.objects import (
    argument_names,
    as_list,
    promoted,
    reachable,
    real,
    same,
)
from koubai.checking.subjects.subject import Outcome, Subject, Values
from koubai.core import Function, Variable
from koubai.core.backward import propagate
from koubai.core.variable import array_of
from koubai.nn import Module

Array = Any


class Graph(Subject):
    """A function of Variables, or a module: the graph that it builds computes the gradients.

    A module is copied before each call, as layers are; a function, and what it closes over, is not.
    """

    def __init__(self, f: Callable[..., Any], args: Sequence[Any], promote: bool = True) -> None:
        self.f, self.culprit = f, f.forward if isinstance(f, Module) else f
        if isinstance(f, Module):
            with contextlib.suppress(TypeError):  # it holds on to the graph of an earlier call
                self.f = copy.deepcopy(f)
        self.name = getattr(f, "__name__", type(f).__name__)
        names = argument_names(self.culprit, len(args))
        self.args = [promoted(array_of(a)) if promote else array_of(a) for a in args]
        self.arguments = {
            name: i for i, (name, a) in enumerate(zip(names, self.args, strict=True)) if real(a)
        }
        self.values = {name: np.array(self.args[i]) for name, i in self.arguments.items()}
        for name, p in parameters_of(f).items():
            self.values[name] = promoted(p.data) if promote else np.array(p.data)

    def fresh(self, values: Values, memo: dict[int, Any] | None = None) -> Any:
        return self.f if self.f is self.culprit else copy.deepcopy(self.f)

    @contextlib.contextmanager
    def _called(self, f: Any, values: Values) -> Iterator[tuple[list[Any], dict[str, Variable]]]:
        """The outputs, and the leaves by name; afterwards parameters are as they were."""
        parameters = parameters_of(f)
        kept = {name: (p.data, p.grad) for name, p in parameters.items()}
        leaves = {name: Variable(np.array(values[name]), name=name) for name in self.arguments}
        try:
            for name, p in parameters.items():
                p.data, p.grad = np.array(values[name]), None
            args = copy.deepcopy(self.args)
            for name, i in self.arguments.items():
                args[i] = leaves[name]
            with self.repeatable():
                ys = as_list(f(*args))
            if not any(is_differentiable(y) for y in ys):
                given = ", ".join(type(y).__name__ for y in ys)
                raise TypeError(
                    f"{self.name} returned {given}, no Variable with a history: compute with"
                    " koubai's or NumPy's functions on the Variables that it is given"
                )
            yield ys, leaves | parameters
        finally:
            for name, p in parameters.items():
                p.data, p.grad = kept[name]

    def draws_anew(self) -> bool:
        f = self.fresh(self.values)
        with (
            self._called(f, self.values) as (first, _),
            self._called(f, self.values) as (second, _),
        ):
            return not all(same(array_of(y), array_of(z)) for y, z in zip(first, second))  # noqa: B905

    def outputs(self) -> tuple[list[Any], dict[int, Function]]:
        """The Variables at the end of the graph; and by id the functions in it, before the call."""
        f = self.fresh(self.values)
        found = reachable(f, Function) if isinstance(f, Module) else ()
        uncalled = {id(function): copy.copy(function) for function in found}
        with self._called(f, self.values) as (ys, _):
            return ys, uncalled

    def forward(self, values: Values) -> list[Array]:
        with self._called(self.fresh(values), values) as (ys, _):
            return [array_of(y) for y in ys]

    def backward(self, values: Values, gys: list[Array]) -> Outcome:
        return self._backward(self.fresh(values), values, gys)

    def _backward(self, f: Any, values: Values, gys: list[Array]) -> Outcome:
        with self._called(f, values) as (ys, leaves):
            terms = [(y * gy).sum() for y, gy in zip(ys, gys, strict=True) if is_differentiable(y)]
            total = terms[0]
            for term in terms[1:]:
                total = total + term
            gradients = propagate(total)  # which leaves everybody's .grad alone
            found = {
                name: array_of(gradients.get(x, np.zeros(x.shape))) for name, x in leaves.items()
            }
            return Outcome([array_of(y) for y in ys], found)

    def after_another(
        self, others: Values, values: Values, gys: list[Array]
    ) -> dict[str, Any] | None:
        f = self.fresh(values)
        with self._called(f, others):
            pass
        outcome = self._backward(f, values, gys)
        if not all(map(same, outcome.outputs, self.forward(values))):
            return None
        return outcome.gradients


def parameters_of(f: Any) -> dict[str, Variable]:
    """The parameters of a module that have a gradient, by name; none of anything else."""
    found = f.named_parameters() if isinstance(f, Module) else ()
    return {name: p for name, p in found if is_differentiable(p)}
