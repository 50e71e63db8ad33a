"""Near the edge of a domain, and branches that are not taken."""

import numpy as np
from check.case import Case, given, weights

import koubai
from koubai import Function, Variable


class Log:
    def forward(self, x):
        self.x = x
        return np.log(x)

    def backward(self, dout):
        return dout / self.x


class Sqrt(Function):
    def forward(self, x):
        self.y = np.sqrt(x)
        return self.y

    def backward(self, gy):
        return gy / (2 * self.y)


class Arcsin(Function):
    def forward(self, x):
        self.x = x
        return np.arcsin(x)

    def backward(self, gy):
        return gy / np.sqrt((1 - self.x) * (1 + self.x))


class Logit:
    def forward(self, p):
        self.p = p
        return np.log(p) - np.log1p(-p)

    def backward(self, dout):
        return dout / (self.p * (1 - self.p))


class Arccosh(Function):
    def forward(self, x):
        self.x = x
        return np.arccosh(x)

    def backward(self, gy):
        return gy / np.sqrt((self.x - 1) * (self.x + 1))


class XLogX:
    """With 0 log 0 = 0."""

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x * np.log(np.where(x > 0, x, 1)), 0)

    def backward(self, dout):
        safe = np.where(self.x > 0, self.x, 1)
        return dout * np.where(self.x > 0, np.log(safe) + 1, 0)


class Elu(Function):
    """exp overflows where it is not taken."""

    def forward(self, x):
        self.x = x
        with np.errstate(over="ignore"):
            self.e = np.exp(x)
        return np.where(x > 0, x, self.e - 1)

    def backward(self, gy):
        return np.where(self.x > 0, gy, gy * np.where(self.x > 0, 1, self.e))


class SafeDiv(Function):
    def forward(self, a, b):
        self.a, self.ok = a, b != 0
        self.b = np.where(self.ok, b, 1)
        return np.where(self.ok, a / self.b, 0)

    def backward(self, gy):
        gy = gy * self.ok
        return gy / self.b, -gy * self.a / self.b**2


class Power:
    def __init__(self, p):
        self.p = p
        self.dp = None

    def forward(self, x):
        self.x = x
        self.y = x**self.p
        return self.y

    def backward(self, dout):
        self.dp = float(np.sum(dout * self.y * np.log(self.x)))
        return dout * self.p * self.x ** (self.p - 1)


class Sinc:
    def forward(self, x):
        self.x = x
        return np.sinc(x / np.pi)

    def backward(self, dout):
        x = np.where(self.x == 0, 1, self.x)
        return dout * np.where(self.x == 0, 0, (np.cos(x) - np.sin(x) / x) / x)


def root(x):
    safe = koubai.where(x > 0, x, 1.0)
    return koubai.where(x > 0, koubai.sqrt(safe), 0.5 * x)


def almost_a_right_angle(x):
    return koubai.tan(x)


def fisher(x):
    return koubai.atanh(x)


def small_divisor():
    a = Variable(weights(3), name="a")
    b = Variable(np.array([1e-4, -1e-4, 2.0]), name="b")
    return koubai.sum(a / b)


CASES = [
    Case("log_near_0", Log, given([1e-9, 1e-4, 1.0]), None),
    Case("log_of_tiny", Log, given([1e-300, 3e-300]), None),
    Case("sqrt_near_0", Sqrt, given([1e-12, 1e-6, 2.0]), None),
    Case("arcsin_near_1", Arcsin, given([1 - 1e-6, -1 + 1e-6, 0.2, 1 - 1e-9]), None),
    Case("logit_near_its_ends", Logit, given([1e-8, 1 - 1e-6, 0.5]), None),
    Case("arccosh_near_1", Arccosh, given([1 + 1e-6, 1.5, 20.0]), None),
    Case("x_log_x_of_negatives", XLogX, given([0.5, -1.0, 1e-7, 2.0]), None),
    Case("elu_with_overflow", Elu, given([800.0, -800.0, 0.5, -0.5]), None),
    Case("division_with_zeros_left_out", SafeDiv, given([1.0, 2.0, 3.0], [0.5, -1.0, 4.0]), None),
    Case(
        "power_learned",
        lambda: Power(1.7),
        given([0.3, 1.0, 2.5]),
        None,
        notes="its parameter is a Python float",
    ),
    Case("sinc_at_0", Sinc, given([0.0, 1e-3, 1.0, 3.0]), None),
    Case("root_not_taken", lambda: root, given([4.0, -1.0, 0.01]), None),
    Case("tan_near_a_pole", lambda: almost_a_right_angle, given([1.57, -1.5, 0.1]), None),
    Case("atanh_near_1", lambda: fisher, given([1 - 1e-7, -0.999, 0.0]), None),
    Case("small_divisor_in_a_graph", small_divisor, given(), None),
]
