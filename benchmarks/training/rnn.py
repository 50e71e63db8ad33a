"""rnn: a tanh RNN over 50 steps that predicts the next character, batch 32, Adam.

65 characters, embedded in 128 dimensions, 128 hidden units, scores of the next character at each
step, softmax cross entropy over all 32 * 50 of them. The characters come from a random Markov
chain, so that there is something to learn.

Each framework in its own idiom: PyTorch's ``nn.RNN`` is a loop in C++ (which ``torch.compile``
leaves as it is), JAX's is ``lax.scan``, koubai's is written in Python, and with ``koubai.scan``. As
in PyTorch, the RNN has two biases, one for each of its products.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import koubai
from benchmarks.training.race import Result, race
from benchmarks.training.workload import (
    Entrant,
    Parameters,
    Step,
    Workload,
    bare,
    compiled,
    entrants,
)
from koubai import nn, optim

LEARNING_RATE = 0.001
CHARACTERS, WIDTH, BATCH, LENGTH = 65, 128, 32, 50


class CharRNN(nn.Module):
    def __init__(self, rng: np.random.Generator) -> None:
        self.embedding = nn.Parameter(nn.init.normal((CHARACTERS, WIDTH), 1.0, rng))
        self.input = nn.Linear(WIDTH, WIDTH, rng=rng)
        self.hidden = nn.Linear(WIDTH, WIDTH, rng=rng)
        self.output = nn.Linear(WIDTH, CHARACTERS, rng=rng)

    def forward(self, characters: Any) -> Any:
        """Characters (32, 50) to scores of the next ones (32 * 50, 65)."""
        x = self.input(koubai.embedding(characters, self.embedding))
        h = np.zeros((len(characters), WIDTH), np.float32)
        states = []
        for time in range(LENGTH):
            h = koubai.tanh(x[:, time] + self.hidden(h))
            states.append(h)
        return self.output(koubai.stack(states, axis=1).reshape(-1, WIDTH))


class ScanRNN(CharRNN):
    def forward(self, characters: Any) -> Any:
        """The same, by ``koubai.scan``: steps come first."""
        x = self.input(koubai.embedding(characters.T, self.embedding))

        def step(h: Any, x: Any) -> tuple[Any, Any]:
            h = koubai.tanh(x + self.hidden(h))
            return h, h

        h = np.zeros((len(characters), WIDTH), np.float32)
        _, states = koubai.scan(step, h, x)
        return self.output(koubai.permute_dims(states, (1, 0, 2)).reshape(-1, WIDTH))


def network(kind: type[CharRNN] = CharRNN) -> CharRNN:
    return kind(np.random.default_rng(0))


def batches() -> list[tuple[Any, Any]]:
    """Characters (32, 50), and for each the one that follows, (32 * 50,)."""
    rng = np.random.default_rng(1)
    follows = rng.integers(0, CHARACTERS, (CHARACTERS, 3))  # each has three that may follow it
    found = []
    for _ in range(20):
        text = [rng.integers(0, CHARACTERS, BATCH)]
        for _ in range(LENGTH):
            text.append(follows[text[-1], rng.integers(0, 3, BATCH)])
        columns = np.stack(text, axis=1)
        found.append((columns[:, :-1].copy(), columns[:, 1:].reshape(-1)))
    return found


def in_koubai(start: Parameters, kind: type[CharRNN] = CharRNN) -> Step:
    model = network(kind)
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

    class CharRNN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(CHARACTERS, WIDTH)
            self.rnn = nn.RNN(WIDTH, WIDTH, batch_first=True)
            self.output = nn.Linear(WIDTH, CHARACTERS)

        def forward(self, characters: Any) -> Any:
            states, _ = self.rnn(self.embedding(characters))
            return self.output(states.reshape(-1, WIDTH))

    model = CharRNN()
    ours = {  # PyTorch keeps W transposed
        "embedding.weight": start["embedding"],
        "rnn.weight_ih_l0": start["input.W"].T,
        "rnn.weight_hh_l0": start["hidden.W"].T,
        "rnn.bias_ih_l0": start["input.b"],
        "rnn.bias_hh_l0": start["hidden.b"],
        "output.weight": start["output.W"].T,
        "output.bias": start["output.b"],
    }
    model.load_state_dict({name: torch.from_numpy(value) for name, value in ours.items()})
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

    def loss(p: Any, characters: Any, t: Any) -> Any:
        x = p["embedding"][characters] @ p["input.W"] + p["input.b"]

        def cell(h: Any, x: Any) -> Any:
            h = jnp.tanh(x + h @ p["hidden.W"] + p["hidden.b"])
            return h, h

        # Unrolled by 5 it is a little faster than by 1 or by 50.
        first = jnp.zeros((BATCH, WIDTH))
        _, states = jax.lax.scan(cell, first, x.transpose(1, 0, 2), unroll=5)
        states = states.transpose(1, 0, 2).reshape(-1, WIDTH)
        y = jax.nn.log_softmax(states @ p["output.W"] + p["output.b"])
        return -jnp.take_along_axis(y, t[:, None], axis=1).mean()

    @partial(jax.jit, donate_argnums=0)
    def update(state: Any, x: Any, t: Any) -> Any:
        value, grads = jax.value_and_grad(loss)(state[0], x, t)
        return jax_adam.update(state, grads, LEARNING_RATE), value

    state = jax_adam.start({name: jnp.array(p) for name, p in start.items()})

    def step(x: Any, t: Any) -> Any:
        nonlocal state
        state, value = update(state, x, t)
        return value

    return step


def products() -> list[tuple[Any, Any]]:
    """Those of a step, as large as they can be: only the hidden states must wait for one another.

    The gradient of ``hidden.W`` is one product of all steps.
    """
    rng = np.random.default_rng(2)
    all_rows = BATCH * LENGTH
    pairs = []
    for outputs in (WIDTH, CHARACTERS):  # of ``input`` and ``output``
        x, W, dy = (
            rng.random(shape, np.float32)
            for shape in ((all_rows, WIDTH), (WIDTH, outputs), (all_rows, outputs))
        )
        pairs += [(x, W), (x.T, dy), (dy, W.T)]
    W = rng.random((WIDTH, WIDTH), np.float32)
    states, gradients = rng.random((2, LENGTH, BATCH, WIDTH), np.float32)
    pairs += [(h, W) for h in states[1:]]  # the first state is 0
    pairs += [(dh, W.T) for dh in gradients[1:]]
    flat = (LENGTH * BATCH, WIDTH)
    pairs.append((states.reshape(flat).T, gradients.reshape(flat)))
    return pairs


WORKLOAD = Workload(
    start=lambda: network().state_dict(),
    batches=batches,
    entrants=entrants(in_koubai, in_pytorch, in_jax)
    | {
        "koubai scan": Entrant(compiled(partial(in_koubai, kind=ScanRNN)), "koubai"),
        "bare products": bare(products),
    },
)


def training() -> list[Result]:
    return race("rnn", WORKLOAD)
