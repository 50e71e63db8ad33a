"""Functions of angles, which are in radians, and their inverses, elementwise."""

from __future__ import annotations

from typing import Any

from koubai.arrays import Array, namespace
from koubai.core import Function, Variable


class Sin(Function):
    """Sine: y = sin(x).

    Gradient: gx = gy cos(x).
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        return namespace(x).sin(x)

    def backward(self, gy: Array) -> Array:
        return gy * namespace(self.x).cos(self.x)


class Cos(Function):
    """Cosine: y = cos(x).

    Gradient: gx = -gy sin(x).
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        return namespace(x).cos(x)

    def backward(self, gy: Array) -> Array:
        return gy * -namespace(self.x).sin(self.x)


class Tan(Function):
    """Tangent: y = tan(x).

    Gradient: gx = gy (1 + y^2).
    """

    def forward(self, x: Array) -> Array:
        self.y = namespace(x).tan(x)
        return self.y

    def backward(self, gy: Array) -> Array:
        return gy * (1 + self.y * self.y)


class Asin(Function):
    """Inverse sine: y = asin(x), for x from -1 to 1.

    Gradient: gx = gy / sqrt((1 - x) (1 + x)).

    Where it fails: infinite at -1 and 1, as in PyTorch.
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        return namespace(x).asin(x)

    def backward(self, gy: Array) -> Array:
        x = self.x
        return gy / namespace(x).sqrt((1 - x) * (1 + x))


class Acos(Function):
    """Inverse cosine: y = acos(x), for x from -1 to 1.

    Gradient: gx = -gy / sqrt((1 - x) (1 + x)).

    Where it fails: minus infinity at -1 and 1, as in PyTorch.
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        return namespace(x).acos(x)

    def backward(self, gy: Array) -> Array:
        x = self.x
        return -gy / namespace(x).sqrt((1 - x) * (1 + x))


class Atan(Function):
    """Inverse tangent: y = atan(x).

    Gradient: gx = gy / (1 + x^2).
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        return namespace(x).atan(x)

    def backward(self, gy: Array) -> Array:
        return gy / (1 + self.x * self.x)


class Atan2(Function):
    """The angle of the point (x2, x1): y = atan(x1 / x2) in the right quadrant.

    Gradient: gx1 = gy x2 / r^2, gx2 = -gy x1 / r^2, r = hypot(x1, x2).

    Where it fails: 0 at (0, 0), where there is no angle, as in PyTorch.
    """

    def forward(self, x1: Array, x2: Array) -> Array:
        self.x1, self.x2 = x1, x2
        return namespace(x1, x2).atan2(x1, x2)

    def backward(self, gy: Array) -> tuple[Array, Array]:
        # Divided twice by the length: its square might overflow, or be rounded to 0.
        r = _length(self.x1, self.x2)
        return gy * (self.x2 / r / r), gy * (-self.x1 / r / r)


class Hypot(Function):
    """Length of (x1, x2): y = sqrt(x1^2 + x2^2), without overflow.

    Gradient: gx1 = gy x1 / y, gx2 = gy x2 / y.

    Where it fails: 0 at (0, 0), the smallest subgradient, which PyTorch's norm takes there too (its
    hypot gives NaN).
    """

    def forward(self, x1: Array, x2: Array) -> Array:
        self.x1, self.x2 = x1, x2
        return namespace(x1, x2).hypot(x1, x2)

    def backward(self, gy: Array) -> tuple[Array, Array]:
        r = _length(self.x1, self.x2)
        return gy * (self.x1 / r), gy * (self.x2 / r)


def _length(x1: Array, x2: Array) -> Array:
    """The length of (x1, x2), with 1 in place of 0, to divide by."""
    xp = namespace(x1, x2)
    r = xp.hypot(x1, x2)
    return xp.where(r == 0, xp.ones_like(r), r)


def sin(x: Any, /) -> Variable:
    """Sine, elementwise; x in radians.

    >>> sin(Variable([0.0, 1.0]))
    Variable([0.        , 0.84147098])
    """
    return Sin()(x)


def cos(x: Any, /) -> Variable:
    """Cosine, elementwise; x in radians.

    >>> cos(Variable([0.0, 1.0]))
    Variable([1.        , 0.54030231])
    """
    return Cos()(x)


def tan(x: Any, /) -> Variable:
    """Tangent, elementwise; x in radians.

    >>> tan(Variable([0.0, 1.0]))
    Variable([0.        , 1.55740772])
    """
    return Tan()(x)


def asin(x: Any, /) -> Variable:
    """Inverse sine, elementwise, from -pi/2 to pi/2; NaN unless -1 <= x <= 1.

    The derivatives at -1 and 1 are infinite.

    >>> asin(Variable([0.0, 0.5]))
    Variable([0.        , 0.52359878])
    """
    return Asin()(x)


def acos(x: Any, /) -> Variable:
    """Inverse cosine, elementwise, from 0 to pi; NaN unless -1 <= x <= 1.

    The derivatives at -1 and 1 are minus infinity.

    >>> acos(Variable([1.0, 0.5]))
    Variable([0.        , 1.04719755])
    """
    return Acos()(x)


def atan(x: Any, /) -> Variable:
    """Inverse tangent, elementwise, from -pi/2 to pi/2.

    >>> atan(Variable([0.0, 1.0]))
    Variable([0.        , 0.78539816])
    """
    return Atan()(x)


def atan2(x1: Any, x2: Any, /) -> Variable:
    """The angle of the point (x2, x1), elementwise, from -pi to pi; at (0, 0) the gradients are 0.

    >>> atan2(Variable([1.0, 1.0]), Variable([1.0, -1.0]))
    Variable([0.78539816, 2.35619449])
    """
    return Atan2()(x1, x2)


def hypot(x1: Any, x2: Any, /) -> Variable:
    """sqrt(x1 ** 2 + x2 ** 2), elementwise, without overflow; at (0, 0) the gradients are 0.

    >>> hypot(Variable([3.0, 0.0]), 4.0)
    Variable([5., 4.])
    """
    return Hypot()(x1, x2)
