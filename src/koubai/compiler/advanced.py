"""Indices with arrays among them, ``x[rows]``, ``x[arange, labels]``, as strides.

NumPy's rule: the arrays are broadcast against each other, and the result has their axes in the
place of the indexed ones if these stand side by side, else in front.

    x: float32[6, 4, 5]    rows: int64[3]    columns: int64[2, 3]
    x[rows]                -> (3, 4, 5)
    x[:, columns]          -> (6, 2, 3, 5)
    x[rows, :, columns]    -> (2, 3, 4)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from koubai.compiler.layout import Layout, Shape
from koubai.compiler.primitives import OPERAND


@dataclass(frozen=True)
class Lookup:
    """What ``x[index]`` reads: at each point, ``base`` plus each index times its step.

    Attributes:
        base: over the axes of the result, with stride 0 along those of the arrays.
        steps: of each array, the stride and the length of the axis that it indexes.
        first, ndim: which axes of the result are those of the arrays.
    """

    base: Layout
    steps: tuple[tuple[int, int], ...]
    first: int
    ndim: int


def lookup(x: Layout, index: Sequence[Any], shapes: Sequence[Shape]) -> Lookup | None:
    """``x[index]``, where the array operands have these shapes; None for what is not covered."""
    is_advanced = [part is OPERAND or _is_integer(part) for part in index]
    places = [i for i, advanced in enumerate(is_advanced) if advanced]
    between = range(places[0], places[-1] + 1)
    if any(index[i] is Ellipsis for i in between):
        return None
    side_by_side = len(places) == len(between)
    joint = np.broadcast_shapes(*shapes)

    given = sum(part is not None and part is not Ellipsis for part in index)
    offset, axis = x.offset, 0
    shape: list[int] = []
    strides: list[int] = []
    steps, first = [], None
    for part, advanced in zip(index, is_advanced, strict=True):
        if part is Ellipsis:
            missing = len(x.shape) - given
            shape += x.shape[axis : axis + missing]
            strides += x.strides[axis : axis + missing]
            axis += missing
        elif part is None:
            shape.append(1)
            strides.append(0)
        elif advanced:
            first = len(shape) if first is None else first
            if part is OPERAND:
                steps.append((x.strides[axis], x.shape[axis]))
            else:
                offset += x.strides[axis] * (int(part) % x.shape[axis])
            axis += 1
        else:
            chosen = range(*part.indices(x.shape[axis]))
            shape.append(len(chosen))
            strides.append(x.strides[axis] * chosen.step)
            offset += x.strides[axis] * chosen.start if len(chosen) else 0
            axis += 1
    shape += x.shape[axis:]
    strides += x.strides[axis:]
    at = first if side_by_side and first is not None else 0
    if math.prod(joint) and any(length == 0 for _, length in steps):
        return None  # NumPy says what is wrong with it
    return Lookup(
        Layout(
            x.buffer,
            offset,
            (*shape[:at], *joint, *shape[at:]),
            (*strides[:at], *[0] * len(joint), *strides[at:]),
        ),
        tuple(steps),
        at,
        len(joint),
    )


def _is_integer(part: Any) -> bool:
    return part is not None and part is not Ellipsis and not isinstance(part, slice)
