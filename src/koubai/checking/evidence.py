"""The numbers of one check: what the code says the gradients are, and what they are.

All differentiable values of a subject are strung together into one long point x of n numbers, all
its outputs into m numbers; then there is one Jacobian, J[j, i] = dy_i / dx_j. With random upstream
gradients gy the gradient is J @ gy. A large subject is looked at along random directions instead,
and only where these disagree, at some of its elements.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from koubai.checking.numerical import Curve, Derivative, derivative, noise, with_complex_step
from koubai.checking.subjects import Outcome, Subject, Values, is_numbers

Array = Any

SECONDS = 0.5  # that a full Jacobian may take,
SMALL = 100, 10.0  # but of so few elements so many, lest it depend on how busy the machine is
NUMBERS = 2_000_000  # that it may have


@dataclass(frozen=True)
class Direction:
    """A way to go from a point: the elements that change, and by how much for a t of 1.

    The others stay as they are. Of a million elements, a vector for each would fill the memory.
    """

    elements: slice | list[int]
    change: Array


def towards(j: int) -> Direction:
    """The direction in which element ``j`` alone changes."""
    return Direction([j], np.ones(1))


class Point:
    """A subject's values as one vector."""

    def __init__(self, subject: Subject, values: Values) -> None:
        self.subject = subject
        self.shapes = {name: np.shape(x) for name, x in values.items()}
        self.dtypes = {name: np.asarray(x).dtype for name, x in subject.values.items()}
        parts = {name: np.asarray(x, dtype=np.float64).reshape(-1) for name, x in values.items()}
        ends = np.cumsum([0, *(len(x) for x in parts.values())])
        self.slices = {
            name: slice(int(a), int(b))
            for name, a, b in zip(parts, ends[:-1], ends[1:], strict=True)
        }
        self.x = np.concatenate([np.empty(0), *parts.values()])
        self.units = np.concatenate([np.empty(0), *map(_units, parts.values())])

    def values(self, x: Array) -> Values:
        """The values that are strung together in ``x``, in the dtypes that the code takes."""
        dtypes = dict.fromkeys(self.dtypes, x.dtype) if np.iscomplexobj(x) else self.dtypes
        return {
            name: x[part].reshape(self.shapes[name]).astype(dtypes[name], copy=False)
            for name, part in self.slices.items()
        }

    def outputs(self, x: Array) -> Array:
        """All outputs at ``x``, flat. Outputs that are no floating-point numbers count as zeros."""
        return flat(self.subject.forward(self.values(x)))

    def curve(self, d: Direction) -> Curve:
        """The outputs at t along a direction; t may be complex."""

        def outputs(t: Any) -> Array:
            x = self.x.astype(np.result_type(self.x, t))
            x[d.elements] += t * d.change
            return self.outputs(x)

        return outputs

    def unit(self, d: Direction) -> float:
        """How far to go along a direction for something to happen to one of its elements."""
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where(d.change != 0, self.units[d.elements] / np.abs(d.change), np.inf)
        return float(np.min(reach, initial=np.inf))

    def flat_gradients(self, gradients: dict[str, Any]) -> Array:
        """The gradients strung together; NaN for those that are missing or of a wrong shape."""
        found = np.full(len(self.x), np.nan)
        for name, part in self.slices.items():
            g: Any = gradients.get(name)
            if is_numbers(g) and np.shape(g) == self.shapes[name]:
                found[part] = np.asarray(g, dtype=np.float64).reshape(-1)
        return found

    def place(self, j: int) -> tuple[str, tuple[int, ...]]:
        """The name and index of element ``j``."""
        name = next(n for n, part in self.slices.items() if part.start <= j < part.stop)
        index = np.unravel_index(j - self.slices[name].start, self.shapes[name])
        return name, tuple(int(i) for i in index)


def _units(x: Array) -> Array:
    """How far to go from each element for something to happen: its size, or its neighbours'.

    Its neighbours' small ones: -1e9 in a mask says nothing about the scores beside it.
    """
    sizes = np.abs(np.where(np.isfinite(x), x, 0))
    if not sizes.any():
        return np.ones(len(x))
    typical = float(np.quantile(sizes[sizes > 0], 0.1))
    return np.where(sizes > 0, np.maximum(sizes, 1e-3 * typical), typical)


def flat(outputs: Sequence[Any]) -> Array:
    """Arrays strung together; complex where one is."""
    parts = []
    for y in outputs:
        y = np.asarray(y)
        parts.append(y.reshape(-1) if y.dtype.kind in "fc" else np.zeros(y.size))
    return np.concatenate(parts) if parts else np.empty(0)


@dataclass
class Evidence:
    """What is known of a subject at one point, for one upstream gradient.

    Attributes:
        point, gys: where, and the upstream gradients as arrays, and ``gy`` strung together.
        outcome: what the code under check did.
        found: what it says the gradient is, (n,).
        truth, error: what the gradient is and how far that may be off, (n,); NaN where not known.
        scale: sum_i |J_ji gy_i|, (n,): what rounding is relative to.
        slopes_of: by element, what is known of the derivatives of the outputs.
        jacobian: (n, m), of a small subject; else None.
        dtype: of the least precise output.
        precision: the machine epsilon of the least precise output or gradient.
        seconds: that one forward takes.
    """

    point: Point
    gys: list[Array]
    gy: Array
    outcome: Outcome
    found: Array
    truth: Array
    error: Array
    scale: Array
    slopes_of: dict[int, Derivative]
    jacobian: Array | None
    dtype: Any
    precision: float
    seconds: float

    @property
    def values(self) -> Values:
        return self.point.values(self.point.x)

    def part(self, name: str, of: Array) -> Array:
        """The part of a strung-together array that belongs to a name, in its shape."""
        return of[self.point.slices[name]].reshape(self.point.shapes[name])

    def slopes(self, elements: Sequence[int], side: int = 0) -> Iterator[Derivative]:
        """dy_i/dx_j for one element j after the other."""
        return self.along([towards(j) for j in elements], side)

    def along(self, directions: Sequence[Direction], side: int = 0) -> Iterator[Derivative]:
        """The derivatives of all outputs along one direction after the other."""
        curves = [self.point.curve(d) for d in directions]
        units = np.array([self.point.unit(d) for d in directions])
        found = derivative(curves, units, self.dtype, side)
        if side:
            return found
        return map(with_complex_step, curves, units, found)

    def summed(self, d: Derivative) -> tuple[float, float, float]:
        """A derivative, its error and its size, |dy_i/dt gy_i|, summed over the outputs."""
        size = np.abs(self.gy)
        return weighted(d.value, self.gy), weighted(d.error, size), weighted(abs(d.value), size)

    def noise(self, direction: Direction, d: Derivative) -> float:
        """How far off a derivative along a direction is by what has cancelled inside."""
        jumps = noise(self.point.curve(direction), self.point.unit(direction), d.value)
        with np.errstate(all="ignore"):
            off = jumps / d.step
        return float(np.nan_to_num(weighted(off, np.abs(self.gy))))


def weighted(slopes: Array, gy: Array) -> float:
    """The sum over all outputs of slope times gradient; 0 times infinity is 0 here."""
    with np.errstate(all="ignore"):
        return float(np.where(gy != 0, slopes * gy, 0.0).sum())


def gather(subject: Subject, values: Values, rng: np.random.Generator) -> Evidence:
    """Run the code under check once, with random upstream gradients, and the Jacobian if small.

    Raises:
        Exception: what the forward or the backward raises.
    """
    point = Point(subject, values)
    values = point.values(point.x)
    with np.errstate(all="ignore"):
        subject.forward(values)  # the first call is slower
        start = time.perf_counter()
        outputs = subject.forward(values)
        seconds = time.perf_counter() - start
        gys = subject.upstream or [rng.normal(size=np.shape(y)) for y in outputs]
        gys = [np.asarray(gy, dtype=_floating(y)) for gy, y in zip(gys, outputs, strict=True)]
        outcome = subject.backward(values, gys)
    dtype = _coarsest([*outputs, *values.values()])
    precision = float(np.finfo(_coarsest([*outputs, *outcome.gradients.values()])).eps)
    n, gy = len(point.x), flat(gys).astype(np.float64)
    unknown = np.full(n, np.nan)
    evidence = Evidence(
        point, gys, gy, outcome, point.flat_gradients(outcome.gradients),
        unknown, unknown.copy(), np.zeros(n), {}, None, dtype, precision, seconds,
    )  # fmt: skip
    limit = SMALL[1] if n <= SMALL[0] else SECONDS
    if n * len(gy) <= NUMBERS and n * 12 * seconds <= limit:
        learn(evidence, np.arange(n))
    return evidence


def _floating(y: Any) -> Any:
    """The dtype of an output's gradient."""
    dtype = np.asarray(y).dtype
    return dtype if dtype.kind == "f" else np.float64


def _coarsest(xs: Sequence[Any]) -> Any:
    """The dtype with the fewest bits among floating-point arrays, float64 at most."""
    dtypes = [np.asarray(x).dtype for x in xs if is_numbers(x)]
    sizes = [d.itemsize for d in dtypes if d.kind == "f"]
    return np.dtype(f"f{min([8, *sizes])}")


def learn(evidence: Evidence, elements: Array) -> None:
    """Find out the truth about some elements."""
    n, gy = len(evidence.point.x), evidence.gy
    if not len(elements):
        if n == 0:
            evidence.jacobian = np.empty((0, len(gy)))
        return
    if gy.size == 0:
        evidence.truth[elements] = evidence.error[elements] = 0.0
        evidence.jacobian = np.empty((n, 0))
        return
    for j, d in zip(elements.tolist(), evidence.slopes(elements.tolist()), strict=True):
        evidence.truth[j], evidence.error[j], evidence.scale[j] = evidence.summed(d)
        evidence.slopes_of[j] = d
    if len(elements) == n:
        evidence.jacobian = np.array([evidence.slopes_of[j].value for j in range(n)])


def gather_slopes(point: Point, name: str, dtype: Any) -> Array:
    """The Jacobian (n, m) of one value's elements at another point."""
    part = point.slices[name]
    curves = [point.curve(towards(j)) for j in range(part.start, part.stop)]
    return np.array([d.value for d in derivative(curves, point.units[part], dtype)])
