"""Products: transposed, swapped, and sums over what was broadcast."""

import numpy as np
from check.case import Case, normal, positive, weights

import koubai
from koubai import Function, Variable, nn


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW = self.db = None

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        dx = np.dot(dout, self.W)  # wrong: W.T
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout, axis=0)
        return dx


class Linear:
    def __init__(self, weight):
        self.W = weight
        self.dW = None

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, grad_output):
        self.dW = grad_output.T @ self.x  # wrong: x.T @ grad_output
        return grad_output @ self.W.T


class MatMul(Function):
    def forward(self, x, W):
        self.x, self.W = x, W
        return x @ W

    def backward(self, gy):
        gx = gy @ self.W.T
        gW = gy.T @ self.x  # wrong: x.T @ gy
        return gx, gW


def score(x, W, v):
    return koubai.sum(MatMul()(x, W) * v)


class RNN:
    def __init__(self, Wx, Wh, b):
        self.params = [Wx, Wh, b]
        self.grads = [np.zeros_like(p) for p in self.params]
        self.cache = None

    def forward(self, x, h_prev):
        Wx, Wh, b = self.params
        h_next = np.tanh(np.dot(h_prev, Wh) + np.dot(x, Wx) + b)
        self.cache = (x, h_prev, h_next)
        return h_next

    def backward(self, dh_next):
        Wx, Wh, _ = self.params
        x, h_prev, h_next = self.cache
        dt = dh_next * (1 - h_next**2)
        self.grads[0][...] = np.dot(x.T, dt)
        self.grads[1][...] = np.dot(h_prev.T, dt)
        self.grads[2][...] = np.sum(dt, axis=0)
        return np.dot(dt, Wx.T), np.dot(dt, Wh)  # wrong: Wh.T


class Transpose(Function):
    def forward(self, x):
        return x.T

    def backward(self, gy):
        return gy * 1  # wrong: gy.T


def gram():
    x = Variable(weights(3, 3), name="x")
    a = Variable(weights(3, 3, seed=1), name="a")
    return koubai.sum(a * (Transpose()(x) @ x) * weights(3, 3, seed=2))


class Mul:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        dx = dout * self.x  # wrong: self.y
        dy = dout * self.y  # wrong: self.x
        return dx, dy


class Div(Function):
    def forward(self, x0, x1):
        return x0 / x1

    def backward(self, gy):
        x0, x1 = self.inputs[0].data, self.inputs[1].data
        gx0 = gy / x1
        gx1 = gy * (-x0 / x1**2)
        return gx1, gx0  # wrong: gx0, gx1


def ratio(a, b):
    return koubai.log(Div()(koubai.exp(a), b * b))


class TanhCell:
    def __init__(self, Wx, Wh):
        self.params = [Wx, Wh]
        self.grads = [np.zeros_like(Wx), np.zeros_like(Wh)]

    def forward(self, x, h):
        Wx, Wh = self.params
        self.x, self.h = x, h
        self.out = np.tanh(x @ Wx + h @ Wh)
        return self.out

    def backward(self, dout):
        Wx, Wh = self.params
        dt = dout * (1 - self.out**2)
        self.grads[0][...] = self.h.T @ dt  # wrong: of Wh
        self.grads[1][...] = self.x.T @ dt  # wrong: of Wx
        return dt @ Wx.T, dt @ Wh.T


class LinearFunction(Function):
    def forward(self, x, W, b):
        self.x, self.W = x, W
        return x @ W + b

    def backward(self, grad_output):
        grad_x = grad_output @ self.W.T
        grad_W = self.x.T @ grad_output
        grad_b = grad_output.sum(axis=0)
        return grad_x, grad_b, grad_W  # wrong: grad_W, grad_b


class BiasedLayer:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW = self.db = None

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout * 1  # wrong: dout.sum(axis=0)
        return dout @ self.W.T


class Scale:
    def __init__(self, gamma, beta):
        self.gamma, self.beta = gamma, beta
        self.dgamma = self.dbeta = None

    def forward(self, x):
        self.x = x
        return self.gamma * x + self.beta

    def backward(self, dy):
        self.dgamma = dy * self.x  # wrong: .sum(axis=0)
        self.dbeta = dy.sum(axis=0)
        return dy * self.gamma


class WeightedSum(Function):
    def forward(self, x, w):
        self.x, self.w = x, w
        return (x * w).sum(axis=1)

    def backward(self, gy):
        gx = gy[:, None] * self.w
        gw = gy[:, None] * self.x  # wrong: .sum(axis=0)
        return gx, gw


class AddBias(Function):
    def forward(self, x, b):
        return x + b

    def backward(self, gy):
        return gy * 1, gy.sum(axis=0)  # wrong: axis=(0, 1)


class Sequence(nn.Module):
    def __init__(self):
        self.b = nn.Parameter(weights(3))

    def forward(self, x):
        return koubai.tanh(AddBias()(x, self.b))


class Temperature:
    def __init__(self, s):
        self.s = s
        self.ds = 0.0

    def forward(self, x):
        self.x = x
        return x * self.s

    def backward(self, dout):
        self.ds = dout * self.x  # wrong: np.sum(...)
        return dout * self.s


TRANSPOSED, SWAPPED, MISSING = "transposed", "swapped", "sum missing"
CASES = [
    Case(
        "dx_of_square_weights",
        lambda: Affine(weights(4, 4), weights(4)),
        normal((3, 4)),
        TRANSPOSED,
        ("x",),
        "Affine",
        notes="the shapes fit",
    ),
    Case("dW_square", lambda: Linear(weights(3, 3)), normal((5, 3)), TRANSPOSED, ("W",), "Linear"),
    Case(
        "dW_of_another_shape",
        lambda: Linear(weights(3, 2)),
        normal((5, 3)),
        TRANSPOSED,
        ("W",),
        "Linear",
        notes="the shapes differ, so 'wrong shape' would be true as well",
        also=("wrong shape",),
    ),
    Case(
        "matmul_in_a_function",
        lambda: score,
        normal((4, 3), (3, 3), (4, 3)),
        TRANSPOSED,
        ("W",),
        "MatMul",
    ),
    Case(
        "rnn_dh_prev",
        lambda: RNN(weights(3, 4), weights(4, 4), weights(4)),
        normal((2, 3), (2, 4)),
        TRANSPOSED,
        ("h_prev",),
        "RNN",
    ),
    Case(
        "transpose_in_a_graph",
        gram,
        normal(),
        TRANSPOSED,
        ("x",),
        "Transpose",
        notes="x has a right part of its gradient too",
    ),
    Case("mul_swapped", Mul, normal((3, 4), (3, 4)), SWAPPED, ("x", "y"), "Mul"),
    Case("div_swapped", lambda: ratio, positive((5,), (5,)), SWAPPED, ("a", "b"), "Div"),
    Case(
        "cell_grads_swapped",
        lambda: TanhCell(weights(3, 3), weights(3, 3, seed=1)),
        normal((4, 3), (4, 3)),
        SWAPPED,
        ("params[0]", "params[1]"),
        "TanhCell",
    ),
    Case(
        "linear_swapped",
        LinearFunction,
        normal((4, 3), (3, 2), (2,)),
        SWAPPED,
        ("W", "b"),
        "LinearFunction",
        notes="the shapes differ, so 'wrong shape' would be true as well",
        also=("wrong shape",),
    ),
    Case(
        "bias_without_sum",
        lambda: BiasedLayer(weights(3, 2), weights(2)),
        normal((5, 3)),
        MISSING,
        ("b",),
        "BiasedLayer",
    ),
    Case(
        "scale_without_sum",
        lambda: Scale(weights(3), weights(3, seed=1)),
        normal((5, 3)),
        MISSING,
        ("gamma",),
        "Scale",
    ),
    Case("weights_without_sum", WeightedSum, normal((4, 3), (3,)), MISSING, ("w",), "WeightedSum"),
    Case(
        "bias_over_time",
        Sequence,
        normal((2, 4, 3)),
        MISSING,
        ("b",),
        "AddBias",
        notes="the engine itself refuses the shape, with an error in the backward pass",
    ),
    Case(
        "scalar_without_sum",
        lambda: Temperature(1.7),
        normal((3, 4)),
        MISSING,
        ("s",),
        "Temperature",
    ),
]
