"""Smooth relatives of the rectifier, elementwise; and erf, of which one of them is made."""

from __future__ import annotations

import math
from typing import Any, Literal

from koubai import arrays
from koubai.arrays import Array, describe, namespace
from koubai.core import Function, Variable


class Erf(Function):
    """Error function: y = 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.

    Gradient: gx = gy 2 / sqrt(pi) exp(-x^2).
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        return arrays.erf(x)

    def backward(self, gy: Array) -> Array:
        return gy * (2 / math.sqrt(math.pi) * namespace(self.x).exp(-self.x * self.x))


class Gelu(Function):
    """Gaussian error linear unit: y = x P(x), with P the normal distribution function.

    P(x) = (1 + erf(x / sqrt(2))) / 2, and its derivative is p(x) = exp(-x^2 / 2) / sqrt(2 pi).
    Hendrycks and Gimpel, "Gaussian Error Linear Units", arXiv:1606.08415.

    Gradient: gx = gy (P(x) + x p(x)).
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        self.P = (1 + arrays.erf(x / math.sqrt(2))) / 2
        return x * self.P

    def backward(self, gy: Array) -> Array:
        x = self.x
        density = namespace(x).exp(-x * x / 2) / math.sqrt(2 * math.pi)
        return gy * (self.P + x * density)


class GeluTanh(Function):
    """Gelu with tanh for erf: y = x (1 + tanh(u)) / 2, u = sqrt(2/pi) (x + 0.044715 x^3).

    From the same paper; it differs from the exact one by less than 0.0005.

    Gradient: gx = gy (1 + tanh(u) + x (1 - tanh(u)^2) du/dx) / 2.
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        u = x * (_SCALE + _SCALE * _CUBIC * (x * x))
        self.tanh = namespace(u).tanh(u)
        return x * ((1 + self.tanh) / 2)

    def backward(self, gy: Array) -> Array:
        x, tanh = self.x, self.tanh
        slope = _SCALE + 3 * _SCALE * _CUBIC * (x * x)  # of u
        return gy * ((1 + tanh + x * (1 - tanh * tanh) * slope) / 2)


_SCALE, _CUBIC = math.sqrt(2 / math.pi), 0.044715


class Softplus(Function):
    """Smooth rectifier: y = log(1 + exp(x)).

    Gradient: gx = gy sigmoid(x).
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        return namespace(x).logaddexp(x, 0)

    def backward(self, gy: Array) -> Array:
        return gy * arrays.sigmoid(self.x)


class Silu(Function):
    """Sigmoid linear unit, also called swish: y = x sigmoid(x).

    Gradient: gx = gy (s + y (1 - s)), s = sigmoid(x).
    """

    def forward(self, x: Array) -> Array:
        self.s = arrays.sigmoid(x)
        self.y = x * self.s
        return self.y

    def backward(self, gy: Array) -> Array:
        return gy * (self.s + self.y * (1 - self.s))


def erf(x: Any, /) -> Variable:
    """The error function, elementwise: 2 / sqrt(pi) times the integral of exp(-t ** 2) from 0 to x.

    >>> erf(Variable([0.0, 1.0]))
    Variable([0.        , 0.84270079])
    """
    return Erf()(x)


def gelu(x: Any, /, *, approximate: Literal["none", "tanh"] = "none") -> Variable:
    """x * P(x), elementwise, where P(x) is the probability that a standard normal number is < x.

    Args:
        approximate: "tanh" for a formula with tanh, within 0.0005 of the exact one, that computes
            faster; GPT-2 was trained with it.

    Raises:
        ValueError: for another ``approximate``.

    >>> gelu(Variable([-1.0, 0.0, 1.0]))
    Variable([-0.15865525,  0.        ,  0.84134475])
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(
            f"gelu(x: {describe(x)}): approximate must be 'none' or 'tanh', not {approximate!r}"
        )
    return (Gelu() if approximate == "none" else GeluTanh())(x)


def softplus(x: Any, /) -> Variable:
    """log(1 + exp(x)), elementwise, without overflow.

    >>> softplus(Variable([0.0, 50.0]))
    Variable([ 0.69314718, 50.        ])
    """
    return Softplus()(x)


def silu(x: Any, /) -> Variable:
    """x * sigmoid(x), elementwise; also called swish.

    >>> silu(Variable([-1.0, 0.0, 1.0]))
    Variable([-0.26894142,  0.        ,  0.73105858])
    """
    return Silu()(x)
