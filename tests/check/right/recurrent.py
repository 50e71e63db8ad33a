"""Layers over time, and gradients that add up."""

import numpy as np
from check.case import Case, normal, weights

import koubai
from koubai import nn
from koubai.book import RNN as BookRNN


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
        self.grads[0][...] = np.dot(x.T, dt)
        self.grads[1][...] = np.dot(h_prev.T, dt)
        self.grads[2][...] = np.sum(dt, axis=0)
        return np.dot(dt, Wx.T), np.dot(dt, Wh.T)


class TimeRNN:
    def __init__(self, Wx, Wh, b):
        self.params = [Wx, Wh, b]
        self.grads = [np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)]
        self.layers = None

    def forward(self, xs):
        N, T, _ = xs.shape
        h = np.zeros((N, self.params[1].shape[0]))
        self.layers, hs = [], []
        for t in range(T):
            layer = RNN(*self.params)
            h = layer.forward(xs[:, t, :], h)
            hs.append(h)
            self.layers.append(layer)
        return np.stack(hs, axis=1)

    def backward(self, dhs):
        dxs = np.empty((*dhs.shape[:2], self.params[0].shape[0]))
        grads = [0, 0, 0]
        dh = 0
        for t in reversed(range(dhs.shape[1])):
            layer = self.layers[t]
            dx, dh = layer.backward(dhs[:, t, :] + dh)
            dxs[:, t, :] = dx
            for i, grad in enumerate(layer.grads):
                grads[i] += grad
        for i, grad in enumerate(grads):
            self.grads[i][...] = grad
        return dxs


class LSTM:
    def __init__(self, Wx, Wh, b):
        self.params = [Wx, Wh, b]
        self.grads = [np.zeros_like(p) for p in self.params]

    def forward(self, x, h_prev, c_prev):
        Wx, Wh, b = self.params
        H = h_prev.shape[1]
        A = x @ Wx + h_prev @ Wh + b
        f = 1 / (1 + np.exp(-A[:, :H]))
        g = np.tanh(A[:, H : 2 * H])
        i = 1 / (1 + np.exp(-A[:, 2 * H : 3 * H]))
        o = 1 / (1 + np.exp(-A[:, 3 * H :]))
        c_next = f * c_prev + g * i
        h_next = o * np.tanh(c_next)
        self.cache = (x, h_prev, c_prev, i, f, g, o, c_next)
        return h_next, c_next

    def backward(self, dh_next, dc_next):
        Wx, Wh, _ = self.params
        x, h_prev, c_prev, i, f, g, o, c_next = self.cache
        tanh_c = np.tanh(c_next)
        ds = dc_next + dh_next * o * (1 - tanh_c**2)
        do = dh_next * tanh_c * o * (1 - o)
        di = ds * g * i * (1 - i)
        df = ds * c_prev * f * (1 - f)
        dg = ds * i * (1 - g**2)
        dA = np.hstack((df, dg, di, do))
        self.grads[0][...] = x.T @ dA
        self.grads[1][...] = h_prev.T @ dA
        self.grads[2][...] = dA.sum(axis=0)
        return dA @ Wx.T, dA @ Wh.T, ds * f


class Accumulating:
    """Adds to dW and db, which whoever trains it sets to zero."""

    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW, self.db = np.zeros_like(W), np.zeros_like(b)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW += self.x.T @ dout
        self.db += dout.sum(axis=0)
        return dout @ self.W.T


class Linear:
    def __init__(self, weight):
        self.params = [weight]
        self.grads = [np.zeros_like(weight)]
        self.inputs = []

    def forward(self, x):
        self.inputs.append(x)
        return x @ self.params[0]

    def backward(self, grad_output):
        x = self.inputs.pop()
        self.grads[0] += x.T @ grad_output
        return grad_output @ self.params[0].T


class Twice:
    """The same layer twice; its gradients add up."""

    def __init__(self, weight):
        self.layer = Linear(weight)
        self.params, self.grads = self.layer.params, self.layer.grads

    def forward(self, x):
        self.layer.inputs.clear()
        return self.layer.forward(np.tanh(self.layer.forward(x)))

    def backward(self, dout):
        self.grads[0][...] = 0
        h = self.layer.inputs[0] @ self.params[0]
        return self.layer.backward(self.layer.backward(dout) * (1 - np.tanh(h) ** 2))


class Cell(nn.Module):
    def __init__(self):
        self.Wx = nn.Parameter(weights(2, 3))
        self.Wh = nn.Parameter(0.5 * weights(3, 3, seed=1))

    def forward(self, xs):
        h = np.zeros((len(xs), 3))
        for t in range(xs.shape[1]):
            h = koubai.tanh(xs[:, t] @ self.Wx + h @ self.Wh)
        return h


def rnn(cls):
    return lambda: cls(0.5 * weights(3, 4), 0.5 * weights(4, 4, seed=1), weights(4, seed=2))


CASES = [
    Case("rnn_step_of_the_notebook", rnn(RNN), normal((2, 3), (2, 4)), None),
    Case("rnn_step_of_the_book", rnn(BookRNN), normal((2, 3), (2, 4)), None),
    Case("rnn_over_time", rnn(TimeRNN), normal((2, 5, 3)), None),
    Case(
        "lstm_step",
        lambda: LSTM(weights(2, 12), 0.5 * weights(3, 12, seed=1), weights(12)),
        normal((2, 2), (2, 3), (2, 3)),
        None,
        notes="three inputs, two outputs",
    ),
    Case(
        "gradients_that_add_up",
        lambda: Accumulating(weights(3, 2), weights(2)),
        normal((4, 3)),
        None,
        notes="a second backward adds to the first",
    ),
    Case("layer_used_twice_rightly", lambda: Twice(0.5 * weights(3, 3)), normal((4, 3)), None),
    Case("cell_over_time_in_a_module", Cell, normal((2, 6, 2)), None),
]
