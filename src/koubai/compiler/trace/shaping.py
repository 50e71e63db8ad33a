"""Functions that rearrange elements, and arrays of a given shape, on traced arrays."""

from __future__ import annotations

import math
import operator
from typing import Any, NoReturn

import numpy as np

from koubai.arrays import shape_of
from koubai.compiler.errors import TraceError
from koubai.compiler.trace.lifting import function
from koubai.compiler.trace.traced import Traced


def _lengths(shape: Any) -> tuple[int, ...]:
    return tuple(map(operator.index, shape)) if isinstance(shape, tuple | list) else (shape,)


@function
def reshape(x: Traced, /, shape: int | tuple[int, ...]) -> Traced:
    shape = _lengths(shape)
    if shape.count(-1) == 1 and (known := -math.prod(shape)):
        shape = tuple([x.size // known if n == -1 else n for n in shape])
    y = x.trace.emit("reshape", x, shape=shape)
    y.scalar = x.scalar and not shape
    # With the same lengths, but for those of 1, it is always a view.
    is_view = [n for n in shape if n != 1] == [n for n in x.shape if n != 1]
    put: Any = (lambda base, new: reshape(new, base.shape)) if is_view else None
    return y.as_view("reshape", x, put=put, shape=shape)


@function
def permute_dims(x: Traced, /, axes: tuple[int, ...]) -> Traced:
    axes = tuple([operator.index(axis) % x.ndim for axis in axes])
    y = x.trace.emit("permute_dims", x, axes=axes)
    y.scalar = x.scalar
    inverse = tuple([axes.index(i) for i in range(x.ndim)])
    return y.as_view("permute_dims", x, put=lambda base, new: permute_dims(new, inverse), axes=axes)


@function
def transpose(x: Traced, /, axes: tuple[int, ...] | None = None) -> Any:
    return permute_dims(x, tuple(reversed(range(x.ndim))) if axes is None else axes)


@function
def matrix_transpose(x: Traced, /) -> Any:
    if x.ndim < 2:
        raise ValueError(f"matrix_transpose needs two axes or more, not {x!r}")
    return permute_dims(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


@function
def broadcast_to(x: Traced, /, shape: int | tuple[int, ...]) -> Traced:
    shape = _lengths(shape)

    def refuse(*_: Traced) -> NoReturn:
        raise TraceError("a write in place to a result of broadcast_to; write to a copy of it")

    y = x.trace.emit("broadcast_to", x, shape=shape)
    return y.as_view("broadcast_to", x, put=refuse, shape=shape)


@function
def zeros_like(x: Traced, /, *, dtype: Any = None) -> Any:
    return full_like(x, 0, dtype=dtype)


@function
def ones_like(x: Traced, /, *, dtype: Any = None) -> Any:
    return full_like(x, 1, dtype=dtype)


@function
def full_like(x: Traced, /, fill_value: Any, *, dtype: Any = None) -> Any:
    dtype = x.dtype if dtype is None else dtype
    if isinstance(fill_value, Traced):
        y = full_like(x, 0, dtype=dtype)
        y[...] = fill_value
        return y
    return x.trace.constant(np.full(x.shape, fill_value, dtype=dtype))


@function
def empty_like(x: Traced, /, *, dtype: Any = None) -> Any:
    return full_like(x, 0, dtype=dtype)


def shape(x: Any, /) -> tuple[int, ...]:
    return shape_of(x)


def ndim(x: Any, /) -> int:
    return len(shape_of(x))


def size(x: Any, /) -> int:
    return math.prod(shape_of(x))
