"""How good a model is."""

from __future__ import annotations

from koubai.arrays import Array
from koubai.datasets import batches
from koubai.nn import Module
from koubai.ops.constants import argmax, count_nonzero
from koubai.recording import no_grad


def accuracy(model: Module, x: Array, t: Array, batch_size: int = 1000) -> float:
    """The share of rows whose largest score is the right one's.

    The model is in its eval mode meanwhile, and afterwards in the modes that it was in.

    Args:
        model: a module that gives scores (B, C) for rows (B, ...).
        x: the rows, (N, ...), with N at least 1.
        t: the labels, (N,), integers.
        batch_size: how many rows are computed at once, which bounds the memory.

    Returns:
        A number from 0 to 1.

    Raises:
        ValueError: if there are no rows, or not one label for each.

    >>> import numpy as np
    >>> from koubai import nn
    >>> x = np.array([[0.9, 0.1], [0.2, 0.8]])
    >>> accuracy(nn.Sequential(), x, np.array([0, 0]))
    0.5
    """
    if len(x) != len(t) or len(x) == 0 or len(t.shape) != 1:
        raise ValueError(f"accuracy needs one label for each of {len(x)} rows, got {t.shape}")
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with no_grad():
            right = [
                int(count_nonzero(argmax(model(rows), axis=1) == labels))
                for rows, labels in batches(x, t, batch_size=batch_size)
            ]
    finally:
        for module, mode in modes:
            module.training = mode
    return sum(right) / len(x)
