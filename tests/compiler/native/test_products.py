"""Products that are scaled, and added to what else there is, in one call of BLAS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from compiler.native.close import assert_close

import koubai

pytestmark = pytest.mark.native


def _of_sums(x: Any, w: Any) -> Any:
    h = x @ w
    return h @ w + h


CASES: dict[str, Callable[[Any, Any], Any]] = {
    "a sum with a factor": _of_sums,
    "with the other": lambda x, w: (h := x @ w) + w @ h,
    "with both": lambda x, w: (h := x @ w) @ h - h,
    "less a product": lambda x, w: x @ w - (x * 2) @ w,
    "with a part": lambda x, w: (h := x @ w)[1:] + w[1:] @ w + h[0],
    "with the first part": lambda x, w: w[1:] @ w + (x @ w)[:-1],
    "with a transpose": lambda x, w: (h := x @ w).T + h @ w,
    "with a row": lambda x, w: x @ w + (w @ x)[0],
    "of many": lambda x, w: x @ w + w @ x + x @ x + w @ w + x,
    "scaled": lambda x, w: 0.5 * (x @ w) - 2 * (w @ x),
    "scaled and added": lambda x, w: x - 0.5 * (x @ w) + (x @ w) * -3,
    "used twice": lambda x, w: (h := x @ w) + (h + w @ x) * h,
    "of vectors": lambda x, w: x[0] @ w + w @ x[0] + (x[0] @ w) @ w,
    "of stacks": lambda x, w: np.stack([x, w]) @ np.stack([w, x]) + np.stack([x, x]) @ w,
    "divided": lambda x, w: (x @ w + x) / 4 + w,
}


@pytest.mark.parametrize("n", [1, 2, 5, 9, 300])
@pytest.mark.parametrize("case", CASES)
def test_sums_of_products(case: str, n: int) -> None:
    """As NumPy has them, also where BLAS can't write over what it still reads."""
    f, rng = CASES[case], np.random.default_rng(n)
    for dtype in (np.float32, np.float64):
        x, w = (rng.normal(size=(n, n)).astype(dtype) for _ in range(2))
        expected = f(x, w)
        assert_close(koubai.compile(f)(x, w), expected, 100 + n)
        inside = koubai.compile(lambda x, w, f=f: abs(f(x, w)))
        assert_close(inside(x, w), abs(expected), 100 + n)


@pytest.mark.parametrize("n", [2, 40])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("factor", [0.0, -0.0, 1.0, -2.0])
def test_what_is_not_finite_stays(factor: float, bad: float, n: int) -> None:
    """A NaN comes through every factor, zero too, which BLAS takes for "there is no product"."""
    x, w = (np.ones((n, n), np.float32) for _ in range(2))
    x[0, 0] = bad
    with np.errstate(invalid="ignore"):
        for f in (lambda x, w: factor * (x @ w), lambda x, w: w - factor * (x @ w)):
            np.testing.assert_array_equal(koubai.compile(f)(x, w), f(x, w))
