"""Arrays with a margin, and the windows that slide over one."""

from __future__ import annotations

from typing import Any

import numpy as np

from koubai import arrays
from koubai.arrays import Array, describe, namespace, shape_of
from koubai.core import Function, Variable
from koubai.ops.shaping import axes_of

_Ints = int | tuple[int, ...]


class Pad(Function):
    """A margin of constants round x.

    Gradient: that of the part inside.
    """

    def __init__(self, widths: tuple[tuple[int, int], ...], value: float) -> None:
        self.widths, self.value = widths, value

    def forward(self, x: Array) -> Array:
        pairs = list(zip(shape_of(x), self.widths, strict=True))
        self.inside = tuple(slice(before, before + n) for n, (before, _) in pairs)
        shape = tuple(before + n + after for n, (before, after) in pairs)
        y = arrays.scatter_add(x, self.inside, shape)
        if self.value == 0:
            return y
        xp = namespace(x)
        is_inside = arrays.scatter_add(xp.ones_like(x), self.inside, shape) == 1
        y = namespace(y, is_inside).where(is_inside, y, self.value)
        return arrays.cast(y, x.dtype)

    def backward(self, gy: Array) -> Array:
        return gy[self.inside]


class SlidingWindowView(Function):
    """All windows of given lengths along axes.

    Gradient: each element gets the sum over its windows.
    """

    def __init__(self, lengths: tuple[int, ...], axes: tuple[int, ...]) -> None:
        self.lengths, self.axes = lengths, axes

    def forward(self, x: Array) -> Array:
        self.shape = shape_of(x)
        return arrays.sliding_window_view(x, self.lengths, self.axes)

    def backward(self, gy: Array) -> Array:
        return arrays.add_windows(gy, self.shape, self.axes)


def pad(
    x: Any, pad_width: Any, /, mode: str = "constant", *, constant_values: float = 0
) -> Variable:
    """``x`` with a margin of equal numbers, as ``numpy.pad``.

    Args:
        x: an array.
        pad_width: how many before and after along each axis: ((before, after), ...), one
            (before, after) for all axes, or one number for all.
        mode: "constant", the only one.
        constant_values: what the margin holds.

    Raises:
        ValueError: for another mode, or widths that are negative or do not fit the axes.

    >>> pad(Variable([1.0, 2.0]), (1, 2))
    Variable([0., 1., 2., 0., 0.])
    """
    ndim = len(shape_of(x))
    try:
        widths = np.broadcast_to(np.asarray(pad_width), (ndim, 2)).tolist()
    except ValueError:
        widths = None
    if mode != "constant" or widths is None or any(n < 0 for pair in widths for n in pair):
        raise ValueError(
            f"pad(x: {describe(x)}, pad_width: {pad_width!r}, mode={mode!r}): pad_width must be a"
            f" number from 0, (before, after), or {ndim} of these pairs, and mode 'constant'"
        )
    arrays.refuse_complex(constant_values)
    return Pad(tuple((before, after) for before, after in widths), constant_values)(x)


def sliding_window_view(x: Any, window_shape: _Ints, /, axis: _Ints | None = None) -> Variable:
    """All windows of ``x``, as ``numpy.lib.stride_tricks.sliding_window_view``.

    Args:
        x: an array.
        window_shape: the length of a window along each axis of ``axis``.
        axis: one, or several; None for all of x.

    Returns:
        The windows: first the axes of x, where y[i] is about the window that begins at x[i],
        then one axis for each length of a window.

    Raises:
        ValueError: for an axis that x has not, another number of lengths, or a window of length
            0 or longer than x.

    >>> sliding_window_view(Variable([1.0, 2.0, 3.0]), 2)
    Variable([[1., 2.],
              [2., 3.]])
    """
    lengths = window_shape if isinstance(window_shape, (tuple, list)) else (window_shape,)
    shape = shape_of(x)
    axes = axes_of("sliding_window_view", x, tuple(range(len(shape))) if axis is None else axis)
    fits = len(lengths) == len(axes) and all(
        1 <= n <= shape[a] for n, a in zip(lengths, axes, strict=True)
    )
    if not fits:
        raise ValueError(
            f"sliding_window_view(x: {describe(x)}): windows of {window_shape} do not fit the axes"
            f" {tuple(axes)}"
        )
    return SlidingWindowView(tuple(lengths), tuple(axes))(x)
