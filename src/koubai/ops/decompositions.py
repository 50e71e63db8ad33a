"""Factorisations of matrices, and of stacks of them: Cholesky, eigenvalues, QR, singular values.

Sources of the derivatives: Giles, "Collected matrix derivative results for forward and reverse mode
algorithmic differentiation" (2008); for Cholesky Murray (arXiv:1602.07527), for QR Roberts and
Roberts (arXiv:2009.10071), for singular vectors Townsend, "Differentiating the singular value
decomposition" (2016).

Singular vectors and eigenvectors of equal values are not determined by the matrix, and have no
derivative. There the term that is divided by the difference of the values is taken as 0: what
depends on the values alone has its gradient (PyTorch's is NaN), what depends on these vectors has
none that means anything.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from koubai import arrays
from koubai.arrays import Array, constant_like, describe, namespace, shape_of
from koubai.core import Function, Variable
from koubai.ops.shaping import matrix_transpose


def _lower(x: Array) -> Array:
    """The triangle below the diagonal."""
    return x * constant_like(np.tril(np.ones(x.shape[-2:]), -1), x)


def _on_diagonal(x: Array) -> Array:
    """``x`` with zeros beside the diagonal."""
    return x * constant_like(np.eye(x.shape[-1]), x)


def _symmetric(x: Array) -> Array:
    return (x + namespace(x).matrix_transpose(x)) / 2


def _column(x: Array) -> Array:
    return namespace(x).reshape(x, (*x.shape, 1))


def _row(x: Array) -> Array:
    return namespace(x).reshape(x, (*x.shape[:-1], 1, x.shape[-1]))


def _inverse(x: Array) -> Array:
    """1 / x, and 0 where x is 0."""
    xp, zero = namespace(x), x == 0
    return xp.where(zero, 0, 1 / xp.where(zero, 1, x))


class Cholesky(Function):
    """The lower triangular y of a symmetric positive definite matrix: x = y y^T.

    Gradient: gx = y^-T P(y^T gy) y^-1 made symmetric, where P takes the lower triangle and halves
    its diagonal.
    """

    def forward(self, x: Array) -> Array:
        self.y = namespace(x).linalg.cholesky(x)
        return self.y

    def backward(self, gy: Array) -> Array:
        xp = namespace(gy, self.y)
        yT = xp.matrix_transpose(self.y)
        product = yT @ gy
        half = xp.linalg.solve(yT, _lower(product) + _on_diagonal(product) / 2)
        return _symmetric(xp.linalg.solve(yT, xp.matrix_transpose(half)))


class Eigh(Function):
    """Eigenvalues w and eigenvectors v of a symmetric matrix: x = v diag(w) v^T.

    Gradient: gx = v (diag(gw) + F * (v^T gv)) v^T made symmetric, where F_ij = 1 / (w_j - w_i).

    Where it fails: F is 0 where eigenvalues are equal: right for what depends on them alone; their
    eigenvectors have no derivative. (PyTorch's gradient of eigenvectors is NaN there.)
    """

    def forward(self, x: Array) -> tuple[Array, Array]:
        self.w, self.v = namespace(x).linalg.eigh(x)
        return self.w, self.v

    def backward(self, gw: Array, gv: Array) -> Array:
        v, xp = self.v, namespace(gw, gv, self.v)
        vT = xp.matrix_transpose(v)
        middle = (vT @ gv) * _inverse(_row(self.w) - _column(self.w))
        return _symmetric(((v * _row(gw)) + v @ middle) @ vT)


class Qr(Function):
    """Orthonormal columns and an upper triangular matrix: x = q r.

    For more columns than rows, x = q [r1, r2]: gx1 is that of the square part, with gq + x2 gr2^T,
    and gx2 = q gr2.

    Gradient: gx = (gq + q S) r^-T for m >= n, where M = r gr^T - gq^T q, and S is M's lower
    triangle and its mirror image.

    Where it fails: an error where the first columns are linearly dependent. (PyTorch's is NaN.)
    """

    def forward(self, x: Array) -> tuple[Array, Array]:
        self.x = x
        self.q, self.r = namespace(x).linalg.qr(x)
        return self.q, self.r

    def backward(self, gq: Array, gr: Array) -> Array:
        x, q, r, xp = self.x, self.q, self.r, namespace(gq, gr, self.q)
        m, n = x.shape[-2:]
        if m >= n:
            return _gradient_of_qr(q, r, gq, gr)
        gr1, gr2 = gr[..., :m], gr[..., m:]
        gq = gq + x[..., m:] @ xp.matrix_transpose(gr2)
        gx1, gx2 = _gradient_of_qr(q, r[..., :m], gq, gr1), q @ gr2
        return arrays.scatter_add(gx1, (..., slice(0, m)), x.shape) + arrays.scatter_add(
            gx2, (..., slice(m, n)), x.shape
        )


def _gradient_of_qr(q: Array, r: Array, gq: Array, gr: Array) -> Array:
    xp = namespace(q, r, gq, gr)
    M = r @ xp.matrix_transpose(gr) - xp.matrix_transpose(gq) @ q
    lower = _lower(M)
    S = lower + xp.matrix_transpose(lower) + _on_diagonal(M)
    # Of y = b r^-T: y^T = r^-1 b^T.
    return xp.matrix_transpose(xp.linalg.solve(r, xp.matrix_transpose(gq + q @ S)))


class Svd(Function):
    """Singular values s and vectors u, vh: x = u diag(s) vh, as many as x's shorter side.

    Gradient: gx = u (F * skew(u^T gu) diag(s) + diag(s) F * skew(v^T gv) + diag(gs)) v^T + (1 - u
    u^T) gu diag(1/s) v^T + u diag(1/s) gv^T (1 - v v^T), where F_ij = 1 / (s_j^2 - s_i^2) and
    skew(z) = z - z^T.

    Where it fails: F is 0 where singular values are equal: right for what depends on them alone;
    their vectors have no derivative. (PyTorch's gradient of vectors is NaN there.)
    """

    def forward(self, x: Array) -> tuple[Array, Array, Array]:
        self.shape = x.shape
        self.u, self.s, self.vh = namespace(x).linalg.svd(x, full_matrices=False)
        return self.u, self.s, self.vh

    def backward(self, gu: Array, gs: Array, gvh: Array) -> Array:
        u, s, vh, xp = self.u, self.s, self.vh, namespace(gu, gs, gvh, self.u)
        m, n = self.shape[-2:]
        uT, v = xp.matrix_transpose(u), xp.matrix_transpose(vh)
        F = _inverse(_row(s) ** 2 - _column(s) ** 2)
        left = uT @ gu
        right = gvh @ v  # (v^T gv)^T
        middle = F * (left - xp.matrix_transpose(left)) * _row(s)
        middle = middle - _column(s) * (F * (right - xp.matrix_transpose(right)))
        gx = (u @ middle + u * _row(gs)) @ vh
        if m > n:
            gx = gx + ((gu - u @ left) * _row(_inverse(s))) @ vh
        if n > m:
            gx = gx + (u * _row(_inverse(s))) @ (gvh - right @ vh)
        return gx


class EighResult(NamedTuple):
    """What ``eigh`` returns."""

    eigenvalues: Any
    eigenvectors: Any


class QRResult(NamedTuple):
    """What ``qr`` returns."""

    Q: Any
    R: Any


class SVDResult(NamedTuple):
    """What ``svd`` returns."""

    U: Any
    S: Any
    Vh: Any


def cholesky(x: Any, /, *, upper: bool = False) -> Variable:
    """The lower triangular matrix y with x = y @ y^T; with ``upper`` the upper one, x = y^T @ y.

    Args:
        x: symmetric positive definite matrices, (..., n, n). Only the lower triangle is read, but
            the gradient is symmetric, as PyTorch's.

    Raises:
        ValueError: if one is not positive definite, or not square.

    >>> cholesky(Variable([[4.0, 2.0], [2.0, 5.0]]))
    Variable([[2., 0.],
              [1., 2.]])
    """
    y = Cholesky()(x)
    return matrix_transpose(y) if upper else y


def eigh(x: Any, /) -> EighResult:
    """Eigenvalues, ascending, and eigenvectors, as columns, of symmetric matrices.

    The sign of each vector is arbitrary: only what does not depend on it has a gradient that means
    something; so it is for the vectors of equal eigenvalues, see the top of this file.

    Args:
        x: symmetric matrices, (..., n, n). Only the lower triangle is read, but the gradient is
            symmetric.

    >>> eigh(Variable([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    Variable([1., 2.])
    """
    results: Any = Eigh()(x)
    return EighResult(*results)


def eigvalsh(x: Any, /) -> Variable:
    """The eigenvalues of symmetric matrices, ascending.

    >>> eigvalsh(Variable([[2.0, 0.0], [0.0, 1.0]]))
    Variable([1., 2.])
    """
    values: Variable = eigh(x).eigenvalues
    return values


def qr(x: Any, /, mode: str = "reduced") -> QRResult:
    """Q, with orthonormal columns, and R, upper triangular, with x = Q @ R.

    Args:
        x: matrices, (..., m, n), whose first min(m, n) columns are linearly independent; of others
            ``backward`` raises ValueError.
        mode: "reduced": Q is (..., m, k) and R (..., k, n), where k = min(m, n). Of "complete" Q's
            further columns would not be determined by x, nor have a gradient.

    >>> Q, R = qr(Variable([[3.0], [4.0]]))
    >>> abs(R.item())
    5.0
    """
    check_mode(x, mode)
    results: Any = Qr()(x)
    return QRResult(*results)


def svd(x: Any, /, full_matrices: bool = True) -> SVDResult:
    """U, S and Vh with x = U @ diag(S) @ Vh: singular vectors, and singular values, descending.

    The sign of each pair of vectors is arbitrary: only what does not depend on it has a gradient
    that means something; so it is for the vectors of equal values, see the top of this file.

    Args:
        x: matrices, (..., m, n).
        full_matrices: must be False unless x is square: the further vectors would not be determined
            by x, nor have a gradient.

    >>> svd(Variable([[0.0, 2.0], [3.0, 0.0]])).S
    Variable([3., 2.])
    """
    check_full_matrices(x, full_matrices)
    results: Any = Svd()(x)
    return SVDResult(*results)


def svdvals(x: Any, /) -> Variable:
    """The singular values of each matrix, descending.

    >>> svdvals(Variable([[0.0, 2.0], [3.0, 0.0]]))
    Variable([3., 2.])
    """
    values: Variable = svd(x, full_matrices=False).S
    return values


def check_mode(x: Any, mode: str) -> None:
    if mode != "reduced":
        raise ValueError(f"qr(x: {describe(x)}, mode={mode!r}): only mode='reduced' has a gradient")


def check_full_matrices(x: Any, full_matrices: bool) -> None:
    shape = shape_of(x)
    if full_matrices and len(set(shape[-2:])) > 1:
        raise ValueError(
            f"svd(x: {describe(x)}, full_matrices=True): the further singular vectors have no"
            " gradient; write full_matrices=False"
        )
