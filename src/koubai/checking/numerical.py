"""Numerical derivatives with an estimate of their error.

A difference quotient is only as good as its step: too large and the curve bends (or a kink is
crossed), too small and rounding drowns it. ``scipy.differentiate`` shrinks the step until two
estimates agree, and their difference says how far the last one can be trusted. Where that fails, a
start with smaller steps follows. Where the forward takes complex numbers, the imaginary part of
f(x + ih) / h has no cancellation at all; it is believed where the differences confirm it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any
Curve = Callable[[Any], Array]
"""t -> the outputs, flat, of the point that lies t along a direction."""

# The first step, in units of the input, and the next ones where that gave no precise result; and by
# what it shrinks in each of scipy's iterations. By the bytes of a number.
FIRST_STEPS = {8: (1e-2, 1e-4, 1e-6), 4: (0.2, 2e-2), 2: (0.5,)}
SHRINK = {8: 4.0, 4: 2.0, 2: 2.0}

AT_ONCE = 100_000  # derivatives; scipy takes a kilobyte for each


@dataclass
class Derivative:
    """dy/dt of all outputs along one direction, how far each may be off, the step: (m,)."""

    value: Array
    error: Array
    step: Array = np.nan


def derivative(
    curves: Sequence[Curve], units: Array, dtype: Any, side: int = 0
) -> Iterator[Derivative]:
    """The derivatives at t = 0 of each of the m outputs along each of K curves.

    Args:
        curves: of which the derivatives are wanted; all are at the same point at t = 0.
        units: (K,), the size of t at which something happens: that of the input.
        dtype: of the computation inside, a floating-point one: how much is lost to rounding.
        side: +1 for steps to the right only, -1 to the left, 0 for both.

    Returns:
        For one curve after the other values and errors, (m,), float64. NaN and infinity where every
        step left the domain.
    """
    if not len(curves):
        return
    y = np.asarray(curves[0](0.0), dtype=np.float64)
    # 0, beside what the output is per unit of the input.
    enough = (
        1e-4
        * float(np.finfo(dtype).eps) ** 0.5
        * max(float(np.max(np.abs(np.nan_to_num(y)), initial=0)) / np.max(units), 1e-290)
    )
    count = max(1, AT_ONCE // max(1, y.size))
    for first in range(0, len(curves), count):
        some = slice(first, first + count)
        yield from _together(curves[some], units[some], y, enough, dtype, side)


def _together(
    curves: Sequence[Curve], units: Array, y: Array, enough: float, dtype: Any, side: int
) -> Iterator[Derivative]:
    """The derivatives along some of the curves, of which the outputs are ``y`` at t = 0."""
    from scipy import differentiate  # takes longer to import than all of koubai

    values: dict[tuple[int, float], Array] = {}

    def point(k: int, t: float) -> Array:
        if (k, t) not in values:
            values[k, t] = np.asarray(curves[k](t), dtype=np.float64)
        return values[k, t]

    def at(t: Array, k: Array, output: Array) -> Array:
        # One row for each (k, output) that scipy is not done with; those of one k have the same t.
        rows = t.reshape(len(k), -1)
        ks, first, which = np.unique(k.reshape(-1), return_index=True, return_inverse=True)
        y = np.array([[point(int(a), float(b)) for b in rows[i]] for a, i in zip(ks, first)])  # noqa: B905
        return y[which, :, output.reshape(-1)].reshape(t.shape)

    size, eps = np.dtype(dtype).itemsize, float(np.finfo(dtype).eps)
    K, m = len(units), y.size
    values.update({(k, 0.0): y for k in range(K)})
    best = Derivative(np.full(K * m, np.nan), np.full(K * m, np.inf), np.full(K * m, np.nan))
    left = np.arange(K * m)
    for first in FIRST_STEPS[size]:
        k, output = left // m, left % m
        steps = first * np.asarray(units)[k]
        with np.errstate(all="ignore"):
            result = differentiate.derivative(
                at,
                np.zeros(len(left)),
                args=(k, output),
                initial_step=steps,
                step_factor=SHRINK[size],
                step_direction=side,
                order=4,
                maxiter=6,
                tolerances={"rtol": eps**0.5, "atol": enough},
            )
            # Two equal estimates may both be off by the rounding of the values they came from.
            last = steps / SHRINK[size] ** result.nit
            error = result.error + 4 * eps * np.abs(y[output]) / last
        better = np.isfinite(result.df) & (error < best.error[left])
        best.value[left[better]], best.error[left[better]] = result.df[better], error[better]
        best.step[left[better]] = last[better]
        # Precise, or as good as 0 beside what the output is per unit of the input.
        scale = np.abs(best.value) + 1e-4 * np.tile(np.abs(y), K) / np.repeat(units, m)
        left = np.flatnonzero(~(best.error <= eps**0.5 * scale))
        if not left.size:
            break
    parts = [a.reshape(K, m) for a in (best.value, best.error, best.step)]
    yield from map(Derivative, *parts)


def noise(curve: Curve, unit: float, slopes: Array) -> Array:
    """By how much the outputs jump about, (m,), where they should go straight.

    What has cancelled inside the forward, as in (x + 1e8) - 1e8, has left rounding errors that the
    outputs don't show.
    """
    y = np.asarray(curve(0.0), dtype=np.float64)
    ts = unit * np.array([1e-7, -2e-7, 4e-7, -7e-7])
    with np.errstate(all="ignore"):
        off = [np.abs(np.asarray(curve(float(t)), dtype=float) - y - t * slopes) for t in ts]
    return np.max(off, axis=0)


def with_complex_step(curve: Curve, unit: float, near: Derivative) -> Derivative:
    """``near``, with the precise values of the complex step where both agree.

    A forward that takes no complex numbers, or drops imaginary parts, changes nothing.
    """
    h = 1e-30 * unit
    try:
        with np.errstate(all="ignore"):
            y = np.asarray(curve(complex(0, h)))
    except Exception:  # whatever somebody's forward raises when it gets complex numbers
        return near
    if y.dtype.kind != "c" or y.shape != near.value.shape or not h > 0:
        return near
    with np.errstate(all="ignore"):
        value = y.imag / h
        confirmed = np.abs(value - near.value) <= 10 * near.error + 1e-7 * np.abs(near.value)
    return Derivative(
        np.where(confirmed, value, near.value),
        np.where(confirmed, 1e-12 * np.abs(value), near.error),
        near.step,
    )
