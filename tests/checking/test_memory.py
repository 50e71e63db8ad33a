"""A check of a large subject takes the memory of some copies of it, not of one for each element."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from koubai import check
from koubai.checking import Report

COPIES = 60
"""Of the subject's numbers that a check may hold at once."""

N = 10_000


class Loss:
    """The sum of ``f``, with a gradient that is given."""

    def __init__(self, f: Any, df: Any) -> None:
        self.f, self.df = f, df

    def forward(self, x: Any) -> Any:
        self.x = x
        return np.sum(self.f(x))

    def backward(self, dout: Any) -> Any:
        return dout * self.df(self.x)


def peak_of(layer: Any, x: Any) -> tuple[Report, float]:
    """The report, and how many copies of x the check held at once."""
    check(layer, x[:10])  # imports SciPy
    tracemalloc.start()
    try:
        report = check(layer, x)
        return report, tracemalloc.get_traced_memory()[1] / x.nbytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("f", "df", "ok"),
    [
        (np.sin, np.cos, True),
        (np.sin, np.sin, False),
        (np.abs, lambda x: np.where(x > 1, 2.0, np.where(x == 0, 0.3, np.sign(x))), False),
    ],
    ids=["right", "wrong", "kinks"],
)
def test_memory(f: Any, df: Any, ok: bool) -> None:
    """Right, wrong everywhere, or with many kinks that are tried in pairs."""
    x = np.maximum(np.linspace(-2, 2, N), 0)
    report, copies = peak_of(Loss(f, df), x)
    assert report.ok == ok
    assert copies < COPIES


class Scale:
    """A multiple, of which the gradient is wrong."""

    def forward(self, x: Any) -> Any:
        return 3 * x

    def backward(self, dout: Any) -> Any:
        return 2 * dout


def test_memory_of_outputs() -> None:
    """As many outputs as inputs: SciPy's work on them is done in parts."""
    x = np.linspace(0.5, 2, N)
    report, copies = peak_of(Scale(), x)
    assert [f.what for f in report.failures] == ["x"]
    assert copies * x.nbytes < 250e6
