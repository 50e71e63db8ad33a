"""Operations that rearrange elements."""

from __future__ import annotations

from typing import Any

from koubai.arrays import Array, broadcasts, describe, namespace, shape_of, sum_to
from koubai.core import Function, Variable

Shape = int | tuple[int, ...]


class Reshape(Function):
    """The same elements in another shape."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        return namespace(x).reshape(x, self.shape)

    def backward(self, gy: Array) -> Array:
        return namespace(gy).reshape(gy, self.x_shape)


class PermuteDims(Function):
    """Axes in another order: axis i of the result is axis ``axes[i]`` of x."""

    def __init__(self, axes: tuple[int, ...]) -> None:
        self.axes = axes

    def forward(self, x: Array) -> Array:
        return namespace(x).permute_dims(x, self.axes)

    def backward(self, gy: Array) -> Array:
        ndim = len(self.axes)
        inverse = sorted(range(ndim), key=lambda i: self.axes[i] % ndim)
        return namespace(gy).permute_dims(gy, tuple(inverse))


class BroadcastTo(Function):
    """Elements repeated along new axes and those of length 1; the gradient is summed over them."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, x: Array) -> Array:
        self.x_shape = shape_of(x)
        if not broadcasts(self.x_shape, self.shape):
            raise ValueError(f"x cannot be repeated to the shape {self.shape}")
        return namespace(x).broadcast_to(x, self.shape)

    def backward(self, gy: Array) -> Array:
        return sum_to(gy, self.x_shape)


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
