"""Operations on each element by itself; arguments broadcast against each other."""

from __future__ import annotations

import math
from typing import Any

from koubai import arrays
from koubai.arrays import NUMBERS, Array, describe, is_boolean, namespace, operand
from koubai.core import Function, Variable


class Add(Function):
    """Sum: y = x1 + x2."""

    def forward(self, x1: Array, x2: Array) -> Array:
        return x1 + x2

    def backward(self, gy: Array) -> tuple[Array, Array]:
        return gy, gy


class Copy(Function):
    """A copy: y = x."""

    def forward(self, x: Array) -> Array:
        return arrays.copy(x)

    def backward(self, gy: Array) -> Array:
        return gy


class Subtract(Function):
    """Difference: y = x1 - x2."""

    def forward(self, x1: Array, x2: Array) -> Array:
        return x1 - x2

    def backward(self, gy: Array) -> tuple[Array, Array]:
        return gy, -gy


class Multiply(Function):
    """Product: y = x1 * x2."""

    def forward(self, x1: Array, x2: Array) -> Array:
        self.x1, self.x2 = x1, x2
        return x1 * x2

    def backward(self, gy: Array) -> tuple[Array, Array]:
        return gy * self.x2, gy * self.x1


class Divide(Function):
    """Quotient: y = x1 / x2."""

    def forward(self, x1: Array, x2: Array) -> Array:
        self.x2 = x2
        self.y = x1 / x2
        return self.y

    def backward(self, gy: Array) -> tuple[Array, Array]:
        gx1 = gy / self.x2
        return gx1, -gx1 * self.y


class Negative(Function):
    """Negation: y = -x."""

    def forward(self, x: Array) -> Array:
        return -x

    def backward(self, gy: Array) -> Array:
        return -gy


class Pow(Function):
    """Power: y = x1 ** x2.

    dy/dx1 = x2 * x1 ** (x2 - 1), and 0 where x2 is 0, also at x1 = 0.
    dy/dx2 = y * log(x1), and 0 where x1 is 0.
    """

    def forward(self, x1: Array, x2: Array) -> Array:
        self.x1, self.x2 = x1, x2
        self.y = x1**x2
        return self.y

    def backward(self, gy: Array) -> tuple[Array, Array]:
        x1, x2 = self.x1, self.x2
        gx1 = gx2 = None
        if self.needs_grad(0):
            gx1 = gy * (x2 * _base(x1, x2) ** (x2 - 1))
        if self.needs_grad(1):
            gx2 = gy * (self.y * _log(_replace_zeros(x1)))
        return gx1, gx2


def _base(x1: Array, x2: Array) -> Array:
    """``x1``, with 1 in place of 0 where x2 is 0: there 0 * x1 ** (0 - 1) would be 0 * inf."""
    if isinstance(x2, NUMBERS):
        return x1 if x2 else _replace_zeros(x1)
    return namespace(x1, x2).where(x2 == 0, _replace_zeros(x1), x1)


def _replace_zeros(x: Array) -> Array:
    """``x`` with ones in place of zeros."""
    if isinstance(x, NUMBERS):
        return x or 1
    xp = namespace(x)
    return xp.where(x == 0, xp.ones_like(x), x)


def _log(x: Array) -> Array:
    # A number stays a Python float, which is weak: float32 stays float32.
    if isinstance(x, NUMBERS):
        return math.log(x) if float(x) > 0 else math.nan
    return namespace(x).log(x)


class Square(Function):
    """Square: y = x * x."""

    def forward(self, x: Array) -> Array:
        self.x = x
        return x * x

    def backward(self, gy: Array) -> Array:
        return 2 * self.x * gy


class Exp(Function):
    """Exponential: y = exp(x)."""

    def forward(self, x: Array) -> Array:
        self.y = namespace(x).exp(x)
        return self.y

    def backward(self, gy: Array) -> Array:
        return gy * self.y


class Log(Function):
    """Natural logarithm: y = log(x)."""

    def forward(self, x: Array) -> Array:
        self.x = x
        return namespace(x).log(x)

    def backward(self, gy: Array) -> Array:
        return gy / self.x


class Tanh(Function):
    """Hyperbolic tangent: y = tanh(x)."""

    def forward(self, x: Array) -> Array:
        self.y = namespace(x).tanh(x)
        return self.y

    def backward(self, gy: Array) -> Array:
        return gy * (1 - self.y * self.y)


class Sigmoid(Function):
    """Logistic function: y = 1 / (1 + exp(-x))."""

    def forward(self, x: Array) -> Array:
        self.y = arrays.sigmoid(x)
        return self.y

    def backward(self, gy: Array) -> Array:
        return gy * self.y * (1 - self.y)


class Relu(Function):
    """Rectifier: y = max(x, 0). The derivative at 0 is taken as 0, as in PyTorch."""

    def forward(self, x: Array) -> Array:
        self.mask = x > 0
        return namespace(x).maximum(x, 0)

    def backward(self, gy: Array) -> Array:
        return namespace(gy, self.mask).where(self.mask, gy, 0)


class Maximum(Function):
    """The larger one: y = max(x1, x2). At a tie each gets half the gradient, as in PyTorch."""

    def forward(self, x1: Array, x2: Array) -> Array:
        self.tie, self.below = x1 == x2, x1 < x2
        return namespace(x1, x2).maximum(x1, x2)

    def backward(self, gy: Array) -> tuple[Array, Array]:
        xp = namespace(gy, self.tie)
        half = xp.where(self.tie, gy / 2, 0)
        return (
            xp.where(self.tie, half, xp.where(self.below, 0, gy)),
            xp.where(self.tie, half, xp.where(self.below, gy, 0)),
        )


class Where(Function):
    """A choice: y = x1 where condition, else x2. What is not chosen gets a gradient of 0."""

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


class Astype(Function):
    """Conversion to another dtype; the gradient is converted back."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype

    def forward(self, x: Array) -> Array:
        self.from_dtype = x.dtype
        return operand(namespace(x).astype(x, self.dtype))

    def backward(self, gy: Array) -> Array:
        return namespace(gy).astype(gy, self.from_dtype)


def add(x1: Any, x2: Any, /) -> Variable:
    """x1 + x2, elementwise.

    >>> add(Variable([1.0, 2.0]), 10)
    Variable([11., 12.])
    """
    return Add()(x1, x2)


def subtract(x1: Any, x2: Any, /) -> Variable:
    """x1 - x2, elementwise.

    >>> subtract(10, Variable([1.0, 2.0]))
    Variable([9., 8.])
    """
    return Subtract()(x1, x2)


def multiply(x1: Any, x2: Any, /) -> Variable:
    """x1 * x2, elementwise.

    >>> multiply(Variable([1.0, 2.0]), 10)
    Variable([10., 20.])
    """
    return Multiply()(x1, x2)


def divide(x1: Any, x2: Any, /) -> Variable:
    """x1 / x2, elementwise.

    >>> divide(Variable([1.0, 2.0]), 10)
    Variable([0.1, 0.2])
    """
    return Divide()(x1, x2)


def negative(x: Any, /) -> Variable:
    """-x, elementwise.

    >>> negative(Variable([1.0, -2.0]))
    Variable([-1.,  2.])
    """
    return Negative()(x)


def pow(x1: Any, x2: Any, /) -> Variable:
    """x1 ** x2, elementwise; see ``Pow`` for the derivatives at 0.

    >>> pow(Variable([1.0, 2.0]), 3)
    Variable([1., 8.])
    """
    return Pow()(x1, x2)


def square(x: Any, /) -> Variable:
    """x * x, elementwise.

    >>> square(Variable([1.0, -3.0]))
    Variable([1., 9.])
    """
    return Square()(x)


def exp(x: Any, /) -> Variable:
    """e ** x, elementwise.

    >>> exp(Variable([0.0]))
    Variable([1.])
    """
    return Exp()(x)


def log(x: Any, /) -> Variable:
    """Natural logarithm, elementwise.

    >>> log(Variable([1.0]))
    Variable([0.])
    """
    return Log()(x)


def tanh(x: Any, /) -> Variable:
    """Hyperbolic tangent, elementwise.

    >>> tanh(Variable([0.0]))
    Variable([0.])
    """
    return Tanh()(x)


def sigmoid(x: Any, /) -> Variable:
    """1 / (1 + exp(-x)), elementwise; exact at both ends, without overflow.

    >>> sigmoid(Variable([0.0, -1e4]))
    Variable([0.5, 0. ])
    """
    return Sigmoid()(x)


def relu(x: Any, /) -> Variable:
    """max(x, 0), elementwise.

    >>> relu(Variable([-1.0, 2.0]))
    Variable([0., 2.])
    """
    return Relu()(x)


def maximum(x1: Any, x2: Any, /) -> Variable:
    """The larger of x1 and x2, elementwise; NaN where either is NaN.

    >>> maximum(Variable([-1.0, 2.0]), 0.5)
    Variable([0.5, 2. ])
    """
    return Maximum()(x1, x2)


def where(condition: Any, x1: Any, x2: Any, /) -> Variable:
    """x1 where the boolean ``condition`` holds, else x2, elementwise.

    Raises:
        TypeError: if condition is not boolean.

    >>> import numpy as np
    >>> where(np.array([True, False]), Variable([1.0, 2.0]), 0.0)
    Variable([1., 0.])
    """
    return Where()(condition, x1, x2)


def astype(x: Any, dtype: Any, /, *, copy: bool = True) -> Any:
    """``x`` converted to ``dtype``; with ``copy=False`` x itself, if that is its dtype.

    >>> import numpy as np
    >>> astype(Variable([1.0, 2.0]), np.float32)
    Variable([1., 2.], dtype=float32)
    """
    return x if not copy and x.dtype == dtype else Astype(dtype)(x)


def copy(x: Any, /) -> Variable:
    """A copy of ``x``, with x's history.

    >>> copy(Variable([1.0, 2.0]))
    Variable([1., 2.])
    """
    return Copy()(x)
