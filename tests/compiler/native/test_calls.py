"""Calls of machine code: no Python between its pieces, and any number of threads."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from compiler.native.networks import deep

import koubai

pytestmark = pytest.mark.native

THREADS, CALLS = 4, 200


def _calls_of(f: Callable[..., Any], *args: Any) -> Counter[str]:
    """The functions that one call of ``f`` calls, Python's own and those in C, and how often."""
    found: Counter[str] = Counter()

    def note(frame: Any, event: str, argument: Any) -> None:
        if event == "call":
            found[frame.f_code.co_name] += 1
        elif event == "c_call":
            found[argument.__qualname__] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        f(*args)
    finally:
        sys.setprofile(before)
    return found


def test_python_calls_do_not_grow_with_the_network() -> None:
    """A step of eight hidden layers makes as many calls in Python as one of one; few."""
    counts = []
    for hidden in (1, 2, 8):
        training = deep(np.float32, hidden)
        step, batch = koubai.compile(training.step), training.batch(np.random.default_rng(0))
        for _ in range(3):
            step(*batch)
        counts.append(_calls_of(step, *batch))
    assert counts[0] == counts[1] == counts[2]
    assert counts[0].total() < 20, counts[0]


def test_a_step_calls_no_python() -> None:
    """From the call to the loss and the new state there is machine code alone."""
    training = deep(np.float32, 2)
    step, batch = koubai.compile(training.step), training.batch(np.random.default_rng(0))
    for _ in range(3):
        step(*batch)
    found = _calls_of(step, *batch)
    del found["setprofile"]  # which ends the count
    assert not found


def _in_threads(*works: Callable[[], Any]) -> None:
    """Run ``works`` at once, with frequent switches; raise the first error."""
    errors: list[BaseException] = []
    start = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> None:
        try:
            start.wait()
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    if errors:
        raise errors[0]


@pytest.mark.parametrize("way", ["in C order", "transposed", "by NumPy, in part", "mixed"])
def test_threads(way: str) -> None:
    """One function called at once from several threads: each gets the results of its arguments.

    Also where some calls hand over arrays that machine code can't take as they are, or the
    program has instructions that NumPy runs.
    """
    by_numpy = way == "by NumPy, in part"

    def f(x: Any, k: Any) -> Any:
        y = np.exp(x @ x.T / 100) * k
        y = np.linalg.inv(y + 500 * np.eye(64)) if by_numpy else y + y.sum(axis=0)
        return y.max(axis=1), x @ y

    compiled = koubai.compile(f)

    def work(number: int) -> None:
        rng = np.random.default_rng(number)
        x, k = rng.normal(size=(64, 64)), np.float64(number)
        if way == "transposed" or (way == "mixed" and number % 2):
            x = x.T
        expected = f(x, k)
        for _ in range(CALLS):
            for actual, y in zip(compiled(x, k), expected, strict=True):
                np.testing.assert_allclose(actual, y, rtol=1e-9)

    compiled(np.ones((64, 64)), np.float64(0))
    _in_threads(*[lambda number=number: work(number) for number in range(THREADS)])


def _misaligned(x: Any) -> Any:
    """The same numbers from an odd address on."""
    memory = np.empty(x.nbytes + 1, np.uint8)[1:]
    y = memory.view(x.dtype).reshape(x.shape)
    y[...] = x
    assert not y.flags.aligned
    return y


def _read_only(x: Any) -> Any:
    y = x.copy()
    y.flags.writeable = False
    return y


@pytest.mark.parametrize("by_numpy", [False, True])
def test_arguments_of_all_kinds(by_numpy: bool) -> None:
    """Views, arrays at odd addresses, one array twice: NumPy's results, the arguments unchanged."""

    def f(x: Any, y: Any, k: Any) -> Any:
        z = x * k + y.T
        return np.linalg.inv(z + 50 * np.eye(5)) if by_numpy else z

    compiled = koubai.compile(f)
    x = np.random.default_rng(0).normal(size=(5, 5))
    kinds = [x, x.T, np.repeat(x, 2, axis=1)[:, ::2], x[::-1], _misaligned(x), _read_only(x)]
    for a in kinds:
        for b in (a, *kinds):
            before = a.copy(), b.copy()
            for _ in range(2):
                y = compiled(a, b, np.float64(2))
                np.testing.assert_allclose(y, f(a, b, 2), rtol=1e-13, atol=1e-14)
                assert y.flags.c_contiguous
                assert y.flags.writeable
            np.testing.assert_array_equal((a, b), before)
