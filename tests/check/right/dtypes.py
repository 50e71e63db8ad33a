"""float32 and float16, alone and mixed."""

import numpy as np
from check.case import Case, weights

import koubai
from koubai import Function, Variable, nn


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW = self.db = None

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


class Sigmoid:
    def forward(self, x):
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def backward(self, dout):
        return dout * self.out * (1 - self.out)


class SquareHalf(Function):
    def forward(self, x):
        self.x = x
        return x * x

    def backward(self, gy):
        return 2 * self.x * gy


class Softmax(Function):
    def forward(self, x):
        z = np.exp(x - x.max(axis=1, keepdims=True))
        self.y = z / z.sum(axis=1, keepdims=True)
        return self.y

    def backward(self, gy):
        return self.y * (gy - (gy * self.y).sum(axis=1, keepdims=True))


class Product(Function):
    """In the dtype that NumPy promotes to; the engine undoes it."""

    def forward(self, x, w):
        self.x, self.w = x, w
        return x * w

    def backward(self, gy):
        return gy * self.w, gy * self.x


class Embedding:
    def __init__(self, W):
        self.W = W
        self.dW = None

    def forward(self, idx):
        self.idx = idx
        return self.W[idx]

    def backward(self, dout):
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW, self.idx, dout)


def mlp():
    rng = np.random.default_rng(0)
    return nn.Sequential(nn.Linear(4, 6, rng=rng), nn.Tanh(), nn.Linear(6, 2, rng=rng))


def energy(x):
    return koubai.sum(koubai.exp(-x * x), axis=1)


def far_from_zero(x):
    return koubai.mean((x - 100.0) ** 2)


def in_a_graph():
    x = Variable(weights(3).astype(np.float32), name="x")
    return koubai.sum(koubai.tanh(x) * x)


def halves(*shapes):
    return lambda rng: tuple(rng.standard_normal(s).astype(np.float16) for s in shapes)


def singles(*shapes):
    return lambda rng: tuple(rng.standard_normal(s).astype(np.float32) for s in shapes)


CASES = [
    Case(
        "affine_float32",
        lambda: Affine(weights(3, 2).astype(np.float32), weights(2).astype(np.float32)),
        singles((4, 3)),
        None,
    ),
    Case("sigmoid_float32", Sigmoid, singles((4, 3)), None),
    Case("sigmoid_float16", Sigmoid, halves((4, 3)), None),
    Case("square_float16", SquareHalf, halves((6,)), None),
    Case("softmax_float32", Softmax, singles((3, 4)), None),
    Case(
        "product_of_two_dtypes",
        Product,
        lambda rng: (rng.standard_normal(4).astype(np.float32), rng.standard_normal(4)),
        None,
    ),
    Case(
        "embedding_float32",
        lambda: Embedding(weights(5, 3).astype(np.float32)),
        lambda rng: (np.array([0, 4, 4, 1]),),
        None,
    ),
    Case("mlp_float32", mlp, singles((5, 4)), None, notes="the default dtype of nn.Linear"),
    Case("mlp_float32_of_float64", mlp, lambda rng: (rng.standard_normal((5, 4)),), None),
    Case("energy_float32", lambda: energy, singles((3, 2)), None),
    Case(
        "cancellation_float32",
        lambda: far_from_zero,
        lambda rng: ((100 + rng.standard_normal(5)).astype(np.float32),),
        None,
        notes="x has only four decimals",
    ),
    Case("graph_float32", in_a_graph, lambda rng: (), None),
]
