"""An object with ``forward`` and ``backward``, and a ``Function`` of koubai."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from koubai import arrays
from koubai.checking.subjects.objects import (
    argument_names,
    as_list,
    is_numbers,
    like_output,
    promoted,
    real,
    same,
    shared,
    write,
)
from koubai.checking.subjects.subject import Outcome, Subject, Values, same_random_numbers
from koubai.core import Function, Variable
from koubai.core.variable import array_of

Array = Any

TARGETS = frozenset({"t", "target", "targets", "label", "labels", "y_true", "mask"})
"""Arguments for which a backward may leave out the gradient, although they are floating-point."""


class Layer(Subject):
    """An object with ``forward`` and ``backward``, called by hand.

    Gradients are what backward returns, those of the arguments; and those of arrays in attributes:
    ``dW`` beside ``W``, ``grads`` beside ``params``.
    """

    def __init__(self, layer: Any, args: Sequence[Any], promote: bool = True) -> None:
        self.whole = self.layer = promoted(layer) if promote else copy.deepcopy(layer)
        self.name, self.culprit = type(layer).__name__, layer
        # A price and a number of apples: all are numbers, so all are differentiated.
        numbers = all(isinstance(a, (int, float)) for a in args)
        names = argument_names(layer.forward, len(args))
        self.args = [
            float(a) if numbers else promoted(a) if promote else copy.deepcopy(a) for a in args
        ]
        self.arguments = {
            name: i for i, (name, a) in enumerate(zip(names, self.args, strict=True)) if real(a)
        }
        self.values = {name: np.array(self.args[i]) for name, i in self.arguments.items()}
        self.places: dict[str, tuple[str, Any]] = {}
        self.values |= self._parameters()

    def _parameters(self) -> Values:
        """The arrays in attributes that have gradients in others, found by a first call.

        What the call itself assigns (self.x beside self.dx) is no parameter.
        """
        layer = copy.deepcopy(self.layer)
        before = dict(vars(layer)) if hasattr(layer, "__dict__") else {}
        # What it raises is met again, and reported, when it is checked.
        with np.errstate(all="ignore"), same_random_numbers(), contextlib.suppress(Exception):
            self.run(layer)
        values = {}
        for name, (parameter, gradient) in gradient_places(layer).items():
            x, kept = at(self.layer, parameter), parameter[0] in before
            if real(x) and kept and getattr(layer, parameter[0]) is before[parameter[0]]:
                self.places[name] = (parameter, gradient)
                values[name] = np.array(x)
        return values

    def _arguments(self, values: Values) -> list[Any]:
        args = [copy.deepcopy(a) for a in self.args]
        for name, i in self.arguments.items():
            x = values[name]
            args[i] = x.item() if isinstance(self.args[i], float) else np.array(x)
        return args

    def fresh(self, values: Values, memo: dict[int, Any] | None = None) -> Any:
        layer = copy.deepcopy(self.layer, memo)
        for name, (parameter, _) in self.places.items():
            put(layer, parameter, values[name])
        return layer

    def run(self, instance: Any) -> None:
        outputs = as_list(instance.forward(*self._arguments(self.values)))
        instance.backward(*[np.ones_like(y) if np.ndim(y) else 1.0 for y in outputs])

    def forward(self, values: Values, memo: dict[int, Any] | None = None) -> list[Array]:
        with self.repeatable():
            return as_list(self.fresh(values, memo).forward(*self._arguments(values)))

    def parameter(self, name: str) -> Any:
        return at(self.layer, self.places[name][0]) if name in self.places else None

    def after_another(
        self, others: Values, values: Values, gys: list[Array]
    ) -> dict[str, Any] | None:
        with same_random_numbers():
            layer = self.fresh(values)
            layer.forward(*self._arguments(others))
            outputs = as_list(layer.forward(*self._arguments(values)))
            if not all(map(same, outputs, self.forward(values))):
                return None
            returned = layer.backward(*map(like_output, gys, outputs))
        gradients, _ = self._assigned(returned)
        return gradients | {n: at(layer, gradient) for n, (_, gradient) in self.places.items()}

    def draws_anew(self) -> bool:
        layer = self.fresh(self.values)
        first = as_list(layer.forward(*self._arguments(self.values)))
        first = copy.deepcopy(first)
        return not all(map(same, first, as_list(layer.forward(*self._arguments(self.values)))))

    def reuses(self, others: Values, values: Values, gys: list[Array]) -> bool:
        with same_random_numbers():
            layer = self.fresh(values)
            outputs = as_list(layer.forward(*self._arguments(values)))
            returned = as_list(layer.backward(*map(like_output, gys, outputs)))
            kept = copy.deepcopy(returned)
            outputs = as_list(layer.forward(*self._arguments(others)))
            layer.backward(*[like_output(2 * gy, y) for gy, y in zip(gys, outputs, strict=True)])
        return not all(map(same, returned, kept))

    def backward(self, values: Values, gys: list[Array]) -> Outcome:
        with same_random_numbers():
            layer, args = self.fresh(values), self._arguments(values)
            before = copy.deepcopy(args)
            outputs = as_list(layer.forward(*args))
            upstream = [like_output(gy, y) for gy, y in zip(gys, outputs, strict=True)]
            given = copy.deepcopy(upstream)
            returned = layer.backward(*upstream)
        # Whoever calls a layer inside another may sum what it returns.
        gradients, count = (
            self._summed(returned, values, gys) if self.path else self._assigned(returned)
        )
        for name, (_, gradient) in self.places.items():
            gradients[name] = at(layer, gradient)
        changed = [n for n, i in self.arguments.items() if not same(args[i], before[i])]
        if not all(map(same, upstream, given)):
            changed.append("upstream")
        owned = {n: args[i] for n, i in self.arguments.items()}
        return Outcome(outputs, gradients, changed, shared(gradients, owned), count)

    def _summed(
        self, returned: Any, values: Values, gys: list[Array]
    ) -> tuple[dict[str, Any], int | None]:
        """What backward returned, with broadcasting undone, as the engine does."""
        gradients, count = self._assigned(returned)
        for name, g in gradients.items():
            if not is_numbers(g):
                continue
            shape, like_output = values[name].shape, any(np.shape(g) == gy.shape for gy in gys)
            if np.shape(g) != shape and like_output and arrays.broadcasts(shape, np.shape(g)):
                gradients[name] = arrays.sum_to(np.asarray(g), shape)
        return gradients, count

    def _assigned(self, returned: Any) -> tuple[dict[str, Any], int | None]:
        """What backward returned, by the name of the argument; and how many, if that is wrong."""
        names = list(self.arguments)
        several = isinstance(returned, (tuple, list))
        found = list(returned) if several else [returned]
        if len(found) == len(self.args):
            found = [found[i] for i in self.arguments.values()]
        if len(found) == len(names):
            return dict(zip(names, found, strict=True)), None
        without = [name for name in names if name not in TARGETS]
        if len(found) == len(without) or not names:
            return dict(zip(without, found, strict=False)), None
        return dict(zip(names, found, strict=False)), len(found)


class Node(Layer):
    """A ``Function`` of koubai: it is called with Variables, and broadcasting is undone for it."""

    def __init__(self, function: Function, args: Sequence[Any], promote: bool = True) -> None:
        bare = copy.copy(function)
        for link in ("_inputs", "_outputs", "_number", "_location", "_tuple_types"):
            vars(bare).pop(link, None)
        super().__init__(bare, [array_of(a) for a in args], promote)
        self.culprit = function

    def _call(self, function: Function, args: list[Any]) -> list[Array]:
        differentiable = self.arguments.values()
        inputs = [Variable(a) if i in differentiable else a for i, a in enumerate(args)]
        return [array_of(y) for y in as_list(function(*inputs))]

    def backward(self, values: Values, gys: list[Array]) -> Outcome:
        with same_random_numbers():
            function, args = self.fresh(values), self._arguments(values)
            before = copy.deepcopy(args)
            outputs = self._call(function, args)
            upstream = [like_output(gy, y) for gy, y in zip(gys, outputs, strict=True)]
            given = copy.deepcopy(upstream)
            gradients, count = self._summed(function.backward(*upstream), values, gys)
            gradients |= {n: at(function, gradient) for n, (_, gradient) in self.places.items()}
        changed = [n for n, i in self.arguments.items() if not same(args[i], before[i])]
        if not all(map(same, upstream, given)):
            changed.append("upstream")
        return Outcome(outputs, gradients, changed, [], count)  # the engine copies what is shared

    def after_another(
        self, others: Values, values: Values, gys: list[Array]
    ) -> dict[str, Any] | None:
        with same_random_numbers():
            function = self.fresh(values)
            self._call(function, self._arguments(others))
            outputs = self._call(function, self._arguments(values))
            if not all(map(same, outputs, self.forward(values))):
                return None
            returned = function.backward(*map(like_output, gys, outputs))
        return self._summed(returned, values, gys)[0]

    def reuses(self, others: Values, values: Values, gys: list[Array]) -> bool:
        return False


GRADIENT_NAMES = ("d{}", "d_{}", "g{}", "grad_{}", "{}_grad", "{}grad", "d{}_")
LISTS = (("params", "grads"), ("params", "gradients"), ("parameters", "grads"))


def gradient_places(layer: Any) -> dict[str, tuple[Any, Any]]:
    """Where a layer has arrays and their gradients: {"W": (path of W, path of dW)}.

    A path is an attribute, or an attribute and a key: ("params", 0).
    """
    places: dict[str, tuple[Any, Any]] = {}
    fields = dict(vars(layer)) if hasattr(layer, "__dict__") else {}
    for many, gradients in LISTS:
        xs, gs = fields.get(many), fields.get(gradients)
        if isinstance(xs, (list, tuple)) and isinstance(gs, (list, tuple)) and len(xs) == len(gs):
            places |= {f"{many}[{i}]": ((many, i), (gradients, i)) for i in range(len(xs))}
        if isinstance(xs, dict) and isinstance(gs, dict):
            places |= {f"{many}[{k!r}]": ((many, k), (gradients, k)) for k in xs if k in gs}
    listed = {id(at(layer, parameter)) for parameter, _ in places.values()}
    lower = {name.lower(): name for name in fields}
    alone = {name for name in fields if sum(n.lower() == name.lower() for n in fields) == 1}
    for name, x in fields.items():
        if not isinstance(x, (np.ndarray, float)) or id(x) in listed:
            continue
        for pattern in GRADIENT_NAMES:
            gradient: str | None = pattern.format(name)
            if gradient not in fields and name in alone:  # dw beside W
                gradient = lower.get(str(gradient).lower())
            if gradient in fields and gradient != name:
                places[name] = ((name, None), (gradient, None))
                break
    return places


def at(x: Any, path: Any) -> Any:
    attribute, key = path
    x = getattr(x, attribute, None)
    return x if key is None or x is None else x[key]


def put(x: Any, path: Any, value: Array) -> None:
    """Write into the array there, so that whoever shares it sees it too; numbers are replaced."""
    if isinstance(at(x, path), float):
        setattr(x, path[0], value.item())
    else:
        write(at(x, path), value)
