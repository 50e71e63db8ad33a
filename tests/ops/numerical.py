"""Derivatives by central differences, in random directions: the oracle for all gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Arrays = Sequence[Any]


def slope(f: Callable[..., Any], xs: Arrays, directions: Arrays, step: float = 1e-5) -> float:
    """The derivative of ``f(*xs)``, a number, along ``directions``."""

    def value(t: float) -> Any:
        return f(*[np.asarray(x + t * v) for x, v in zip(xs, directions, strict=True)])

    return float(value(step) - value(-step)) / (2 * step)


def assert_gradients(
    f: Callable[..., Any], xs: Arrays, gradients: Arrays, rng: np.random.Generator, where: str
) -> None:
    """``gradients`` are those of ``f(*xs)``, for each x by itself, in two random directions."""
    for i, (x, gx) in enumerate(zip(xs, gradients, strict=True)):
        assert gx.shape == x.shape, f"{where}: gradient {i} of shape {gx.shape}, not {x.shape}"
        for _ in range(2):
            v = rng.normal(size=x.shape)
            directions = [v if j == i else np.zeros(xs[j].shape) for j in range(len(xs))]
            numerical, ours = slope(f, xs, directions), float(np.sum(gx * v))
            # A sum of random signs may cancel: the terms' size is what rounding is relative to.
            scale = 1 + float(np.linalg.norm(gx) * np.linalg.norm(v))
            assert abs(numerical - ours) <= 1e-7 * scale, (
                f"{where}: the derivative along a random direction of input {i} is {ours},"
                f" numerically {numerical}"
            )
