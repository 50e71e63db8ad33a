"""Faults that were found in people's notebooks."""
# ruff: noqa: RET504

from abc import ABC, abstractmethod
from collections import OrderedDict

import numpy as np
from check.case import Case, given, labelled, normal, weights


class Layer(ABC):
    @abstractmethod
    def forward(self):
        pass

    @abstractmethod
    def backward(self):
        pass


class MulLayaer(Layer):
    def __init__(self):
        self.x = None
        self.y = None

    def forward(self, x, y):
        self.x = x
        self.y = y

        out = x * y  # multiple
        return out

    def backward(self, dout):
        dx = dout + self.y  # wrong: dout * self.y
        dy = dout + self.x  # wrong: dout * self.x

        return dx, dy  # partial differentiation


class Shopping:
    """Apples with tax, of the layer above."""

    def __init__(self):
        self.mul_apple_layer = MulLayaer()
        self.mul_tax_layer = MulLayaer()

    def forward(self, apple, apple_num, tax):
        apple_price = self.mul_apple_layer.forward(apple, apple_num)
        return self.mul_tax_layer.forward(apple_price, tax)

    def backward(self, dprice):
        dapple_price, dtax = self.mul_tax_layer.backward(dprice)
        dapple, dapple_num = self.mul_apple_layer.backward(dapple_price)
        return dapple, dapple_num, dtax


class MulLayer:
    def __init__(self):
        self.x = None
        self.y = None

    def forward(self, x, y):
        self.x = x
        self.y = y
        out = x * y

        return out

    def backward(self, dout):
        dx = dout * self.y
        dy = dout * self.x

        return dx, dy


class Purchase:
    def __init__(self):
        self.mul_apple_layer = MulLayer()
        self.mul_tax_layer = MulLayer()
        self.changes = []

    def price(self, apple_num, apple, tax):
        apple_price = self.mul_apple_layer.forward(apple, apple_num)
        return self.mul_tax_layer.forward(apple_price, tax)

    def forward(self, apple_num, apple, tax):
        data = [apple_num, apple, tax]
        price0 = self.price(*data)
        self.changes = []
        for i, x in enumerate([1, 10, 0.1]):
            d_data = [apple_num, apple, tax]
            d_data[i] = d_data[i] + x
            price = self.price(*d_data)  # wrong: the layers now hold the numbers of this call
            self.changes.append((price0 - price) / (data[i] - d_data[i]))
        return price0

    def backward(self, dprice):
        dapple_price, dtax = self.mul_tax_layer.backward(dprice)
        dapple, dapple_num = self.mul_apple_layer.backward(dapple_price)
        return dapple_num, dapple, dtax


class RNN:
    def __init__(self, Wx, Wh, b):
        self.params = [Wx, Wh, b]
        self.grads = [np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)]
        self.cache = None

    def forward(self, x, h_prev):
        Wx, Wh, b = self.params
        t = np.dot(h_prev, Wh) + np.dot(x, Wx) + b
        h_next = np.tanh(t)

        self.cache = (x, h_prev, h_next)
        return h_next

    def backward(self, dh_next):
        Wx, Wh, _ = self.params
        x, h_prev, h_next = self.cache

        dt = dh_next * (1 - h_next**2)
        db = np.sum(dt, axis=0)
        dWh = np.dot(h_prev.T, dt)
        dh_prev = np.dot(dt, Wh.T)
        dWx = np.dot(x.T, dt)
        dx = np.dot(dt, Wx.T)

        self.grads[0][...] = dWx  # wrong for one list of gradients for all steps: +=
        self.grads[1][...] = dWh
        self.grads[2][...] = db

        return dx, dh_prev


class TimeRNN:
    def __init__(self, Wx, Wh, b):
        self.params = [Wx, Wh, b]
        self.grads = [np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)]
        self.layers = None

    def forward(self, xs, h0):
        h = h0
        self.layers = []
        hs = np.empty((xs.shape[0], xs.shape[1], h0.shape[1]))
        for t in range(xs.shape[1]):
            layer = RNN(*self.params)
            layer.grads = self.grads
            h = layer.forward(xs[:, t, :], h)
            hs[:, t, :] = h
            self.layers.append(layer)
        return hs

    def backward(self, dhs):
        dxs = []
        dh = 0
        for t in reversed(range(dhs.shape[1])):
            dx, dh = self.layers[t].backward(dhs[:, t, :] + dh)
            dxs.insert(0, dx)
        return np.stack(dxs, axis=1), dh


class SequenceNet:
    """The last state of the same recurrent layers, and softmax."""

    def __init__(self, D, H, C):
        self.params = {
            "Wx": 0.5 * weights(D, H, seed=1),
            "Wh": 0.5 * weights(H, H, seed=2),
            "b": np.zeros(H),
            "Wy": 0.5 * weights(H, C, seed=3),
        }
        p = self.params
        self.rnn = TimeRNN(p["Wx"], p["Wh"], p["b"])

    def predict(self, x):
        hs = self.rnn.forward(x, np.zeros((len(x), self.params["Wh"].shape[0])))
        self.hs = hs
        return hs[:, -1] @ self.params["Wy"]

    def loss(self, x, t):
        y = self.predict(x)
        y = y - y.max(axis=1, keepdims=True)
        self.y = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
        return -np.log(self.y[np.arange(len(t)), t]).mean()

    def gradient(self, x, t):
        self.loss(x, t)
        dy = self.y.copy()
        dy[np.arange(len(t)), t] -= 1
        dy /= len(t)
        dhs = np.zeros_like(self.hs)
        dhs[:, -1] = dy @ self.params["Wy"].T
        self.rnn.backward(dhs)
        dWx, dWh, db = self.rnn.grads
        return {"Wx": dWx, "Wh": dWh, "b": db, "Wy": self.hs[:, -1].T @ dy}


def softmax(x):
    x = x - x.max(axis=-1, keepdims=True)
    return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)


def cross_entropy_error(y, t):
    return -np.sum(t * np.log(y + 1e-7)) / y.shape[0]


class Affine(Layer):
    def __init__(self, W, b):
        self.W = W
        self.b = b
        self.x = None
        self.dW = None
        self.db = None

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        dx = np.dot(dout, self.W.T)
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout, axis=0)

        return dx


class Gate(Layer):
    """One weight for each unit, by the notebook's multiplication."""

    def __init__(self, g):
        self.g = g
        self.dg = None
        self.mul = MulLayaer()

    def forward(self, x):
        return self.mul.forward(x, self.g)

    def backward(self, dout):
        dx, dg = self.mul.backward(dout)
        self.dg = dg.sum(axis=0)
        return dx


class SoftmaxWithLoss(Layer):
    def __init__(self):
        self.loss = None
        self.y = None
        self.t = None

    def forward(self, x, t):
        self.t = t
        self.y = softmax(x)
        self.loss = cross_entropy_error(self.y, self.t)

        return self.loss

    def backward(self, dout=1):
        batch_size = self.t.shape[0]
        return (self.y - self.t) / batch_size


class GatedNet:
    def __init__(self, input_size, hidden_size, output_size):
        self.params = {}
        self.params["W1"] = 0.3 * weights(input_size, hidden_size, seed=1)
        self.params["b1"] = np.zeros(hidden_size)
        self.params["g"] = weights(hidden_size, seed=2)
        self.params["W2"] = 0.3 * weights(hidden_size, output_size, seed=3)
        self.params["b2"] = np.zeros(output_size)

        self.layers = OrderedDict()
        self.layers["Affine1"] = Affine(self.params["W1"], self.params["b1"])
        self.layers["Gate"] = Gate(self.params["g"])
        self.layers["Affine2"] = Affine(self.params["W2"], self.params["b2"])
        self.lastLayer = SoftmaxWithLoss()

    def predict(self, x):
        for layer in self.layers.values():
            x = layer.forward(x)
        return x

    def loss(self, x, t):
        y = self.predict(x)
        return self.lastLayer.forward(y, t)

    def gradient(self, x, t):
        self.loss(x, t)
        dout = self.lastLayer.backward(np.ones(1))
        for layer in list(self.layers.values())[::-1]:
            dout = layer.backward(dout)

        grads = {}
        grads["W1"] = self.layers["Affine1"].dW
        grads["b1"] = self.layers["Affine1"].db
        grads["g"] = self.layers["Gate"].dg
        grads["W2"] = self.layers["Affine2"].dW
        grads["b2"] = self.layers["Affine2"].db

        return grads


CASES = [
    Case(
        "notebook_mul",
        MulLayaer,
        normal((3, 4), (3, 4)),
        "added instead of multiplied",
        wrong=("x", "y"),
        located="MulLayaer",
    ),
    Case(
        "notebook_mul_of_numbers",
        Shopping,
        given(100.0, 2.0, 1.1),
        "added instead of multiplied",
        wrong=("apple", "apple_num", "tax"),
        located="MulLayaer",
        notes="Python floats; two layers of the class, both wrong",
    ),
    Case(
        "notebook_mul_in_a_network",
        lambda: GatedNet(4, 3, 3),
        labelled(5, 4, 3, one_hot=True),
        "added instead of multiplied",
        wrong=("params['W1']", "params['b1']", "params['g']"),
        located="MulLayaer",
        notes="inside a right layer of a network whose other layers are right",
    ),
    Case(
        "notebook_stale_purchase",
        Purchase,
        given(2.0, 100.0, 1.1),
        "stale cache",
        wrong=("apple_num", "apple"),
        located="Purchase",
        notes="2.4 and 120 for 2.2 and 110; dtax, 200, comes out right",
    ),
    Case(
        "notebook_rnn_over_time",
        lambda: TimeRNN(0.5 * weights(3, 4), 0.5 * weights(4, 4), weights(4)),
        normal((2, 5, 3), (2, 4)),
        "overwritten",
        wrong=("params[0]", "params[1]", "params[2]"),
        located="RNN",
    ),
    Case(
        "notebook_rnn_in_a_network",
        lambda: SequenceNet(3, 4, 3),
        lambda rng: (rng.standard_normal((6, 4, 3)), np.array([0, 1, 2, 2, 1, 0])),
        "overwritten",
        wrong=("params['Wx']", "params['Wh']", "params['b']"),
        located="RNN",
    ),
    Case(
        "notebook_loss",
        SoftmaxWithLoss,
        labelled(4, 3, 3, one_hot=True),
        "upstream ignored",
        wrong=("x",),
        located="SoftmaxWithLoss",
        notes="the book's own habit for the last layer; right as long as dout is 1",
    ),
]
