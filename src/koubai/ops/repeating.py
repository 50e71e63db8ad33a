"""Operations whose result has elements of x several times, or moved round: repeat, tile, roll."""

from __future__ import annotations

from typing import Any

import numpy as np

from koubai import arrays
from koubai.arrays import Array, describe, namespace, shape_of
from koubai.core import Function, Variable
from koubai.ops.gathering import take
from koubai.ops.joining import at
from koubai.ops.shaping import axes_of, reshape

_Ints = int | tuple[int, ...]


class Repeat(Function):
    """Each element several times in a row, along an axis.

    Gradient: those of the copies, summed.
    """

    def __init__(self, times: int, axis: int) -> None:
        self.times, self.axis = times, axis

    def forward(self, x: Array) -> Array:
        xp, shape, after = namespace(x), x.shape, self.axis + 1
        self.repeated = (*shape[:after], self.times, *shape[after:])
        y = xp.reshape(x, (*shape[:after], 1, *shape[after:]))
        y = arrays.copy(xp.broadcast_to(y, self.repeated))
        return xp.reshape(y, (*shape[: self.axis], shape[self.axis] * self.times, *shape[after:]))

    def backward(self, gy: Array) -> Array:
        return arrays.sum_along(namespace(gy).reshape(gy, self.repeated), self.axis + 1)


class Tile(Function):
    """The whole array several times along each axis.

    Gradient: those of the copies, summed.
    """

    def __init__(self, repetitions: tuple[int, ...]) -> None:
        self.repetitions = repetitions

    def forward(self, x: Array) -> Array:
        self.x_shape = shape_of(x)
        ndim = max(len(self.x_shape), len(self.repetitions))
        times = (*(1,) * (ndim - len(self.repetitions)), *self.repetitions)
        lengths = (*(1,) * (ndim - len(self.x_shape)), *self.x_shape)
        # Before each axis one for its repetitions.
        self.repeated = tuple(n for pair in zip(times, lengths, strict=True) for n in pair)
        xp = namespace(x)
        y = xp.reshape(x, tuple(n for length in lengths for n in (1, length)))
        y = xp.broadcast_to(y, self.repeated)
        y = xp.reshape(y, tuple(n * m for n, m in zip(times, lengths, strict=True)))
        return arrays.copy(y)  # it may be a view still

    def backward(self, gy: Array) -> Array:
        xp = namespace(gy)
        gx = xp.sum(xp.reshape(gy, self.repeated), axis=tuple(range(0, len(self.repeated), 2)))
        return xp.reshape(gx, self.x_shape)


class Roll(Function):
    """Elements moved on along an axis, those at the end to the beginning.

    Gradient: gy, moved back.
    """

    def __init__(self, shift: int, axis: int) -> None:
        self.shift, self.axis = shift, axis

    def forward(self, x: Array) -> Array:
        return _rolled(x, self.shift, self.axis)

    def backward(self, gy: Array) -> Array:
        return _rolled(gy, -self.shift, self.axis)


def _rolled(x: Array, shift: int, axis: int) -> Array:
    n = x.shape[axis]
    cut = n - shift % n if n else 0
    parts = [x[at(axis, slice(cut, None))], x[at(axis, slice(None, cut))]]
    return namespace(x).concat(parts, axis=axis)


def repeat(x: Any, repeats: Any, /, axis: int | None = None) -> Variable:
    """Each element of ``x`` several times in a row, along ``axis``.

    Args:
        x: an array.
        repeats: how many times, one number for all; or an array of as many as x has elements
            along the axis, which must be known: not computed in a compiled function.
        axis: which; None for the elements of x in one row.

    Raises:
        ValueError: for an axis that x has not, negative repeats, or another number of them.

    >>> repeat(Variable([1.0, 2.0]), 2)
    Variable([1., 1., 2., 2.])
    """
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    (axis,) = axes_of("repeat", x, axis)
    times = np.asarray(repeats)
    times = times if times.size else times.astype(int)
    n = shape_of(x)[axis]
    if times.dtype.kind not in "iu" or times.shape not in ((), (1,), (n,)) or (times < 0).any():
        raise ValueError(
            f"repeat(x: {describe(x)}, repeats: {describe(repeats)}): repeats must be a number from"
            f" 0, or {n} of them, as x has elements along axis {axis}"
        )
    if times.size == 1:
        return Repeat(int(times.reshape(())), axis)(x)
    return take(x, namespace(x).asarray(np.repeat(np.arange(n), times)), axis=axis)


def tile(x: Any, repetitions: _Ints, /) -> Variable:
    """``x`` several times along each axis, as tiles on a floor.

    Args:
        x: an array.
        repetitions: how many times, from 0, for each axis of the result; where x has more axes,
            for the last ones, and where it has fewer, it gets new ones in front.

    >>> tile(Variable([1.0, 2.0]), (2, 2))
    Variable([[1., 2., 1., 2.],
              [1., 2., 1., 2.]])
    """
    times = repetitions if isinstance(repetitions, (tuple, list)) else (repetitions,)
    if any(n < 0 for n in times):
        raise ValueError(f"tile(x: {describe(x)}): repetitions {repetitions} must not be negative")
    return Tile(tuple(times))(x)


def roll(x: Any, /, shift: _Ints, axis: _Ints | None = None) -> Variable:
    """``x`` moved on by ``shift`` along ``axis``; what leaves it at the end comes in in front.

    Args:
        x: an array.
        shift: how far, backwards if negative; one number, or one for each axis.
        axis: one, or several; None for the elements of x in one row, put back into its shape.

    Raises:
        ValueError: for an axis that x has not, or as many shifts as there are no axes.

    >>> roll(Variable([1.0, 2.0, 3.0]), 1)
    Variable([3., 1., 2.])
    """
    if axis is None:
        rolled: Any = roll(reshape(x, (-1,)), shift, axis=0)
        return reshape(rolled, shape_of(x))
    axes = [axes_of("roll", x, a)[0] for a in (axis if isinstance(axis, (tuple, list)) else [axis])]
    shifts = list(shift) if isinstance(shift, (tuple, list)) else [shift] * len(axes)
    axes = axes * len(shifts) if len(axes) == 1 else axes
    if len(shifts) != len(axes):
        raise ValueError(
            f"roll(x: {describe(x)}): {len(shifts)} shifts do not fit {len(axes)} axes"
        )
    for n, a in zip(shifts, axes, strict=True):
        x = Roll(n, a)(x)
    return x  # type: ignore[no-any-return]
