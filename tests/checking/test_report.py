"""The report: what it says as an object, and as text."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np
import pytest

from koubai import check
from koubai.checking import VOCABULARY, GradientError, Report


class Scale:
    """A factor of the gradient of x is wrong, and that of W is right."""

    def __init__(self) -> None:
        self.W, self.dW = np.array([[2.0, 3.0]]), np.zeros((1, 2))

    def forward(self, x: Any) -> Any:
        self.x = x
        return x * self.W

    def backward(self, dout: Any) -> Any:
        self.dW = (dout * self.x).sum(axis=0, keepdims=True)
        return 3 * dout * self.W


class Relu:
    """Right, but it writes into what it is given."""

    def forward(self, x: Any) -> Any:
        self.mask = x <= 0
        return np.where(self.mask, 0, x)

    def backward(self, dout: Any) -> Any:
        dout[self.mask] = 0
        return dout


@pytest.fixture
def wrong() -> Report:
    return check(Scale(), np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))


def test_a_failure(wrong: Report) -> None:
    """It says which gradient, where, the worst element, both numbers, the name, what to write."""
    (failure,) = wrong.failures
    assert failure.what == "x"
    line = inspect.getsourcelines(Scale.backward)[1]
    assert failure.where == f"test_report.py:{line}"
    assert failure.index is not None
    assert len(failure.index) == 2
    assert failure.found == pytest.approx(3 * failure.expected)
    assert failure.mistake == "factor"
    assert failure.advice == VOCABULARY["factor"]
    assert "all are 3 times the right ones" in failure.why


def test_the_whole(wrong: Report) -> None:
    """It names what was checked, with the numbers of elements, and is not ok."""
    assert wrong.name == "Scale"
    assert wrong.checked == {"x": 6, "W": 2}
    assert not wrong.ok
    assert not wrong.warnings


def test_the_text(wrong: Report) -> None:
    """The text has a line for each gradient, and a paragraph for each failure."""
    text = str(wrong)
    assert repr(wrong) == text
    assert re.search(r"^check of Scale, test_report.py:\d+$", text, re.MULTILINE)
    assert re.search(r"^  x  +6 elements  WRONG  factor$", text, re.MULTILINE)
    assert re.search(r"^  W  +2 elements  right$", text, re.MULTILINE)
    (failure,) = wrong.failures
    assert "the gradient of x is wrong: factor" in text
    for part in (failure.where, failure.why, failure.advice, f"[{failure.index[0]}, "):  # type: ignore[index]
        assert part in text
    assert f"expected {failure.expected:.6g}" in text
    assert f"found    {failure.found:.6g}" in text


def test_raise_if_failed(wrong: Report) -> None:
    """Raises an AssertionError with the report as its text; a report without failures is given."""
    with pytest.raises(GradientError) as raised:
        wrong.raise_if_failed()
    assert str(raised.value) == str(wrong)
    assert issubclass(GradientError, AssertionError)
    right = check(Relu(), np.array([1.0, -2.0]))
    assert right.raise_if_failed() is right


def test_a_warning() -> None:
    """A warning leaves the report ok, and says what, where and what to write."""
    report = check(Relu(), np.array([1.0, -2.0, 3.0]))
    assert report.ok
    assert not report.failures
    mutated = next(w for w in report.warnings if w.mistake == "upstream mutated")
    assert mutated.what == "upstream"
    assert mutated.where == f"test_report.py:{inspect.getsourcelines(Relu.backward)[1]}"
    assert mutated.advice == VOCABULARY["upstream mutated"]
    assert f"warning: {mutated.why}" in str(report)


def test_a_kink() -> None:
    """A point without a derivative is said to be one, with the slopes to both sides."""
    report = check(Relu(), np.array([1.0, 0.0]))
    assert report.ok
    assert "right; not differentiable here: at [1] the slope is" in str(report)


def test_the_same_each_time() -> None:
    """The same target, inputs and seed give the same report; another seed another."""
    first, again, other = (
        str(check(Scale(), np.array([[1.0, 2.0]]), seed=seed)) for seed in (0, 0, 1)
    )
    assert first == again != other
