"""Operations that rearrange elements."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from koubai.arrays import Array, broadcasts, describe, namespace, shape_of, sum_to
from koubai.core import Function, Variable

Shape = int | tuple[int, ...]


class Reshape(Function):
    """The same elements in another shape.

    Gradient: gy in the shape of x.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        return namespace(x).reshape(x, self.shape)

    def backward(self, gy: Array) -> Array:
        return namespace(gy).reshape(gy, self.x_shape)


class PermuteDims(Function):
    """Axes in another order: axis i of the result is axis ``axes[i]`` of x.

    Gradient: gy with its axes in the order of x.
    """

    def __init__(self, axes: tuple[int, ...]) -> None:
        self.axes = axes

    def forward(self, x: Array) -> Array:
        return namespace(x).permute_dims(x, self.axes)

    def backward(self, gy: Array) -> Array:
        ndim = len(self.axes)
        inverse = sorted(range(ndim), key=lambda i: self.axes[i] % ndim)
        return namespace(gy).permute_dims(gy, tuple(inverse))


class BroadcastTo(Function):
    """Elements repeated along new axes and those of length 1.

    Gradient: gy, summed over these axes.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, x: Array) -> Array:
        self.x_shape = shape_of(x)
        if not broadcasts(self.x_shape, self.shape):
            raise ValueError(f"x cannot be repeated to the shape {self.shape}")
        return namespace(x).broadcast_to(x, self.shape)

    def backward(self, gy: Array) -> Array:
        return sum_to(gy, self.x_shape)


class Flip(Function):
    """Elements in reverse order along axes.

    Gradient: gy in reverse order.
    """

    def __init__(self, axes: tuple[int, ...]) -> None:
        self.axes = axes

    def forward(self, x: Array) -> Array:
        reverse = slice(None, None, -1)
        return x[tuple(reverse if i in self.axes else slice(None) for i in range(len(x.shape)))]

    def backward(self, gy: Array) -> Array:
        return self.forward(gy)


def axes_of(name: str, x: Any, axis: int | tuple[int, ...], ndim: int | None = None) -> list[int]:
    """``axis``, one or several of ``x``, as numbers from 0, in the order given.

    Args:
        name: the function, for messages.
        ndim: how many axes there are, if not as many as x has.

    Raises:
        ValueError: for one that is out of bounds, or is named twice.
    """
    ndim = len(shape_of(x)) if ndim is None else ndim
    axes = [operator.index(a) for a in (axis if isinstance(axis, (tuple, list)) else (axis,))]
    for a in axes:
        if not -ndim <= a < ndim:
            raise ValueError(f"{name}(x: {describe(x)}): axis {a} is out of bounds")
    axes = [a % ndim for a in axes]
    if len(set(axes)) < len(axes):
        raise ValueError(f"{name}(x: {describe(x)}): axis {axis} names an axis twice")
    return axes


def reshape(x: Any, /, shape: Shape) -> Variable:
    """``x`` in ``shape``, where one length may be -1, to be found from the others.

    >>> reshape(Variable([1.0, 2.0, 3.0, 4.0]), (2, -1)).shape
    (2, 2)
    """
    return Reshape(shape)(x)


def permute_dims(x: Any, /, axes: tuple[int, ...]) -> Variable:
    """``x`` with its axes in the order ``axes``.

    >>> permute_dims(Variable([[1.0, 2.0, 3.0]]), (1, 0)).shape
    (3, 1)
    """
    return PermuteDims(tuple(axes))(x)


def transpose(x: Any, /, axes: tuple[int, ...] | None = None) -> Variable:
    """NumPy's transpose: all axes reversed, or in the order ``axes``.

    >>> transpose(Variable([[1.0, 2.0, 3.0]])).shape
    (3, 1)
    """
    return permute_dims(x, tuple(reversed(range(len(x.shape)))) if axes is None else axes)


def matrix_transpose(x: Any, /) -> Variable:
    """The last two axes exchanged: a matrix, or a stack of matrices, transposed.

    >>> import numpy as np
    >>> matrix_transpose(Variable(np.ones((5, 2, 3)))).shape
    (5, 3, 2)
    """
    ndim = len(shape_of(x))
    if ndim < 2:
        raise ValueError(f"matrix_transpose(x: {describe(x)}): x must have two axes or more")
    return permute_dims(x, (*range(ndim - 2), ndim - 1, ndim - 2))


def broadcast_to(x: Any, /, shape: tuple[int, ...]) -> Variable:
    """``x`` repeated to ``shape``, by NumPy's broadcasting rules.

    >>> broadcast_to(Variable([1.0, 2.0]), (3, 2)).shape
    (3, 2)
    """
    return BroadcastTo(tuple(shape))(x)


def broadcast_arrays(*arrays: Any) -> tuple[Variable, ...]:
    """Each of ``arrays`` repeated to the shape that they have together.

    Raises:
        ValueError: if their shapes do not broadcast.

    >>> [x.shape for x in broadcast_arrays(Variable([1.0, 2.0]), Variable([[3.0], [4.0]]))]
    [(2, 2), (2, 2)]
    """
    try:
        shape = np.broadcast_shapes(*map(shape_of, arrays))
    except ValueError:
        shapes = ", ".join(map(describe, arrays))
        raise ValueError(f"broadcast_arrays({shapes}): the shapes do not broadcast") from None
    return tuple(broadcast_to(x, shape) for x in arrays)


def squeeze(x: Any, /, axis: int | tuple[int, ...] | None = None) -> Variable:
    """``x`` without its axes ``axis``, which must have length 1; None for all that have.

    >>> squeeze(Variable([[[1.0], [2.0]]]), axis=0).shape
    (2, 1)
    """
    shape = shape_of(x)
    if axis is None:
        return reshape(x, tuple(n for n in shape if n != 1))
    axes = axes_of("squeeze", x, axis)
    if long := [a for a in axes if shape[a] != 1]:
        raise ValueError(f"squeeze(x: {describe(x)}): axis {long[0]} has not length 1")
    return reshape(x, tuple(n for i, n in enumerate(shape) if i not in axes))


def expand_dims(x: Any, /, axis: int | tuple[int, ...]) -> Variable:
    """``x`` with new axes of length 1, which are the axes ``axis`` of the result.

    >>> expand_dims(Variable([1.0, 2.0]), axis=0).shape
    (1, 2)
    """
    shape = shape_of(x)
    ndim = len(shape) + (len(axis) if isinstance(axis, (tuple, list)) else 1)
    axes = axes_of("expand_dims", x, axis, ndim)
    lengths = iter(shape)
    return reshape(x, tuple(1 if i in axes else next(lengths) for i in range(ndim)))


def moveaxis(
    x: Any, source: int | tuple[int, ...], destination: int | tuple[int, ...], /
) -> Variable:
    """``x`` with its axes ``source`` at the places ``destination``; the others keep their order.

    >>> import numpy as np
    >>> moveaxis(Variable(np.ones((2, 3, 5))), 0, -1).shape
    (3, 5, 2)
    """
    sources, places = axes_of("moveaxis", x, source), axes_of("moveaxis", x, destination)
    if len(sources) != len(places):
        raise ValueError(
            f"moveaxis(x: {describe(x)}): {len(sources)} axes cannot move to {len(places)} places"
        )
    axes = [i for i in range(len(shape_of(x))) if i not in sources]
    for place, a in sorted(zip(places, sources, strict=True)):
        axes.insert(place, a)
    return permute_dims(x, tuple(axes))


def flip(x: Any, /, axis: int | tuple[int, ...] | None = None) -> Variable:
    """``x`` in reverse order along ``axis``: one, several, or None for all.

    >>> flip(Variable([1.0, 2.0, 3.0]))
    Variable([3., 2., 1.])
    """
    axes = range(len(shape_of(x))) if axis is None else axes_of("flip", x, axis)
    return Flip(tuple(axes))(x)
