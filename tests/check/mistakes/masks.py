"""Masks: inverted, or wrong at the boundary."""

import numpy as np
from check.case import Case, given, normal, weights

import koubai
from koubai import Function, nn


class Relu:
    def __init__(self):
        self.mask = None

    def forward(self, x):
        self.mask = x > 0
        return x * self.mask

    def backward(self, dout):
        dx = dout.copy()
        dx[self.mask] = 0  # wrong: ~mask
        return dx


class Dropout:
    def __init__(self, ratio=0.5):
        self.ratio = ratio
        self.mask = None

    def forward(self, x):
        self.mask = np.random.rand(*x.shape) > self.ratio  # noqa: NPY002
        return x * self.mask

    def backward(self, dout):
        return dout * ~self.mask  # wrong: mask


class Maximum(Function):
    def forward(self, a, b):
        self.cond = a > b
        return np.where(self.cond, a, b)

    def backward(self, gy):
        ga = np.where(self.cond, 0, gy)  # wrong: where(cond, gy, 0)
        gb = np.where(self.cond, gy, 0)  # wrong: where(cond, 0, gy)
        return ga, gb


class LeakyReLU(Function):
    def forward(self, x):
        self.neg = x < 0
        return np.where(self.neg, 0.1 * x, x)

    def backward(self, grad_output):
        return np.where(self.neg, grad_output, 0.1 * grad_output)  # wrong: the other way round


class Block(nn.Module):
    def __init__(self):
        self.fc = nn.Linear(3, 5, rng=np.random.default_rng(5), dtype=np.float64)

    def forward(self, x):
        return koubai.tanh(LeakyReLU()(self.fc(x)))


class Clip(Function):
    def __init__(self, low, high):
        self.low, self.high = low, high

    def forward(self, x):
        self.inside = (x > self.low) & (x < self.high)
        return np.clip(x, self.low, self.high)

    def backward(self, gy):
        return gy * (1 - self.inside)  # wrong: inside


def clipped(x, w):
    return w * Clip(-0.5, 0.5)(x)


class MaxLayer:
    def forward(self, x, y):
        self.x, self.y = x, y
        return np.maximum(x, y)

    def backward(self, dout):
        dx = dout * (self.x >= self.y)
        dy = dout * (self.y >= self.x)  # wrong: >, or a tie is counted twice
        return dx, dy


class MaxPool:
    """2 x 2, of single images."""

    def forward(self, x):
        h, w = x.shape
        self.col = x.reshape(h // 2, 2, w // 2, 2)
        self.out = self.col.max(axis=(1, 3))
        return self.out

    def backward(self, dout):
        mask = self.col == self.out[:, None, :, None]  # wrong: all that are equal, not one
        dcol = mask * dout[:, None, :, None]
        return dcol.reshape(dcol.shape[0] * 2, -1)


class RowMax(Function):
    def forward(self, x):
        self.x = x
        self.y = x.max(axis=1)
        return self.y

    def backward(self, gy):
        return gy[:, None] * (self.x >= self.y[:, None])  # wrong: one of those that are equal


def margin(x):
    return koubai.sum(RowMax()(x) ** 2)


class MaskedLoss:
    """Squared error; the label 0 is padding."""

    def forward(self, x, labels):
        self.x, self.labels = x, labels
        mask = labels > 0
        return 0.5 * np.sum(mask * (x - labels) ** 2)

    def backward(self, dout):
        mask = self.labels >= 0  # wrong: > 0
        return dout * mask * (self.x - self.labels)


class CausalMix(Function):
    def forward(self, scores, v):
        self.scores, self.v = scores, v
        self.n = len(scores)
        return np.tril(scores) @ v

    def backward(self, gy):
        gscores = np.tril(gy @ self.v.T, k=-1)  # wrong: with the diagonal
        return gscores, np.tril(self.scores).T @ gy


class PackedSum:
    """The sum of the first ``length`` steps of each row."""

    def __init__(self, w):
        self.w = w
        self.dw = None

    def forward(self, x, lengths):
        self.x, self.lengths = x, lengths
        self.steps = np.arange(x.shape[1])
        self.mask = self.steps < lengths[:, None]
        return (x * self.w * self.mask).sum(axis=1)

    def backward(self, dout):
        d = dout[:, None] * (self.steps <= self.lengths[:, None])  # wrong: <
        self.dw = (d * self.x).sum(axis=0)
        return d * self.w


INVERTED, BOUNDARY = "mask inverted", "mask boundary"
CASES = [
    Case("relu_inverted", Relu, normal((4, 3)), INVERTED, ("x",), "Relu"),
    Case(
        "dropout_inverted",
        Dropout,
        normal((5, 4)),
        INVERTED,
        ("x",),
        "Dropout",
        notes="draws from NumPy's global state",
    ),
    Case(
        "maximum_inverted",
        Maximum,
        normal((6,), (6,)),
        INVERTED,
        ("a", "b"),
        "Maximum",
        notes="'swapped' is the same here",
        also=("swapped",),
    ),
    Case(
        "leaky_relu_inverted", Block, normal((4, 3)), INVERTED, ("x", "fc.W", "fc.b"), "LeakyReLU"
    ),
    Case("clip_inverted", lambda: clipped, normal((8,), (8,)), INVERTED, ("x",), "Clip"),
    Case(
        "maximum_of_equals",
        MaxLayer,
        given([1.0, 2.0, 3.0, -1.0], [0.5, 2.0, 4.0, -1.0]),
        BOUNDARY,
        ("x", "y"),
        "MaxLayer",
        notes="each gradient alone is a subgradient, both together are not: their sum must be 1",
    ),
    Case(
        "max_pool_of_equals",
        MaxPool,
        given(np.array([[1, 1, 0, 2], [0, 1, 3, 3], [5, 4, 7, 7], [2, 1, 7, 7]]) / 2),
        BOUNDARY,
        ("x",),
        "MaxPool",
        notes="at ties, more than the whole gradient is handed on",
    ),
    Case(
        "row_max_of_equals",
        lambda: margin,
        given([[3.0, 1.0, 3.0], [0.5, 2.0, -1.0], [1.0, 1.0, 1.0]]),
        BOUNDARY,
        ("x",),
        "RowMax",
        notes="at ties, more than the whole gradient is handed on",
    ),
    Case(
        "padding_counted",
        MaskedLoss,
        lambda rng: (rng.standard_normal(8), np.array([0, 1, 2, 0, 3, 1, 0, 2])),
        BOUNDARY,
        ("x",),
        "MaskedLoss",
    ),
    Case(
        "diagonal_left_out", CausalMix, normal((4, 4), (4, 3)), BOUNDARY, ("scores",), "CausalMix"
    ),
    Case(
        "one_step_too_many",
        lambda: PackedSum(weights(5)),
        lambda rng: (rng.standard_normal((3, 5)), np.array([2, 4, 1])),
        BOUNDARY,
        ("x", "w"),
        "PackedSum",
    ),
]
