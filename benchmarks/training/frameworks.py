"""What the race must know of each framework: its arrays, when it is done, how to read a loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Framework:
    """Attributes:
    array: from a NumPy array to one of the framework's.
    wait: until a result is there; JAX returns before it has computed, and all that one call
        returns is there at once.
    numbers: from a loss (or an array of them) to NumPy.
    """

    array: Callable[[Any], Any]
    wait: Callable[[Any], object]
    numbers: Callable[[Any], Any]


def _same(x: Any) -> Any:
    return x


def _koubai() -> Framework:
    return Framework(_same, _same, lambda loss: loss.data)


def _numpy() -> Framework:
    return Framework(_same, _same, np.asarray)


def _torch() -> Framework:
    import torch

    return Framework(torch.from_numpy, _same, lambda loss: loss.numpy())


def _jax() -> Framework:
    import jax

    return Framework(jax.numpy.asarray, jax.block_until_ready, np.asarray)


FRAMEWORKS = {"koubai": _koubai, "numpy": _numpy, "torch": _torch, "jax": _jax}  # import on call
