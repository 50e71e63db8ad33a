"""Diagonals of matrices, and their sums."""

from __future__ import annotations

from typing import Any

from koubai import arrays
from koubai.arrays import Array, describe, namespace, shape_of
from koubai.core import Function, Variable
from koubai.ops.reduction import sum
from koubai.ops.shaping import permute_dims


class Diagonal(Function):
    """A diagonal of each matrix: y_i = x_i,i+offset.

    Gradient: gy on the diagonal, 0 beside it.
    """

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        *stack, m, n = x.shape
        # In the matrix as a row of m * n numbers, two neighbours on a diagonal are n + 1 apart.
        start = self.offset if self.offset >= 0 else -self.offset * n
        length = min(m, n - self.offset) if self.offset >= 0 else min(m + self.offset, n)
        stop = start + (length - 1) * (n + 1) + 1
        self.index = (..., slice(start, stop, n + 1) if length > 0 else slice(0, 0))
        return namespace(x).reshape(x, (*stack, m * n))[self.index]

    def backward(self, gy: Array) -> Array:
        *stack, m, n = self.shape
        gx = arrays.scatter_add(gy, self.index, (*stack, m * n))
        return namespace(gx).reshape(gx, self.shape)


def diagonal(x: Any, /, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Variable:
    """The elements x[i, i + offset] of the matrices that lie along two axes, as the last axis.

    Args:
        x: two axes or more.
        offset: 0 for the main diagonal, positive above it, negative below.
        axis1, axis2: where the matrices lie. (``koubai.linalg.diagonal`` takes the last two.)

    Raises:
        ValueError: fewer than two axes, or axes that x has not.

    >>> diagonal(Variable([[1.0, 2.0], [3.0, 4.0]]))
    Variable([1., 4.])
    """
    return Diagonal(offset)(_with_last(x, axis1, axis2, "diagonal"))


def trace(x: Any, /, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Variable:
    """The sum of a diagonal; arguments as those of ``diagonal``.

    >>> trace(Variable([[1.0, 2.0], [3.0, 4.0]]))
    Variable(5.)
    """
    return sum(Diagonal(offset)(_with_last(x, axis1, axis2, "trace")), axis=-1)


def last_diagonal(x: Any, /, *, offset: int = 0) -> Variable:
    """A diagonal of each of the matrices on the last two axes: ``linalg.diagonal``.

    >>> last_diagonal(Variable([[[1.0, 2.0], [3.0, 4.0]]]))
    Variable([[1., 4.]])
    """
    return Diagonal(offset)(_with_last(x, -2, -1, "diagonal"))


def last_trace(x: Any, /, *, offset: int = 0) -> Variable:
    """The sum of a diagonal of each of the matrices on the last two axes: ``linalg.trace``.

    >>> last_trace(Variable([[[1.0, 2.0], [3.0, 4.0]]]))
    Variable([5.])
    """
    return sum(Diagonal(offset)(_with_last(x, -2, -1, "trace")), axis=-1)


def _with_last(x: Any, axis1: int, axis2: int, function: str) -> Any:
    """``x`` with the axes of the matrices moved to the end."""
    ndim = len(shape_of(x))
    if ndim < 2:
        raise ValueError(f"{function}(x: {describe(x)}): x must have two axes or more")
    if not (-ndim <= axis1 < ndim and -ndim <= axis2 < ndim) or (axis1 - axis2) % ndim == 0:
        raise ValueError(
            f"{function}(x: {describe(x)}): axis1={axis1} and axis2={axis2} must be two axes of x"
        )
    last = (axis1 % ndim, axis2 % ndim)
    axes = (*[i for i in range(ndim) if i not in last], *last)
    return x if axes == tuple(range(ndim)) else permute_dims(x, axes)
