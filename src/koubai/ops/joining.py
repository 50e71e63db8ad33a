"""Operations that make one array of several, and several of one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from koubai.arrays import Array, describe, namespace, shape_of
from koubai.core import Function, Variable


def at(axis: int, index: int | slice) -> tuple[Any, ...]:
    """The index that takes ``index`` along ``axis`` and everything along the others."""
    return (*(slice(None),) * axis, index, ...)


class Concat(Function):
    """Arrays one after the other along an axis.

    Gradient: each gets its own part of gy.
    """

    def __init__(self, axis: int = 0) -> None:
        self.axis = axis

    def forward(self, *xs: Array) -> Array:
        y = namespace(*xs).concat(xs, axis=self.axis)
        self.along = self.axis % len(y.shape)
        self.ends = list(itertools.accumulate(x.shape[self.along] for x in xs))
        return y

    def backward(self, gy: Array) -> tuple[Array | None, ...]:
        parts = itertools.pairwise([0, *self.ends])
        return tuple(
            gy[at(self.along, slice(*part))] if self.needs_grad(i) else None
            for i, part in enumerate(parts)
        )


class Stack(Function):
    """Arrays of one shape along a new axis.

    Gradient: each gets its own part of gy.
    """

    def __init__(self, axis: int = 0) -> None:
        self.axis = axis

    def forward(self, *xs: Array) -> Array:
        y = namespace(*xs).stack(xs, axis=self.axis)
        self.along, self.count = self.axis % len(y.shape), len(xs)
        return y

    def backward(self, gy: Array) -> tuple[Array | None, ...]:
        return tuple(
            gy[at(self.along, i)] if self.needs_grad(i) else None for i in range(self.count)
        )


class Unstack(Function):
    """The parts of an array along an axis, without that axis.

    Gradient: those of the parts, stacked.
    """

    def __init__(self, axis: int = 0) -> None:
        self.axis = axis

    def forward(self, x: Array) -> tuple[Array, ...]:
        ndim = len(x.shape)
        if not -ndim <= self.axis < ndim:
            raise ValueError(f"axis {self.axis} is out of bounds")
        along = self.axis % ndim
        return tuple(x[at(along, i)] for i in range(x.shape[along]))

    def backward(self, *gys: Array) -> Array:
        return namespace(*gys).stack(gys, axis=self.axis)


def concat(arrays: Sequence[Any], /, axis: int | None = 0) -> Variable:
    """Arrays, one after the other along ``axis``; their other axes must have equal lengths.

    Args:
        arrays: Variables and arrays, at least one.
        axis: which; None for all elements of all arrays in one row.

    Raises:
        ValueError: for no arrays, 0-d ones, or shapes that differ along another axis.

    >>> concat([Variable([1.0, 2.0]), Variable([3.0])])
    Variable([1., 2., 3.])
    """
    if axis is None:
        arrays, axis = [namespace(x).reshape(x, (-1,)) for x in arrays], 0
    return Concat(axis)(*arrays)


def stack(arrays: Sequence[Any], /, axis: int = 0) -> Variable:
    """Arrays of one shape, along a new axis, which is axis ``axis`` of the result.

    Args:
        arrays: Variables, arrays and numbers, at least one.
        axis: where the new axis stands among those of the result.

    Raises:
        ValueError: for no arrays, or shapes that differ.

    >>> stack([Variable(1.0), Variable(2.0)])
    Variable([1., 2.])
    """
    return Stack(axis)(*arrays)


def unstack(x: Any, /, axis: int = 0) -> tuple[Variable, ...]:
    """The parts of ``x`` along ``axis``, which they lack: the reverse of ``stack``.

    Raises:
        ValueError: for an axis that x has not.

    >>> a, b = unstack(Variable([[1.0, 2.0], [3.0, 4.0]]))
    >>> b
    Variable([3., 4.])
    """
    if not shape_of(x):
        raise ValueError(f"unstack(x: {describe(x)}): x must have at least one axis")
    parts: Any = Unstack(axis)(x)
    return tuple(parts)
