"""The networks that people train, small.

training = tiny(np.float32)
loss = training.step(*training.batch(rng))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

import koubai
from koubai import nn, optim
from koubai.book import TwoLayerNet

Rng = np.random.Generator


@dataclass
class Training:
    """A step, what it is called with, and the arrays that it trains."""

    step: Callable[..., Any]
    batch: Callable[[Rng], tuple[Any, ...]]
    parameters: Callable[[], list[Any]]


def _sequential(dtype: Any, activation: Callable[[], Any], *sizes: int) -> nn.Sequential:
    rng, layers = np.random.default_rng(0), []
    for n, m in pairwise(sizes):
        layers += [nn.Linear(n, m, rng=rng, dtype=dtype), activation()]
    return nn.Sequential(*layers[:-1])


def _trained(model: Any, optimizer: Any, loss_of: Callable[..., Any], batch: Any) -> Training:
    def step(*args: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(*args)
        loss.backward()
        optimizer.step()
        return loss.data

    return Training(step, batch, lambda: [p.data for p in model.parameters()])


def tiny(dtype: Any) -> Training:
    """1-10-1, sigmoid, mean squared error, Adam."""
    model = _sequential(dtype, nn.Sigmoid, 1, 10, 1)

    def batch(rng: Rng) -> Any:
        x = rng.uniform(0, 1, (100, 1)).astype(dtype)
        return x, np.sin(2 * np.pi * x) + rng.normal(0, 0.1, x.shape).astype(dtype)

    def loss_of(x: Any, t: Any) -> Any:
        return koubai.mean_squared_error(model(x), t)

    return _trained(model, optim.Adam(model.parameters(), lr=0.01), loss_of, batch)


def gathering(dtype: Any) -> Training:
    """784-50-10, ReLU, softmax cross entropy, SGD; the step picks its rows of all images."""
    model = _sequential(dtype, nn.ReLU, 784, 50, 10)
    rng = np.random.default_rng(2)
    images, labels = rng.random((500, 784)).astype(dtype), rng.integers(0, 10, 500)

    def loss_of(x: Any, t: Any, rows: Any) -> Any:
        return koubai.softmax_cross_entropy(model(x[rows]), t[rows])

    def batch(rng: Rng) -> Any:
        return images, labels, rng.integers(0, 500, 100)

    return _trained(model, optim.SGD(model.parameters(), lr=0.1), loss_of, batch)


def deep(dtype: Any, hidden: int = 2) -> Training:
    """Some hidden layers of 24, ReLU, softmax cross entropy, Adam."""
    model = _sequential(dtype, nn.ReLU, 20, *[24] * hidden, 10)

    def loss_of(x: Any, t: Any) -> Any:
        return koubai.softmax_cross_entropy(model(x), t)

    def batch(rng: Rng) -> Any:
        x = rng.normal(size=(32, 20)).astype(dtype)
        return x, x[:, :10].argmax(axis=1)

    return _trained(model, optim.Adam(model.parameters()), loss_of, batch)


class CharRNN(nn.Module):
    """Embedding, tanh over 5 steps, scores of 11 characters."""

    def __init__(self, dtype: Any) -> None:
        rng = np.random.default_rng(0)
        self.embedding = nn.Parameter(nn.init.normal((11, 16), 1.0, rng).astype(dtype))
        self.input = nn.Linear(16, 16, rng=rng, dtype=dtype)
        self.hidden = nn.Linear(16, 16, rng=rng, dtype=dtype)
        self.output = nn.Linear(16, 11, rng=rng, dtype=dtype)

    def forward(self, characters: Any) -> Any:
        x = self.input(koubai.embedding(characters, self.embedding))
        h = np.zeros((len(characters), 16), x.dtype)
        states = []
        for time in range(characters.shape[1]):
            h = koubai.tanh(x[:, time] + self.hidden(h))
            states.append(h)
        return self.output(koubai.stack(states, axis=1).reshape(-1, 16))


def recurrent(dtype: Any) -> Training:
    """``CharRNN`` with Adam; each character has one that follows it."""
    model = CharRNN(dtype)

    def loss_of(characters: Any, following: Any) -> Any:
        return koubai.softmax_cross_entropy(model(characters), following)

    def batch(rng: Rng) -> Any:
        characters = rng.integers(0, 11, (8, 5))
        return characters, (characters * 3 % 11).reshape(-1)

    return _trained(model, optim.Adam(model.parameters(), lr=0.01), loss_of, batch)


def notebook(dtype: Any) -> Training:
    """The notebooks' own network, and their own update."""
    net = TwoLayerNet(30, 20, 10, weight_init_std=0.1, rng=np.random.default_rng(0))
    net.params = {key: p.astype(dtype) for key, p in net.params.items()}

    def step(x: Any, t: Any) -> Any:
        grad = net.gradient(x, t)
        for key in ("W1", "b1", "W2", "b2"):
            net.params[key] -= 0.1 * grad[key]
        return net.loss(x, t)

    def batch(rng: Rng) -> Any:
        x = rng.normal(size=(50, 30)).astype(dtype)
        return x, np.eye(10)[x[:, :10].argmax(axis=1)]

    return Training(step, batch, lambda: list(net.params.values()))


NETWORKS = [tiny, gathering, deep, recurrent, notebook]
