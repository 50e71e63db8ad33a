"""Integers among the inputs: labels, indices, masks; and losses."""

import numpy as np
from check.case import Case, labelled, normal, weights

import koubai
from koubai import Function
from koubai.book import SoftmaxWithLoss as BookLoss


def softmax(x):
    z = np.exp(x - x.max(axis=-1, keepdims=True))
    return z / z.sum(axis=-1, keepdims=True)


class SoftmaxWithLoss:
    """Labels or one-hot rows."""

    def __init__(self):
        self.y = None
        self.t = None

    def forward(self, x, t):
        self.t = t
        self.y = softmax(x)
        p = self.y[np.arange(len(t)), t] if t.ndim == 1 else (self.y * t).sum(axis=1)
        return -np.mean(np.log(p))

    def backward(self, dout=1):
        batch_size = self.t.shape[0]
        if self.t.size == self.y.size:
            return dout * (self.y - self.t) / batch_size
        dx = self.y.copy()
        dx[np.arange(batch_size), self.t] -= 1
        return dout * dx / batch_size


class SoftmaxWithSmallLoss(SoftmaxWithLoss):
    def forward(self, x, t):
        self.t = t
        self.y = softmax(x)
        return -np.sum(t * np.log(self.y + 1e-7)) / len(x)


class NLL(Function):
    def forward(self, log_p, target):
        self.shape, self.target = log_p.shape, target
        self.rows = np.arange(len(target))
        return -log_p[self.rows, target].mean()

    def backward(self, grad_output):
        grad = np.zeros(self.shape)
        grad[self.rows, self.target] = -grad_output / len(self.target)
        return grad, None


def loss(x, t):
    return NLL()(koubai.log_softmax(x, axis=1), t)


class Embedding:
    def __init__(self, W):
        self.params = [W]
        self.grads = [np.zeros_like(W)]
        self.idx = None

    def forward(self, idx):
        self.idx = idx
        return self.params[0][idx]

    def backward(self, dout):
        (dW,) = self.grads
        dW[...] = 0
        np.add.at(dW, self.idx, dout)


class Where:
    def forward(self, cond, a, b):
        self.cond = cond
        return np.where(cond, a, b)

    def backward(self, dout):
        return None, dout * self.cond, dout * ~self.cond


class IgnoreIndex:
    """The label -1 does not count."""

    def forward(self, x, t):
        self.valid = t >= 0
        self.t = np.where(self.valid, t, 0)
        self.y = softmax(x)
        p = self.y[np.arange(len(t)), self.t]
        self.n = max(self.valid.sum(), 1)
        return -np.sum(np.log(p) * self.valid) / self.n

    def backward(self, dout=1.0):
        dx = self.y.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dout * dx * self.valid[:, None] / self.n


class Gather(Function):
    def forward(self, x, idx):
        self.shape, self.idx = x.shape, idx
        return x[idx]

    def backward(self, gy):
        gx = np.zeros(self.shape)
        np.add.at(gx, self.idx, gy)
        return gx


class BinaryCrossEntropy(Function):
    def forward(self, x, t):
        self.x, self.t = x, t
        return np.mean(np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x))))

    def backward(self, gy):
        p = 1 / (1 + np.exp(-self.x))
        return gy * (p - self.t) / self.x.size, -gy * self.x / self.x.size


class Segments:
    """The sum of the rows of each group."""

    def __init__(self, n):
        self.n = n

    def forward(self, x, group):
        self.group = group
        out = np.zeros((self.n, x.shape[1]))
        np.add.at(out, group, x)
        return out

    def backward(self, dout):
        return dout[self.group]


def repeated(rng):
    return (np.array([[0, 2, 2], [4, 2, 0]]),)


def one_hot_floats(rng):
    x, t = labelled(6, 3, 3, one_hot=True)(rng)
    return x, t.astype(float)


def small_scores(rng):
    x, t = labelled(5, 3, 3, one_hot=True)(rng)
    return 0.3 * x, t


CASES = [
    Case("loss_of_labels", SoftmaxWithLoss, labelled(5, 3, 3), None),
    Case("loss_of_one_hot", SoftmaxWithLoss, labelled(5, 3, 3, one_hot=True), None),
    Case(
        "loss_of_one_hot_floats",
        SoftmaxWithLoss,
        one_hot_floats,
        None,
        notes="t is real, and backward returns dx alone, as the book does",
    ),
    Case(
        "loss_with_1e_7_in_its_logarithm",
        SoftmaxWithSmallLoss,
        small_scores,
        None,
        notes="the book's; the gradient leaves the 1e-7 out, an error of 1e-7 / p",
    ),
    Case("loss_of_the_book", BookLoss, labelled(5, 4, 4), None),
    Case("loss_of_koubai", lambda: koubai.softmax_cross_entropy, labelled(5, 4, 4), None),
    Case(
        "loss_of_certain_rows",
        SoftmaxWithLoss,
        lambda rng: (40.0 * np.eye(3), np.arange(3)),
        None,
        notes="gradients of 1e-18",
    ),
    Case("nll_returns_none_for_labels", lambda: loss, labelled(5, 3, 3), None),
    Case("nll", NLL, labelled(4, 3, 3), None),
    Case("embedding_of_repeated_ids", lambda: Embedding(weights(5, 3)), repeated, None),
    Case(
        "where",
        Where,
        lambda rng: (np.array([True, False, True]), *rng.standard_normal((2, 3))),
        None,
    ),
    Case(
        "labels_that_do_not_count",
        IgnoreIndex,
        lambda rng: (rng.standard_normal((5, 3)), np.array([0, -1, 2, -1, 1])),
        None,
    ),
    Case(
        "gather_by_index",
        Gather,
        lambda rng: (rng.standard_normal((4, 2)), np.array([3, 0, 3, 3])),
        None,
    ),
    Case(
        "binary_cross_entropy",
        BinaryCrossEntropy,
        lambda rng: (3 * rng.standard_normal((4, 2)), rng.uniform(0, 1, (4, 2))),
        None,
    ),
    Case("mse_of_koubai", lambda: koubai.mean_squared_error, normal((4, 2), (4, 2)), None),
    Case(
        "segments",
        lambda: Segments(3),
        lambda rng: (rng.standard_normal((6, 2)), np.array([0, 2, 2, 0, 2, 0])),
        None,
    ),
]
