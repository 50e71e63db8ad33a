"""Mistakes that have no name: several at once, a term dropped, the wrong axis."""

import numpy as np
from check.case import Case, labelled, normal, positive, weights

import koubai
from koubai import Function, Variable, nn


class Tanh:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out

    def backward(self, dout):
        return dout * (1 + self.out**2)  # wrong: minus


class Residual:
    def __init__(self, W):
        self.W = W
        self.dW = None

    def forward(self, x):
        self.x = x
        self.h = np.tanh(x @ self.W)
        return x + self.h

    def backward(self, dout):
        dt = dout * (1 - self.h**2)
        self.dW = self.x.T @ dt
        return dt @ self.W.T  # wrong: dout + ...


class LayerNorm(Function):
    def forward(self, x):
        self.std = x.std(axis=1, keepdims=True)
        self.y = (x - x.mean(axis=1, keepdims=True)) / self.std
        return self.y

    def backward(self, gy):
        # wrong: the standard deviation depends on x too
        return (gy - gy.mean(axis=1, keepdims=True)) / self.std


class Encoder(nn.Module):
    def __init__(self):
        self.fc = nn.Linear(3, 4, rng=np.random.default_rng(2), dtype=np.float64)

    def forward(self, x):
        return LayerNorm()(self.fc(x)) ** 3


class Div(Function):
    def forward(self, a, b):
        self.a, self.b = a, b
        return a / b

    def backward(self, gy):
        # wrong: the two are swapped, and a minus is missing
        return gy * self.a / self.b**2, gy / self.b


def quotient(a, b):
    return koubai.exp(Div()(a, b))


class DecayNet:
    def __init__(self):
        self.params = {"W": weights(3, 2)}
        self.lam = 0.4

    def loss(self, x, t):
        self.diff = x @ self.params["W"] - t
        return 0.5 * np.sum(self.diff**2) / len(x) + self.lam * np.sum(self.params["W"] ** 2)

    def gradient(self, x, t):
        self.loss(x, t)
        return {"W": x.T @ self.diff / len(x) + self.lam * self.params["W"]}  # wrong: 2 * lam


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW = self.db = None

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=1)  # wrong: axis=0
        return dout @ self.W.T


class Gelu(Function):
    def forward(self, x):
        self.x = x
        self.t = np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))
        return 0.5 * x * (1 + self.t)

    def backward(self, gy):
        return gy * 0.5 * (1 + self.t)  # wrong: the second term of the product rule


def swish_like():
    x = Variable(np.linspace(-2, 2, 7), name="x")
    return koubai.sum(Gelu()(x) * np.arange(1.0, 8.0))


class Standardize:
    def __init__(self, gamma, beta):
        self.gamma, self.beta = gamma, beta
        self.dgamma = self.dbeta = None

    def forward(self, x):
        self.mu = x.mean(axis=0)
        self.std = np.sqrt(x.var(axis=0) + 1e-5)
        self.xn = (x - self.mu) / self.std
        return self.gamma * self.xn + self.beta

    def backward(self, dout):
        self.dgamma = (dout * self.xn).sum(axis=0)
        self.dbeta = dout.sum(axis=0)
        dxn = dout * self.gamma
        dvar = (dxn * self.xn).mean(axis=0) * self.xn
        return (dxn - dvar) / self.std  # wrong: - dxn.mean(axis=0)


class NearlySigmoid:
    def forward(self, x):
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def backward(self, dout):
        return dout * self.out * (0.999 - self.out)  # wrong: 1


class PowFunction(Function):
    def forward(self, x, p):
        self.x, self.p = x, p
        self.y = x**p
        return self.y

    def backward(self, gy):
        gx = gy * self.p * self.x ** (self.p - 1)
        gp = gy * self.y * np.log(self.p)  # wrong: log(x)
        return gx, gp


class LSTMCell:
    def __init__(self, W):
        self.params = [W]
        self.grads = [np.zeros_like(W)]

    def forward(self, x, h, c):
        H = h.shape[1]
        self.xh = np.concatenate([x, h], axis=1)
        a = self.xh @ self.params[0]
        s = 1 / (1 + np.exp(-a))
        f, g, i, o = s[:, :H], np.tanh(a[:, H : 2 * H]), s[:, 2 * H : 3 * H], s[:, 3 * H :]
        c_next = f * c + g * i
        self.cache = (c, f, g, i, o, c_next, x.shape[1])
        return o * np.tanh(c_next), c_next

    def backward(self, dh, dc):
        c, f, g, i, o, c_next, D = self.cache
        tc = np.tanh(c_next)
        ds = dh * o * (1 - tc**2)  # wrong: dc + ...
        df, dg, di, do = ds * c, ds * i, ds * g, dh * tc
        da = np.hstack([df * f * (1 - f), dg * (1 - g**2), di * i * (1 - i), do * o * (1 - o)])
        self.grads[0][...] = self.xh.T @ da
        dxh = da @ self.params[0].T
        return dxh[:, :D], dxh[:, D:], ds * f


class SoftmaxWithLoss:
    def forward(self, x, t):
        self.t = t
        z = np.exp(x - x.max(axis=1, keepdims=True))
        self.y = z / z.sum(axis=1, keepdims=True)
        return -np.log(self.y[np.arange(len(t)), t]).mean()

    def backward(self, dout=1):
        dx = self.y.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        dx[0] = 0  # wrong: the first example has a gradient too
        return dout * dx / len(self.t)


KIND = "unexplained"
CASES = [
    Case(
        "tanh_plus",
        Tanh,
        normal((4, 3)),
        KIND,
        ("x",),
        "Tanh",
        notes="a sign inside the formula, not of the gradient",
    ),
    Case(
        "residual_dropped",
        lambda: Residual(weights(3, 3)),
        normal((5, 3)),
        KIND,
        ("x",),
        "Residual",
    ),
    Case(
        "layer_norm_of_constant_std",
        Encoder,
        normal((3, 3)),
        KIND,
        ("x", "fc.W", "fc.b"),
        "LayerNorm",
    ),
    Case(
        "div_twice_wrong",
        lambda: quotient,
        positive((5,), (5,)),
        KIND,
        ("a", "b"),
        "Div",
        notes="swapped, with a sign besides",
    ),
    Case(
        "weight_decay",
        DecayNet,
        lambda rng: (rng.standard_normal((4, 3)), rng.standard_normal((4, 2))),
        KIND,
        ("params['W']",),
        "DecayNet",
        notes="a factor of one term",
    ),
    Case(
        "bias_over_the_wrong_axis",
        lambda: Affine(weights(3, 4), weights(4)),
        normal((4, 3)),
        KIND,
        ("b",),
        "Affine",
        notes="the shapes fit",
    ),
    Case("gelu_without_its_second_term", swish_like, normal(), KIND, ("x",), "Gelu"),
    Case(
        "batch_norm_without_the_mean",
        lambda: Standardize(weights(3), weights(3, seed=1)),
        normal((6, 3)),
        KIND,
        ("x",),
        "Standardize",
    ),
    Case(
        "sigmoid_by_a_thousandth",
        NearlySigmoid,
        normal((4, 3)),
        KIND,
        ("x",),
        "NearlySigmoid",
        notes="relative error 0.1 to 1 %",
    ),
    Case("pow_log_of_p", PowFunction, positive((6,), (6,)), KIND, ("p",), "PowFunction"),
    Case(
        "lstm_without_dc",
        lambda: LSTMCell(0.5 * weights(5, 12)),
        normal((2, 2), (2, 3), (2, 3)),
        KIND,
        ("x", "h", "c", "params[0]"),
        "LSTMCell",
        notes="two outputs: the gradient of the second is ignored",
    ),
    Case("first_example_lost", SoftmaxWithLoss, labelled(5, 4, 4), KIND, ("x",), "SoftmaxWithLoss"),
]
