"""Two hundred steps of training, as machine code and eagerly: the same losses and parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from compiler.native.close import assert_close
from compiler.native.networks import NETWORKS, Training

import koubai

pytestmark = pytest.mark.native

STEPS = 200


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("network", NETWORKS)
def test_training(network: Callable[[Any], Training], dtype: Any) -> None:
    """The roundings of 200 steps are all that they differ by, while the loss falls by a third."""
    eager, native = network(dtype), network(dtype)
    step, rng = koubai.compile(native.step), np.random.default_rng(1)
    losses = []
    for _ in range(STEPS):
        batch = eager.batch(rng)
        losses.append((step(*batch), eager.step(*batch)))
        assert losses[-1][0].dtype == losses[-1][1].dtype == dtype
    ours, theirs = np.transpose(losses)
    assert_close(ours, theirs, 1000)
    assert_close(native.parameters(), eager.parameters(), 1000)
    assert theirs[-1] < 2 / 3 * theirs[0]
    assert all(compiled.native is not None for compiled in step.cache.compiled.values())
