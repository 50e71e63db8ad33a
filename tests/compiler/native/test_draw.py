"""Random numbers in machine code are NumPy's Philox to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiler.native.one import Written, both

import koubai
from koubai import random
from koubai.compiler.kernels import Fallback

pytestmark = pytest.mark.native


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (4,), (5, 7), (3, 0), (1027,)])
@pytest.mark.parametrize("counter", [0, 7, 2**63, 2**64 - 3, 2**64 - 1])
def test_uniform(counter: int, shape: Any, dtype: str) -> None:
    """Blocks of four and what is left; the counter overflows into its second word."""
    seed = int(np.random.default_rng().integers(2**32))
    print("seed", seed)
    key = np.random.default_rng(seed).integers(0, 2**64, 2, np.uint64)
    start = np.asarray(counter, np.uint64)
    actual, expected = both("random_uniform", key, start, shape=shape, dtype=dtype)
    np.testing.assert_array_equal(actual, expected, strict=True)


def test_a_view_as_key() -> None:
    """Which does not lie in one piece."""
    w = Written(np.array([[1, 2], [3, 4]], np.uint64), np.array([5, 6], np.uint64))
    key = w.emit("getitem", 0, index=(slice(None, None, -1), 1))
    counter = w.emit("getitem", 1, index=(1,))
    (actual,), (expected,) = w.results(
        w.emit("random_uniform", key, counter, shape=(9,), dtype="float64")
    )
    np.testing.assert_array_equal(actual, expected, strict=True)


def test_dropout_is_one_native_call() -> None:
    """Nothing of it is left to NumPy, and the stream goes on as it does eagerly."""
    x = np.linspace(-1, 1, 50, dtype=np.float32).reshape(5, 10)
    one, two = random.Generator(3), random.Generator(3)

    def drop(generator: random.Generator) -> Any:
        return random.dropout(koubai.Variable(x), 0.3, generator=generator).data

    compiled = koubai.compile(drop)
    for _ in range(5):
        np.testing.assert_array_equal(compiled(one), drop(two), strict=True)
    for found in compiled.cache.compiled.values():
        assert found.native is not None
        assert not found.native.later
        assert not any(isinstance(k, Fallback) for k in found.native.plan.kernels)
    assert one.counter == two.counter
