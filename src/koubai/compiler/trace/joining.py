"""Functions that make one array of several, and several of one, on traced arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from koubai.arrays import shape_of
from koubai.compiler.trace.lifting import dtype_of, function, trace_of, traced
from koubai.compiler.trace.shaping import reshape
from koubai.compiler.trace.traced import Traced
from koubai.ops.shaping import moveaxis


@function
def concat(arrays: Sequence[Any], /, axis: int | None = 0) -> Traced:
    trace = trace_of(tuple(arrays))
    dtype = np.result_type(*map(dtype_of, arrays))
    xs = [traced(trace, x, dtype) for x in arrays]
    if axis is None:
        xs, axis = [reshape(x, (-1,)) for x in xs], 0
    ndim = xs[0].ndim
    if not -ndim <= axis < ndim:
        raise ValueError(f"axis {axis} is out of bounds for {xs[0]!r}")
    return trace.emit("concat", *xs, axis=axis % ndim)


@function
def stack(arrays: Sequence[Any], /, axis: int = 0) -> Any:
    shape = shape_of(arrays[0])
    ndim = len(shape) + 1
    if any(shape_of(x) != shape for x in arrays):
        raise ValueError("all arrays that are stacked must have the same shape")
    if not -ndim <= axis < ndim:
        raise ValueError(f"axis {axis} is out of bounds for a stack of {ndim} axes")
    axis %= ndim
    longer = (*shape[:axis], 1, *shape[axis:])
    return concat(
        [reshape(x if isinstance(x, Traced) else np.asarray(x), longer) for x in arrays],
        axis=axis,
    )


@function
def unstack(x: Traced, /, axis: int = 0) -> tuple[Any, ...]:
    return tuple(moveaxis(x, axis, 0))
