"""Running sums and products along an axis, on traced arrays."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from koubai.compiler.trace.joining import concat
from koubai.compiler.trace.lifting import function
from koubai.compiler.trace.traced import Traced


def _cumulative(name: str, initial: int) -> Callable[..., Any]:
    def f(x: Traced, /, axis: int | None = None, *, include_initial: bool = False) -> Any:
        x = x.reshape(1) if not x.ndim else x
        if axis is None and x.ndim > 1:
            raise ValueError(f"{name} of {x!r} needs an axis")
        axis = 0 if axis is None else operator.index(axis)
        if not -x.ndim <= axis < x.ndim:
            raise ValueError(f"axis {axis} is out of bounds for {x!r}")
        axis %= x.ndim
        y = x.trace.emit(name, x, axis=axis)
        if not include_initial:
            return y
        first = np.full((*x.shape[:axis], 1, *x.shape[axis + 1 :]), initial, y.dtype)
        return concat([first, y], axis=axis)

    f.__name__ = f.__qualname__ = name
    return function(f)


cumulative_sum = _cumulative("cumulative_sum", 0)
cumulative_prod = _cumulative("cumulative_prod", 1)
