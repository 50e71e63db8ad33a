"""Random functions on random worlds: compiled, they do to them what they do in eager."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from compiler.agree import assert_untraced
from compiler.random_worlds import canonical, random_function, random_world

import koubai
from koubai.compiler import TraceError


def outcome(f: Any, world: Any, x: Any) -> Any:
    """The result, or the kind of the exception."""
    try:
        return f(world, x)
    except Exception as error:
        return error


def run(seed: int) -> int:
    """Up to four calls on one world, which goes on changing; how many there were."""
    rng = np.random.default_rng(seed)
    world = random_world(rng)
    function = random_function(rng, world, 6)
    eager_world, compiled_world = deepcopy(world), deepcopy(world)
    compiled = koubai.compile(function)
    for call in range(4):
        x, y = np.arange(3.0) + call, np.arange(3.0) + call
        before = canonical([compiled_world, y])
        actual = outcome(compiled, compiled_world, y)
        assert_untraced((actual, compiled_world))
        expected = outcome(function, eager_world, x)
        if isinstance(expected, Exception) or isinstance(actual, TraceError):
            assert isinstance(actual, Exception), f"seed {seed}: {expected!r}"
            assert canonical([compiled_world, y]) == before, f"seed {seed}"
            return call
        assert not isinstance(actual, Exception), f"seed {seed}: {actual!r}"
        assert canonical([expected, eager_world, x]) == canonical([actual, compiled_world, y]), (
            f"seed {seed}, call {call}"
        )
    return call + 1


@pytest.mark.parametrize("block", range(10))
def test_random_worlds(block: int) -> None:
    """Results and world after each call, down to which object is which; or an error in both."""
    calls = [run(seed) for seed in range(block * 20, block * 20 + 20)]
    assert sum(calls) >= 25, calls
