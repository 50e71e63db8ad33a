"""Variance and standard deviation."""

from __future__ import annotations

import math
from typing import Any

from koubai.arrays import Array, namespace
from koubai.core import Variable
from koubai.ops.reduction import Axis, Reduction


class Var(Reduction):
    """Variance along axes: y = sum_i (x_i - m)^2 / (n - correction), m the mean.

    Gradient: gx_i = 2 gy (x_i - m) / (n - correction); m's own part is 0, as deviations sum to 0.
    """

    def __init__(self, axis: Axis = None, keepdims: bool = False, correction: float = 0.0) -> None:
        super().__init__(axis, keepdims)
        self.correction = correction

    def forward(self, x: Array) -> Array:
        xp, self.shape = namespace(x), x.shape
        self.deviation = x - xp.mean(x, axis=self.axis, keepdims=True)
        kept = zip(self.shape, self.kept_shape(), strict=True)
        n = math.prod(n for n, length in kept if length == 1)
        self.n = n - self.correction
        if self.n <= 0:
            raise ValueError(f"{n} elements are too few for the correction {self.correction}")
        squares = self.deviation * self.deviation
        return xp.sum(squares, axis=self.axis, keepdims=self.keepdims) / self.n

    def backward(self, gy: Array) -> Array:
        return self.expand(gy * (2 / self.n)) * self.deviation


class Std(Var):
    """Standard deviation along axes: y = sqrt(sum_i (x_i - m)^2 / (n - correction)), m the mean.

    Gradient: gx_i = gy (x_i - m) / (y (n - correction)).

    Where it fails: 0 where y is 0, as in PyTorch.
    """

    def forward(self, x: Array) -> Array:
        self.y = super().forward(x) ** 0.5
        return self.y

    def backward(self, gy: Array) -> Array:
        xp, zero = namespace(gy, self.y), self.y == 0
        y = xp.where(zero, xp.ones_like(self.y), self.y)
        return super().backward(xp.where(zero, 0, gy / (2 * y)))


def var(
    x: Any, /, axis: Axis = None, *, correction: float = 0.0, keepdims: bool = False
) -> Variable:
    """The variance of the elements along ``axis``: the mean square of their distances to the mean.

    Args:
        x: an array.
        axis: one, several, or None for all.
        correction: what is taken off the number of elements that is divided by; 1 for an estimate
            without bias from a sample. (PyTorch's default is 1, the standard's and NumPy's 0.)
        keepdims: keep the axes, with length 1.

    Raises:
        ValueError: for an axis that x has not, or no more elements than ``correction``.

    >>> var(Variable([1.0, 2.0, 3.0]), correction=1)
    Variable(1.)
    """
    return Var(axis, keepdims, correction)(x)


def std(
    x: Any, /, axis: Axis = None, *, correction: float = 0.0, keepdims: bool = False
) -> Variable:
    """The standard deviation of the elements along ``axis``: the root of their variance.

    Arguments and errors are those of ``var``. Where all elements are equal the gradient is 0, as in
    PyTorch.

    >>> std(Variable([1.0, 2.0, 3.0]), correction=1)
    Variable(1.)
    """
    return Std(axis, keepdims, correction)(x)
