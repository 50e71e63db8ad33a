"""What machine code is held against, where nothing magnifies roundings."""

from __future__ import annotations

from typing import Any

import numpy as np


def assert_close(actual: Any, expected: Any, units: float, where: str = "") -> None:
    """Floats differ by ``units`` of the last place of 1 + the largest of them; all else is equal.

    NaN is NaN, infinities are equal. Lists are compared element by element.
    """
    if isinstance(expected, list | tuple):
        for i, (x, y) in enumerate(zip(actual, expected, strict=True)):
            assert_close(x, y, units, f"{where}[{i}]")
        return
    x, y = np.asarray(actual), np.asarray(expected)
    assert (x.dtype, x.shape) == (y.dtype, y.shape), where
    if y.dtype.kind != "f":
        np.testing.assert_array_equal(x, y, err_msg=where)
        return
    largest = np.abs(y[np.isfinite(y)]).max(initial=0)
    far = units * np.finfo(y.dtype).eps * (1 + largest)
    np.testing.assert_allclose(x, y, rtol=0, atol=float(far), err_msg=where)
