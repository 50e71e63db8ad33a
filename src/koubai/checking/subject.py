"""What is checked, whatever it is, seen in one way: named values in, outputs, and gradients out.

    subject.values                      {"x": ..., "W": ...}: what has a gradient
    subject.forward(values)             the outputs there
    subject.backward(values, gys)       what the code under check says the gradients are

Both leave no traces: every call works on a fresh copy, with random numbers as at the first call.
The kinds of subject, one for each way in which people write gradients: an object with ``forward``
and ``backward`` that knows nothing of koubai (``Layer``), a ``Function`` of koubai (``Node``), an
object with ``params`` and ``gradient(x, t)`` (``Network``), and a function of Variables or a
module, whose graph computes the gradients (``Graph``).
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from koubai import arrays, random
from koubai.core import Function, Variable
from koubai.core.backward import propagate
from koubai.core.function import is_differentiable
from koubai.core.variable import array_of
from koubai.nn import Module

Array = Any
Values = dict[str, Array]


@dataclass
class Outcome:
    """What one forward and one backward gave.

    Attributes:
        outputs: of the forward.
        gradients: by the name of the value; whatever the code returned, or nothing.
        changed: the names of values, and "upstream", whose arrays were written into.
        shared: pairs of names whose arrays overlap in memory.
        count: what is wrong with the number of gradients, if it is.
    """

    outputs: list[Array]
    gradients: dict[str, Any]
    changed: list[str] = field(default_factory=list)
    shared: list[tuple[str, str]] = field(default_factory=list)
    count: str = ""


class Subject:
    """One thing to check; see the subclasses.

    Attributes:
        name: for the report.
        values: what has a gradient, by name.
        args: what the forward is called with.
        arguments: which of them have a gradient: the place of each, by name.
        culprit: the function or object whose backward is at fault if a gradient is wrong.
        upstream: gradients to begin with; None for random ones.
        draws: whether it draws from a global generator, whose state takes long to save.
        cache_lost: of a layer inside another: there were more forwards than backwards, so that a
            backward sees what the last forward stored.
        path: of a layer inside another, where it stands.
        whole: the object under check, of layers and networks.
    """

    name: str
    values: Values
    args: list[Any]
    arguments: dict[str, int]
    culprit: Any = None
    upstream: list[Array] | None = None
    draws = True
    cache_lost = False
    path = ""
    whole: Any = None

    def forward(self, values: Values) -> list[Array]:
        raise NotImplementedError

    def backward(self, values: Values, gys: list[Array]) -> Outcome:
        raise NotImplementedError

    def run(self, instance: Any) -> None:
        """A forward and a backward of a fresh copy of the object."""

    def fresh(self, values: Values, memo: dict[int, Any] | None = None) -> Any:
        """A copy of the object under check, as it was before its first call."""
        return None

    def parameter(self, name: str) -> Any:
        """The object's own array of that name, if it is a parameter and can be replaced."""
        return None

    def after_another(
        self, others: Values, values: Values, gys: list[Array]
    ) -> dict[str, Any] | None:
        """The gradients where a forward with others went before; None where that says nothing."""
        return None

    def draws_anew(self) -> bool:
        """Whether a second forward of the same object gives other outputs."""
        return False

    def reuses(self, others: Values, values: Values, gys: list[Array]) -> bool:
        """Whether gradients that were returned change when the object is used again."""
        return False

    def repeatable(self) -> contextlib.AbstractContextManager[None]:
        """Around a forward: the same random numbers each time, if it draws any."""
        return same_random_numbers() if self.draws else contextlib.nullcontext()

    def find_out_whether_it_draws(self) -> None:
        """By one forward."""
        self.draws = False
        with same_random_numbers():
            before = _draws()
            self.forward(self.values)
            self.draws = _draws() != before

    @property
    def where(self) -> str:
        """The file and line of the backward."""
        return source_line(self.culprit)


def source_line(x: Any) -> str:
    """``layers.py:12``: where the backward of ``x``, or ``x`` itself, is written."""
    for name in ("backward", "gradient"):
        if not isinstance(x, types.FunctionType) and hasattr(type(x), name):
            x = getattr(type(x), name)
            break
    try:
        file, line = inspect.getsourcefile(x), inspect.getsourcelines(x)[1]
    except (TypeError, OSError):  # typed into a console, or built in
        return getattr(x, "__qualname__", type(x).__name__)
    return f"{Path(file or '?').name}:{line}"


@contextlib.contextmanager
def same_random_numbers() -> Iterator[None]:
    """What draws from NumPy's or koubai's global generator draws the same at every call."""
    ours, numpys = random.default.state(), np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.default.restore(ours)
        np.random.set_state(numpys)  # noqa: NPY002


def _draws() -> bytes:
    """Where the global generators stand."""
    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    numpys = bytes(state["state"]["key"]), state["state"]["pos"]
    return repr((numpys, random.default.state())).encode()


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
    ) -> tuple[dict[str, Any], str]:
        """What backward returned, with broadcasting undone, as the engine does."""
        gradients, count = self._assigned(returned)
        for name, g in gradients.items():
            shape, like_output = values[name].shape, any(np.shape(g) == gy.shape for gy in gys)
            if np.shape(g) != shape and like_output and arrays.broadcasts(shape, np.shape(g)):
                gradients[name] = arrays.sum_to(np.asarray(g), shape)
        return gradients, count

    def _assigned(self, returned: Any) -> tuple[dict[str, Any], str]:
        """What backward returned, by the name of the argument."""
        names = list(self.arguments)
        several = isinstance(returned, (tuple, list))
        found = list(returned) if several else [returned]
        if len(found) == len(self.args):
            found = [found[i] for i in self.arguments.values()]
        if len(found) == len(names):
            return dict(zip(names, found, strict=True)), ""
        without = [name for name in names if name not in TARGETS]
        if len(found) == len(without) or not names:
            return dict(zip(without, found, strict=False)), ""
        return dict(zip(names, found, strict=False)), (
            f"backward returned {len(found)} gradient{'s' * (len(found) != 1)}, and forward takes"
            f" {len(names)} argument{'s' * (len(names) != 1)} with a gradient"
        )


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


class Network(Subject):
    """An object with ``params``, ``loss(x, t)`` and ``gradient(x, t)``, as in the books."""

    def __init__(self, network: Any, args: Sequence[Any], promote: bool = True) -> None:
        self.whole = self.network = promoted(network) if promote else copy.deepcopy(network)
        self.name, self.culprit, self.arguments = type(network).__name__, network, {}
        self.args = [promoted(a) if promote else copy.deepcopy(a) for a in args]
        params = self.network.params
        keys = params if isinstance(params, dict) else range(len(params))
        self.places = {f"params[{key!r}]": key for key in keys}
        self.values = {name: np.array(params[key]) for name, key in self.places.items()}

    def fresh(self, values: Values, memo: dict[int, Any] | None = None) -> Any:
        network = copy.deepcopy(self.network, memo)
        for name, key in self.places.items():
            write(network.params[key], values[name])
        return network

    def run(self, instance: Any) -> None:
        instance.gradient(*copy.deepcopy(self.args))

    def forward(self, values: Values, memo: dict[int, Any] | None = None) -> list[Array]:
        with self.repeatable():
            return as_list(self.fresh(values, memo).loss(*copy.deepcopy(self.args)))

    def parameter(self, name: str) -> Any:
        return self.network.params[self.places[name]]

    def backward(self, values: Values, gys: list[Array]) -> Outcome:
        with same_random_numbers():
            gradients = self.gradients(self.fresh(values), gys)
        return Outcome(self.forward(values), gradients, shared=shared(gradients, {}))

    def after_another(
        self, others: Values, values: Values, gys: list[Array]
    ) -> dict[str, Any] | None:
        with same_random_numbers():
            network = self.fresh(values)
            network.loss(*[a * 1.25 if real(a) else a for a in copy.deepcopy(self.args)])
            return self.gradients(network, gys)

    def gradients(self, network: Any, gys: list[Array]) -> dict[str, Any]:
        """What the network says, times the upstream gradient, which it knows nothing of."""
        found = network.gradient(*copy.deepcopy(self.args))
        if found is None:
            found = getattr(network, "grads", {})
        gradients: dict[str, Any] = {}
        for name, key in self.places.items():
            with contextlib.suppress(KeyError, IndexError, TypeError):
                gradients[name] = np.asarray(found[key]) * gys[0]
        return gradients


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


def argument_names(f: Callable[..., Any], count: int) -> list[str]:
    """The names of a function's first ``count`` arguments."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # of builtin functions
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    several = next((p.name for p in parameters if p.kind == p.VAR_POSITIONAL), "x")
    names += [f"{several}[{i}]" for i in range(count - len(names))]
    return names[:count]


def real(x: Any) -> bool:
    """Whether ``x`` is a number or array that has a gradient."""
    return isinstance(x, float) or (
        isinstance(x, (np.ndarray, np.generic)) and np.asarray(x).dtype.kind == "f"
    )


def as_list(x: Any) -> list[Any]:
    return list(x) if isinstance(x, (tuple, list)) else [x]


def like_output(gy: Array, y: Any) -> Any:
    """An upstream gradient in the form of the output: a number for a number."""
    return float(gy) if isinstance(y, float) and not isinstance(y, np.generic) else np.array(gy)


def shared(gradients: dict[str, Any], owned: dict[str, Any]) -> list[tuple[str, str]]:
    """Gradients that overlap in memory with one another, or with the arrays that are owned."""
    found = [(f"the gradient of {n}", g) for n, g in gradients.items()]
    others = found + list(owned.items())
    return [
        (a, b)
        for i, (a, x) in enumerate(found)
        for b, y in others[i + 1 :]
        if isinstance(x, np.ndarray) and isinstance(y, np.ndarray) and np.shares_memory(x, y)
    ]


def same(x: Any, y: Any) -> bool:
    if not real(x) or not real(y):
        return bool(np.array_equal(x, y)) if x is not None else y is None
    return bool(np.array_equal(x, y, equal_nan=True))


def promoted(x: Any) -> Any:
    """A deep copy in which arrays of fewer than 64 bits are float64."""
    memo: dict[int, Any] = {}
    for a in reachable(x):
        if a.dtype.kind == "f" and a.dtype.itemsize < 8:
            memo[id(a)] = a.astype(np.float64)
    if isinstance(x, np.generic) and x.dtype.kind == "f":
        return np.float64(x)
    return copy.deepcopy(x, memo)


def reachable(x: Any, kind: type = np.ndarray) -> Iterator[Any]:
    """The arrays in an object, or other things: in its attributes and containers, and theirs."""
    stack, seen = [x], set()
    while stack:
        x = stack.pop()
        if id(x) in seen or isinstance(x, (type, types.ModuleType, types.FunctionType, str)):
            continue
        seen.add(id(x))
        if isinstance(x, kind):
            yield x
        elif isinstance(x, dict):
            stack += x.values()
        elif isinstance(x, (list, tuple, set, frozenset)):
            stack += x
        else:
            stack += getattr(x, "__dict__", {}).values()
            for cls in type(x).__mro__:
                for name in getattr(cls, "__slots__", ()):
                    stack.append(getattr(x, name, None))


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


def write(x: Array, value: Array) -> None:
    """x[...] = value; complex numbers, of the complex step, are refused by a real array."""
    np.copyto(x, value, casting="same_kind")
