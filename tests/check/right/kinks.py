"""Kinks and steps: any slope between those of the two sides is right at a kink."""

import numpy as np
from check.case import Case, given, normal, weights

import koubai
from koubai import Function, nn


class Relu:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        dx = dout.copy()
        dx[self.mask] = 0
        return dx


class ReluFromZero(Function):
    def forward(self, x):
        self.x = x
        return np.maximum(x, 0)

    def backward(self, gy):
        return gy * (self.x >= 0)


class Abs(Function):
    def forward(self, x):
        self.x = x
        return np.abs(x)

    def backward(self, gy):
        return gy * np.sign(self.x)


class AbsWithOne:
    def forward(self, x):
        self.s = np.where(x < 0, -1.0, 1.0)
        return x * self.s

    def backward(self, dout):
        return dout * self.s


class Maximum:
    def forward(self, a, b):
        self.first = a >= b
        return np.where(self.first, a, b)

    def backward(self, dout):
        return dout * self.first, dout * ~self.first


class MaximumShared(Function):
    def forward(self, a, b):
        self.share = np.where(a == b, 0.5, a > b)
        return np.maximum(a, b)

    def backward(self, gy):
        return gy * self.share, gy * (1 - self.share)


class RowMax:
    def forward(self, x):
        self.shape = x.shape
        self.rows = np.arange(len(x))
        self.arg = x.argmax(axis=1)
        return x[self.rows, self.arg]

    def backward(self, dout):
        dx = np.zeros(self.shape)
        dx[self.rows, self.arg] = dout
        return dx


class Clip:
    def __init__(self, low, high):
        self.low, self.high = low, high

    def forward(self, x):
        self.inside = (x >= self.low) & (x <= self.high)
        return np.clip(x, self.low, self.high)

    def backward(self, dout):
        return dout * self.inside


class ClipStrict(Function):
    def forward(self, x):
        self.inside = (x > -1) & (x < 1)
        return np.clip(x, -1, 1)

    def backward(self, gy):
        return np.where(self.inside, gy, 0)


class HingeLoss:
    def forward(self, scores, t):
        self.sign = 2.0 * t - 1
        self.margin = 1 - self.sign * scores
        return np.maximum(self.margin, 0).mean()

    def backward(self, dout=1):
        return dout * -self.sign * (self.margin > 0) / len(self.sign)


class Huber(Function):
    def forward(self, x):
        self.x = x
        a = np.abs(x)
        return np.where(a <= 1, 0.5 * x**2, a - 0.5)

    def backward(self, gy):
        return gy * np.clip(self.x, -1, 1)


class Norm:
    def forward(self, x):
        self.x = x
        self.n = np.sqrt((x**2).sum(axis=1))
        return self.n

    def backward(self, dout):
        n = np.where(self.n == 0, 1, self.n)
        return (dout / n)[:, None] * self.x


class Step:
    def forward(self, x):
        return (x > 0).astype(float)

    def backward(self, dout):
        return np.zeros_like(dout)


class Quantize(Function):
    def forward(self, x):
        return np.floor(4 * x) / 4

    def backward(self, gy):
        return np.zeros_like(gy)


class HardSigmoid(Function):
    def forward(self, x):
        self.slope = np.where(np.abs(x) < 2.5, 0.2, 0.0)
        return np.clip(0.2 * x + 0.5, 0, 1)

    def backward(self, gy):
        return gy * self.slope


class Table:
    """Linear interpolation between points at whole numbers."""

    def __init__(self, y):
        self.y = y
        self.dy = None

    def forward(self, x):
        self.i = np.floor(x).astype(int)
        self.f = x - self.i
        return (1 - self.f) * self.y[self.i] + self.f * self.y[self.i + 1]

    def backward(self, dout):
        self.dy = np.zeros_like(self.y)
        np.add.at(self.dy, self.i, dout * (1 - self.f))
        np.add.at(self.dy, self.i + 1, dout * self.f)
        return dout * (self.y[self.i + 1] - self.y[self.i])


class Hidden(nn.Module):
    """All biases 0, and an input of zeros: every unit is at its kink."""

    def __init__(self):
        self.fc = nn.Linear(3, 4, rng=np.random.default_rng(0), dtype=np.float64)

    def forward(self, x):
        return koubai.relu(self.fc(x))


def largest(x, y):
    return koubai.maximum(x, y) * np.arange(1.0, 5.0)


def distance(x, t):
    return koubai.mean(koubai.abs(x - t))


def best(x):
    return koubai.max(x, axis=1) * np.array([1.0, -2.0])


SIGNED = [-2.0, -0.5, 0.0, 0.5, 2.0, 0.0]
CASES = [
    Case("relu_at_0", Relu, given(SIGNED), None),
    Case("relu_at_0_the_other_way", ReluFromZero, given(SIGNED), None),
    Case("relu_near_0", Relu, given([-1e-6, 1e-6, 1.0, -1.0]), None),
    Case("abs_at_0", Abs, given(SIGNED), None),
    Case("abs_at_0_with_slope_1", AbsWithOne, given(SIGNED), None),
    Case("abs_near_0", Abs, given([1e-6, -1e-6, 3.0, 1e-9]), None),
    Case("maximum_of_equals_to_the_first", Maximum, given([1.0, 2.0, 3.0], [1.0, 2.5, 3.0]), None),
    Case("maximum_of_equals_shared", MaximumShared, given([1.0, 2.0, 3.0], [1.0, 2.5, 3.0]), None),
    Case(
        "maximum_of_koubai",
        lambda: largest,
        given([1.0, -1.0, 0.0, 2.0], [1.0, -1.0, 0.0, 1.0]),
        None,
    ),
    Case("row_max_of_equals_to_the_first", RowMax, given([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]), None),
    Case("row_max_of_koubai", lambda: best, given([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]), None),
    Case("clip_at_its_bounds", lambda: Clip(-1.0, 1.0), given([-2.0, -1.0, 0.3, 1.0, 1.5]), None),
    Case("clip_at_its_bounds_strict", ClipStrict, given([-2.0, -1.0, 0.3, 1.0, 1.5]), None),
    Case("l1_of_equals", lambda: distance, given([1.0, 2.0, 3.0], [1.0, 2.5, 3.0]), None),
    Case(
        "hinge_at_its_margin", HingeLoss, given([1.0, -1.0, 0.5, 2.0], np.array([1, 0, 1, 0])), None
    ),
    Case(
        "huber_near_its_corner",
        Huber,
        given([1.0, 1 + 1e-6, 1 - 1e-6, -1.0, 0.2, -5.0]),
        None,
        notes="only its second derivative jumps",
    ),
    Case("norm_of_zeros", Norm, given([[0.0, 0.0], [3.0, 4.0]]), None),
    Case("step", Step, normal((5,)), None, notes="zero, wherever there is a derivative"),
    Case("step_near_its_jump", Step, given([1e-3, -1e-3, 2.0]), None),
    Case("quantize", Quantize, given([0.1, 0.3, -0.9, 1.6]), None),
    Case("hard_sigmoid_at_its_corners", HardSigmoid, given([-2.5, 2.5, 0.0, 3.0]), None),
    Case(
        "interpolation_between_points",
        lambda: Table(weights(6)),
        lambda rng: (rng.uniform(0.1, 0.9, 8) + rng.integers(0, 5, 8),),
        None,
    ),
    Case("relu_of_zeros_in_a_module", Hidden, given(np.zeros((2, 3))), None),
]
