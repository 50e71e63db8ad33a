"""What the parameters of a layer are before training: random numbers of the right size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def he_uniform(
    shape: tuple[int, ...],
    fan_in: int,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> NDArray[Any]:
    """Weights for layers with rectifiers: uniform between -a and a, a = sqrt(6 / fan_in).

    Their variance is 2 / fan_in, which keeps the scale of activations from layer to layer when
    ReLU sets half of them to 0.

    Args:
        shape: of the weights.
        fan_in: how many inputs each output is computed from.
        rng: where the numbers come from; None for a generator with an unpredictable seed.
        dtype: of the result.

    Returns:
        An array of ``shape`` and ``dtype``.

    Raises:
        ValueError: if fan_in is less than 1.

    >>> rng = np.random.default_rng(0)
    >>> W = he_uniform((600, 50), fan_in=600, rng=rng)
    >>> W.dtype, bool(abs(W).max() <= 0.1)
    (dtype('float32'), True)

    Source: K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep into Rectifiers", ICCV 2015, eq. (10)
    """
    if fan_in < 1:
        raise ValueError(f"fan_in must be at least 1, got {fan_in}")
    bound = (6 / fan_in) ** 0.5
    return _generator(rng).uniform(-bound, bound, shape).astype(dtype)


def normal(
    shape: tuple[int, ...],
    std: float,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> NDArray[Any]:
    """Normally distributed weights of mean 0 and standard deviation ``std``.

    Args:
        shape: of the weights.
        std: the standard deviation, not negative.
        rng: where the numbers come from; None for a generator with an unpredictable seed.
        dtype: of the result.

    Returns:
        An array of ``shape`` and ``dtype``.

    Raises:
        ValueError: if std is negative.

    >>> rng = np.random.default_rng(0)
    >>> W = normal((784, 50), std=0.01, rng=rng)
    >>> W.shape, bool(0.0099 < W.std() < 0.0101)
    ((784, 50), True)
    """
    if not std >= 0:
        raise ValueError(f"std must not be negative, got {std}")
    return _generator(rng).normal(0.0, std, shape).astype(dtype)


def _generator(rng: np.random.Generator | None) -> np.random.Generator:
    return np.random.default_rng() if rng is None else rng
