"""Hyperbolic functions and their inverses, elementwise; tanh is in ``elementwise.py``."""

from __future__ import annotations

from typing import Any

from koubai.arrays import Array, namespace
from koubai.core import Function, Variable


class Sinh(Function):
    """Hyperbolic sine: y = sinh(x).

    Gradient: gx = gy cosh(x).
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        return namespace(x).sinh(x)

    def backward(self, gy: Array) -> Array:
        return gy * namespace(self.x).cosh(self.x)


class Cosh(Function):
    """Hyperbolic cosine: y = cosh(x).

    Gradient: gx = gy sinh(x).
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        return namespace(x).cosh(x)

    def backward(self, gy: Array) -> Array:
        return gy * namespace(self.x).sinh(self.x)


class Asinh(Function):
    """Inverse hyperbolic sine: y = asinh(x).

    Gradient: gx = gy / sqrt(x^2 + 1).
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        return namespace(x).asinh(x)

    def backward(self, gy: Array) -> Array:
        x = self.x
        return gy / namespace(x).sqrt(x * x + 1)


class Acosh(Function):
    """Inverse hyperbolic cosine: y = acosh(x), for x from 1 on.

    Gradient: gx = gy / sqrt((x - 1) (x + 1)).

    Where it fails: infinite at 1, as in PyTorch.
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        return namespace(x).acosh(x)

    def backward(self, gy: Array) -> Array:
        x = self.x
        return gy / namespace(x).sqrt((x - 1) * (x + 1))


class Atanh(Function):
    """Inverse hyperbolic tangent: y = atanh(x), for x between -1 and 1.

    Gradient: gx = gy / ((1 - x) (1 + x)).

    Where it fails: infinite at -1 and 1, as in PyTorch.
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        return namespace(x).atanh(x)

    def backward(self, gy: Array) -> Array:
        x = self.x
        return gy / ((1 - x) * (1 + x))


def sinh(x: Any, /) -> Variable:
    """Hyperbolic sine, elementwise.

    >>> sinh(Variable([0.0, 1.0]))
    Variable([0.        , 1.17520119])
    """
    return Sinh()(x)


def cosh(x: Any, /) -> Variable:
    """Hyperbolic cosine, elementwise.

    >>> cosh(Variable([0.0, 1.0]))
    Variable([1.        , 1.54308063])
    """
    return Cosh()(x)


def asinh(x: Any, /) -> Variable:
    """Inverse hyperbolic sine, elementwise.

    >>> asinh(Variable([0.0, 1.0]))
    Variable([0.        , 0.88137359])
    """
    return Asinh()(x)


def acosh(x: Any, /) -> Variable:
    """Inverse hyperbolic cosine, elementwise, from 0 on; NaN for x < 1.

    The derivative at 1 is infinite.

    >>> acosh(Variable([1.0, 2.0]))
    Variable([0.       , 1.3169579])
    """
    return Acosh()(x)


def atanh(x: Any, /) -> Variable:
    """Inverse hyperbolic tangent, elementwise; NaN unless -1 <= x <= 1.

    The derivatives at -1 and 1 are infinite.

    >>> atanh(Variable([0.0, 0.5]))
    Variable([0.        , 0.54930614])
    """
    return Atanh()(x)
