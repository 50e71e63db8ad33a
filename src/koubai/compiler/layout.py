"""Where the elements of a value lie: in which buffer, from where on, with which strides.

A view (a transpose, a slice, most reshapes) is another layout of the same buffer; nothing is
computed. Each value that is computed has a buffer of its own, in C order, which bears its number.

    %1: float32[4, 3]                        buffer 1, offset 0, strides (3, 1)
    %2 = permute_dims %1 axes=(1, 0)         buffer 1, offset 0, strides (1, 3)
    %3 = getitem %2 index=(slice(1, None),)  buffer 1, offset 1, strides (1, 3)
    %4 = broadcast_to %3 shape=(2, 2, 4)     buffer 1, offset 1, strides (0, 1, 3)
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """A strided look at a buffer; offset and strides count elements."""

    buffer: int
    offset: int
    shape: Shape
    strides: Shape

    @property
    def is_contiguous(self) -> bool:
        """Whether its elements lie in C order, without gaps."""
        needed = contiguous(self.shape)
        return 0 in self.shape or all(
            n == 1 or stride == expected
            for n, stride, expected in zip(self.shape, self.strides, needed, strict=True)
        )


def contiguous(shape: Sequence[int]) -> Shape:
    """Strides in C order.

    >>> contiguous((4, 3, 2))
    (6, 2, 1)
    """
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def whole(buffer: int, shape: Shape) -> Layout:
    """All of a buffer, in order."""
    return Layout(buffer, 0, shape, contiguous(shape))


def permuted(x: Layout, axes: Sequence[int]) -> Layout:
    return replace(
        x,
        shape=tuple(x.shape[axis] for axis in axes),
        strides=tuple(x.strides[axis] for axis in axes),
    )


def broadcast(x: Layout, shape: Shape) -> Layout:
    """As NumPy broadcasts: what is repeated has stride 0."""
    new = len(shape) - len(x.shape)
    strides = [
        0 if n == 1 and n != length else stride
        for n, stride, length in zip(x.shape, x.strides, shape[new:], strict=True)
    ]
    return Layout(x.buffer, x.offset, shape, (*[0] * new, *strides))


def indexed(x: Layout, index: Sequence[Any]) -> Layout:
    """``x[index]`` for slices, integers, None and an Ellipsis."""
    given = sum(part is not None and part is not Ellipsis for part in index)
    offset, shape, strides, axis = x.offset, [], [], 0
    for part in _without_ellipsis(index, len(x.shape) - given):
        if part is None:
            shape.append(1)
            strides.append(0)
            continue
        n, stride = x.shape[axis], x.strides[axis]
        if isinstance(part, slice):
            places = range(*part.indices(n))
            shape.append(len(places))
            strides.append(stride * places.step)
            offset += stride * places.start if len(places) else 0
        else:
            offset += stride * (int(part) % n)
        axis += 1
    return Layout(x.buffer, offset, tuple(shape), tuple(strides))


def _without_ellipsis(index: Sequence[Any], missing: int) -> list[Any]:
    """One part for each axis: an Ellipsis, or the end, stands for what is ``missing``."""
    places = [i for i, part in enumerate(index) if part is Ellipsis]
    place = places[0] if places else len(index)
    return [*index[:place], *[slice(None)] * missing, *index[place + 1 :]]


def reshaped(x: Layout, shape: Shape) -> Layout | None:
    """The same elements in another shape; None if that takes a copy."""
    if x.is_contiguous:
        return Layout(x.buffer, x.offset, shape, contiguous(shape))
    old = [(n, stride) for n, stride in zip(x.shape, x.strides, strict=True) if n != 1]
    # Both shapes fall into runs of axes with equal products; within a run of the old one, the
    # axes must lie in order without gaps.
    strides, axes = [1] * len(shape), [i for i, n in enumerate(shape) if n != 1]
    while old and axes:
        run, new = [old.pop(0)], [axes.pop(0)]
        a, b = run[0][0], shape[new[0]]
        while a != b:
            if a < b:
                run.append(old.pop(0))
                a *= run[-1][0]
            else:
                new.append(axes.pop(0))
                b *= shape[new[-1]]
        for (_, stride), (n, following) in itertools.pairwise(run):
            if stride != following * n:
                return None
        stride = run[-1][1]
        for axis in reversed(new):
            strides[axis] = stride
            stride *= shape[axis]
    return Layout(x.buffer, x.offset, shape, tuple(strides))
