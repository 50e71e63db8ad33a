"""Reading and writing by index, on traced arrays.

What is known of an index when the function is compiled stays in the program's text; arrays in it
are operands. With basic indices, slices and numbers, NumPy makes a view.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from koubai.arrays import NUMBERS, along_axis, shape_of
from koubai.compiler.errors import TraceError
from koubai.compiler.primitives import BOOL, OPERAND
from koubai.compiler.trace.elementwise import where
from koubai.compiler.trace.lifting import dtype_of, function, trace_of, traced
from koubai.compiler.trace.shaping import broadcast_to
from koubai.compiler.trace.traced import Trace, Traced
from koubai.core import Variable


def _parts(index: Any) -> list[Any]:
    """The parts of an index: lists as arrays, masks that are known as the indices they stand for.

    Raises:
        TraceError: for a mask that is computed.
    """
    parts: list[Any] = []
    for part in index if isinstance(index, tuple) else (index,):
        if part is None or part is Ellipsis or isinstance(part, (slice, *NUMBERS, Traced)):
            parts.append(part)
        elif (array := np.asarray(part)).dtype == BOOL and array.ndim:
            parts += np.nonzero(array)
        elif array.dtype.kind in "iub" or not array.size:
            parts.append(array.astype(np.intp) if array.dtype.kind == "f" else array)  # x[[]]
        else:
            raise IndexError(f"an index must hold integers, slices or booleans, not {part!r:.60}")
    for part in parts:
        if isinstance(part, Traced) and part.dtype == BOOL:
            raise TraceError(
                f"an index with a mask {part!r} that is computed: how many elements it selects is"
                " not known when the function is compiled; write where(mask, x, 0), or pass the"
                " indices np.nonzero(mask) in as arguments"
            )
    return parts


def _split(trace: Trace, parts: list[Any]) -> tuple[tuple[Any, ...], list[Traced]]:
    """The index for the program's text, and its array operands."""
    is_array = [isinstance(part, Traced | np.ndarray) for part in parts]
    operands = [traced(trace, p, p.dtype) for p, is_ in zip(parts, is_array, strict=True) if is_]
    known = [p.item() if isinstance(p, np.generic) else p for p in parts]
    return tuple(
        [OPERAND if is_ else part for part, is_ in zip(known, is_array, strict=True)]
    ), operands


def _is_basic(part: Any) -> bool:
    """Whether NumPy makes a view: no arrays (of one 0-d it makes a copy), no booleans."""
    if isinstance(part, Traced):
        return part.scalar
    return not isinstance(part, np.ndarray | bool | np.bool_)


@function
def getitem(x: Any, index: Any, /) -> Traced:
    trace, parts = trace_of(x, index), _parts(index)
    known, operands = _split(trace, parts)
    x = traced(trace, x, x.dtype)
    y = trace.emit("getitem", x, *operands, index=known)
    if not y.shape and Ellipsis not in known:
        y.scalar = True
    elif all(map(_is_basic, parts)):
        return y.as_view(
            "getitem",
            x,
            *operands,
            put=lambda base, new: trace.emit("setitem", base, new, *operands, index=known),
            index=known,
        )
    return y


def setitem(x: Traced, index: Any, value: Any, /) -> None:
    if isinstance(value, Variable):
        raise TraceError(
            "a Variable written into an array would lose its history; write v.data for a constant"
        )
    if x.scalar:
        raise TraceError(f"a write to {x!r}, a number, not an array; give the name a new value")
    _setitem(x, index, value)


@function
def _setitem(x: Traced, index: Any, value: Any) -> None:
    value = traced(x.trace, value, x.dtype)
    mask = index[0] if isinstance(index, tuple) and len(index) == 1 else index
    if isinstance(mask, Traced) and mask.dtype == BOOL:
        x.write(_masked(x, mask, value))
        return
    known, operands = _split(x.trace, _parts(index))
    x.write(x.trace.emit("setitem", x, value, *operands, index=known))


def _masked(x: Traced, mask: Traced, value: Traced) -> Traced:
    """x[mask] = value, with a mask that is computed, as a choice."""
    if mask.shape != x.shape[: mask.ndim]:
        raise IndexError(f"the mask {mask!r} does not match {x!r}")
    rest = x.shape[mask.ndim :]
    if value.size == 1:
        value = value.reshape(())
    elif value.ndim > len(rest) or np.broadcast_shapes(value.shape, rest) != rest:
        raise TraceError(
            f"x[mask] = value with a value of the shape {value.shape}: how many elements the mask"
            " selects is not known when the function is compiled; write where(mask, value, x)"
        )
    # The mask belongs to the leading axes of x, where broadcasting would take the last.
    y: Traced = where(mask.reshape((*mask.shape, *(1,) * len(rest))), value, x)
    return y


@function
def take(x: Any, indices: Any, /, axis: int | None = None) -> Any:
    if axis is None:
        x, axis = x.reshape(-1), 0
    ndim = len(shape_of(x))
    if not -ndim <= axis < ndim:
        raise ValueError(f"axis {axis} is out of bounds for {x!r}")
    return getitem(x, (*(slice(None),) * (axis % ndim), indices))


@function
def take_along_axis(x: Any, indices: Any, /, axis: int = -1) -> Any:
    ndim = len(shape_of(x))
    if not -ndim <= axis < ndim or len(shape_of(indices)) != ndim:
        raise ValueError(f"{indices!r} are not elements along axis {axis} of {x!r}")
    return getitem(x, along_axis(indices, shape_of(x), axis))


@function
def scatter_add(x: Any, index: Any, shape: tuple[int, ...], /) -> Traced:
    trace = trace_of(x, index)
    known, operands = _split(trace, _parts(index))
    x = traced(trace, x, x.dtype)
    return trace.emit("scatter_add", x, *operands, index=known, shape=tuple(shape))


def add_at(x: Any, index: Any, value: Any) -> None:
    """``np.add.at``: x[index] += value, where what is added to one element adds up."""
    if not isinstance(x, Traced):
        raise TraceError(
            "np.add.at into a NumPy array that was made inside the function: its numbers are known"
            " only when the function runs; make the array with np.zeros_like(x) or"
            " np.zeros(shape, like=x)"
        )
    value = traced(x.trace, value, dtype_of(value))
    where = getitem(x, index)
    x += scatter_add(broadcast_to(value, where.shape), index, x.shape)


def raise_unless(condition: Traced, message: str) -> None:
    """The program raises ValueError(message) when it runs and the condition does not hold."""
    condition.trace.emit("raise_unless", condition, message=message)
