"""Operations that choose between elements: what is not chosen gets a gradient of 0."""

from __future__ import annotations

from typing import Any

from koubai.arrays import Array, describe, is_boolean, namespace
from koubai.core import Function, Variable
from koubai.ops.elementwise import copy


class Maximum(Function):
    """The larger one: y = max(x1, x2).

    Gradient: gy for the larger one, 0 for the other.

    Where it fails: at a tie each gets half of it, as in PyTorch.
    """

    def forward(self, x1: Array, x2: Array) -> Array:
        self.tie, self.second = x1 == x2, x1 < x2
        return namespace(x1, x2).maximum(x1, x2)

    def backward(self, gy: Array) -> tuple[Array, Array]:
        xp = namespace(gy, self.tie)
        half = gy / 2
        return (
            xp.where(self.tie, half, xp.where(self.second, 0, gy)),
            xp.where(self.tie, half, xp.where(self.second, gy, 0)),
        )


class Minimum(Maximum):
    """The smaller one: y = min(x1, x2).

    Gradient: gy for the smaller one, 0 for the other.

    Where it fails: at a tie each gets half of it, as in PyTorch.
    """

    def forward(self, x1: Array, x2: Array) -> Array:
        self.tie, self.second = x1 == x2, x1 > x2
        return namespace(x1, x2).minimum(x1, x2)


class ClipMin(Function):
    """Bounded from below: y = max(x, min).

    Gradient: gx = gy where x >= min, else 0; the rest is that of min.

    Where it fails: at the bound x gets it all, as in PyTorch.
    """

    def forward(self, x: Array, min: Array) -> Array:
        self.beyond = x < min
        return namespace(x, min).maximum(x, min)

    def backward(self, gy: Array) -> tuple[Array, Array]:
        xp = namespace(gy, self.beyond)
        return xp.where(self.beyond, 0, gy), xp.where(self.beyond, gy, 0)


class ClipMax(ClipMin):
    """Bounded from above: y = min(x, max).

    Gradient: gx = gy where x <= max, else 0; the rest is that of max.

    Where it fails: at the bound x gets it all, as in PyTorch.
    """

    def forward(self, x: Array, max: Array) -> Array:
        self.beyond = x > max
        return namespace(x, max).minimum(x, max)


class Where(Function):
    """A choice: y = x1 where condition, else x2.

    Gradient: gx1 = gy where condition, else 0; gx2 the reverse.

    Where it fails: never at what is not chosen, infinities and NaN too: its gradient is 0. But what
    x1 was computed from may have 0 times infinity, NaN, as in PyTorch: where(x > 0, log(x), 0) at
    0.
    """

    def forward(self, condition: Array, x1: Array, x2: Array) -> Array:
        if not is_boolean(condition):
            raise TypeError(
                f"condition must be boolean, not {describe(condition)}; write condition != 0"
            )
        self.condition = condition
        return namespace(condition, x1, x2).where(condition, x1, x2)

    def backward(self, gy: Array) -> tuple[None, Array, Array]:
        xp = namespace(gy, self.condition)
        return None, xp.where(self.condition, gy, 0), xp.where(self.condition, 0, gy)


def maximum(x1: Any, x2: Any, /) -> Variable:
    """The larger of x1 and x2, elementwise; NaN where either is NaN.

    At a tie each has half of the gradient.

    >>> maximum(Variable([-1.0, 2.0]), 0.5)
    Variable([0.5, 2. ])
    """
    return Maximum()(x1, x2)


def minimum(x1: Any, x2: Any, /) -> Variable:
    """The smaller of x1 and x2, elementwise; NaN where either is NaN.

    At a tie each has half of the gradient.

    >>> minimum(Variable([-1.0, 2.0]), 0.5)
    Variable([-1. ,  0.5])
    """
    return Minimum()(x1, x2)


def clip(x: Any, /, min: Any = None, max: Any = None) -> Variable:
    """``x`` where it lies between the bounds, else the bound, elementwise; max where min > max.

    Args:
        min, max: numbers or arrays that broadcast against x, differentiated as x is; None for no
            bound. Where x equals a bound, x has the gradient.

    >>> clip(Variable([-1.0, 0.5, 2.0]), 0, 1)
    Variable([0. , 0.5, 1. ])
    """
    if min is None and max is None:
        return copy(x)
    y = x if min is None else ClipMin()(x, min)
    return y if max is None else ClipMax()(y, max)


def where(condition: Any, x1: Any, x2: Any, /) -> Variable:
    """x1 where the boolean ``condition`` holds, else x2, elementwise.

    What is not chosen has a gradient of 0. But in where(x > 0, log(x), 0) the derivative of log at
    0 is infinite, and 0 times infinity is NaN: write log(where(x > 0, x, 1)).

    Raises:
        TypeError: if condition is not boolean.

    >>> import numpy as np
    >>> where(np.array([True, False]), Variable([1.0, 2.0]), 0.0)
    Variable([1., 0.])
    """
    return Where()(condition, x1, x2)
