"""Tiny and huge numbers, saturation, cancellation."""

import numpy as np
from check.case import Case, given, normal, weights

import koubai
from koubai import Function, Variable


class Square(Function):
    def forward(self, x):
        self.x = x
        return x**2

    def backward(self, gy):
        return 2 * self.x * gy


class Mul:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        return dout * self.y, dout * self.x


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW = self.db = None

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout, axis=0)
        return np.dot(dout, self.W.T)


class Sigmoid:
    def forward(self, x):
        e = np.exp(-np.abs(x))
        self.out = np.where(x >= 0, 1 / (1 + e), e / (1 + e))
        self.slope = e / (1 + e) ** 2
        return self.out

    def backward(self, dout):
        return dout * self.slope


class SigmoidLayer:
    def forward(self, x):
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def backward(self, dout):
        return dout * self.out * (1.0 - self.out)


class Tanh(Function):
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, gy):
        return gy * (1 - self.y * self.y)


class Softmax:
    def forward(self, x):
        z = np.exp(x - x.max(axis=1, keepdims=True))
        self.y = z / z.sum(axis=1, keepdims=True)
        return self.y

    def backward(self, dout):
        return self.y * (dout - (dout * self.y).sum(axis=1, keepdims=True))


class LogSumExp(Function):
    def forward(self, x):
        m = x.max(axis=1, keepdims=True)
        s = np.exp(x - m).sum(axis=1, keepdims=True)
        self.p = np.exp(x - m) / s
        return (m + np.log(s))[:, 0]

    def backward(self, gy):
        return gy[:, None] * self.p


class Center:
    def forward(self, x):
        return x - x.mean(axis=0)

    def backward(self, dout):
        return dout - dout.mean(axis=0)


class Div:
    def forward(self, a, b):
        self.a, self.b = a, b
        return a / b

    def backward(self, dout):
        return dout / self.b, -dout * self.a / self.b**2


class Softplus(Function):
    def forward(self, x):
        self.x = x
        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))

    def backward(self, gy):
        e = np.exp(-np.abs(self.x))
        return gy * np.where(self.x >= 0, 1, e) / (1 + e)


class Exp:
    def forward(self, x):
        self.y = np.exp(x)
        return self.y

    def backward(self, dout):
        return dout * self.y


def there_and_back(x):
    return (1e6 + x) - 1e6


def almost_nothing(x):
    return 1e-20 * koubai.sin(x)


def in_a_graph():
    x = Variable(np.array([1e-12, 2e-12]), name="x")
    y = Variable(np.array([1e12, -3e12]), name="y")
    return koubai.sum(x * y * y * 1e-9)


def scaled(factor, *shapes):
    return lambda rng: tuple(factor * rng.standard_normal(shape) for shape in shapes)


CASES = [
    Case("square_of_tiny", Square, scaled(1e-30, (5,)), None, notes="the values are 1e-60"),
    Case("product_of_tiny", Mul, scaled(1e-20, (2, 3), (2, 3)), None),
    Case(
        "affine_of_tiny",
        lambda: Affine(weights(3, 2), weights(2)),
        scaled(1e-10, (4, 3)),
        None,
        notes="beside the bias, of 1, the influence of x is lost in rounding unless steps are big",
    ),
    Case("tiny_slope", lambda: almost_nothing, normal((4,)), None),
    Case("square_of_huge", Square, scaled(1e6, (2, 3)), None),
    Case("product_of_huge", Mul, scaled(1e15, (3,), (3,)), None),
    Case(
        "product_of_huge_and_tiny",
        Mul,
        lambda rng: (1e15 * rng.standard_normal(4), 1e-15 * rng.standard_normal(4)),
        None,
    ),
    Case(
        "affine_of_huge",
        lambda: Affine(1e6 * weights(3, 2), 1e6 * weights(2)),
        scaled(1e6, (4, 3)),
        None,
    ),
    Case(
        "huge_and_tiny_in_one_array",
        Square,
        given([1e-8, 1.0, 1e8, -1e4]),
        None,
        notes="the gradient of the small ones is lost in the sum of the outputs' rounding",
    ),
    Case("graph_of_tiny_and_huge", in_a_graph, normal(), None),
    Case("exp_of_500", Exp, given([500.0, -500.0, 0.0]), None),
    Case(
        "sigmoid_saturated",
        Sigmoid,
        given([-40.0, 40.0, 750.0, -750.0, 0.3]),
        None,
        notes="gradients of 4e-18, and of 0",
    ),
    Case(
        "sigmoid_of_the_notebook_saturated",
        SigmoidLayer,
        given([10.0, 38.0, -38.0, 100.0]),
        None,
        notes="1 - out is 0 from 37 on, the true derivative is 3e-17",
    ),
    Case("tanh_saturated", Tanh, given([-30.0, 20.0, 15.0, 1.0]), None),
    Case(
        "softmax_of_large_scores",
        Softmax,
        given([[1e4, 9999.0, -1e4], [700.0, 701.0, 702.5]]),
        None,
    ),
    Case("log_sum_exp_of_large_scores", LogSumExp, scaled(1e3, (3, 4)), None),
    Case("log_sum_exp_of_koubai", lambda: koubai.logsumexp, given([1000.0, 1001.0, 999.5]), None),
    Case("softplus_of_large", Softplus, given([-100.0, 100.0, 800.0, 0.0]), None),
    Case(
        "center_far_away",
        Center,
        lambda rng: (1e6 + rng.standard_normal((6, 2)),),
        None,
        notes="six digits are lost in the values",
    ),
    Case("cancellation", lambda: there_and_back, normal((4,)), None),
    Case(
        "division_by_small",
        Div,
        lambda rng: (rng.standard_normal(4), 1e-6 * rng.uniform(1, 2, 4)),
        None,
        notes="gradients of 1e12 beside those of 1e6",
    ),
]
