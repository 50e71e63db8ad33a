"""mlp: the notebooks' step. 784-50-10 with ReLU, softmax cross entropy, SGD; batch 100.

The step is given all of MNIST and the numbers of the batch's rows, and gathers them itself.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import koubai
from benchmarks.training.race import Result, race
from benchmarks.training.workload import Entrant, Parameters, Step, Workload, entrants
from koubai import datasets, nn, optim

LEARNING_RATE = 0.1
BATCHES = 600


def network() -> nn.Sequential:
    rng = np.random.default_rng(0)
    return nn.Sequential(nn.Linear(784, 50, rng=rng), nn.ReLU(), nn.Linear(50, 10, rng=rng))


def mnist() -> tuple[Any, Any]:
    """Images (60000, 784), from 0 to 1, and labels (60000,)."""
    data = datasets.mnist()
    x = data.train_images.reshape(-1, 784).astype(np.float32)
    x /= 255
    return x, data.train_labels.astype(np.int64)


def batches() -> list[tuple[Any, Any, Any]]:
    """All images, all labels, and the rows of a batch (100,): an epoch, shuffled."""
    x, t = mnist()
    rows = np.random.default_rng(1).permutation(len(x)).reshape(BATCHES, 100)
    return [(x, t, batch) for batch in rows]


def in_koubai(start: Parameters) -> Step:
    model = network()
    model.load_state_dict(start)
    optimizer = optim.SGD(model.parameters(), lr=LEARNING_RATE)

    def step(x: Any, t: Any, rows: Any) -> Any:
        optimizer.zero_grad()
        loss = koubai.softmax_cross_entropy(model(x[rows]), t[rows])
        loss.backward()
        optimizer.step()
        return loss

    return step


def in_numpy(start: Parameters) -> Step:
    """Gradients written out, as the notebooks' people do it."""
    W1, b1, W2, b2 = (p.copy() for p in start.values())

    def step(x: Any, t: Any, rows: Any) -> Any:
        nonlocal W1, b1, W2, b2
        x, t = x[rows], t[rows]
        each = np.arange(len(t))
        h = x @ W1 + b1
        mask = h <= 0
        h[mask] = 0
        y = h @ W2 + b2
        y -= y.max(axis=1, keepdims=True)
        loss = (np.log(np.exp(y).sum(axis=1)) - y[each, t]).mean()

        dy = np.exp(y)
        dy /= dy.sum(axis=1, keepdims=True)
        dy[each, t] -= 1
        dy /= len(t)
        dh = dy @ W2.T
        dh[mask] = 0
        W2 -= LEARNING_RATE * (h.T @ dy)
        b2 -= LEARNING_RATE * dy.sum(axis=0)
        W1 -= LEARNING_RATE * (x.T @ dh)
        b1 -= LEARNING_RATE * dh.sum(axis=0)
        return loss

    return step


def in_pytorch(start: Parameters, compiled: bool = False) -> Step:
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(784, 50), nn.ReLU(), nn.Linear(50, 10))
    with torch.no_grad():
        for p, value in zip(model.parameters(), start.values(), strict=True):
            p.copy_(torch.from_numpy(value.T))  # PyTorch keeps W transposed
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, fused=True)

    def loss_of(x: Any, t: Any, rows: Any) -> Any:
        return nn.functional.cross_entropy(model(x[rows]), t[rows])

    if compiled:
        loss_of = torch.compile(loss_of)

    def step(x: Any, t: Any, rows: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(x, t, rows)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def in_jax(start: Parameters) -> Step:
    import jax
    import jax.numpy as jnp

    def loss(params: Any, x: Any, t: Any) -> Any:
        W1, b1, W2, b2 = params
        y = jax.nn.log_softmax(jax.nn.relu(x @ W1 + b1) @ W2 + b2)
        return -jnp.take_along_axis(y, t[:, None], axis=1).mean()

    @partial(jax.jit, donate_argnums=0)
    def update(params: Any, x: Any, t: Any, rows: Any) -> Any:
        value, grads = jax.value_and_grad(loss)(params, x[rows], t[rows])
        return [p - LEARNING_RATE * g for p, g in zip(params, grads, strict=True)], value

    params = [jnp.array(p) for p in start.values()]

    def step(x: Any, t: Any, rows: Any) -> Any:
        nonlocal params
        params, value = update(params, x, t, rows)
        return value

    return step


WORKLOAD = Workload(
    start=lambda: network().state_dict(),
    batches=batches,
    entrants=entrants(in_koubai, in_pytorch, in_jax)
    | {"NumPy by hand": Entrant(in_numpy, "numpy")},
)


def training() -> list[Result]:
    return race("mlp", WORKLOAD)
