"""Inverses, determinants and powers of square matrices, and of stacks of them.

The derivatives are those of Giles, "Collected matrix derivative results for forward and reverse
mode algorithmic differentiation" (2008), and of Golub and Pereyra (1973) for the pseudo-inverse.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from koubai import arrays
from koubai.arrays import Array, constant_like, describe, namespace, shape_of, sum_to
from koubai.core import Function, Variable
from koubai.ops.choice import where
from koubai.ops.cofactors import Cofactors, is_far_from_singular
from koubai.ops.elementwise import copy
from koubai.ops.linalg import matmul


class Inv(Function):
    """Inverse of a matrix: y x = 1.

    Gradient: gx = -y^T gy y^T.
    """

    def forward(self, x: Array) -> Array:
        self.y = namespace(x).linalg.inv(x)
        return self.y

    def backward(self, gy: Array) -> Array:
        yT = namespace(self.y).matrix_transpose(self.y)
        return -(yT @ gy @ yT)


class Solve(Function):
    """Solution y of linear equations: x1 y = x2.

    Gradient: gx2 = x1^-T gy, gx1 = -gx2 y^T.
    """

    def forward(self, x1: Array, x2: Array) -> Array:
        self.x1, self.vector, self.shape2 = x1, x2.ndim == 1, x2.shape
        self.y = namespace(x1, x2).linalg.solve(x1, x2)
        return self.y

    def backward(self, gy: Array) -> tuple[Array | None, Array]:
        xp = namespace(gy, self.x1, self.y)
        y = self.y
        if self.vector:
            gy, y = [xp.reshape(a, (*a.shape, 1)) for a in (gy, y)]
        gx1, gx2 = None, xp.linalg.solve(xp.matrix_transpose(self.x1), gy)
        if self.needs_grad(0):
            gx1 = sum_to(-(gx2 @ xp.matrix_transpose(y)), self.x1.shape)
        gx2 = xp.reshape(gx2, gx2.shape[:-1]) if self.vector else gx2
        return gx1, sum_to(gx2, self.shape2)


class Det(Function):
    """Determinant of a matrix: y = det(x).

    Gradient: gx = gy c, with the cofactors c; of a regular x they are det(x) x^-T.

    Where it fails: nowhere; it is right where x is singular too. (PyTorch's is not: 0 for
    [[1, 1], [1, 1]].)
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        self.y = namespace(x).linalg.det(x)
        return self.y

    def backward(self, gy: Array) -> Array:
        x, xp = self.x, namespace(gy, self.x)
        gy, y = [xp.reshape(a, (*a.shape, 1, 1)) for a in (gy, self.y)]
        far = is_far_from_singular(x)
        if arrays.holds(xp.all(far)):
            return gy * y * xp.linalg.inv(xp.matrix_transpose(x))
        regular = xp.where(far, x, constant_like(np.eye(x.shape[-1]), x))
        inverse = xp.linalg.inv(xp.matrix_transpose(regular))
        return xp.where(far, gy * y * inverse, gy * Cofactors()(x))


class Slogdet(Function):
    """Sign and logarithm of the absolute value of the determinant.

    Gradient: gx = gy2 x^-T. The sign is constant wherever x is regular: its gradient is dropped.

    Where it fails: an error where x is singular, for the logarithm is -inf there. (PyTorch gives
    infinities.)
    """

    def forward(self, x: Array) -> tuple[Array, Array]:
        self.x = x
        sign, logabsdet = namespace(x).linalg.slogdet(x)
        return sign, logabsdet

    def backward(self, gsign: Array, gy: Array) -> Array:
        xp = namespace(gy, self.x)
        inverse = xp.linalg.inv(xp.matrix_transpose(self.x))
        return xp.reshape(gy, (*gy.shape, 1, 1)) * inverse


class Pinv(Function):
    """Moore-Penrose pseudo-inverse: y = x^+, for x of the shape (m, n).

    Gradient: gx = -y^T gy y^T + (1 - x y) gy^T y y^T + y^T y gy^T (1 - y x).

    Where it fails: right where the rank of x stays as it is, as PyTorch's; elsewhere y jumps.
    """

    def __init__(self, rtol: Any = None) -> None:
        self.rtol = rtol

    def forward(self, x: Array) -> Array:
        self.x = x
        self.y = namespace(x).linalg.pinv(x, rtol=self.rtol)
        return self.y

    def backward(self, gy: Array) -> Array:
        xp, x, y = namespace(gy, self.x, self.y), self.x, self.y
        yT, gyT = xp.matrix_transpose(y), xp.matrix_transpose(gy)
        left, right = gyT @ (y @ yT), (yT @ y) @ gyT
        return left - x @ (y @ left) + right - (right @ y) @ x - yT @ gy @ yT


class SlogdetResult(NamedTuple):
    """What ``slogdet`` returns."""

    sign: Any
    logabsdet: Any


def inv(x: Any, /) -> Variable:
    """The inverse of each matrix.

    Args:
        x: square matrices, (..., n, n).

    Raises:
        ValueError: if one is singular, or not square.

    >>> inv(Variable([[2.0, 0.0], [0.0, 4.0]]))
    Variable([[0.5 , 0.  ],
              [0.  , 0.25]])
    """
    return Inv()(x)


def solve(x1: Any, x2: Any, /) -> Variable:
    """The solution y of the linear equations x1 @ y = x2.

    Args:
        x1: square matrices, (..., n, n).
        x2: one vector (n,), or matrices (..., n, k); stacks broadcast.

    Raises:
        ValueError: if a matrix is singular, for shapes that don't fit.

    >>> solve(Variable([[2.0, 0.0], [0.0, 4.0]]), Variable([1.0, 1.0]))
    Variable([0.5 , 0.25])
    """
    return Solve()(x1, x2)


def det(x: Any, /) -> Variable:
    """The determinant of each matrix, (..., n, n) to (...).

    Of a singular matrix too it has derivatives, of first and second order: the first are the
    cofactors, the transpose of the adjugate.

    >>> det(Variable([[2.0, 1.0], [0.0, 4.0]]))
    Variable(8.)
    """
    return Det()(x)


def slogdet(x: Any, /) -> SlogdetResult:
    """The sign of each determinant, and the logarithm of its absolute value.

    It does not overflow where ``det`` does. The sign, a constant, gives no gradient.

    >>> slogdet(Variable([[2.0, 0.0], [0.0, -0.5]]))
    SlogdetResult(sign=Variable(-1.), logabsdet=Variable(0.))
    """
    results: Any = Slogdet()(x)
    return SlogdetResult(*results)


def pinv(x: Any, /, *, rtol: Any = None) -> Variable:
    """The Moore-Penrose pseudo-inverse of each matrix, (..., m, n) to (..., n, m).

    Its derivative exists where the rank stays as it is; there ``backward`` is right.

    Args:
        rtol: singular values below rtol times the largest count as 0; None for max(m, n) * eps, as
            in the standard and in PyTorch. (NumPy's own default is 1e-15, in float32 too.)

    >>> pinv(Variable([[2.0, 0.0]]))
    Variable([[0.5],
              [0. ]])
    """
    return Pinv(rtol)(x)


def matrix_power(x: Any, n: int, /) -> Variable:
    """The product of n equal matrices; of the inverse, if n is negative; the identity, if it is 0.

    >>> matrix_power(Variable([[1.0, 1.0], [0.0, 1.0]]), 3)
    Variable([[1., 3.],
              [0., 1.]])
    """
    shape = shape_of(x)
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ValueError(f"matrix_power(x: {describe(x)}, n={n}): x must be square matrices")
    if not isinstance(n, int | np.integer):
        raise TypeError(f"matrix_power(x: {describe(x)}, n={n!r}): n must be a whole number")
    if n == 0:
        everywhere = constant_like(np.ones(shape, bool), x)
        return where(everywhere, constant_like(np.eye(shape[-1]), x), x)
    if n == 1:
        return copy(x)
    result: Variable = _power(inv(x) if n < 0 else x, abs(n))
    return result


def _power(x: Any, n: int) -> Any:
    """By squares: x^13 = (x^6)^2 x."""
    if n == 1:
        return x
    half = _power(x, n // 2)
    square = matmul(half, half)
    return matmul(square, x) if n % 2 else square
