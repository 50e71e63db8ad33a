"""``softmax`` and ``cross_entropy_error`` of rows, or of a single example."""

from __future__ import annotations

from typing import Any

import numpy as np

from koubai import arrays
from koubai.arrays import Array, describe, is_array, namespace, raise_unless
from koubai.ops.losses import as_targets

# The book's: log(0) would be -inf, and the loss of an impossible answer is now 16.1.
DELTA = 1e-7
# How far above 1 a probability may be for want of digits.
ROUNDING = 1e-3


def softmax(x: Any) -> Array:
    """Probabilities from scores: exp(x_i) / sum_j exp(x_j) along the last axis; no overflow.

    Args:
        x: scores, (C,) or rows of them, (N, C): an array (or a Variable, to be differentiated).

    Returns:
        Probabilities, of x's shape; of x's dtype, float64 for integers.

    >>> softmax(np.array([1.0, 1.0]))
    array([0.5, 0.5])
    """
    return arrays.softmax(_as_array(x), axis=-1)


def cross_entropy_error(y: Any, t: Any) -> Array:
    """The mean cross entropy -(1/N) sum_n log(y[n, t_n] + 1e-7) of probabilities.

    For scores, use ``SoftmaxWithLoss``, which needs no 1e-7.

    Args:
        y: probabilities, (N, C), or (C,) for a single example: an array (or a Variable, to be
            differentiated).
        t: labels, integers from 0 to C - 1, (N,), or one for a single example; or targets of y's
            shape, one-hot for instance.

    Returns:
        One number, finite also where y is 0.

    Raises:
        ValueError: for other shapes (nothing is broadcast), labels out of range, and a y that is
            not all between 0 and 1 (scores, or NaN).

    Source: K. Saitoh, "Deep Learning from Scratch", O'Reilly Japan 2016, section 4.2.

    >>> y = np.array([0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0])
    >>> print(cross_entropy_error(y, 2))
    0.510825457099338
    """
    y, t = _as_array(y), _as_array(t)
    if len(y.shape) not in (1, 2) or 0 in y.shape:
        raise ValueError(
            f"cross_entropy_error: y is {describe(y)}, and must be probabilities (N, C) or (C,)"
        )
    xp = namespace(y)
    raise_unless(
        xp.all((y >= 0) & (y <= 1 + ROUNDING)),
        "cross_entropy_error: y must be probabilities, between 0 and 1; for scores x write"
        " cross_entropy_error(softmax(x), t)",
    )
    if len(y.shape) == 1:
        t = namespace(t).reshape(t, (1, -1)) if t.shape == y.shape else t
        t = namespace(t).reshape(t, (1,)) if t.shape == () else t
        y = xp.reshape(y, (1, -1))
    y = y + DELTA
    return -xp.sum(as_targets(y, t) * xp.log(y)) / y.shape[0]


def _as_array(x: Any) -> Array:
    return x if is_array(x) else np.asarray(x)
