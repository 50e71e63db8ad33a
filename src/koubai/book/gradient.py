"""``numerical_gradient``: the slow derivative that the fast one is held against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koubai.arrays import describe, is_floating
from koubai.core import Variable
from koubai.core.variable import array_of

H = 1e-4


def numerical_gradient(f: Callable[[Any], Any], x: Any) -> Any:
    """The derivatives of ``f`` by central differences: (f(x + h) - f(x - h)) / 2h, h = 1e-4.

    Each element of ``x`` is changed in place, f is called, and the element gets its value back
    (also if f raises). So f may read the array itself rather than its argument, as
    ``lambda _: net.loss(x, t)`` reads ``net.params["W1"]``.

    Args:
        f: a function that returns a single number: a number, an array or Variable of one element.
        x: an array of float64 of any shape, or a number.

    Returns:
        An array of x's shape and dtype; for a number, a number.

    Raises:
        ValueError: if x holds no real numbers, or x or f(x) has fewer digits than float64: in
            float32 a step of 1e-4 leaves three or four digits of a derivative at best, often
            none. If f returns more than one number.
        TypeError: if x is not an array: a list, a Variable.

    Source: K. Saitoh, "Deep Learning from Scratch", O'Reilly Japan 2016, section 4.3.

    >>> x = np.array([3.0, 4.0])
    >>> numerical_gradient(lambda x: np.sum(x**2), x).round(6)
    array([6., 8.])
    """
    _check(x)
    if not isinstance(x, np.ndarray):
        return (_value(f, x + H) - _value(f, x - H)) / (2 * H)
    gradient: NDArray[Any] = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        value = x[index]
        try:
            x[index] = value + H
            above = _value(f, x)
            x[index] = value - H
            below = _value(f, x)
        finally:
            x[index] = value
        gradient[index] = (above - below) / (2 * H)
    return gradient


def _check(x: Any) -> None:
    if type(x) in (float, int):
        return
    if isinstance(x, Variable):
        raise TypeError(
            "numerical_gradient: x is a Variable; write numerical_gradient(f, x.data), whose"
            " elements are changed in place"
        )
    if not isinstance(x, np.ndarray | np.generic):
        raise TypeError(
            f"numerical_gradient: x must be an array or a number, not {describe(x)}; write"
            " x = np.array(x, dtype=float)"
        )
    if not is_floating(x):
        raise ValueError(
            f"numerical_gradient: x is {describe(x)}, which cannot take a step of {H}; write"
            " x = x.astype(float)"
        )
    if _is_coarse(x):
        raise ValueError(
            f"numerical_gradient: x is {describe(x)}, too few digits for a step of {H}; write"
            " x = x.astype(float)"
        )


def _value(f: Callable[[Any], Any], x: Any) -> Any:
    """f(x), one number."""
    y = np.asarray(array_of(f(x)))
    if y.size != 1:
        raise ValueError(f"numerical_gradient: f must return one number, not {describe(y)}")
    if is_floating(y) and _is_coarse(y):
        raise ValueError(
            f"numerical_gradient: f returned {describe(y)}, too few digits for a step of {H};"
            " compute in float64"
        )
    return y.item()


def _is_coarse(x: Any) -> bool:
    return bool(np.finfo(x.dtype).eps > np.finfo(np.float64).eps)
