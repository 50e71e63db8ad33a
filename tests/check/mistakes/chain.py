"""The chain rule: at the wrong point, or with a factor forgotten."""
# ruff: noqa: RET504

from collections import OrderedDict

import numpy as np
import scipy.special
from check.case import Case, labelled, normal, positive, weights

import koubai
from koubai import Function, Variable, nn


class Square:
    def forward(self, x):
        self.out = x**2
        return self.out

    def backward(self, dout):
        return dout * 2 * self.out  # wrong: x


class Sin(Function):
    def forward(self, x):
        self.y = np.sin(x)
        return self.y

    def backward(self, gy):
        return gy * np.cos(self.y)  # wrong: x


def waves(x, a):
    return a * Sin()(2 * x) + x


class Log(Function):
    def forward(self, x):
        self.y = np.log(x)
        return self.y

    def backward(self, gy):
        return gy / self.y  # wrong: x


class Softplus(Function):
    def forward(self, x):
        y = np.log(1 + np.exp(x))
        self.y = y
        return y

    def backward(self, gy):
        return gy / (1 + np.exp(-self.y))  # wrong: x


class Rate(nn.Module):
    def __init__(self):
        self.linear = nn.Linear(3, 2, rng=np.random.default_rng(0), dtype=np.float64)

    def forward(self, x):
        return Softplus()(self.linear(x))


class Sigmoid:
    def forward(self, x):
        self.x = x
        return 1 / (1 + np.exp(-x))

    def backward(self, dout):
        return dout * self.x * (1.0 - self.x)  # wrong: out * (1 - out)


class Tanh(Function):
    def forward(self, x):
        self.x = x
        return np.tanh(x)

    def backward(self, gy):
        return gy * (1 - self.x**2)  # wrong: y


class Exp(Function):
    def forward(self, x):
        return np.exp(x)

    def backward(self, gy):
        return gy * self.input.data  # wrong: exp(x)


def nested():
    x = Variable(np.array([0.5, -1.0]), name="x")
    return koubai.sum(Exp()(koubai.sin(x)) * np.array([2.0, 3.0]))


class Sqrt(Function):
    def forward(self, x):
        self.x = x
        return x**0.5

    def backward(self, gy):
        return gy / (2 * self.x)  # wrong: sqrt(x)


def distance(a, b):
    return Sqrt()(koubai.sum((a - b) ** 2, axis=1))


class DenseTanh:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW = self.db = None

    def forward(self, x):
        self.x = x
        self.y = np.tanh(x @ self.W + self.b)
        return self.y

    def backward(self, dout):
        self.dW = self.x.T @ dout  # wrong: dout * (1 - y**2), here and below
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


class SinOfSquare(Function):
    def forward(self, x):
        self.x = x
        return np.sin(x**2)

    def backward(self, gy):
        return gy * 2 * self.x  # wrong: times cos(x**2)


class Neuron(Function):
    def forward(self, x, w):
        self.x, self.w = x, w
        self.y = 1 / (1 + np.exp(-(x @ w)))
        return self.y

    def backward(self, gy):
        gx = gy[:, None] * self.w  # wrong: gy * y * (1 - y), here and below
        gw = self.x.T @ gy
        return gx, gw


class Logistic(nn.Module):
    def __init__(self):
        self.w = nn.Parameter(weights(3))

    def forward(self, x):
        return koubai.log(Neuron()(x, self.w))


class RNN:
    def __init__(self, Wx, Wh, b):
        self.params = [Wx, Wh, b]
        self.grads = [np.zeros_like(p) for p in self.params]

    def forward(self, x, h_prev):
        Wx, Wh, b = self.params
        self.cache = (x, h_prev)
        return np.tanh(h_prev @ Wh + x @ Wx + b)

    def backward(self, dh_next):
        Wx, Wh, _ = self.params
        x, h_prev = self.cache
        dt = dh_next  # wrong: times (1 - h_next**2)
        self.grads[0][...] = x.T @ dt
        self.grads[1][...] = h_prev.T @ dt
        self.grads[2][...] = dt.sum(axis=0)
        return dt @ Wx.T, dt @ Wh.T


class SinSquare:
    def forward(self, x):
        self.u = x**2
        return np.sin(self.u)

    def backward(self, dout):
        return dout * np.cos(self.u)  # wrong: times 2 * x


class ScaledTanh:
    def __init__(self, s):
        self.s = s
        self.ds = None

    def forward(self, x):
        self.x = x
        self.y = np.tanh(self.s * x)
        return self.y

    def backward(self, dy):
        dt = dy * (1 - self.y**2)
        self.ds = (dt * self.x).sum(axis=0)
        return dt  # wrong: dt * s


class Hyperbola(Function):
    def forward(self, x):
        self.x = x
        self.y = np.sqrt(x**2 + 1)
        return self.y

    def backward(self, gy):
        return gy / (2 * self.y)  # wrong: times 2 * x


def ramp(x, t):
    return koubai.mean(Hyperbola()(x - t))


class Bell(Function):
    def forward(self, x):
        self.x = x
        self.y = np.exp(-(x**2) / 2)
        return self.y

    def backward(self, gy):
        return gy * self.y  # wrong: times -x


class Erf(Function):
    def forward(self, x, sigma):
        self.x, self.sigma = x, sigma
        return scipy.special.erf(x / sigma)

    def backward(self, gy):
        x, s = self.x, self.sigma
        d = gy * 2 / np.sqrt(np.pi) * np.exp(-((x / s) ** 2))
        return d, -d * x / s**2  # wrong: d / s for x


class TanhLayer:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out

    def backward(self, dout):
        return dout * 1  # wrong: times (1 - out**2)


class Logarithm(Function):
    def forward(self, x):
        return np.log(x)

    def backward(self, gy):
        return gy * 1  # wrong: / x


def free_energy(x, y):
    return koubai.sum(y * Logarithm()(x))


class Gamma:
    def __init__(self, gamma):
        self.gamma = gamma
        self.dgamma = None

    def forward(self, x):
        self.x = x
        return x * self.gamma

    def backward(self, dout):
        self.dgamma = (dout * self.x).sum(axis=0)
        return dout.copy()  # wrong: times gamma


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


class Relu:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        dx = dout.copy()  # wrong: dx[mask] = 0 is missing
        return dx


class SoftmaxWithLoss:
    def forward(self, x, t):
        self.t = t
        z = np.exp(x - x.max(axis=1, keepdims=True))
        self.y = z / z.sum(axis=1, keepdims=True)
        return -np.log(self.y[np.arange(len(t)), t]).mean()

    def backward(self, dout=1):
        dx = self.y.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dout * dx / len(self.t)


class ThreeLayerNet:
    def __init__(self):
        sizes = [4, 6, 5, 3]
        self.params = {}
        self.layers = OrderedDict()
        for i in (1, 2, 3):
            self.params[f"W{i}"] = weights(sizes[i - 1], sizes[i], seed=i)
            self.params[f"b{i}"] = weights(sizes[i], seed=10 + i)
            affine = Affine(self.params[f"W{i}"], self.params[f"b{i}"])
            self.layers[f"Affine{i}"] = affine
            if i < 3:
                self.layers[f"Activation{i}"] = Relu() if i == 1 else TanhUnit()
        self.last = SoftmaxWithLoss()

    def loss(self, x, t):
        for layer in self.layers.values():
            x = layer.forward(x)
        return self.last.forward(x, t)

    def gradient(self, x, t):
        self.loss(x, t)
        dout = self.last.backward()
        for layer in reversed(self.layers.values()):
            dout = layer.backward(dout)
        grads = {}
        for i in (1, 2, 3):
            grads[f"W{i}"] = self.layers[f"Affine{i}"].dW
            grads[f"b{i}"] = self.layers[f"Affine{i}"].db
        return grads


class TanhUnit:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out

    def backward(self, dout):
        return dout * (1 - self.out**2)


OUTPUT, INPUT = "output instead of input", "input instead of output"
OUTER, INNER = "outer derivative forgotten", "inner derivative forgotten"
LOCAL = "local derivative forgotten"
CASES = [
    Case("square_at_output", Square, normal((4, 3)), OUTPUT, ("x",), "Square"),
    Case("sin_at_output", lambda: waves, normal((4,), (4,)), OUTPUT, ("x",), "Sin"),
    Case("log_at_output", Log, lambda rng: (rng.uniform(1.5, 4, 6),), OUTPUT, ("x",), "Log"),
    Case(
        "softplus_at_output",
        Rate,
        normal((4, 3)),
        OUTPUT,
        ("x", "linear.W", "linear.b"),
        "Softplus",
    ),
    Case("sigmoid_at_input", Sigmoid, normal((4, 3)), INPUT, ("x",), "Sigmoid"),
    Case("tanh_at_input", Tanh, normal((5,)), INPUT, ("x",), "Tanh"),
    Case("exp_at_input_in_a_graph", nested, normal(), INPUT, ("x",), "Exp"),
    Case("sqrt_at_input", lambda: distance, normal((4, 3), (4, 3)), INPUT, ("a", "b"), "Sqrt"),
    Case(
        "dense_tanh",
        lambda: DenseTanh(weights(3, 4), weights(4)),
        normal((5, 3)),
        OUTER,
        ("x", "W", "b"),
        "DenseTanh",
    ),
    Case("sin_of_square_outer", SinOfSquare, normal((6,)), OUTER, ("x",), "SinOfSquare"),
    Case("neuron_in_a_module", Logistic, normal((5, 3)), OUTER, ("x", "w"), "Neuron"),
    Case(
        "rnn_without_tanh",
        lambda: RNN(weights(2, 3), weights(3, 3), weights(3)),
        normal((4, 2), (4, 3)),
        OUTER,
        ("x", "h_prev", "params[0]", "params[1]", "params[2]"),
        "RNN",
    ),
    Case("sin_of_square_inner", SinSquare, normal((2, 3)), INNER, ("x",), "SinSquare"),
    Case(
        "scaled_tanh", lambda: ScaledTanh(weights(3)), normal((4, 3)), INNER, ("x",), "ScaledTanh"
    ),
    Case("root_in_a_function", lambda: ramp, normal((5,), (5,)), INNER, ("x", "t"), "Hyperbola"),
    Case("bell", Bell, normal((3, 2)), INNER, ("x",), "Bell"),
    Case(
        "erf_of_ratio",
        Erf,
        lambda rng: (rng.standard_normal(6), rng.uniform(0.5, 2, 6)),
        INNER,
        ("x",),
        "Erf",
    ),
    Case("tanh_passed_through", TanhLayer, normal((4, 3)), LOCAL, ("x",), "TanhLayer"),
    Case(
        "log_passed_through", lambda: free_energy, positive((6,), (6,)), LOCAL, ("x",), "Logarithm"
    ),
    Case("scale_passed_through", lambda: Gamma(weights(3)), normal((4, 3)), LOCAL, ("x",), "Gamma"),
    Case(
        "relu_passed_through_in_a_network",
        ThreeLayerNet,
        labelled(6, 4, 3),
        LOCAL,
        ("params['W1']", "params['b1']"),
        "Relu",
    ),
]
