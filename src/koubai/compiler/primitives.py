"""The primitives of array programs: for each, the type of its result and what it does in NumPy.

There are few, and each is strict: the operands of an elementwise primitive have one dtype (the
tracer converts with ``cast`` first), while their shapes broadcast. Everything else is composed of
them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Type:
    """The dtype and the shape of a value."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype}{list(self.shape)}"


@dataclass(frozen=True)
class Primitive:
    """``infer(*types, **params)`` is the result's type, ``run(*arrays, **params)`` the result."""

    infer: Callable[..., Type]
    run: Callable[..., Any]


class Operand:
    """In the index of getitem, setitem and scatter_add: the place of an array operand."""

    def __repr__(self) -> str:
        return "array"


OPERAND = Operand()
BOOL = np.dtype(bool)


def _one_dtype(types: tuple[Type, ...]) -> np.dtype[Any]:
    dtypes = {type_.dtype for type_ in types}
    if len(dtypes) != 1:
        raise ValueError(f"operands must have one dtype, not {', '.join(map(str, types))}")
    return types[0].dtype


def _elementwise(name: str, to_bool: bool = False) -> Primitive:
    def infer(*types: Type) -> Type:
        dtype = _one_dtype(types)
        return Type(BOOL if to_bool else dtype, np.broadcast_shapes(*(t.shape for t in types)))

    return Primitive(infer, getattr(np, name))


def _infer_where(condition: Type, x1: Type, x2: Type) -> Type:
    if condition.dtype != BOOL:
        raise ValueError(f"the condition must be boolean, not {condition}")
    return Type(_one_dtype((x1, x2)), np.broadcast_shapes(condition.shape, x1.shape, x2.shape))


def _reduced(shape: tuple[int, ...], axis: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for i, n in enumerate(shape) if i not in axis)


def _reduction(name: str, keeps_dtype: bool = True) -> Primitive:
    ufunc = getattr(np, name)

    def infer(x: Type, axis: tuple[int, ...]) -> Type:
        dtype = x.dtype if keeps_dtype else ufunc(np.empty(1, x.dtype)).dtype
        return Type(dtype, _reduced(x.shape, axis))

    return Primitive(infer, lambda x, axis: ufunc(x, axis=axis))


def _infer_argument(x: Type, axis: int) -> Type:
    return Type(np.dtype(np.intp), _reduced(x.shape, (axis,)))


def _infer_reshape(x: Type, shape: tuple[int, ...]) -> Type:
    if math.prod(shape) != math.prod(x.shape):
        raise ValueError(f"cannot reshape {x} to {shape}")
    return Type(x.dtype, shape)


def _infer_permute_dims(x: Type, axes: tuple[int, ...]) -> Type:
    if sorted(axes) != list(range(len(x.shape))):
        raise ValueError(f"axes {axes} are no order of the axes of {x}")
    return Type(x.dtype, tuple(x.shape[axis] for axis in axes))


def _infer_broadcast_to(x: Type, shape: tuple[int, ...]) -> Type:
    if np.broadcast_shapes(x.shape, shape) != shape:
        raise ValueError(f"cannot broadcast {x} to {shape}")
    return Type(x.dtype, shape)


def _infer_matmul(x1: Type, x2: Type) -> Type:
    a, b = x1.shape, x2.shape
    a, b = (1, *a) if len(a) == 1 else a, (*b, 1) if len(b) == 1 else b
    if a[-1] != b[-2]:
        raise ValueError(f"cannot multiply {x1} and {x2}")
    shape = (*np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1])
    if len(x1.shape) == 1:
        shape = (*shape[:-2], shape[-1])
    return Type(_one_dtype((x1, x2)), shape[:-1] if len(x2.shape) == 1 else shape)


def fill(index: tuple[Any, ...], arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    """``index`` with the array operands in their places."""
    operands = iter(arrays)
    return tuple(next(operands) if part is OPERAND else part for part in index)


def _indexed(x: Type, arrays: tuple[Type, ...], index: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape of x[index]: NumPy's own rule, asked with arrays that take no storage."""
    if any(t.dtype.kind not in "iu" for t in arrays):
        raise ValueError("a traced index must be an array of integers")
    zeros = tuple(np.broadcast_to(np.zeros((), t.dtype), t.shape) for t in arrays)
    like_x = np.broadcast_to(np.zeros((), x.dtype), x.shape)
    shape: tuple[int, ...] = like_x[fill(index, zeros)].shape
    return shape


def _infer_getitem(x: Type, *arrays: Type, index: tuple[Any, ...]) -> Type:
    return Type(x.dtype, _indexed(x, arrays, index))


def _infer_setitem(x: Type, value: Type, *arrays: Type, index: tuple[Any, ...]) -> Type:
    shape = _indexed(x, arrays, index)
    if np.broadcast_shapes(value.shape, shape) != shape or value.dtype != x.dtype:
        raise ValueError(f"cannot write {value} into {Type(x.dtype, shape)}")
    return x


def _infer_scatter_add(
    x: Type, *arrays: Type, index: tuple[Any, ...], shape: tuple[int, ...]
) -> Type:
    expected = _indexed(Type(x.dtype, shape), arrays, index)
    if np.broadcast_shapes(x.shape, expected) != expected:
        raise ValueError(f"cannot add {x} to {Type(x.dtype, expected)}")
    return Type(x.dtype, shape)


def _setitem(x: Any, value: Any, *arrays: Any, index: tuple[Any, ...]) -> Any:
    y = x.copy()
    y[fill(index, arrays)] = value
    return y


def _scatter_add(x: Any, *arrays: Any, index: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    y = np.zeros(shape, x.dtype)
    np.add.at(y, fill(index, arrays), x)
    return y


def _raise_unless(condition: Any, message: str) -> Any:
    if not condition:
        raise ValueError(message)
    return condition


_SAME_DTYPE = (
    "abs add ceil cos divide exp floor log maximum minimum multiply negative pow sign sin sqrt"
    " subtract tanh"
)
_TO_BOOL = (
    "equal greater greater_equal isfinite isinf isnan less less_equal logical_and logical_not"
    " logical_or logical_xor not_equal"
)

PRIMITIVES: dict[str, Primitive] = {
    "constant": Primitive(lambda value: Type(value.dtype, value.shape), lambda value: value),
    "copy": Primitive(lambda x: x, lambda x: x.copy()),
    "cast": Primitive(
        lambda x, dtype: Type(np.dtype(dtype), x.shape), lambda x, dtype: x.astype(dtype)
    ),
    **{name: _elementwise(name) for name in _SAME_DTYPE.split()},
    **{name: _elementwise(name, to_bool=True) for name in _TO_BOOL.split()},
    "where": Primitive(_infer_where, np.where),
    "sum": _reduction("sum", keeps_dtype=False),
    "max": _reduction("max"),
    "min": _reduction("min"),
    "all": _reduction("all", keeps_dtype=False),
    "any": _reduction("any", keeps_dtype=False),
    "argmax": Primitive(_infer_argument, lambda x, axis: np.argmax(x, axis=axis)),
    "argmin": Primitive(_infer_argument, lambda x, axis: np.argmin(x, axis=axis)),
    "reshape": Primitive(_infer_reshape, np.reshape),
    "permute_dims": Primitive(_infer_permute_dims, np.permute_dims),
    "broadcast_to": Primitive(_infer_broadcast_to, np.broadcast_to),
    "matmul": Primitive(_infer_matmul, np.matmul),
    "getitem": Primitive(_infer_getitem, lambda x, *arrays, index: x[fill(index, arrays)]),
    "setitem": Primitive(_infer_setitem, _setitem),
    "scatter_add": Primitive(_infer_scatter_add, _scatter_add),
    "raise_unless": Primitive(lambda condition, message: condition, _raise_unless),
}
