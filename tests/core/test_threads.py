"""Two threads may build and differentiate graphs at the same time."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from core.random_graphs import random_graph

import koubai
from koubai import Variable


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:
    """Threads take turns every few bytecodes, so that a race would show."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def _together(*functions: Callable[[], Any]) -> list[Any]:
    """The functions' results, run at the same time, a thread for each."""
    barrier = threading.Barrier(len(functions))

    def run(function: Callable[[], Any]) -> Any:
        barrier.wait()
        return function()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(run, functions))


def _gradients(seeds: range) -> list[Any]:
    found = []
    for seed in seeds:
        leaves, y = random_graph(seed)
        y.backward()
        found += [leaf.grad for leaf in leaves]
    return found


def test_graphs_in_two_threads() -> None:
    """The gradients are those of one thread, to the bit."""
    parts = [range(60), range(60, 120)]
    expected = [_gradients(part) for part in parts]
    results = _together(*[lambda part=part: _gradients(part) for part in parts])
    for ours, alone in zip(results, expected, strict=True):
        for a, b in zip(ours, alone, strict=True):
            np.testing.assert_array_equal(a, b)


def test_no_grad_in_one_of_two_threads() -> None:
    """One records while the other is inside no_grad(), in and out a thousand times."""

    def records() -> bool:
        x = Variable(2.0)
        return all((x * x).creator is not None for _ in range(5000))

    def does_not() -> bool:
        x, silent = Variable(2.0), True
        for _ in range(1000):
            with koubai.no_grad():
                silent &= all((x * x).creator is None for _ in range(5))
            silent &= (x * x).creator is not None
        return silent

    assert _together(records, does_not) == [True, True]


def test_a_shared_parameter() -> None:
    """Two threads differentiate graphs of one leaf; grad() gives each its own gradient."""
    W = Variable(np.arange(6.0).reshape(2, 3))

    def work(scale: float) -> Callable[[], Any]:
        def run() -> list[Any]:
            loss = koubai.grad(lambda W: (W * W).sum() * scale)
            return [koubai.asarray(loss(W)) for _ in range(200)]

        return run

    for scale, gradients in zip((1.0, 3.0), _together(work(1.0), work(3.0)), strict=True):
        for gradient in gradients:
            np.testing.assert_array_equal(gradient, 2 * W.data * scale)
    assert W.grad is None
