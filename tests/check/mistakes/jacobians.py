"""A Jacobian that is taken for diagonal."""

import numpy as np
from check.case import Case, normal, weights

import koubai
from koubai import Function, nn


class Softmax:
    def forward(self, x):
        z = np.exp(x - x.max(axis=1, keepdims=True))
        self.y = z / z.sum(axis=1, keepdims=True)
        return self.y

    def backward(self, dout):
        return dout * self.y * (1 - self.y)  # wrong: y * (dout - sum(dout * y))


class SoftmaxFunction(Function):
    def forward(self, x):
        y = np.exp(x - np.max(x, axis=-1, keepdims=True))
        self.y = y / np.sum(y, axis=-1, keepdims=True)
        return self.y

    def backward(self, gy):
        return gy * (self.y - self.y**2)  # wrong: the other elements of the row


def attention(q, k, v):
    scores = q @ k.T / np.sqrt(q.shape[1])
    return SoftmaxFunction()(scores) @ v


class LogSoftmax(Function):
    def forward(self, x):
        m = np.max(x, axis=1, keepdims=True)
        self.y = x - m - np.log(np.sum(np.exp(x - m), axis=1, keepdims=True))
        return self.y

    def backward(self, gy):
        return gy * (1 - np.exp(self.y))  # wrong: gy - exp(y) * gy.sum(axis=1)


class Classifier(nn.Module):
    def __init__(self):
        self.linear = nn.Linear(4, 3, rng=np.random.default_rng(3), dtype=np.float64)

    def forward(self, x):
        return koubai.mean(LogSoftmax()(self.linear(x)) * weights(5, 3))


class Normalize:
    def forward(self, x):
        self.x = x
        self.norm = np.sqrt((x**2).sum(axis=1, keepdims=True))
        return x / self.norm

    def backward(self, dout):
        x, n = self.x, self.norm
        return dout * (1 / n - x**2 / n**3)  # wrong: the other elements of the row


KIND = "diagonal only"
CASES = [
    Case("softmax_diagonal", Softmax, normal((4, 3)), KIND, ("x",), "Softmax"),
    Case(
        "attention_diagonal",
        lambda: attention,
        normal((3, 4), (5, 4), (5, 2)),
        KIND,
        ("q", "k"),
        "SoftmaxFunction",
    ),
    Case(
        "log_softmax_diagonal",
        Classifier,
        normal((5, 4)),
        KIND,
        ("x", "linear.W", "linear.b"),
        "LogSoftmax",
    ),
    Case("normalize_diagonal", Normalize, normal((4, 3)), KIND, ("x",), "Normalize"),
]
