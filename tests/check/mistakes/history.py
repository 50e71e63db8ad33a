"""Every backward is right, and the graph misses a part: something was computed on plain arrays."""

import numpy as np
from check.case import Case, normal, weights

import koubai
from koubai import nn


def squash(x):
    return koubai.tanh(x) * x.detach()  # wrong: x


class UnitRows(nn.Module):
    def __init__(self):
        self.linear = nn.Linear(3, 4, rng=np.random.default_rng(0), dtype=np.float64)

    def forward(self, x):
        h = self.linear(x)
        return h / np.sqrt((h.data**2).sum(axis=1, keepdims=True))  # wrong: h


class Centered(nn.Module):
    def __init__(self):
        self.W = nn.Parameter(weights(3, 2))

    def forward(self, x):
        W = koubai.Variable(self.W.data - self.W.data.mean(axis=0))  # wrong: self.W
        return koubai.tanh(x @ W)


def decayed(x, w):
    return koubai.sum(x * w) + 0.5 * koubai.sum(w.data**2)  # wrong: w


KIND = "history lost"
CASES = [
    Case("squash_detached", lambda: squash, normal((5, 3)), KIND, ("x",), "squash"),
    Case(
        "norm_of_data",
        UnitRows,
        normal((5, 3)),
        KIND,
        ("x", "linear.W", "linear.b"),
        "UnitRows",
    ),
    Case(
        "parameter_made_anew",
        Centered,
        normal((4, 3)),
        KIND,
        ("W",),
        "Centered",
        notes="the gradient is 0: the parameter is in no graph at all",
    ),
    Case("decay_of_data", lambda: decayed, normal((3,), (3,)), KIND, ("w",), "decayed"),
]
