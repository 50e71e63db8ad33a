"""Means taken off and variances divided out: large terms that cancel."""

import numpy as np
from check.case import Case, normal, weights

import koubai
from koubai import Function, nn


class Center(Function):
    def forward(self, x):
        return x - x.mean(axis=1, keepdims=True)

    def backward(self, gy):
        return gy - gy.mean(axis=1, keepdims=True)


class BatchNorm:
    """Step by step, with running statistics."""

    def __init__(self, gamma, beta, momentum=0.9):
        self.gamma, self.beta, self.momentum = gamma, beta, momentum
        self.dgamma = self.dbeta = None
        self.running_mean = np.zeros_like(beta)
        self.running_var = np.ones_like(beta)
        self.train = True

    def forward(self, x):
        if not self.train:
            self.xn = (x - self.running_mean) / np.sqrt(self.running_var + 1e-7)
            return self.gamma * self.xn + self.beta
        mu = x.mean(axis=0)
        self.xc = x - mu
        var = np.mean(self.xc**2, axis=0)
        self.std = np.sqrt(var + 1e-7)
        self.xn = self.xc / self.std
        m = self.momentum
        self.running_mean = m * self.running_mean + (1 - m) * mu
        self.running_var = m * self.running_var + (1 - m) * var
        return self.gamma * self.xn + self.beta

    def backward(self, dout):
        self.dbeta = dout.sum(axis=0)
        self.dgamma = np.sum(self.xn * dout, axis=0)
        dxn = self.gamma * dout
        if not self.train:
            return dxn / np.sqrt(self.running_var + 1e-7)
        dxc = dxn / self.std
        dstd = -np.sum(dxn * self.xc / (self.std * self.std), axis=0)
        dvar = 0.5 * dstd / self.std
        dxc += 2.0 / len(dout) * self.xc * dvar
        dmu = np.sum(dxc, axis=0)
        return dxc - dmu / len(dout)


def evaluated():
    layer = BatchNorm(weights(3), weights(3, seed=1))
    layer.running_mean, layer.running_var = weights(3, seed=2), np.array([0.5, 2.0, 1.0])
    layer.train = False
    return layer


class LayerNorm(Function):
    def forward(self, x, gamma, beta):
        self.gamma = gamma
        self.std = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
        self.xn = (x - x.mean(axis=-1, keepdims=True)) / self.std
        return self.xn * gamma + beta

    def backward(self, gy):
        g = gy * self.gamma
        mean = g.mean(axis=-1, keepdims=True)
        along = (g * self.xn).mean(axis=-1, keepdims=True)
        return (g - mean - self.xn * along) / self.std, gy * self.xn, gy * 1


class Normalize:
    def forward(self, x):
        self.n = np.linalg.norm(x, axis=1, keepdims=True)
        self.y = x / self.n
        return self.y

    def backward(self, dout):
        return (dout - self.y * (dout * self.y).sum(axis=1, keepdims=True)) / self.n


class RMSNorm(nn.Module):
    def __init__(self):
        self.g = nn.Parameter(weights(4))

    def forward(self, x):
        return self.g * x / koubai.sqrt(koubai.mean(x * x, axis=-1, keepdims=True) + 1e-6)


class Softmax:
    def forward(self, x):
        self.y = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
        return self.y

    def backward(self, dout):
        dx = self.y * dout
        return dx - self.y * dx.sum(axis=1, keepdims=True)


def variance(x):
    return koubai.var(x, axis=0)


def contrast(x):
    d = x - koubai.mean(x)
    return d / koubai.sqrt(koubai.sum(d * d))


def bn():
    return BatchNorm(weights(3), weights(3, seed=1))


CASES = [
    Case("center", Center, normal((3, 4)), None),
    Case("batch_norm", bn, normal((6, 3)), None, notes="its running mean changes at each call"),
    Case(
        "batch_norm_of_two",
        bn,
        normal((2, 3)),
        None,
        notes="outputs are 1 and -1, and gradients nearly 0: all terms cancel",
    ),
    Case(
        "batch_norm_of_one",
        bn,
        normal((1, 3)),
        None,
        notes="the gradient of x is 0: 3e3 times what cancels",
    ),
    Case(
        "batch_norm_of_almost_equal",
        bn,
        lambda rng: (5 + 1e-3 * rng.standard_normal((6, 3)),),
        None,
    ),
    Case("batch_norm_evaluated", evaluated, normal((4, 3)), None),
    Case("layer_norm", LayerNorm, normal((3, 4), (4,), (4,)), None),
    Case(
        "layer_norm_far_away",
        LayerNorm,
        lambda rng: (1e4 + rng.standard_normal((3, 4)), *rng.standard_normal((2, 4))),
        None,
    ),
    Case("normalize", Normalize, normal((4, 3)), None),
    Case("rms_norm", RMSNorm, normal((3, 4)), None),
    Case("softmax", Softmax, normal((3, 5)), None),
    Case("variance", lambda: variance, normal((5, 2)), None),
    Case("contrast", lambda: contrast, normal((7,)), None),
]
