"""The Array API functions of traced arrays: each appends to the program.

Names and signatures are the standard's. Numbers among the arguments are weak, as in NumPy 2:
``x * 2`` keeps the dtype of x.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import arange as arange
from numpy import isdtype as isdtype
from numpy import ones, zeros

from koubai.array_methods import bind_methods
from koubai.arrays import NUMBERS, shape_of
from koubai.compiler.primitives import BOOL, OPERAND, Operand
from koubai.compiler.trace.traced import Trace, Traced, TraceError

_Axis = int | tuple[int, ...] | None


def _trace_of(*xs: Any) -> Trace:
    return next(x.trace for x in xs if isinstance(x, Traced))


def _traced(trace: Trace, x: Any, dtype: Any) -> Traced:
    """``x`` as a traced array of ``dtype``; arrays and numbers are constants of the program."""
    if not isinstance(x, Traced):
        return trace.emit("constant", value=np.array(x, dtype=dtype))
    return x if x.dtype == dtype else trace.emit("cast", x, dtype=str(np.dtype(dtype)))


def _common_dtype(*xs: Any) -> np.dtype[Any]:
    return np.result_type(*[x if isinstance(x, NUMBERS) else x.dtype for x in map(_arrayed, xs)])


def _arrayed(x: Any) -> Any:
    return x if isinstance(x, (Traced, *NUMBERS)) else np.asarray(x)


def _floating(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype if dtype.kind == "f" else np.dtype(np.float64)


def _elementwise(
    name: str, to: Callable[[Any], Any] = lambda dtype: dtype
) -> Callable[..., Traced]:
    """The function ``name``: its operands converted to one dtype, ``to(their common dtype)``."""

    def function(*xs: Any) -> Traced:
        trace, dtype = _trace_of(*xs), to(_common_dtype(*xs))
        return trace.emit(name, *[_traced(trace, _arrayed(x), dtype) for x in xs])

    function.__name__ = name
    return function


abs = _elementwise("abs")
add = _elementwise("add")
ceil = _elementwise("ceil")
cos = _elementwise("cos", _floating)
divide = _elementwise("divide", _floating)
equal = _elementwise("equal")
exp = _elementwise("exp", _floating)
floor = _elementwise("floor")
greater = _elementwise("greater")
greater_equal = _elementwise("greater_equal")
isfinite = _elementwise("isfinite")
isinf = _elementwise("isinf")
isnan = _elementwise("isnan")
less = _elementwise("less")
less_equal = _elementwise("less_equal")
log = _elementwise("log", _floating)
logical_and = _elementwise("logical_and", lambda dtype: BOOL)
logical_not = _elementwise("logical_not", lambda dtype: BOOL)
logical_or = _elementwise("logical_or", lambda dtype: BOOL)
logical_xor = _elementwise("logical_xor", lambda dtype: BOOL)
maximum = _elementwise("maximum")
minimum = _elementwise("minimum")
multiply = _elementwise("multiply")
negative = _elementwise("negative")
not_equal = _elementwise("not_equal")
sign = _elementwise("sign")
sin = _elementwise("sin", _floating)
sqrt = _elementwise("sqrt", _floating)
subtract = _elementwise("subtract")
tanh = _elementwise("tanh", _floating)
_pow = _elementwise("pow")


def pow(x1: Any, x2: Any, /) -> Traced:
    # The exponents for which NumPy does not call its power function either.
    if isinstance(x2, int | float) and x2 in (2, 0.5) and x1.dtype.kind == "f":
        return multiply(x1, x1) if x2 == 2 else sqrt(x1)
    return _pow(x1, x2)


def where(condition: Any, x1: Any, x2: Any, /) -> Traced:
    trace, dtype = _trace_of(condition, x1, x2), _common_dtype(x1, x2)
    condition = _traced(trace, condition, BOOL)
    return trace.emit("where", condition, _traced(trace, x1, dtype), _traced(trace, x2, dtype))


def astype(x: Traced, dtype: Any, /, *, copy: bool = True) -> Traced:
    return _traced(x.trace, x, np.dtype(dtype))


def asarray(x: Any, /, *, dtype: Any = None, copy: bool | None = None) -> Any:
    if not isinstance(x, Traced):
        return np.array(x, dtype=dtype, copy=copy)
    x = x if dtype is None else astype(x, dtype)
    return x.trace.emit("copy", x) if copy else x


def copy(x: Traced, /) -> Traced:
    return x.trace.emit("copy", x)


# Reductions.


def _axes(x: Traced, axis: _Axis) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(x.ndim))
    axes = (axis,) if isinstance(axis, int) else axis
    for a in axes:
        if not -x.ndim <= a < x.ndim:
            raise ValueError(f"axis {a} is out of bounds for {x!r}")
    return tuple(sorted(a % x.ndim for a in axes))


def _reduce(name: str, x: Traced, axis: _Axis, keepdims: bool) -> Traced:
    axes = _axes(x, axis)
    y = x.trace.emit(name, x, axis=axes)
    return reshape(y, _kept(x, axes)) if keepdims else y


def _kept(x: Traced, axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(1 if i in axes else n for i, n in enumerate(x.shape))


def sum(x: Traced, /, axis: _Axis = None, *, keepdims: bool = False) -> Traced:
    return _reduce("sum", x, axis, keepdims)


def mean(x: Traced, /, axis: _Axis = None, *, keepdims: bool = False) -> Traced:
    n = math.prod(x.shape[a] for a in _axes(x, axis))
    return divide(sum(astype(x, _floating(x.dtype)), axis, keepdims=keepdims), n)


def max(x: Traced, /, axis: _Axis = None, *, keepdims: bool = False) -> Traced:
    return _reduce("max", x, axis, keepdims)


def min(x: Traced, /, axis: _Axis = None, *, keepdims: bool = False) -> Traced:
    return _reduce("min", x, axis, keepdims)


def all(x: Traced, /, axis: _Axis = None, *, keepdims: bool = False) -> Traced:
    return _reduce("all", x, axis, keepdims)


def any(x: Traced, /, axis: _Axis = None, *, keepdims: bool = False) -> Traced:
    return _reduce("any", x, axis, keepdims)


def _argument(name: str, x: Traced, axis: int | None, keepdims: bool) -> Traced:
    if axis is None:
        y = x.trace.emit(name, reshape(x, (x.size,)), axis=0)
        return reshape(y, (1,) * x.ndim) if keepdims else y
    (axis,) = _axes(x, axis)
    y = x.trace.emit(name, x, axis=axis)
    return reshape(y, _kept(x, (axis,))) if keepdims else y


def argmax(x: Traced, /, axis: int | None = None, *, keepdims: bool = False) -> Traced:
    return _argument("argmax", x, axis, keepdims)


def argmin(x: Traced, /, axis: int | None = None, *, keepdims: bool = False) -> Traced:
    return _argument("argmin", x, axis, keepdims)


# Shapes.


def reshape(x: Traced, /, shape: int | tuple[int, ...]) -> Traced:
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if -1 in shape:
        known = -math.prod(shape)
        shape = tuple(x.size // known if n == -1 and known else n for n in shape)
    return x.trace.emit("reshape", x, shape=shape).as_view_of(x)


def permute_dims(x: Traced, /, axes: tuple[int, ...]) -> Traced:
    axes = tuple(axis % x.ndim for axis in axes)
    return x.trace.emit("permute_dims", x, axes=axes).as_view_of(x)


def transpose(x: Traced, /, axes: tuple[int, ...] | None = None) -> Traced:
    return permute_dims(x, tuple(reversed(range(x.ndim))) if axes is None else axes)


def matrix_transpose(x: Traced, /) -> Traced:
    return permute_dims(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def broadcast_to(x: Traced, /, shape: tuple[int, ...]) -> Traced:
    shape = tuple(shape)
    return x if x.shape == shape else x.trace.emit("broadcast_to", x, shape=shape).as_view_of(x)


def zeros_like(x: Any, /, *, dtype: Any = None) -> Any:
    return zeros(x.shape, dtype=dtype or x.dtype)


def ones_like(x: Any, /, *, dtype: Any = None) -> Any:
    return ones(x.shape, dtype=dtype or x.dtype)


def full_like(x: Any, /, fill_value: Any, *, dtype: Any = None) -> Any:
    return np.full(x.shape, fill_value, dtype=dtype or x.dtype)


def shape(x: Any, /) -> tuple[int, ...]:
    return shape_of(x)


def ndim(x: Any, /) -> int:
    return len(x.shape)


def size(x: Any, /) -> int:
    return math.prod(x.shape)


# Products.


def matmul(x1: Any, x2: Any, /) -> Traced:
    trace, dtype = _trace_of(x1, x2), _common_dtype(x1, x2)
    return trace.emit("matmul", _traced(trace, x1, dtype), _traced(trace, x2, dtype))


def dot(x1: Any, x2: Any, /) -> Traced:
    if not (len(x1.shape) in (1, 2) and len(x2.shape) in (1, 2)):
        raise ValueError("dot takes vectors and matrices; for more axes write matmul, for 0-d *")
    return matmul(x1, x2)


# Indices. What is known of an index stays in the program's text; arrays in it are operands.


def _split(index: Any) -> tuple[tuple[Any, ...], list[Any]]:
    """The index with ``OPERAND`` for each array in it, and these arrays."""
    parts = index if isinstance(index, tuple) else (index,)
    parts = tuple([np.asarray(p) if isinstance(p, list) else p for p in parts])
    arrays = [p for p in parts if isinstance(p, Traced | np.ndarray)]
    for array in arrays:
        if isinstance(array, Traced) and array.dtype == BOOL:
            raise TraceError(
                f"x[mask] with a mask {array!r} that is computed: how many elements it selects is"
                " not known when the function is compiled; write where(mask, x, 0)"
            )
    return tuple([OPERAND if isinstance(p, Traced | np.ndarray) else p for p in parts]), arrays


def _nonzero(arrays: list[Any], index: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[Any]]:
    """Masks that are constants, as the integer indices they stand for."""
    given = iter(arrays)
    parts: list[Any] = []
    for part in index:
        if not isinstance(part, Operand):
            parts.append(part)
        elif (array := next(given)).dtype == BOOL:
            parts += np.nonzero(array)
        else:
            parts.append(array)
    return _split(tuple(parts))


def _operands(trace: Trace, index: Any) -> tuple[tuple[Any, ...], list[Traced]]:
    parts, arrays = _split(index)
    parts, arrays = _nonzero(arrays, parts)
    return parts, [_traced(trace, array, array.dtype) for array in arrays]


def getitem(x: Any, index: Any, /) -> Traced:
    trace = _trace_of(x, *(index if isinstance(index, tuple) else (index,)))
    parts, arrays = _operands(trace, index)
    y = trace.emit("getitem", _traced(trace, x, x.dtype), *arrays, index=parts)
    return y if arrays or not isinstance(x, Traced) else y.as_view_of(x)


def setitem(x: Traced, index: Any, value: Any, /) -> None:
    trace = x.trace
    if isinstance(index, Traced) and index.dtype == BOOL:
        x.write(_masked(x, index, value))
        return
    parts, arrays = _operands(trace, index)
    x.write(trace.emit("setitem", x, _traced(trace, value, x.dtype), *arrays, index=parts))


def _masked(x: Traced, mask: Traced, value: Any) -> Traced:
    """x[mask] = value, with a mask that is computed, as a choice."""
    if shape_of(value) not in ((), (1,)):
        raise TraceError(
            f"x[mask] = value with a value of the shape {shape_of(value)}: how many elements the"
            " mask selects is not known when the function is compiled; write where(mask, value, x)"
        )
    # The mask belongs to the leading axes of x, where broadcasting would take the last.
    mask = reshape(mask, (*mask.shape, *(1,) * (x.ndim - mask.ndim)))
    value = _traced(x.trace, value, x.dtype)
    return where(mask, reshape(value, ()), x)


def scatter_add(x: Traced, index: Any, shape: tuple[int, ...], /) -> Traced:
    trace = _trace_of(x, *(index if isinstance(index, tuple) else (index,)))
    parts, arrays = _operands(trace, index)
    return trace.emit(
        "scatter_add", _traced(trace, x, x.dtype), *arrays, index=parts, shape=tuple(shape)
    )


def raise_unless(condition: Traced, message: str) -> None:
    """The program raises ValueError(message) when it runs and the condition does not hold."""
    condition.trace.emit("raise_unless", condition, message=message)


bind_methods(Traced, sys.modules[__name__])
