"""Sorting."""

from __future__ import annotations

from typing import Any

from koubai import arrays
from koubai.arrays import Array, namespace
from koubai.core import Function, Variable
from koubai.ops.shaping import axes_of


class Rearrange(Function):
    """Elements of each row along ``axis`` in another order, and the gradient in that from before.

    ``order`` names each place of the row once; ``inverse`` is the order that undoes it.
    """

    def __init__(self, order: Array, inverse: Array, axis: int) -> None:
        self.order, self.inverse, self.axis = order, inverse, axis

    def forward(self, x: Array) -> Array:
        return namespace(x).take_along_axis(x, self.order, axis=self.axis)

    def backward(self, gy: Array) -> Array:
        return Rearrange(self.inverse, self.order, self.axis)(gy)


class Sort(Function):
    """Elements of each row along an axis in order.

    Gradient: each element gets that of its new place.

    Where it fails: equal elements keep their order, and with it their places' gradients, as in
    PyTorch's stable sort.
    """

    def __init__(self, axis: int = -1, descending: bool = False, stable: bool = True) -> None:
        self.axis, self.descending, self.stable = axis, descending, stable

    def forward(self, x: Array) -> Array:
        self.order = arrays.argsort(
            x, axis=self.axis, descending=self.descending, stable=self.stable
        )
        return namespace(x).take_along_axis(x, self.order, axis=self.axis)

    def backward(self, gy: Array) -> Array:
        inverse = arrays.argsort(self.order, axis=self.axis, stable=False)
        return Rearrange(inverse, self.order, self.axis)(gy)


def sort(x: Any, /, axis: int = -1, *, descending: bool = False, stable: bool = True) -> Variable:
    """``x`` with each row along ``axis`` sorted.

    Args:
        x: an array with one axis or more.
        axis: which.
        descending: the largest first.
        stable: equal elements keep their order, so that each gets the gradient of its own place.
            Where it does not matter, sorting may be faster without.

    Raises:
        ValueError: for an axis that x has not.

    >>> sort(Variable([2.0, 3.0, 1.0]), descending=True)
    Variable([3., 2., 1.])
    """
    return Sort(axes_of("sort", x, axis)[0], descending, stable)(x)
