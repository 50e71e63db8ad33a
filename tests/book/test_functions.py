"""softmax and cross_entropy_error: the book's numbers, and no guess about wrong input."""

from typing import Any

import numpy as np
import pytest

import koubai
from koubai import Variable
from koubai.book import cross_entropy_error, numerical_gradient, softmax

Array = np.ndarray[Any, Any]

PROBABILITIES = np.array([0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0])


@pytest.mark.parametrize("seed", [0, 1])
def test_softmax(seed: int) -> None:
    """Rows of exp(x) / sum(exp(x)), of a matrix and of a single vector."""
    x = np.random.default_rng(seed).standard_normal((4, 3))
    expected = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax(x), expected, rtol=1e-14)
    np.testing.assert_allclose(softmax(x[0]), expected[0], rtol=1e-14)


def test_softmax_at_the_extremes() -> None:
    """Scores of 1e4 in float32 give probabilities of float32, no overflow."""
    y = softmax(np.array([1e4, 0.0, -1e4], dtype=np.float32))
    assert y.tolist() == [1, 0, 0]
    assert y.dtype == np.float32


def test_softmax_of_a_variable() -> None:
    """On a Variable it is koubai.softmax, with a history."""
    x, other = Variable([[1.0, 2.0, 4.0]]), Variable([[1.0, 2.0, 4.0]])
    weights = np.array([[1.0, -2.0, 0.5]])
    (softmax(x) * weights).sum().backward()
    (koubai.softmax(other) * weights).sum().backward()
    np.testing.assert_array_equal(x.grad, other.grad)


def test_the_books_numbers() -> None:
    """The two losses that chapter 4 prints, -log(0.6 + 1e-7) and -log(0.1 + 1e-7)."""
    one_hot = np.eye(10)[2]
    assert str(cross_entropy_error(PROBABILITIES, one_hot)) == "0.510825457099338"
    assert str(cross_entropy_error(np.roll(PROBABILITIES, 5), one_hot)) == "2.302584092994546"


@pytest.mark.parametrize("t", [2, np.int64(2), np.array(2), np.array([2]), np.eye(10)[2]])
def test_a_single_example(t: Any) -> None:
    """One row of probabilities takes a label, in any form, or a one-hot row."""
    assert str(cross_entropy_error(PROBABILITIES, t)) == "0.510825457099338"


@pytest.mark.parametrize("seed", [0, 1])
def test_labels_and_one_hot_rows(seed: int) -> None:
    """Labels and one-hot rows give the same mean of -log(y at the label + 1e-7)."""
    rng = np.random.default_rng(seed)
    y, t = softmax(rng.standard_normal((5, 3))), rng.integers(3, size=5)
    expected = -np.mean(np.log(y[np.arange(5), t] + 1e-7))
    for targets in (t, t.astype(np.uint8), np.eye(3)[t], np.eye(3, dtype=int)[t], t.tolist()):
        assert cross_entropy_error(y, targets) == pytest.approx(expected, rel=1e-14)


def test_a_probability_of_zero() -> None:
    """An answer that was held for impossible costs -log(1e-7), never inf; nor 0 * inf = nan."""
    y = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert cross_entropy_error(y, np.array([1, 1])) == pytest.approx(-np.log(1e-7))
    assert cross_entropy_error(y, np.array([0, 0])) == pytest.approx(0, abs=1e-6)
    assert np.isfinite(cross_entropy_error(y.astype(np.float32), np.array([1, 0])))
    assert cross_entropy_error(y.astype(int), np.array([0, 1])) > 8


def test_float32_stays() -> None:
    """Probabilities of float32 give a loss of float32."""
    y = softmax(np.zeros((2, 3), dtype=np.float32))
    assert cross_entropy_error(y, np.array([0, 1])).dtype == np.float32


@pytest.mark.parametrize("seed", [0, 1])
def test_derivative(seed: int) -> None:
    """On a Variable it is differentiated: against differences, of scores through softmax."""
    rng = np.random.default_rng(seed)
    x, t = Variable(rng.standard_normal((4, 3))), rng.integers(3, size=4)
    cross_entropy_error(softmax(x), t).backward()
    expected = numerical_gradient(lambda a: cross_entropy_error(softmax(a), t), x.data)
    np.testing.assert_allclose(x.grad, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("y", "t", "message"),
    [
        (np.full((2, 3), 1 / 3), np.array([0, 3]), "between 0 and 2"),
        (np.full((2, 3), 1 / 3), np.array([0, -1]), "between 0 and 2"),
        (np.full((2, 3), 1 / 3), np.array([0, 1, 2]), r"shape \(2,\)"),
        (np.full((2, 3), 1 / 3), np.array([[0], [1]]), r"shape \(2,\)"),
        (np.full((2, 3), 1 / 3), np.array([0.0, 1.0]), r"shape \(2,\)"),
        (np.full((2, 3), 1 / 3), 1, r"shape \(2,\)"),
        (np.full((2, 3), 1 / 3), np.eye(3)[0], r"shape \(2,\)"),
        (np.full(3, 1 / 3), np.array([0, 1]), r"shape \(1,\)"),
        (np.full(3, 1 / 3), 3, "between 0 and 2"),
        (np.full((2, 3, 1), 1 / 3), np.array([0, 1]), r"float64\[2, 3, 1\]"),
        (np.zeros((0, 3)), np.zeros(0, dtype=int), r"float64\[0, 3\]"),
        (0.5, 0, "must be probabilities"),
        (np.array([[2.0, 1.0]]), np.array([0]), "softmax"),
        (np.array([[0.5, -0.5]]), np.array([0]), "softmax"),
        (np.array([[0.5, np.nan]]), np.array([0]), "softmax"),
    ],
)
def test_bad_input_is_refused(y: Any, t: Any, message: str) -> None:
    """Labels out of range or of the wrong length, other shapes, and scores are errors."""
    with pytest.raises(ValueError, match=message):
        cross_entropy_error(y, t)
