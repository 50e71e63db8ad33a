"""Operations on each element by itself; arguments broadcast against each other."""

from __future__ import annotations

import math
from typing import Any

from koubai import arrays
from koubai.arrays import NUMBERS, Array, namespace, operand
from koubai.core import Function, Variable


class Add(Function):
    """Sum: y = x1 + x2.

    Gradient: gx1 = gx2 = gy.
    """

    def forward(self, x1: Array, x2: Array) -> Array:
        return x1 + x2

    def backward(self, gy: Array) -> tuple[Array, Array]:
        return gy, gy


class Copy(Function):
    """A copy: y = x.

    Gradient: gx = gy.
    """

    def forward(self, x: Array) -> Array:
        return arrays.copy(x)

    def backward(self, gy: Array) -> Array:
        return gy


class Subtract(Function):
    """Difference: y = x1 - x2.

    Gradient: gx1 = gy, gx2 = -gy.
    """

    def forward(self, x1: Array, x2: Array) -> Array:
        return x1 - x2

    def backward(self, gy: Array) -> tuple[Array, Array]:
        return gy, -gy


class Multiply(Function):
    """Product: y = x1 * x2.

    Gradient: gx1 = gy x2, gx2 = gy x1.
    """

    def forward(self, x1: Array, x2: Array) -> Array:
        self.x1, self.x2 = x1, x2
        return x1 * x2

    def backward(self, gy: Array) -> tuple[Array, Array]:
        return gy * self.x2, gy * self.x1


class Divide(Function):
    """Quotient: y = x1 / x2.

    Gradient: gx1 = gy / x2, gx2 = -gy y / x2.

    Where it fails: infinite at x2 = 0, as in PyTorch.
    """

    def forward(self, x1: Array, x2: Array) -> Array:
        self.x2 = x2
        self.y = x1 / x2
        return self.y

    def backward(self, gy: Array) -> tuple[Array, Array]:
        gx1 = gy / self.x2
        return gx1, -gx1 * self.y


class Negative(Function):
    """Negation: y = -x.

    Gradient: gx = -gy.
    """

    def forward(self, x: Array) -> Array:
        return -x

    def backward(self, gy: Array) -> Array:
        return -gy


class Pow(Function):
    """Power: y = x1 ** x2.

    Gradient: gx1 = gy x2 x1 ** (x2 - 1), gx2 = gy y log(x1).

    Where it fails: gx1 is 0 where x2 is 0, also at x1 = 0; there it is infinite for x2 < 1. gx2 is
    0 at x1 = 0, where x2 is not negative, else minus infinity; NaN where x1 is negative. As in
    PyTorch.
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
            gx2 = gy * (self.y * _log(_of_logarithm(x1, x2)))
        return gx1, gx2


def _base(x1: Array, x2: Array) -> Array:
    """``x1``, with 1 in place of 0 where x2 is 0: there 0 * x1 ** (0 - 1) would be 0 * inf."""
    return x1 if isinstance(x2, NUMBERS) and x2 else _replace_zeros(x1, x2 == 0)


def _of_logarithm(x1: Array, x2: Array) -> Array:
    """``x1``, with 1 in place of 0 where x2 is not negative: there 0 * log(0) would be 0 * -inf."""
    return x1 if isinstance(x1, NUMBERS) and x1 else _replace_zeros(x1, x2 >= 0)


def _replace_zeros(x: Array, where: Array) -> Array:
    """``x`` with ones in place of the zeros where ``where`` holds."""
    xp = namespace(x, where)
    return xp.where(xp.logical_and(x == 0, where), 1.0, x)


def _log(x: Array) -> Array:
    # A number stays a Python float, which is weak: float32 stays float32.
    if isinstance(x, NUMBERS):
        return math.log(x) if float(x) > 0 else math.nan
    return namespace(x).log(x)


class Square(Function):
    """Square: y = x * x.

    Gradient: gx = 2 gy x.
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        return x * x

    def backward(self, gy: Array) -> Array:
        return 2 * self.x * gy


class Sqrt(Function):
    """Square root: y = sqrt(x).

    Gradient: gx = gy / (2 y).

    Where it fails: infinite at 0, as in PyTorch.
    """

    def forward(self, x: Array) -> Array:
        self.y = namespace(x).sqrt(x)
        return self.y

    def backward(self, gy: Array) -> Array:
        return gy / (2 * self.y)


class Reciprocal(Function):
    """Reciprocal: y = 1 / x.

    Gradient: gx = -gy y^2.

    Where it fails: minus infinity at 0, as in PyTorch.
    """

    def forward(self, x: Array) -> Array:
        self.y = namespace(x).reciprocal(x)
        return self.y

    def backward(self, gy: Array) -> Array:
        return -gy * self.y * self.y


class Abs(Function):
    """Absolute value: y = |x|.

    Gradient: gx = gy sign(x).

    Where it fails: 0 at 0, as in PyTorch.
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        return namespace(x).abs(x)

    def backward(self, gy: Array) -> Array:
        return gy * namespace(self.x).sign(self.x)


class Exp(Function):
    """Exponential: y = exp(x).

    Gradient: gx = gy y.
    """

    def forward(self, x: Array) -> Array:
        self.y = namespace(x).exp(x)
        return self.y

    def backward(self, gy: Array) -> Array:
        return gy * self.y


class Log(Function):
    """Natural logarithm: y = log(x).

    Gradient: gx = gy / x.

    Where it fails: infinite at 0, as in PyTorch.
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        return namespace(x).log(x)

    def backward(self, gy: Array) -> Array:
        return gy / self.x


class Tanh(Function):
    """Hyperbolic tangent: y = tanh(x).

    Gradient: gx = gy (1 - y^2).
    """

    def forward(self, x: Array) -> Array:
        self.y = namespace(x).tanh(x)
        return self.y

    def backward(self, gy: Array) -> Array:
        return gy * (1 - self.y * self.y)


class Sigmoid(Function):
    """Logistic function: y = 1 / (1 + exp(-x)).

    Gradient: gx = gy y (1 - y).
    """

    def forward(self, x: Array) -> Array:
        self.y = arrays.sigmoid(x)
        return self.y

    def backward(self, gy: Array) -> Array:
        return gy * self.y * (1 - self.y)


class Relu(Function):
    """Rectifier: y = max(x, 0).

    Gradient: gx = gy where x > 0, else 0.

    Where it fails: 0 at 0, as in PyTorch.
    """

    def forward(self, x: Array) -> Array:
        self.mask = x > 0
        return namespace(x).maximum(x, 0)

    def backward(self, gy: Array) -> Array:
        return namespace(gy, self.mask).where(self.mask, gy, 0)


class Astype(Function):
    """Conversion to another dtype.

    Gradient: gy, converted back.
    """

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
    return Add()._once(x1, x2)


def subtract(x1: Any, x2: Any, /) -> Variable:
    """x1 - x2, elementwise.

    >>> subtract(10, Variable([1.0, 2.0]))
    Variable([9., 8.])
    """
    return Subtract()._once(x1, x2)


def multiply(x1: Any, x2: Any, /) -> Variable:
    """x1 * x2, elementwise.

    >>> multiply(Variable([1.0, 2.0]), 10)
    Variable([10., 20.])
    """
    return Multiply()._once(x1, x2)


def divide(x1: Any, x2: Any, /) -> Variable:
    """x1 / x2, elementwise.

    >>> divide(Variable([1.0, 2.0]), 10)
    Variable([0.1, 0.2])
    """
    return Divide()._once(x1, x2)


def negative(x: Any, /) -> Variable:
    """-x, elementwise.

    >>> negative(Variable([1.0, -2.0]))
    Variable([-1.,  2.])
    """
    return Negative()._once(x)


def pow(x1: Any, x2: Any, /) -> Variable:
    """x1 ** x2, elementwise; see ``Pow`` for the derivatives at 0.

    >>> pow(Variable([1.0, 2.0]), 3)
    Variable([1., 8.])
    """
    return Pow()._once(x1, x2)


def square(x: Any, /) -> Variable:
    """x * x, elementwise.

    >>> square(Variable([1.0, -3.0]))
    Variable([1., 9.])
    """
    return Square()._once(x)


def sqrt(x: Any, /) -> Variable:
    """Square root, elementwise; NaN for negative numbers. The derivative at 0 is infinite.

    >>> sqrt(Variable([4.0, 9.0]))
    Variable([2., 3.])
    """
    return Sqrt()._once(x)


def reciprocal(x: Any, /) -> Variable:
    """1 / x, elementwise; of whole numbers NumPy's whole ones.

    >>> reciprocal(Variable([2.0, 4.0]))
    Variable([0.5 , 0.25])
    """
    return Reciprocal()._once(x)


def abs(x: Any, /) -> Variable:
    """Absolute value, elementwise; the derivative at 0 is 0.

    >>> abs(Variable([-1.0, 2.0]))
    Variable([1., 2.])
    """
    return Abs()._once(x)


def exp(x: Any, /) -> Variable:
    """e ** x, elementwise.

    >>> exp(Variable([0.0]))
    Variable([1.])
    """
    return Exp()._once(x)


def log(x: Any, /) -> Variable:
    """Natural logarithm, elementwise; NaN for negative numbers. The derivative at 0 is infinite.

    >>> log(Variable([1.0]))
    Variable([0.])
    """
    return Log()._once(x)


def tanh(x: Any, /) -> Variable:
    """Hyperbolic tangent, elementwise.

    >>> tanh(Variable([0.0]))
    Variable([0.])
    """
    return Tanh()._once(x)


def sigmoid(x: Any, /) -> Variable:
    """1 / (1 + exp(-x)), elementwise; exact at both ends, without overflow.

    >>> sigmoid(Variable([0.0, -1e4]))
    Variable([0.5, 0. ])
    """
    return Sigmoid()._once(x)


def relu(x: Any, /) -> Variable:
    """max(x, 0), elementwise; the derivative at 0 is 0.

    >>> relu(Variable([-1.0, 2.0]))
    Variable([0., 2.])
    """
    return Relu()._once(x)


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
    return Copy()._once(x)
