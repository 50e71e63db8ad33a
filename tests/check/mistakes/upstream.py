"""The gradient from above is ignored, or added where it must be multiplied."""
# ruff: noqa: RET504

import numpy as np
from check.case import Case, labelled, normal, weights

import koubai
from koubai import Function, Variable, nn


class Sigmoid:
    def __init__(self):
        self.out = None

    def forward(self, x):
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def backward(self, dout):
        return self.out * (1 - self.out)  # wrong: dout is missing


class Square(Function):
    def forward(self, x):
        self.x = x
        return x**2

    def backward(self, gy):
        return 2 * self.x  # wrong: gy is missing


def energy(x, k):
    return koubai.sum(0.5 * k * Square()(x))


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW = self.db = None

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = np.full(self.b.shape, float(len(dout)))  # wrong: dout.sum(axis=0)
        return dout @ self.W.T


class MSELoss(Function):
    def forward(self, y, t):
        self.diff = y - t
        return (self.diff**2).mean()

    def backward(self, gy):
        g = 2 * self.diff / self.diff.size  # wrong: gy is missing
        return g, -g


class Exp(Function):
    def forward(self, x):
        return np.exp(x)

    def backward(self, gy):
        x = self.input.data
        gx = np.exp(x)  # wrong: gy is missing
        return gx


def exp_of_exp():
    x = Variable(np.array([0.5, -0.2, 0.1]), name="x")
    return 3 * Exp()(x)


class CrossEntropy:
    def forward(self, x, t):
        x = x - x.max(axis=1, keepdims=True)
        self.p = np.exp(x)
        self.p /= self.p.sum(axis=1, keepdims=True)
        self.t = t
        return -np.log(self.p[np.arange(len(t)), t]).mean()

    def backward(self, dout):
        dx = self.p.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dx / len(self.t)  # wrong: dout is missing


class TwoHeads:
    """A loss with a weight; the layer inside has to respect it."""

    def __init__(self):
        self.params = {"W": weights(4, 3, seed=1), "V": weights(4, 2, seed=2)}
        self.first, self.second = CrossEntropy(), CrossEntropy()

    def loss(self, x, t):
        a = self.first.forward(x @ self.params["W"], t)
        b = self.second.forward(x @ self.params["V"], t % 2)
        return a + 0.3 * b

    def gradient(self, x, t):
        self.loss(x, t)
        return {"W": x.T @ self.first.backward(1.0), "V": x.T @ self.second.backward(0.3)}


class ExpPlus(Function):
    def forward(self, x):
        self.y = np.exp(x)
        return self.y

    def backward(self, gy):
        return gy + self.y  # wrong: gy * self.y


class GateFunction(Function):
    def forward(self, x, g):
        self.x, self.g = x, g
        return x * g

    def backward(self, grad_output):
        grad_x = grad_output + self.g  # wrong: grad_output * self.g
        grad_g = grad_output * self.x
        return grad_x, grad_g


class Gated(nn.Module):
    def __init__(self):
        self.linear = nn.Linear(3, 4, rng=np.random.default_rng(0), dtype=np.float64)
        self.g = nn.Parameter(weights(4))

    def forward(self, x):
        return GateFunction()(self.linear(x), self.g)


class RNNCell:
    def __init__(self, Wx, Wh, b):
        self.params = [Wx, Wh, b]
        self.grads = [np.zeros_like(p) for p in self.params]

    def forward(self, x, h_prev):
        Wx, Wh, b = self.params
        h_next = np.tanh(h_prev @ Wh + x @ Wx + b)
        self.cache = (x, h_prev, h_next)
        return h_next

    def backward(self, dh_next):
        Wx, Wh, _ = self.params
        x, h_prev, h_next = self.cache
        dt = dh_next + (1 - h_next**2)  # wrong: dh_next * (1 - h_next**2)
        self.grads[0][...] = x.T @ dt
        self.grads[1][...] = h_prev.T @ dt
        self.grads[2][...] = dt.sum(axis=0)
        return dt @ Wx.T, dt @ Wh.T


IGNORED, ADDED = "upstream ignored", "added instead of multiplied"
CASES = [
    Case("sigmoid_ignores_dout", Sigmoid, normal((4, 3)), IGNORED, ("x",), "Sigmoid"),
    Case("square_ignores_gy", lambda: energy, normal((5,), (5,)), IGNORED, ("x",), "Square"),
    Case(
        "bias_ignores_dout",
        lambda: Affine(weights(3, 2), weights(2)),
        normal((4, 3)),
        IGNORED,
        ("b",),
        "Affine",
    ),
    Case("mse_ignores_gy", MSELoss, normal((4, 3), (4, 3)), IGNORED, ("y", "t"), "MSELoss"),
    Case("exp_in_a_graph_ignores_gy", exp_of_exp, normal(), IGNORED, ("x",), "Exp"),
    Case(
        "second_loss_ignores_its_weight",
        TwoHeads,
        labelled(6, 4, 3),
        IGNORED,
        ("params['V']",),
        "CrossEntropy",
        notes="the first loss, of the same class, is right, for its dout is 1",
    ),
    Case("exp_plus", ExpPlus, normal((6,)), ADDED, ("x",), "ExpPlus"),
    Case(
        "gate_in_a_module",
        Gated,
        normal((2, 3)),
        ADDED,
        ("x", "linear.W", "linear.b"),
        "GateFunction",
    ),
    Case(
        "rnn_step_plus",
        lambda: RNNCell(weights(3, 4), weights(4, 4), weights(4)),
        normal((2, 3), (2, 4)),
        ADDED,
        ("x", "h_prev", "params[0]", "params[1]", "params[2]"),
        "RNNCell",
    ),
]
