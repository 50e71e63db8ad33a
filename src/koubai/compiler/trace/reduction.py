"""Functions that combine elements along axes, on traced arrays; and products of matrices."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from koubai.arrays import shape_of
from koubai.compiler.primitives import loop
from koubai.compiler.trace.lifting import as_scalar, dtype_of, function, trace_of, traced
from koubai.compiler.trace.traced import Traced

_Axis = int | tuple[int, ...] | None


def _axes(x: Traced, axis: _Axis) -> tuple[int, ...]:
    """``axis`` as numbers from 0, in order."""
    if axis is None or (
        not x.ndim and not isinstance(axis, tuple) and operator.index(axis) in (0, -1)
    ):
        return tuple(range(x.ndim))  # NumPy takes axis=0 and axis=-1 of a number too
    axes = axis if isinstance(axis, tuple) else (axis,)
    for a in axes:
        if not -x.ndim <= operator.index(a) < x.ndim:
            raise ValueError(f"axis {a} is out of bounds for {x!r}")
    return tuple(sorted(a % x.ndim for a in axes))


def _kept(x: Traced, axes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of ``x`` reduced along ``axes``, if these were kept with length 1."""
    return tuple(1 if i in axes else n for i, n in enumerate(x.shape))


def _reduction(name: str) -> Callable[..., Any]:
    def f(x: Traced, /, axis: _Axis = None, *, keepdims: Any = False) -> Traced:
        axes = _axes(x, axis)
        y = as_scalar(x.trace.emit(name, x, axis=axes))
        return as_scalar(x.trace.emit("reshape", y, shape=_kept(x, axes))) if keepdims else y

    f.__name__ = f.__qualname__ = name
    return function(f)


sum = _reduction("sum")
prod = _reduction("prod")
max = _reduction("max")
min = _reduction("min")
all = _reduction("all")
any = _reduction("any")


@function
def mean(x: Traced, /, axis: _Axis = None, *, keepdims: Any = False) -> Traced:
    if axis is not None and not isinstance(axis, tuple):
        axis = (axis,)  # of a number, no axis
    n = math.prod(x.shape[a] for a in _axes(x, axis))
    dtype = x.dtype.newbyteorder("=") if x.dtype.kind == "f" else np.dtype(np.float64)
    # NumPy adds half precision up in single.
    wide = traced(x.trace, x, np.dtype(np.float32) if dtype == np.float16 else dtype)
    return traced(x.trace, sum(wide, axis, keepdims=keepdims) / n, dtype)


@function
def count_nonzero(x: Traced, /, axis: _Axis = None, *, keepdims: Any = False) -> Any:
    return sum(x != 0, axis, keepdims=keepdims)


def _argument(name: str) -> Callable[..., Any]:
    def f(x: Traced, /, axis: int | None = None, *, keepdims: Any = False) -> Traced:
        if axis is None or not (axes := _axes(x, axis)):
            kept, x, axis = (1,) * x.ndim, x.reshape(x.size), 0
        else:
            (axis,) = axes
            kept = _kept(x, axes)
        y = as_scalar(x.trace.emit(name, x, axis=axis))
        return as_scalar(x.trace.emit("reshape", y, shape=kept)) if keepdims else y

    f.__name__ = f.__qualname__ = name
    return function(f)


argmax = _argument("argmax")
argmin = _argument("argmin")


@function
def argsort(
    x: Traced, /, axis: int = -1, *, descending: bool = False, stable: bool = False
) -> Traced:
    if not -x.ndim <= operator.index(axis) < x.ndim:
        raise ValueError(f"axis {axis} is out of bounds for {x!r}")
    axis %= x.ndim
    return x.trace.emit("argsort", x, axis=axis, descending=bool(descending), stable=bool(stable))


@function
def matmul(x1: Any, x2: Any, /) -> Traced:
    trace, (dtype, *_) = trace_of(x1, x2), loop("matmul", [dtype_of(x1), dtype_of(x2)])
    return as_scalar(trace.emit("matmul", traced(trace, x1, dtype), traced(trace, x2, dtype)))


@function
def dot(x1: Any, x2: Any, /) -> Any:
    if not (len(shape_of(x1)) in (1, 2) and len(shape_of(x2)) in (1, 2)):
        raise ValueError("dot takes vectors and matrices; for more axes write matmul, for 0-d *")
    return matmul(x1, x2)
