"""What is in an array, in words: its range, and where it stops being finite."""

from __future__ import annotations

from typing import Any

import numpy as np

from koubai.arrays import NUMBERS, describe
from koubai.core.variable import array_of


def numbers_of(x: Any) -> Any:
    """The NumPy array of a Variable, an array or a number; None for other libraries' arrays."""
    x = array_of(x)
    return np.asarray(x) if isinstance(x, (np.ndarray, *NUMBERS)) else None


def has_nan(x: Any) -> bool:
    """Whether ``x`` holds NaN."""
    return _any(np.isnan, x)


def has_inf(x: Any) -> bool:
    """Whether ``x`` holds Inf, of either sign."""
    return _any(np.isinf, x)


def _any(test: Any, x: Any) -> bool:
    values = numbers_of(x)
    return values is not None and values.dtype.kind == "f" and bool(test(values).any())


def is_finite(x: Any) -> bool:
    """Whether ``x`` holds neither NaN nor Inf (nor numbers that can't be looked at)."""
    values = numbers_of(x)
    return values is None or values.dtype.kind != "f" or bool(np.isfinite(values).all())


def is_zero(x: Any) -> bool:
    """Whether all of ``x`` is 0."""
    values = numbers_of(x)
    return values is not None and not values.any()


def first_bad(x: Any) -> tuple[int, ...]:
    """Where ``x`` holds its first NaN; its first Inf if it holds no NaN."""
    values = numbers_of(x)
    bad = np.isnan(values)
    bad = bad if bad.any() else np.isinf(values)
    return tuple(int(i) for i in np.unravel_index(np.argmax(bad), values.shape))


def kind_of_bad(x: Any) -> str:
    """``NaN`` or ``Inf``, what is worse in ``x``."""
    return "NaN" if has_nan(x) else "Inf"


def range_of(x: Any) -> str:
    """Dtype, shape, the smallest and the largest finite number, and how many are not finite.

    >>> range_of(np.array([1.0, np.nan, 3.0, -np.inf]))
    'float64[4], from 1 to 3, 1 NaN, 1 Inf'
    """
    values = numbers_of(x)
    text = describe(array_of(x) if values is None else values)
    if values is None or values.size == 0 or values.dtype.kind not in "fiu":
        return text
    finite = values[np.isfinite(values)]
    if finite.size:
        low, high = finite.min(), finite.max()
        one = low == high and finite.size == values.size > 1
        text += f", all {low:.6g}" if one else f", from {low:.6g} to {high:.6g}"
    for name, test in (("NaN", np.isnan), ("Inf", np.isinf)):
        if count := int(test(values).sum()):
            text += f", {count} {name}"
    return text
