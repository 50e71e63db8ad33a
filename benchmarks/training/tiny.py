"""tiny: 1-10-1 with sigmoid, batch 100, mean squared error, Adam. Nearly all of it is overhead.

A sine with noise is learnt. koubai and JAX are also timed by ``scan``, a thousand steps in one
call: there is no Python between their steps.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import koubai
from benchmarks.training.race import Result, race
from benchmarks.training.workload import Entrant, Parameters, Step, Workload, entrants
from koubai import nn, optim

LEARNING_RATE = 0.01
BATCHES = 20
SCANNED = 1000  # steps


def network() -> nn.Sequential:
    rng = np.random.default_rng(0)
    return nn.Sequential(nn.Linear(1, 10, rng=rng), nn.Sigmoid(), nn.Linear(10, 1, rng=rng))


def batches() -> list[tuple[Any, Any]]:
    """Batches of x (100, 1) and t (100, 1)."""
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 1, (BATCHES, 100, 1))
    t = np.sin(2 * np.pi * x) + rng.normal(0, 0.1, x.shape)
    return list(zip(x.astype(np.float32), t.astype(np.float32), strict=True))


def in_koubai(start: Parameters) -> Step:
    model = network()
    model.load_state_dict(start)
    optimizer = optim.Adam(model.parameters(), lr=LEARNING_RATE)

    def step(x: Any, t: Any) -> Any:
        optimizer.zero_grad()
        loss = koubai.mean_squared_error(model(x), t)
        loss.backward()
        optimizer.step()
        return loss

    return step


def in_koubai_scan(start: Parameters) -> Step:
    step = in_koubai(start)

    @koubai.compile
    def steps(x: Any, t: Any) -> Any:
        return koubai.scan(lambda carry, batch: (carry, step(*batch)), None, (x, t))[1]

    return steps


def in_pytorch(start: Parameters, compiled: bool = False) -> Step:
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(1, 10), nn.Sigmoid(), nn.Linear(10, 1))
    with torch.no_grad():
        for p, value in zip(model.parameters(), start.values(), strict=True):
            p.copy_(torch.from_numpy(value.T))  # PyTorch keeps W transposed
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)

    def loss_of(x: Any, t: Any) -> Any:
        return nn.functional.mse_loss(model(x), t)

    if compiled:
        loss_of = torch.compile(loss_of)

    def step(x: Any, t: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(x, t)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def _jax_update(state: Any, batch: Any) -> Any:
    """One step as a pure function: the next state, and the loss."""
    import jax

    from benchmarks.training import jax_adam

    def loss(params: Any) -> Any:
        x, t = batch
        W1, b1, W2, b2 = params
        y = jax.nn.sigmoid(x @ W1 + b1) @ W2 + b2
        return ((y - t) ** 2).mean()

    value, grads = jax.value_and_grad(loss)(state[0])
    return jax_adam.update(state, grads, LEARNING_RATE), value


def in_jax(start: Parameters) -> Step:
    import jax

    from benchmarks.training import jax_adam

    update = partial(jax.jit, donate_argnums=0)(_jax_update)
    state = jax_adam.start([jax.numpy.array(p) for p in start.values()])

    def step(x: Any, t: Any) -> Any:
        nonlocal state
        state, loss = update(state, (x, t))
        return loss

    return step


def in_jax_scan(start: Parameters) -> Step:
    import jax

    from benchmarks.training import jax_adam

    @partial(jax.jit, donate_argnums=0)
    def update(state: Any, batches: Any) -> Any:
        return jax.lax.scan(_jax_update, state, batches)

    state = jax_adam.start([jax.numpy.array(p) for p in start.values()])

    def steps(x: Any, t: Any) -> Any:
        nonlocal state
        state, losses = update(state, (x, t))
        return losses

    return steps


def scanned() -> list[tuple[Any, Any]]:
    """The same batches over and over as one, x and t (1000, 100, 1)."""
    x, t = (np.stack(arrays * (SCANNED // BATCHES)) for arrays in zip(*batches(), strict=True))
    return [(x, t)]


WORKLOAD = Workload(
    start=lambda: network().state_dict(),
    batches=batches,
    entrants=entrants(in_koubai, in_pytorch, in_jax)
    | {
        "koubai scan": Entrant(in_koubai_scan, "koubai", steps=SCANNED, batches=scanned),
        "JAX lax.scan": Entrant(in_jax_scan, "jax", steps=SCANNED, batches=scanned),
    },
)


def training() -> list[Result]:
    return race("tiny", WORKLOAD)
