"""mlp1k: 784-1024-1024-10 with ReLU, softmax cross entropy, Adam; batch 256 of MNIST.

Products of large matrices take most of it; they are timed by themselves as well.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

import koubai
from benchmarks.training.mlp import mnist
from benchmarks.training.race import Result, race
from benchmarks.training.workload import Parameters, Step, Workload, bare, entrants
from koubai import nn, optim

LEARNING_RATE = 0.001
BATCH = 256
SIZES = (784, 1024, 1024, 10)


def network() -> nn.Sequential:
    rng = np.random.default_rng(0)
    first, second, last = (nn.Linear(n, m, rng=rng) for n, m in pairwise(SIZES))
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last)


def batches() -> list[tuple[Any, Any]]:
    """Images (256, 784) and labels (256,)."""
    x, t = mnist()
    rows = np.random.default_rng(1).permutation(len(x))[: 20 * BATCH].reshape(20, BATCH)
    return [(x[batch], t[batch]) for batch in rows]


def in_koubai(start: Parameters) -> Step:
    model = network()
    model.load_state_dict(start)
    optimizer = optim.Adam(model.parameters(), lr=LEARNING_RATE)

    def step(x: Any, t: Any) -> Any:
        optimizer.zero_grad()
        loss = koubai.softmax_cross_entropy(model(x), t)
        loss.backward()
        optimizer.step()
        return loss

    return step


def in_pytorch(start: Parameters, compiled: bool = False) -> Step:
    import torch
    from torch import nn

    first, second, last = (nn.Linear(n, m) for n, m in pairwise(SIZES))
    model = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last)
    with torch.no_grad():
        for p, value in zip(model.parameters(), start.values(), strict=True):
            p.copy_(torch.from_numpy(value.T))  # PyTorch keeps W transposed
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)

    def loss_of(x: Any, t: Any) -> Any:
        return nn.functional.cross_entropy(model(x), t)

    if compiled:
        loss_of = torch.compile(loss_of)

    def step(x: Any, t: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(x, t)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def in_jax(start: Parameters) -> Step:
    import jax
    import jax.numpy as jnp

    from benchmarks.training import jax_adam

    def loss(params: Any, x: Any, t: Any) -> Any:
        W1, b1, W2, b2, W3, b3 = params
        h = jax.nn.relu(x @ W1 + b1)
        h = jax.nn.relu(h @ W2 + b2)
        y = jax.nn.log_softmax(h @ W3 + b3)
        return -jnp.take_along_axis(y, t[:, None], axis=1).mean()

    @partial(jax.jit, donate_argnums=0)
    def update(state: Any, x: Any, t: Any) -> Any:
        value, grads = jax.value_and_grad(loss)(state[0], x, t)
        return jax_adam.update(state, grads, LEARNING_RATE), value

    state = jax_adam.start([jnp.array(p) for p in start.values()])

    def step(x: Any, t: Any) -> Any:
        nonlocal state
        state, value = update(state, x, t)
        return value

    return step


def products() -> list[tuple[Any, Any]]:
    """x @ W, x.T @ dy and dy @ W.T of each layer; the gradient of the images is not asked for."""
    rng = np.random.default_rng(2)
    pairs = []
    for n, m in pairwise(SIZES):
        x, W, dy = (rng.random(shape, np.float32) for shape in ((BATCH, n), (n, m), (BATCH, m)))
        pairs += [(x, W), (x.T, dy), (dy, W.T)]
    del pairs[2]
    return pairs


WORKLOAD = Workload(
    start=lambda: network().state_dict(),
    batches=batches,
    entrants=entrants(in_koubai, in_pytorch, in_jax) | {"bare products": bare(products)},
)


def training() -> list[Result]:
    return race("mlp1k", WORKLOAD)
