"""``linalg`` of traced arrays: LAPACK's work is a primitive, the rest is composed of others."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from koubai.compiler.primitives import PARTS
from koubai.compiler.trace.elementwise import abs, multiply, not_equal, sqrt
from koubai.compiler.trace.lifting import as_scalar, dtype_of, trace_of, traced
from koubai.compiler.trace.lifting import function as _function
from koubai.compiler.trace.reduction import matmul, max, min, sum
from koubai.compiler.trace.shaping import matrix_transpose, permute_dims, reshape
from koubai.compiler.trace.traced import Traced
from koubai.ops.decompositions import (
    EighResult,
    QRResult,
    SVDResult,
    check_full_matrices,
    check_mode,
    eigvalsh,
    svdvals,
)
from koubai.ops.diagonals import last_diagonal as diagonal
from koubai.ops.diagonals import last_trace as trace
from koubai.ops.einsum import outer, tensordot, vecdot
from koubai.ops.matrices import SlogdetResult, matrix_power
from koubai.ops.norms import matrix_norm, norm

__all__ = [
    "cholesky",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_transpose",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]

function = functools.partial(_function, room="linalg")


def _floating(*xs: Any) -> list[Traced]:
    """The operands in the dtype in which NumPy computes: integers become float64."""
    dtype = np.result_type(*[dtype_of(x) for x in xs])
    dtype = dtype if dtype.kind == "f" else np.dtype(np.float64)
    return [traced(trace_of(*xs), x, dtype) for x in xs]


@function
def inv(x: Traced, /) -> Traced:
    return x.trace.emit("inv", *_floating(x))


@function
def solve(x1: Any, x2: Any, /) -> Traced:
    return trace_of(x1, x2).emit("solve", *_floating(x1, x2))


@function
def det(x: Traced, /) -> Traced:
    return as_scalar(x.trace.emit("det", *_floating(x)))


@function
def pinv(x: Traced, /, *, rtol: Any = 1e-15) -> Traced:  # NumPy's default
    return x.trace.emit("pinv", *_floating(x), rtol=rtol)


def _parts(name: str, x: Traced) -> list[Traced]:
    """The parts of a factorisation, cut out of the row that the primitive makes."""
    (x,) = _floating(x)
    row = x.trace.emit(name, x)
    *stack, m, n = x.shape
    parts, start = [], 0
    for shape in PARTS[name](m, n):
        stop = start + math.prod(shape)
        part = x.trace.emit("getitem", row, index=(Ellipsis, slice(start, stop)))
        parts.append(x.trace.emit("reshape", part, shape=(*stack, *shape)))
        start = stop
    return parts


@function
def slogdet(x: Traced, /) -> SlogdetResult:
    return SlogdetResult(*map(as_scalar, _parts("slogdet", x)))


@function
def cholesky(x: Traced, /) -> Traced:
    return x.trace.emit("cholesky", *_floating(x))


@function
def eigh(x: Traced, /) -> EighResult:
    return EighResult(*_parts("eigh", x))


@function
def qr(x: Traced, /, mode: str = "reduced") -> QRResult:
    check_mode(x, mode)
    return QRResult(*_parts("qr", x))


@function
def svd(x: Traced, /, full_matrices: bool = True) -> SVDResult:
    check_full_matrices(x, full_matrices)
    return SVDResult(*_parts("svd", x))


@function
def vector_norm(x: Traced, /, *, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Any:
    axes = tuple(range(x.ndim)) if axis is None else axis
    if not isinstance(axes, tuple):
        return _norm(_floating(x)[0], axes, keepdims, ord)
    # As NumPy does: these axes as one, the first, so that it is added up in the same order.
    axes = tuple([a % x.ndim for a in axes])
    rest = [i for i in range(x.ndim) if i not in axes]
    rows = x if axis is None else permute_dims(x, (*axes, *rest))
    rows = rows.reshape((math.prod(x.shape[a] for a in axes), *[x.shape[i] for i in rest]))
    y = _norm(_floating(rows)[0], 0, False, ord)
    kept = [1 if i in axes else n for i, n in enumerate(x.shape)]
    return as_scalar(reshape(y, tuple(kept))) if keepdims else y


def _norm(x: Traced, axis: int, keepdims: bool, ord: float) -> Any:
    if ord in (math.inf, -math.inf):
        return (max if ord > 0 else min)(abs(x), axis, keepdims=keepdims)
    if ord == 0:
        return sum(not_equal(x, 0), axis, keepdims=keepdims).astype(x.dtype)
    if ord == 1:
        return sum(abs(x), axis, keepdims=keepdims)
    if ord == 2:
        return sqrt(sum(multiply(x, x), axis, keepdims=keepdims))
    return sum(abs(x) ** ord, axis, keepdims=keepdims) ** (1 / ord)
