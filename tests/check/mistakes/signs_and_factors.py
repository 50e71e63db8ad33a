"""A sign, a constant factor, or the number of examples."""

from collections import OrderedDict

import numpy as np
from check.case import Case, labelled, normal, positive, weights

import koubai
from koubai import Function, Variable, nn


class DivLayer:
    def __init__(self):
        self.x = None
        self.y = None

    def forward(self, x, y):
        self.x = x
        self.y = y
        return x / y

    def backward(self, dout):
        dx = dout / self.y
        dy = dout * (self.x / self.y**2)  # wrong: minus
        return dx, dy


class Sub(Function):
    def forward(self, x0, x1):
        return x0 - x1

    def backward(self, gy):
        return gy * 1, gy * 1  # wrong: -gy for x1


class Cos(Function):
    def forward(self, x):
        return np.cos(x)

    def backward(self, gy):
        (x,) = self.inputs
        return gy * np.sin(x.data)  # wrong: minus


def wave(x, k):
    return Cos()(koubai.sum(x * k, axis=1))


class SoftmaxWithLoss:
    def forward(self, x, t):
        self.t = t
        z = np.exp(x - x.max(axis=1, keepdims=True))
        self.y = z / z.sum(axis=1, keepdims=True)
        return -np.sum(t * np.log(self.y)) / len(x)

    def backward(self, dout=1):
        return dout * (self.t - self.y) / len(self.t)  # wrong: y - t


class LogPart(Function):
    def forward(self, p):
        self.p = p
        return -np.log(p)

    def backward(self, gy):
        return gy / self.p  # wrong: minus


def entropy():
    p = Variable(np.array([0.2, 0.5, 0.3]), name="p")
    return koubai.sum(p * LogPart()(p))


class Square(Function):
    def forward(self, x):
        self.x = x
        return x * x

    def backward(self, gy):
        return self.x * gy  # wrong: 2 * x * gy


class Cube:
    def forward(self, x):
        self.x = x
        return x**3

    def backward(self, dout):
        return dout * self.x**2  # wrong: 3 * x**2


class CrossEntropyLoss:
    def forward(self, logits, target):
        n = logits.shape[0]
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        self.grad = np.exp(log_probs)
        self.grad[np.arange(n), target] -= 1
        self.grad /= n
        return -log_probs[np.arange(n), target].sum() / n

    def backward(self, grad_output=1.0):
        return grad_output * self.grad / self.grad.shape[0]  # wrong: divided by n already


class DropoutFunction(Function):
    def __init__(self, mask, ratio):
        self.mask, self.ratio = mask, ratio

    def forward(self, x):
        return x * self.mask / (1 - self.ratio)

    def backward(self, gy):
        return gy * self.mask  # wrong: / (1 - ratio)


class Head(nn.Module):
    def __init__(self):
        rng = np.random.default_rng(1)
        self.fc1 = nn.Linear(3, 8, rng=rng, dtype=np.float64)
        self.fc2 = nn.Linear(8, 2, rng=rng, dtype=np.float64)
        self.mask = rng.random(8) > 0.4

    def forward(self, x):
        h = DropoutFunction(self.mask, 0.4)(koubai.tanh(self.fc1(x)))
        return self.fc2(h)


class Gauss:
    def forward(self, x):
        self.x = x
        self.y = np.exp(-(x**2) / 2)
        return self.y

    def backward(self, dout):
        return dout * -2 * self.x * self.y  # wrong: the 2 has gone with the 1/2


class Mean:
    def forward(self, x):
        self.shape = x.shape
        return x.mean(axis=0)

    def backward(self, dout):
        return np.ones(self.shape) * dout  # wrong: / self.shape[0]


class MeanSquaredError(Function):
    def forward(self, x0, x1):
        self.diff = x0 - x1
        return np.mean(self.diff**2)

    def backward(self, gy):
        gx0 = gy * self.diff * 2.0  # wrong: / diff.size
        return gx0, -gx0


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW, self.db = None, None

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout, axis=0)
        return np.dot(dout, self.W.T)


class Relu:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        dout = dout.copy()
        dout[self.mask] = 0
        return dout


class SoftmaxLoss:
    def forward(self, x, t):
        self.t = t
        z = np.exp(x - x.max(axis=1, keepdims=True))
        self.y = z / z.sum(axis=1, keepdims=True)
        return -np.mean(np.log(self.y[np.arange(len(t)), t]))

    def backward(self, dout=1):
        dx = self.y.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dx * dout  # wrong: / len(self.t)


class TwoLayerNet:
    def __init__(self, input_size, hidden_size, output_size):
        self.params = {
            "W1": weights(input_size, hidden_size, seed=1),
            "b1": weights(hidden_size, seed=2),
            "W2": weights(hidden_size, output_size, seed=3),
            "b2": weights(output_size, seed=4),
        }
        self.layers = OrderedDict()
        self.layers["Affine1"] = Affine(self.params["W1"], self.params["b1"])
        self.layers["Relu1"] = Relu()
        self.layers["Affine2"] = Affine(self.params["W2"], self.params["b2"])
        self.lastLayer = SoftmaxLoss()

    def predict(self, x):
        for layer in self.layers.values():
            x = layer.forward(x)
        return x

    def loss(self, x, t):
        return self.lastLayer.forward(self.predict(x), t)

    def gradient(self, x, t):
        self.loss(x, t)
        dout = self.lastLayer.backward()
        for layer in reversed(self.layers.values()):
            dout = layer.backward(dout)
        return {
            "W1": self.layers["Affine1"].dW,
            "b1": self.layers["Affine1"].db,
            "W2": self.layers["Affine2"].dW,
            "b2": self.layers["Affine2"].db,
        }


class Dense:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW = self.db = None

    def forward(self, x):
        self.x = x
        return x.dot(self.W) + self.b

    def backward(self, dout):
        self.dW = self.x.T.dot(dout)
        self.db = np.mean(dout, axis=0)  # wrong: sum
        return dout.dot(self.W.T)


class Sum(Function):
    def forward(self, x):
        self.shape = x.shape
        return np.sum(x)

    def backward(self, gy):
        n = self.shape[0] * self.shape[1]
        return np.ones(self.shape) * gy / n  # wrong: that is the mean's


def total(x):
    return Sum()(x * x)


class LinearRegression:
    def __init__(self, n):
        self.params = {"w": weights(n), "b": np.zeros(())}

    def loss(self, x, t):
        self.error = x @ self.params["w"] + self.params["b"] - t
        return np.sum(self.error**2)

    def gradient(self, x, t):
        self.loss(x, t)
        return {
            "w": 2 * x.T @ self.error / len(x),  # wrong: the loss is a sum
            "b": 2 * self.error.sum(),
        }


SIGN, FACTOR = "sign", "factor"
SUM, MEAN = "sum instead of mean", "mean instead of sum"
CASES = [
    Case("div_sign", DivLayer, positive((3, 4), (3, 4)), SIGN, ("y",), "DivLayer"),
    Case(
        "sub_sign",
        Sub,
        normal((3, 4), (4,)),
        SIGN,
        ("x1",),
        "Sub",
        notes="x1 is broadcast; the engine sums its gradient",
    ),
    Case("cos_sign", lambda: wave, normal((5, 3), (3,)), SIGN, ("x", "k"), "Cos"),
    Case(
        "softmax_loss_sign",
        SoftmaxWithLoss,
        labelled(4, 3, 3, one_hot=True),
        SIGN,
        ("x",),
        "SoftmaxWithLoss",
    ),
    Case(
        "log_sign_in_a_graph",
        entropy,
        normal(),
        SIGN,
        ("p",),
        "LogPart",
        notes="p has a right part of its gradient too, so the whole has no constant factor",
    ),
    Case("square_without_2", lambda: Square(), normal((2, 3)), FACTOR, ("x",), "Square"),
    Case("cube_without_3", Cube, normal((7,)), FACTOR, ("x",), "Cube"),
    Case(
        "loss_divided_twice",
        CrossEntropyLoss,
        labelled(6, 4, 4),
        FACTOR,
        ("logits",),
        "CrossEntropyLoss",
        notes="1/6, the batch size: 'mean instead of sum' would be fair too",
    ),
    Case(
        "dropout_without_scale",
        Head,
        normal((5, 3)),
        FACTOR,
        ("x", "fc1.W", "fc1.b"),
        "DropoutFunction",
    ),
    Case("gauss_with_2", Gauss, normal((3, 3)), FACTOR, ("x",), "Gauss"),
    Case("mean_as_sum", Mean, normal((7, 3)), SUM, ("x",), "Mean"),
    Case(
        "mse_as_sum",
        MeanSquaredError,
        normal((5, 3), (5, 3)),
        SUM,
        ("x0", "x1"),
        "MeanSquaredError",
    ),
    Case(
        "net_without_batch_size",
        lambda: TwoLayerNet(4, 5, 3),
        labelled(7, 4, 3),
        SUM,
        ("params['W1']", "params['b1']", "params['W2']", "params['b2']"),
        "SoftmaxLoss",
    ),
    Case(
        "bias_as_mean",
        lambda: Dense(weights(3, 2), weights(2)),
        normal((6, 3)),
        MEAN,
        ("b",),
        "Dense",
    ),
    Case("sum_as_mean", lambda: total, normal((3, 4)), MEAN, ("x",), "Sum"),
    Case(
        "regression_as_mean",
        lambda: LinearRegression(3),
        lambda rng: (rng.standard_normal((7, 3)), rng.standard_normal(7)),
        MEAN,
        ("params['w']",),
        "LinearRegression",
    ),
]
