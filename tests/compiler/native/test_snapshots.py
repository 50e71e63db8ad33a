"""New numbers are written over old ones only where nobody else can see it, on whatever way."""

from __future__ import annotations

import copy
import ctypes
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import koubai
from koubai import Variable, nn, optim

pytestmark = pytest.mark.native

X = np.random.default_rng(0).normal(size=(20, 6))
T = np.arange(20) % 3


class Training:
    """A model, its optimizer, and a compiled step in which all state can be written in place."""

    def __init__(self) -> None:
        self.model = nn.Linear(6, 3, rng=np.random.default_rng(0))
        self.model.W.data = self.model.W.data.astype(np.float64)
        self.model.b.data = self.model.b.data.astype(np.float64)
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.05)
        self.step = koubai.compile(self.train)
        for _ in range(3):
            self.step()

    def train(self) -> Any:
        loss = koubai.softmax_cross_entropy(self.model(X), T)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss


def ways() -> dict[str, Callable[[Variable], Any]]:
    """What somebody may keep of a parameter, as something that np.array can read."""
    pointer = ctypes.POINTER(ctypes.c_double)
    found: dict[str, Callable[[Variable], Any]] = {
        "the array": lambda p: p.data,
        "detach": lambda p: p.detach(),
        "a row": lambda p: p.data[0],
        "a row of the transpose": lambda p: p.data.T[1][1:],
        "reshape": lambda p: p.data.reshape(-1),
        "asarray": lambda p: np.asarray(p.data),
        "memoryview": lambda p: memoryview(p.data),
        "frombuffer": lambda p: np.frombuffer(p.data),
        "from_dlpack": lambda p: np.from_dlpack(p.data),
        "as_strided": lambda p: np.lib.stride_tricks.as_strided(p.data, (2,), (8,)),
        "ctypes": lambda p: np.ctypeslib.as_array(p.data.ctypes.data_as(pointer), p.shape),
        "from_buffer": lambda p: (ctypes.c_double * p.size).from_buffer(p.data),
        "flat": lambda p: p.data.flat,
        "another Variable": lambda p: Variable(p.data).data,
    }
    try:
        import torch
    except ImportError:
        return found
    return found | {"torch": lambda p: torch.from_numpy(p.data).numpy()}


def test_old_numbers_are_overwritten_where_nobody_holds_them() -> None:
    """Else the tests below would hold for nothing: the arrays of the state stay the same ones."""
    training = Training()
    before = training.model.W.data.__array_interface__["data"]
    training.step()
    assert training.model.W.data.__array_interface__["data"] == before


@pytest.mark.parametrize("name", ways())
def test_what_is_kept_does_not_change(name: str) -> None:
    """A snapshot of a parameter, a view or another library's array of it has its numbers still."""
    training = Training()
    p = training.model.W
    kept = []
    for _ in range(3):
        x = ways()[name](p)
        kept.append((x, np.array(x)))
        training.step()
    training.step()
    for x, numbers in kept:
        np.testing.assert_array_equal(np.array(x), numbers)
    assert not np.array_equal(np.array(kept[0][0]), np.array(kept[2][0])), "it has learnt"


def test_copies_of_a_model() -> None:
    """deepcopy, pickle and state_dict give models that further steps leave alone."""
    training = Training()
    model = training.model
    copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), copy.copy(model)]
    states = [copies[0].state_dict(), copies[1].state_dict(), model.state_dict()]
    numbers = model.W.data.copy()
    training.step()
    for state in states:
        np.testing.assert_array_equal(state["W"], numbers)
    assert copies[2].W is model.W, "a shallow copy has the same Variables, as in eager"
    model.load_state_dict(states[0])
    first = training.step()
    training.step()
    np.testing.assert_array_equal(states[0]["W"], numbers)
    np.testing.assert_allclose(
        first.data, koubai.softmax_cross_entropy(copies[0](X), T).data, rtol=1e-13
    )


def test_a_graph_that_was_made_before_a_step() -> None:
    """Its backward uses the parameters of then."""
    training = Training()
    v = Variable(X)
    y = koubai.sum(training.model(v))
    numbers = training.model.W.data.copy()
    training.step()
    training.step()
    y.backward()
    np.testing.assert_allclose(v.grad, np.broadcast_to(numbers.sum(axis=1), X.shape))
