"""Relatives of exp and log that stay exact where these would overflow or lose their digits."""

from __future__ import annotations

import math
from typing import Any

from koubai import arrays
from koubai.arrays import Array, namespace
from koubai.core import Function, Variable
from koubai.ops.reduction import Axis, Reduction


class Expm1(Function):
    """Exponential minus 1: y = exp(x) - 1.

    Gradient: gx = gy (y + 1).
    """

    def forward(self, x: Array) -> Array:
        self.y = namespace(x).expm1(x)
        return self.y

    def backward(self, gy: Array) -> Array:
        return gy * (self.y + 1)


class Log1p(Function):
    """Logarithm of 1 plus x: y = log(1 + x).

    Gradient: gx = gy / (1 + x).

    Where it fails: infinite at -1, as in PyTorch.
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        return namespace(x).log1p(x)

    def backward(self, gy: Array) -> Array:
        return gy / (1 + self.x)


class Log2(Function):
    """Logarithm to the base 2: y = log(x) / log(2).

    Gradient: gx = gy / (x log(2)).

    Where it fails: infinite at 0, as in PyTorch.
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        return namespace(x).log2(x)

    def backward(self, gy: Array) -> Array:
        return gy / (self.x * math.log(2))


class Log10(Function):
    """Logarithm to the base 10: y = log(x) / log(10).

    Gradient: gx = gy / (x log(10)).

    Where it fails: infinite at 0, as in PyTorch.
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        return namespace(x).log10(x)

    def backward(self, gy: Array) -> Array:
        return gy / (self.x * math.log(10))


class Logit(Function):
    """Logarithm of the odds, the inverse of sigmoid: y = log(x / (1 - x)).

    Gradient: gx = gy / (x (1 - x)).

    Where it fails: infinite at 0 and 1, as in PyTorch.
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        return namespace(x).log(x / (1 - x))

    def backward(self, gy: Array) -> Array:
        return gy / (self.x * (1 - self.x))


class LogAddExp(Function):
    """Logarithm of a sum of exponentials: y = log(exp(x1) + exp(x2)).

    Gradient: gx1 = gy exp(x1 - y), gx2 = gy exp(x2 - y).

    Where it fails: 0 where x1 and x2 are -inf; PyTorch's NaN would reach everything that the masked
    elements depend on.
    """

    def forward(self, x1: Array, x2: Array) -> Array:
        self.x1, self.x2 = x1, x2
        self.y = namespace(x1, x2).logaddexp(x1, x2)
        return self.y

    def backward(self, gy: Array) -> tuple[Array, Array]:
        y = _to_subtract(self.y)
        xp = namespace(y)
        return gy * xp.exp(self.x1 - y), gy * xp.exp(self.x2 - y)


class LogSumExp(Reduction):
    """Logarithm of a sum of exponentials along axes: y = log(sum_i exp(x_i)).

    Gradient: gx_i = gy exp(x_i - y).

    Where it fails: 0 where all x_i are -inf; PyTorch's is NaN.
    """

    def forward(self, x: Array) -> Array:
        self.shape, self.x = x.shape, x
        self.y = arrays.logsumexp(x, self.axis, self.keepdims)
        return self.y

    def backward(self, gy: Array) -> Array:
        y = self.expand(_to_subtract(self.y))
        return self.expand(gy) * namespace(y).exp(self.x - y)


def _to_subtract(y: Array) -> Array:
    """``y`` with 0 in place of -inf, for -inf minus -inf is not a number."""
    xp = namespace(y)
    return xp.where(y == -math.inf, xp.zeros_like(y), y)


def expm1(x: Any, /) -> Variable:
    """exp(x) - 1, elementwise, exact also for small x.

    >>> expm1(Variable([0.0, 1.0]))
    Variable([0.        , 1.71828183])
    """
    return Expm1()(x)


def log1p(x: Any, /) -> Variable:
    """log(1 + x), elementwise, exact also for small x; NaN for x < -1.

    The derivative at -1 is infinite.

    >>> log1p(Variable([0.0, 1.0]))
    Variable([0.        , 0.69314718])
    """
    return Log1p()(x)


def log2(x: Any, /) -> Variable:
    """Logarithm to the base 2, elementwise; the derivative at 0 is infinite.

    >>> log2(Variable([1.0, 8.0]))
    Variable([0., 3.])
    """
    return Log2()(x)


def log10(x: Any, /) -> Variable:
    """Logarithm to the base 10, elementwise; the derivative at 0 is infinite.

    >>> log10(Variable([1.0, 1000.0]))
    Variable([0., 3.])
    """
    return Log10()(x)


def logit(x: Any, /) -> Variable:
    """log(x / (1 - x)), elementwise: the inverse of ``sigmoid``; NaN unless 0 <= x <= 1.

    The derivatives at 0 and 1 are infinite.

    >>> logit(Variable([0.5, 0.75]))
    Variable([0.        , 1.09861229])
    """
    return Logit()(x)


def logaddexp(x1: Any, x2: Any, /) -> Variable:
    """log(exp(x1) + exp(x2)), elementwise, without overflow.

    Where both are -inf, which stands for 0, the gradients are 0.

    >>> logaddexp(Variable([0.0, 2000.0]), 0.0)
    Variable([6.93147181e-01, 2.00000000e+03])
    """
    return LogAddExp()(x1, x2)


def logsumexp(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Variable:
    """log(sum(exp(x))) along ``axis``, without overflow; where all x are -inf, gradients are 0.

    Raises:
        ValueError: for a wrong axis; for no elements, whose sum has no logarithm.

    >>> logsumexp(Variable([[2000.0, 0.0], [3000.0, 0.0]]), axis=1)
    Variable([2000., 3000.])
    """
    return LogSumExp(axis, keepdims)(x)
