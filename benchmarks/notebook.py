"""The notebooks' training step: 784-50-10, ReLU, batch 100, softmax cross entropy, SGD.

By hand in NumPy, as the notebooks' people write it, against koubai's eager graph; and the numerical
gradient, which is why they learn backpropagation, against both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import koubai
from benchmarks.measure import Row, in_turns, seconds
from koubai import nn, optim
from koubai.datasets import mnist

STEPS = 200
LEARNING_RATE = 0.1


class ByHand:
    """The network and its step in plain NumPy, gradients written out."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.params = {name: p.copy() for name, p in params.items()}

    def step(self, x: Any, t: Any) -> Any:
        p = self.params
        h = np.dot(x, p["W1"]) + p["b1"]
        mask = h <= 0
        a = h.copy()
        a[mask] = 0
        y = np.dot(a, p["W2"]) + p["b2"]
        y = y - y.max(axis=1, keepdims=True)
        y = np.exp(y)
        y /= y.sum(axis=1, keepdims=True)
        loss = -np.sum(np.log(y[np.arange(len(t)), t] + 1e-7)) / len(t)

        dy = y.copy()
        dy[np.arange(len(t)), t] -= 1
        dy /= len(t)
        grads = {"W2": np.dot(a.T, dy), "b2": np.sum(dy, axis=0)}
        da = np.dot(dy, p["W2"].T)
        da[mask] = 0
        grads["W1"], grads["b1"] = np.dot(x.T, da), np.sum(da, axis=0)
        for name, g in grads.items():
            p[name] -= LEARNING_RATE * g
        return loss


class Eager:
    """The same network and step as a koubai graph."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.model = nn.Sequential(
            nn.Linear(784, 50, rng=rng), nn.ReLU(), nn.Linear(50, 10, rng=rng)
        )
        self.optimizer = optim.SGD(self.model.parameters(), lr=LEARNING_RATE)

    def params(self) -> dict[str, Any]:
        first, _, last = self.model
        return {"W1": first.W.data, "b1": first.b.data, "W2": last.W.data, "b2": last.b.data}

    def step(self, x: Any, t: Any) -> Any:
        self.optimizer.zero_grad()
        loss = koubai.softmax_cross_entropy(self.model(x), t)
        loss.backward()
        self.optimizer.step()
        return loss.data


def _data() -> tuple[Any, Any]:
    data = mnist()
    x = data.train_images.reshape(-1, 784).astype(np.float32) / np.float32(255)
    return x, data.train_labels.astype(np.int64)


def step() -> list[Row]:
    """Microseconds a step, batches drawn from the real MNIST; the losses of both must agree."""
    x, t = _data()
    eager = Eager(np.random.default_rng(0))
    by_hand = ByHand(eager.params())
    rng = np.random.default_rng(1)
    for _ in range(20):
        batch = rng.integers(0, len(x), 100)
        ours, theirs = eager.step(x[batch], t[batch]), by_hand.step(x[batch], t[batch])
        np.testing.assert_allclose(ours, theirs, rtol=1e-4)

    def run(network: Any) -> float:
        rng = np.random.default_rng(2)

        def steps() -> None:
            for _ in range(STEPS):
                batch = rng.integers(0, len(x), 100)
                network.step(x[batch], t[batch])

        return seconds(steps) / STEPS * 1e6

    a, b, spread = in_turns(lambda: run(eager), lambda: run(by_hand), rounds=11)
    return [Row("the notebooks' step, eager", a, b, "NumPy by hand", "µs/step", 1.25, spread)]


def numerical() -> list[Row]:
    """Milliseconds for all gradients of the notebooks' network on a batch of 3."""
    from koubai.book import TwoLayerNet, load_mnist

    (x, t), _ = load_mnist(normalize=True, one_hot_label=True)
    x, t = x[:3].astype(float), t[:3]
    network = TwoLayerNet(784, 50, 10, rng=np.random.default_rng(0))
    backprop, numerical = network.gradient(x, t), network.numerical_gradient(x, t)
    for name, g in backprop.items():
        np.testing.assert_allclose(g, numerical[name], atol=1e-6)
    a, b, spread = in_turns(
        lambda: seconds(lambda: network.gradient(x, t)) * 1e3,
        lambda: seconds(lambda: network.numerical_gradient(x, t)) * 1e3,
        rounds=3,
    )
    return [Row("all gradients, backpropagation", a, b, "numerical", "ms", None, spread)]
