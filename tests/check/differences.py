"""What is wrong with a case, by central differences in float64: simple, slow, and independent.

Each number is moved alone, on a fresh target each time. A gradient is right if it lies between the
two one-sided differences, within rounding; so every choice at a kink is right that lies between
the slopes. That is not enough where a kink joins several numbers (the maximum of equals): there all
numbers are moved together as well, output by output.
"""

from __future__ import annotations

import copy
import inspect
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import koubai
from koubai import Function, Variable, nn

Array = np.ndarray[Any, Any]
Point = dict[str, Array]

EPS = float(np.finfo(np.float64).eps)
STEP = 6e-6  # the cube root of EPS
AT_MOST = 200  # numbers of one array that are moved, drawn at random if there are more
UNCLEAR = 1e-3  # relative errors between the tolerance and this are too small for a catalogue
TOLERANCE = {"float64": 1e-4, "float32": 2e-3, "float16": 5e-2}


class WrongCount(Exception):
    """Too few gradients, or too many."""


@dataclass
class Finding:
    """What was found: all empty if the case is right and its layer tidy."""

    wrong: dict[str, float] = field(default_factory=dict)
    raised: Exception | None = None
    random: bool = False
    upstream_mutated: bool = False
    input_mutated: bool = False
    aliased: bool = False
    unclear: dict[str, float] = field(default_factory=dict)


def is_real(x: Any) -> bool:
    return isinstance(x, float) or (isinstance(x, np.ndarray) and x.dtype.kind == "f")


def tuple_of(y: Any) -> tuple[Any, ...]:
    return tuple(y) if isinstance(y, (tuple, list)) else (y,)


def parameter_names(f: Callable[..., Any], n: int) -> list[str]:
    names = []
    for p in inspect.signature(f).parameters.values():
        if p.kind is p.VAR_POSITIONAL:
            names += [f"{p.name}[{i}]" for i in range(n - len(names))]
        else:
            names.append(p.name)
    return names[:n]


class Target:
    """A fresh target with its arguments. ``values`` are what its gradients are taken of."""

    strict = True  # gradients have the shapes and dtypes of what they belong to

    def __init__(self, target: Any, args: tuple[Any, ...]) -> None:
        self.target, self.args = target, list(args)
        self.names = parameter_names(self.function(), len(args))
        self.setters: dict[str, Callable[[Any], None]] = {}
        self.values: dict[str, Any] = {}
        self.find_inputs()
        self.find_parameters()

    def function(self) -> Callable[..., Any]:
        return self.target.forward

    def find_inputs(self) -> None:
        for i, (name, x) in enumerate(zip(self.names, self.args, strict=True)):
            if is_real(x):
                self.values[name] = x
                self.setters[name] = lambda value, i=i: self.args.__setitem__(i, value)

    def find_parameters(self) -> None:
        pass

    def add(self, name: str, value: Any, replace: Callable[[Any], None]) -> None:
        self.values[name] = value
        write = isinstance(value, np.ndarray)
        self.setters[name] = lambda new: value.__setitem__(..., new) if write else replace(new)

    def set(self, point: Point) -> None:
        for name, value in point.items():
            self.setters[name](value)

    def forward(self) -> tuple[Any, ...]:
        return tuple_of(self.target.forward(*self.args))

    def warm_up(self) -> None:
        """A call at another point, before the one that counts."""
        args = [0.9 * x if is_real(x) else x for x in self.args]
        type(self)(self.target, tuple(args)).forward()

    def backward(self, gys: list[Any]) -> dict[str, Any]:
        raise NotImplementedError


class Layer(Target):
    """Anything with ``forward`` and ``backward``, by hand."""

    def find_parameters(self) -> None:
        self.at_first = {k: v for k, v in vars(self.target).items() if is_real(v)}
        if hasattr(self.target, "grads") and isinstance(self.target.params, list):
            for i, p in enumerate(self.target.params):
                self.add(f"params[{i}]", p, lambda v, i=i: self.target.params.__setitem__(i, v))
        for name, value in self.at_first.items():
            if hasattr(self.target, f"d{name}"):
                self.add(name, value, lambda v, name=name: setattr(self.target, name, v))

    def returned(self, gys: list[Any]) -> dict[str, Any]:
        gxs = tuple_of(self.target.backward(*gys))
        real = [name for name, x in zip(self.names, self.args, strict=True) if is_real(x)]
        for names in (self.names, real, [name for name in real if name != "t"]):
            if len(gxs) == len(names):
                return {k: g for k, g in zip(names, gxs, strict=True) if k in real}
        raise WrongCount(f"{len(gxs)} gradients for {self.names}")

    def backward(self, gys: list[Any]) -> dict[str, Any]:
        gradients = self.returned(gys)
        for name in self.values:
            if name.startswith("params["):
                gradients[name] = self.target.grads[int(name[7:-1])]
            elif name not in self.names:
                gradients[name] = getattr(self.target, f"d{name}")
        return gradients


class Engine(Layer):
    """A ``Function``: what it returns may be broadcast, and of another dtype."""

    strict = False

    def forward(self) -> tuple[Any, ...]:
        self.variables = [Variable(x) if is_real(x) else x for x in self.args]
        self.ys = tuple_of(self.target(*self.variables))  # kept alive, as its snapshot needs
        return tuple(y.data for y in self.ys)


class Network(Target):
    """Anything with ``params`` and ``gradient(x, t)``."""

    def function(self) -> Callable[..., Any]:
        return self.target.loss

    def find_inputs(self) -> None:
        pass

    def find_parameters(self) -> None:
        for key, p in self.target.params.items():
            self.add(f"params['{key}']", p, lambda v, k=key: self.target.params.__setitem__(k, v))

    def forward(self) -> tuple[Any, ...]:
        return (self.target.loss(*self.args),)

    def backward(self, gys: list[Any]) -> dict[str, Any]:
        grads = self.target.gradient(*self.args)
        return {f"params['{k}']": gys[0] * np.asarray(g) for k, g in grads.items()}


class Composite(Target):
    """A function of Variables, or a module: the engine differentiates."""

    strict = False

    def function(self) -> Callable[..., Any]:
        return self.target.forward if isinstance(self.target, nn.Module) else self.target

    def find_parameters(self) -> None:
        if isinstance(self.target, nn.Module):
            for name, p in self.target.named_parameters():
                self.values[name] = p.data
                self.setters[name] = lambda value, p=p: setattr(p, "data", value)

    def forward(self) -> tuple[Any, ...]:
        self.variables = [Variable(x) if is_real(x) else x for x in self.args]
        self.ys = tuple_of(self.target(*self.variables))
        return tuple(y.data for y in self.ys)

    def backward(self, gys: list[Any]) -> dict[str, Any]:
        leaves = {
            k: v for k, v in zip(self.names, self.variables, strict=True) if isinstance(v, Variable)
        }
        if isinstance(self.target, nn.Module):
            leaves.update(self.target.named_parameters())
        for y, gy in zip(self.ys, gys, strict=True):
            y.backward(np.asarray(gy))
        return {k: np.zeros(v.shape) if v.grad is None else v.grad for k, v in leaves.items()}


class Graph(Target):
    """A Variable that has been computed: its functions' ``forward`` run again, on copies."""

    strict = False

    def function(self) -> Callable[..., Any]:
        return lambda: None

    def find_inputs(self) -> None:
        self.leaves: dict[str, Variable] = {}
        self.functions: list[tuple[Function, tuple[Any, ...]]] = []
        seen, stack = set(), [self.target]
        while stack:
            v = stack.pop()
            if id(v) in seen or not isinstance(v, Variable):
                continue
            seen.add(id(v))
            if v.creator is None:
                self.leaves[v.name or f"leaf {len(self.leaves)}"] = v
            else:
                self.functions.append((v.creator, v.creator.outputs))
                stack += v.creator.inputs
        for name, v in self.leaves.items():
            self.values[name] = v.data
            self.setters[name] = lambda value, v=v: setattr(v, "data", value)

    def forward(self) -> tuple[Any, ...]:
        table: dict[int, Any] = {}
        for f, outputs in sorted(self.functions, key=lambda pair: pair[0]._number):
            xs = [table.get(id(x), x.data) if isinstance(x, Variable) else x for x in f.inputs]
            ys = tuple_of(copy.copy(f).forward(*xs))
            table.update({id(o): y for o, y in zip(outputs, ys, strict=True) if o is not None})
        return (table[id(self.target)],)

    def warm_up(self) -> None:
        pass

    def backward(self, gys: list[Any]) -> dict[str, Any]:
        self.target.backward(np.asarray(gys[0]))
        return {k: np.zeros(v.shape) if v.grad is None else v.grad for k, v in self.leaves.items()}


def open_target(target: Any, args: tuple[Any, ...]) -> Target:
    if isinstance(target, type):
        target = target()
    if isinstance(target, Variable):
        return Graph(target, args)
    if isinstance(target, nn.Module):
        return Composite(target, args)
    if isinstance(target, Function):
        return Engine(target, args)
    if hasattr(target, "backward"):
        return Layer(target, args)
    if hasattr(target, "gradient"):
        return Network(target, args)
    return Composite(target, args)


def examine(case: Any, seed: int) -> Finding:
    """All that is wrong with a case, for the inputs that ``seed`` draws."""
    with np.errstate(all="ignore"):
        return _Examination(case, seed).run()


class _Examination:
    def __init__(self, case: Any, seed: int) -> None:
        self.case = case
        self.rng = np.random.default_rng(seed)
        self.args = case.inputs(self.rng)

    def fresh(self) -> Target:
        self.calm()
        return open_target(self.case.target(), copy.deepcopy(self.args))

    @staticmethod
    def calm() -> None:
        """The global random numbers, from the beginning."""
        np.random.seed(0)  # noqa: NPY002
        koubai.random.seed(0)

    def run(self) -> Finding:
        found = Finding()
        target = self.fresh()
        first = copy.deepcopy(target.forward())
        again = self.fresh()
        again.forward()
        self.calm()
        again.args = list(copy.deepcopy(self.args))
        found.random = not all(
            np.array_equal(a, b, equal_nan=True)
            for a, b in zip(first, again.forward(), strict=True)
        )
        if found.random:
            return found
        self.gys = [
            np.asarray(
                self.rng.uniform(0.5, 2, np.shape(y)) * self.rng.choice([-1, 1], np.shape(y))
            )
            for y in first
        ]
        self.ys, self.names = first, target.names
        self.base = {k: np.array(v, np.float64) for k, v in target.values.items()}
        for warm in (False, True):
            try:
                self.compare(self.gradients(found, warm), found)
            except Exception as error:
                found.raised = error
                return found
        return found

    def gradients(self, found: Finding, warm: bool) -> dict[str, Any]:
        target = self.fresh()
        if warm:
            target.warm_up()
        self.calm()
        ys = self.ys if isinstance(target, Network) else target.forward()
        gys = [
            np.array(gy, np.asarray(y).dtype) if np.ndim(y) else np.asarray(y).dtype.type(gy)
            for y, gy in zip(ys, self.gys, strict=True)
        ]
        before = copy.deepcopy(gys)
        result = target.backward(gys)
        if isinstance(target, Layer):
            self.look_for_writing(target, found, gys, before, result)
            for name, value in target.at_first.items():
                if name not in result and getattr(target.target, f"d{name}", None) is not None:
                    result[name] = getattr(target.target, f"d{name}")
                    self.base.setdefault(name, np.array(value, np.float64))
        return copy.deepcopy(result)

    def look_for_writing(
        self, target: Layer, found: Finding, gys: list[Any], before: list[Any], result: Any
    ) -> None:
        def changed(xs: Any, olds: Any) -> bool:
            return not all(
                np.array_equal(x, old, equal_nan=is_real(x))
                for x, old in zip(xs, olds, strict=True)
                if isinstance(x, np.ndarray)
            )

        found.upstream_mutated |= changed(gys, before)
        found.input_mutated |= changed(target.args, self.args)
        arrays = [g for g in result.values() if isinstance(g, np.ndarray) and g.ndim]
        pairs = itertools.combinations(arrays, 2)
        found.aliased |= any(np.shares_memory(a, b) for a, b in pairs)
        saved = copy.deepcopy(result)
        try:
            later = target.returned(copy.deepcopy(before))
        except IndexError:
            later = {}  # takes what forward has put on a stack, once
        for name, g in later.items():
            if isinstance(g, np.ndarray) and isinstance(result[name], np.ndarray):
                found.aliased |= np.shares_memory(g, result[name])
        result.update({k: saved[k] for k in result})

    def loss(self, point: Point, gys: list[Any] | None = None) -> float:
        target = self.fresh()
        target.set(
            {
                k: np.array(v)
                if np.ndim(target.values.get(k, v))
                or isinstance(target.values.get(k, v), np.ndarray)
                else float(v)
                for k, v in point.items()
                if k in target.setters
            }
        )
        for name, value in point.items():
            if name not in target.setters:
                old = getattr(target.target, name)
                if isinstance(old, np.ndarray):
                    old[...] = value
                else:
                    setattr(target.target, name, float(value))
        self.calm()
        ys = target.forward()
        return float(
            sum(
                np.sum(np.asarray(y, np.float64) * gy)
                for y, gy in zip(ys, gys or self.gys, strict=True)
            )
        )

    def compare(self, gradients: dict[str, Any], found: Finding) -> None:
        target = self.fresh()
        types = [np.asarray(v).dtype.name for v in target.values.values()]
        tolerance = max((TOLERANCE[t] for t in types), default=1e-4)
        kinks = False
        for name, base in self.base.items():
            g = gradients.get(name)
            if name == "t" and name not in gradients:
                continue  # labels as floats
            value = target.values.get(name)
            if g is None or not self.has_form(g, base, value, target.strict):
                found.wrong[name] = np.inf
                continue
            error, kink = self.differences(name, base, _summed_to(g, base.shape), value)
            kinks |= kink
            if kink and error > tolerance:
                error = self.output_by_output(name, base, value)
            if error > max(UNCLEAR, tolerance):
                found.wrong[name] = max(error, found.wrong.get(name, 0))
            elif error > tolerance:
                found.unclear[name] = error
        if kinks and not found.wrong:
            self.move_together(found)

    def has_form(self, g: Any, base: Array, value: Any, strict: bool) -> bool:
        if strict and isinstance(value, np.ndarray) and np.asarray(g).dtype != value.dtype:
            return False
        shape = np.shape(g)
        broadcast = any(shape == np.shape(gy) for gy in self.gys)
        return shape == base.shape or (not strict and broadcast)

    def differences(self, name: str, base: Array, g: Array, value: Any) -> tuple[float, bool]:
        """The relative error of g, as far as the differences can tell; whether there are kinks.

        A step too long for the curvature is followed by shorter ones, while they have digits.
        """
        indices = list(np.ndindex(base.shape))
        if len(indices) > AT_MOST:
            indices = [indices[i] for i in self.rng.choice(len(indices), AT_MOST, replace=False)]
        typical = np.max(np.abs(base), initial=0) or 1.0
        middle = self.loss(self.base)
        inner = max((np.max(np.abs(gy), initial=0) for gy in self.gys), default=0)
        error, scale, kink = 0.0, float(np.max(np.abs(g), initial=0)), False
        coarse = _is_coarse(value) and name not in self.names  # written into float32
        steps = np.array([1e-2]) if coarse else STEP / 100.0 ** np.arange(7)
        excesses = []
        for index in indices:
            best, its_slope, its_kink = np.inf, 0.0, False
            first = max(abs(base[index]), 1e-2 * typical)
            for h in first * steps:
                upper, lower = base.copy(), base.copy()
                upper[index] += h
                lower[index] -= h
                if upper[index] == lower[index]:
                    break
                right = (self.loss({**self.base, name: upper}) - middle) / (upper - base)[index]
                left = (middle - self.loss({**self.base, name: lower})) / (base - lower)[index]
                if not (np.isfinite(right) and np.isfinite(left)):
                    continue
                noise = 16 * EPS * (abs(middle) + self.size + inner * (self.size == 0)) / h
                slope = max(abs(left), abs(right))
                if best < np.inf and (noise > 1e-3 * slope or slope == 0):
                    break
                excess = max(
                    0, min(left, right) - noise - g[index], g[index] - max(left, right) - noise
                )
                curved = abs(right - left) > 1e-2 * slope + 2 * noise
                if excess < best or (its_kink and not curved):
                    best, its_slope, its_kink = excess, abs(left + right) / 2, curved
                if best == 0 and not its_kink:
                    break
            if best == np.inf or not np.isfinite(g[index]):
                return np.inf, False
            excesses.append(best)
            scale = max(scale, its_slope)
            kink |= its_kink
        error = max(excesses, default=0)
        return float(error / scale if error else 0), bool(kink)

    def output_by_output(self, name: str, base: Array, value: Any) -> float:
        """The largest error in the gradient of any one output: at kinks, these may not cancel."""
        gys, errors = self.gys, [0.0]
        for one in itertools.islice(_one_at_a_time(gys), 64):
            self.gys = one
            g = self.gradients(Finding(), warm=False)[name]
            errors.append(self.differences(name, base, _summed_to(g, base.shape), value)[0])
        self.gys = gys
        return max(errors)

    @property
    def size(self) -> float:
        """What the loss is summed of, for its rounding errors."""
        pairs = zip(self.ys, self.gys, strict=True)
        return float(sum(np.sum(np.abs(np.asarray(y, np.float64) * gy)) for y, gy in pairs))

    def move_together(self, found: Finding) -> None:
        """Where there are kinks: one output at a time, all numbers moved by the same step."""
        gys = self.gys
        for one in itertools.islice(_one_at_a_time(gys), 64):
            self.gys = one
            gradients = self.gradients(Finding(), warm=False)
            h = 1e-6
            middle = self.loss(self.base)
            right = (self.loss({k: v + h for k, v in self.base.items()}) - middle) / h
            left = (middle - self.loss({k: v - h for k, v in self.base.items()})) / h
            g = float(sum(np.sum(gradients[k]) for k in self.base))
            noise = 1e-3 + 16 * EPS * self.size / h
            if not min(left, right) - noise <= g <= max(left, right) + noise:
                for name in self.base:
                    if np.any(gradients[name]):
                        found.wrong[name] = max(left - g, g - right)
        self.gys = gys


def _one_at_a_time(gys: list[Any]) -> Iterator[list[Any]]:
    """The gradients that ask for one number of the outputs each."""
    for i, gy in enumerate(gys):
        for index in np.ndindex(gy.shape):
            one = [np.zeros_like(gy) for gy in gys]
            one[i][index] = 1.0
            yield one


def _is_coarse(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype != np.float64


def _summed_to(g: Any, shape: tuple[int, ...]) -> Array:
    g = np.asarray(g, np.float64)
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    axes = tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1)
    return g.sum(axis=axes, keepdims=True)
