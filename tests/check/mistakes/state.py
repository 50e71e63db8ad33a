"""What is kept from call to call: overwritten, or stale."""

import numpy as np
from check.case import Case, labelled, normal, weights

import koubai
from koubai import Function, nn


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.xs = []
        self.dW = np.zeros_like(W)
        self.db = np.zeros_like(b)

    def forward(self, x):
        self.xs.append(x)
        return x @ self.W + self.b

    def backward(self, dout):
        x = self.xs.pop()
        self.dW[...] = x.T @ dout  # wrong: the layer is used twice, +=
        self.db[...] = dout.sum(axis=0)  # wrong: +=
        return dout @ self.W.T


class Tanh:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out

    def backward(self, dout):
        return dout * (1 - self.out**2)


class DeepNet:
    """The same hidden layer twice."""

    def __init__(self, n):
        self.params = {"W": 0.7 * weights(n, n), "b": weights(n, seed=1)}
        self.hidden = Affine(self.params["W"], self.params["b"])
        self.layers = [self.hidden, Tanh(), self.hidden, Tanh()]

    def loss(self, x, t):
        self.hidden.xs.clear()
        for layer in self.layers:
            x = layer.forward(x)
        self.diff = x - t
        return np.mean(self.diff**2)

    def gradient(self, x, t):
        self.loss(x, t)
        self.hidden.dW[...] = 0
        self.hidden.db[...] = 0
        dout = 2 * self.diff / self.diff.size
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return {"W": self.hidden.dW, "b": self.hidden.db}


class Embedding:
    def __init__(self, W):
        self.W = W
        self.dW = np.zeros_like(W)
        self.idx = None

    def forward(self, idx):
        self.idx = idx
        return self.W[idx]

    def backward(self, dout):
        self.dW[...] = 0
        self.dW[self.idx] = dout  # wrong: np.add.at, a word may come twice
        return


class Gather(Function):
    def __init__(self, idx):
        self.idx = idx

    def forward(self, x):
        self.shape = x.shape
        return x[self.idx]

    def backward(self, gy):
        gx = np.zeros(self.shape)
        gx[self.idx] = gy  # wrong: np.add.at
        return gx


def pairs(x):
    left, right = Gather(np.array([0, 0, 1, 3])), Gather(np.array([1, 2, 2, 0]))
    return koubai.sum((left(x) - right(x)) ** 2, axis=1)


class Conv1d:
    def __init__(self, W):
        self.W = W
        self.dW = None

    def forward(self, x):
        k = len(self.W)
        self.n = x.shape[1]
        self.col = np.stack([x[:, i : i + k] for i in range(self.n - k + 1)], axis=1)
        return self.col @ self.W

    def backward(self, dout):
        self.dW = np.einsum("ntk,nt->k", self.col, dout)
        dcol = dout[:, :, None] * self.W
        dx = np.zeros((len(dout), self.n))
        for i in range(dcol.shape[1]):
            dx[:, i : i + len(self.W)] = dcol[:, i]  # wrong: +=
        return dx


class Siamese:
    def __init__(self, W):
        self.W = W
        self.dW = None

    def forward(self, x1, x2):
        self.x1, self.x2 = x1, x2
        return x1 @ self.W - x2 @ self.W

    def backward(self, dout):
        for x, d in ((self.x1, dout), (self.x2, -dout)):
            self.dW = x.T @ d  # wrong: the second takes the place of the first
        return dout @ self.W.T, -dout @ self.W.T


class Sigmoid:
    def __init__(self):
        self.out = None

    def forward(self, x):
        out = 1 / (1 + np.exp(-x))
        if self.out is None:
            self.out = out  # wrong: only the first time
        return out

    def backward(self, dout):
        return dout * self.out * (1 - self.out)


class SoftmaxWithLoss:
    def __init__(self):
        self.y = self.t = None

    def forward(self, x, t):
        self.t = t
        z = np.exp(x - x.max(axis=1, keepdims=True))
        self.y = z / z.sum(axis=1, keepdims=True)
        return -np.log(self.y[np.arange(len(t)), t]).mean()

    def backward(self, dout=1):
        dx = self.y.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dout * dx / len(self.t)


class LinearNet:
    def __init__(self, n, classes):
        self.params = {"W": weights(n, classes), "b": np.zeros(classes)}
        self.x = None
        self.last = SoftmaxWithLoss()

    def predict(self, x):
        self.x = x
        return x @ self.params["W"] + self.params["b"]

    def loss(self, x, t):
        return self.last.forward(self.predict(x), t)

    def gradient(self, x, t):
        if self.x is None:  # wrong: x and t of an earlier call are used
            self.loss(x, t)
        dy = self.last.backward()
        return {"W": self.x.T @ dy, "b": dy.sum(axis=0)}


class Exp(Function):
    def __init__(self):
        self.seen = {}

    def forward(self, x):
        y = np.exp(x)
        self.key = x.shape
        self.seen.setdefault(self.key, y)  # wrong: the shape does not tell inputs apart
        return y

    def backward(self, gy):
        return gy * self.seen[self.key]


class BatchStd(Function):
    def __init__(self):
        self.std = None

    def forward(self, x):
        self.x = x
        std = x.std(axis=0)
        if self.std is None:
            self.std = std  # wrong: of the first batch
        return std

    def backward(self, gy):
        return gy * (self.x - self.x.mean(axis=0)) / (len(self.x) * self.std)


class Spread(nn.Module):
    def __init__(self):
        self.w = nn.Parameter(weights(3))
        self.std = BatchStd()

    def forward(self, x):
        return koubai.log(self.std(x * self.w))


def sequences(rng):
    return rng.standard_normal((5, 3)), rng.standard_normal((5, 3))


OVER, STALE = "overwritten", "stale cache"
CASES = [
    Case(
        "layer_used_twice",
        lambda: DeepNet(3),
        sequences,
        OVER,
        ("params['W']", "params['b']"),
        "Affine",
    ),
    Case(
        "embedding_of_repeated_words",
        lambda: Embedding(weights(5, 3)),
        lambda rng: (np.array([1, 3, 1, 0, 1]),),
        OVER,
        ("W",),
        "Embedding",
    ),
    Case("gather_of_repeated_rows", lambda: pairs, normal((4, 3)), OVER, ("x",), "Gather"),
    Case("overlapping_windows", lambda: Conv1d(weights(3)), normal((2, 7)), OVER, ("x",), "Conv1d"),
    Case(
        "siamese", lambda: Siamese(weights(3, 2)), normal((4, 3), (4, 3)), OVER, ("W",), "Siamese"
    ),
    Case(
        "sigmoid_cached_once",
        Sigmoid,
        normal((4, 3)),
        STALE,
        ("x",),
        "Sigmoid",
        notes="right on the first call",
    ),
    Case(
        "gradient_without_forward",
        lambda: LinearNet(4, 3),
        labelled(6, 4, 3),
        STALE,
        ("params['W']", "params['b']"),
        "LinearNet",
        notes="right on the first call",
    ),
    Case(
        "cached_by_shape",
        Exp,
        normal((2, 3)),
        STALE,
        ("x",),
        "Exp",
        notes="right on the first call",
    ),
    Case(
        "std_of_the_first_batch",
        Spread,
        normal((6, 3)),
        STALE,
        ("x", "w"),
        "BatchStd",
        notes="right on the first call",
    ),
]
