"""A call of machine code leaves nothing behind."""

from __future__ import annotations

import gc
import os
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compiler.native.networks import tiny

import koubai

pytestmark = pytest.mark.native

STATUS = Path("/proc/self/statm")


@pytest.mark.skipif(not STATUS.exists(), reason="there is no /proc here")
def test_a_hundred_thousand_calls() -> None:
    """The process does not grow, with the garbage collector off; not by ten bytes a call."""
    training = tiny(np.float32)
    step, (x, t) = koubai.compile(training.step), training.batch(np.random.default_rng(0))
    resident = []
    gc.collect()
    gc.disable()
    try:
        for i in range(100_001):
            step(x, t)
            if i % 50_000 == 0 and i:
                pages = int(STATUS.read_text().split()[1])
                resident.append(pages * os.sysconf("SC_PAGE_SIZE"))
    finally:
        gc.enable()
    assert resident[1] - resident[0] < 500_000, resident


def test_references() -> None:
    """What is not made anew has as many references after a thousand calls as before."""
    training = tiny(np.float32)
    step, (x, t) = koubai.compile(training.step), training.batch(np.random.default_rng(0))
    for _ in range(3):
        step(x, t)
    watched = [x, t, x.dtype, np.ndarray, training.step, step, None, *training.parameters()]
    counts = [[sys.getrefcount(x) for x in watched]]
    for n in (10, 1000):
        for _ in range(n):
            step(x, t)
        del _
        counts.append([sys.getrefcount(x) for x in watched])
    assert counts[1] == counts[2]


@pytest.mark.parametrize("way", ["in C order", "transposed", "by NumPy, in part"])
def test_nothing_is_kept_of_a_call(way: str) -> None:
    """Neither arguments nor results, whichever way the program is run."""

    @koubai.compile
    def f(x: Any) -> Any:
        return np.linalg.inv(x) * 2 if "NumPy" in way else x * 2

    for _ in range(3):
        x = np.eye(3) + 1
        y = f(x.T if way == "transposed" else x)
    kept = [weakref.ref(x), weakref.ref(y)]
    del x, y
    assert [ref() for ref in kept] == [None, None]
