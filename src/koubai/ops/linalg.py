"""Products of matrices."""

from __future__ import annotations

import math
from typing import Any

from koubai.arrays import Array, describe, namespace, shape_of, sum_to
from koubai.core import Function, Variable


class Matmul(Function):
    """Matrix product: y = x1 @ x2, of vectors, matrices, and stacks of matrices that broadcast.

    Gradient: gx1 = gy @ x2^T, gx2 = x1^T @ gy, summed over the axes along which a stack was
    repeated.
    """

    def forward(self, x1: Array, x2: Array) -> Array:
        self.x1, self.x2 = x1, x2
        return x1 @ x2

    def backward(self, gy: Array) -> tuple[Array, Array]:
        x1, x2, xp = self.x1, self.x2, namespace(gy, self.x1, self.x2)
        gx1 = gx2 = None
        # A vector on the left is a row, on the right a column, whose axis y lacks.
        row = xp.reshape(x1, (1, -1)) if x1.ndim == 1 else x1
        column = xp.reshape(x2, (-1, 1)) if x2.ndim == 1 else x2
        shape = (*gy.shape, 1) if x2.ndim == 1 else gy.shape
        if x1.ndim == 1:
            shape = (*shape[:-1], 1, shape[-1])
        gy = xp.reshape(gy, shape)
        if self.needs_grad(0):
            gx1 = gy @ xp.matrix_transpose(column)
            gx1 = xp.reshape(sum_to(gx1, row.shape), x1.shape)
        if self.needs_grad(1):
            gx2 = xp.matrix_transpose(row) @ gy
            gx2 = xp.reshape(sum_to(gx2, column.shape), x2.shape)
        return gx1, gx2


class Linear(Function):
    """Affine map of rows: y = x W + b, for x (..., I), W (I, O), b (O,) and y (..., O).

    Gradient: gx = gy W^T, gW = x^T gy, gb = the sum of the rows of gy.
    """

    def forward(self, x: Array, W: Array, b: Array) -> Array:
        if W.ndim != 2 or b.shape != W.shape[1:] or x.ndim < 1 or x.shape[-1] != W.shape[0]:
            raise ValueError(_misfit(x, W, b))
        self.x, self.W = x, W
        return x @ W + b

    def backward(self, gy: Array) -> tuple[Array, Array, Array]:
        x, W, xp = self.x, self.W, namespace(gy, self.x, self.W)
        gx = gW = None
        if self.needs_grad(0):
            gx = gy @ W.T
        if x.ndim != 2:
            x, gy = xp.reshape(x, (-1, W.shape[0])), xp.reshape(gy, (-1, W.shape[1]))
        if self.needs_grad(1):
            gW = x.T @ gy
        return gx, gW, xp.sum(gy, axis=0)


def _misfit(x: Array, W: Array, b: Array) -> str:
    """What Linear needs, what it got, and what to write for images that are still images."""
    message = f"needs x (..., I), W (I, O) and b (O,), not {x.shape}, {W.shape} and {b.shape}"
    if x.ndim > 2 and math.prod(x.shape[1:]) == W.shape[0]:
        message += "; for rows write x.reshape(len(x), -1)"
    return message


def matmul(x1: Any, x2: Any, /) -> Variable:
    """x1 @ x2, as ``numpy.matmul``: the last two axes are multiplied, the others broadcast.

    >>> matmul(Variable([[1.0, 2.0]]), Variable([[3.0], [4.0]]))
    Variable([[11.]])
    """
    return Matmul()._once(x1, x2)


def dot(x1: Any, x2: Any, /) -> Variable:
    """``numpy.dot`` of vectors and matrices, where it is the same as ``matmul``.

    Raises:
        ValueError: for more than two axes, where NumPy's dot and matmul differ.

    >>> dot(Variable([1.0, 2.0]), Variable([3.0, 4.0]))
    Variable(11.)
    """
    if not (len(shape_of(x1)) in (1, 2) and len(shape_of(x2)) in (1, 2)):
        raise ValueError(
            f"dot(x1: {describe(x1)}, x2: {describe(x2)}) takes vectors and matrices; for more axes"
            " write matmul, for numbers *"
        )
    return Matmul()._once(x1, x2)


def linear(x: Any, W: Any, b: Any = None, /) -> Variable:
    """x @ W + b: the layer that the books call Affine.

    Args:
        x: rows, (..., I).
        W: weights, (I, O): one column an output.
        b: bias, (O,); None for none.

    >>> linear(Variable([[1.0, 2.0]]), Variable([[3.0], [4.0]]), Variable([0.5]))
    Variable([[11.5]])
    """
    return Matmul()._once(x, W) if b is None else Linear()._once(x, W, b)
