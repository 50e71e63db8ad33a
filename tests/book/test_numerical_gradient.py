"""numerical_gradient: central differences, in place, with nothing left changed."""

from typing import Any

import numpy as np
import pytest

from koubai import Variable
from koubai.book import numerical_gradient

Array = np.ndarray[Any, Any]


@pytest.mark.parametrize("seed", [0, 1])
def test_against_a_formula(seed: int) -> None:
    """Of sum(x^2 y) with a random y it is 2xy, in x's shape and dtype."""
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, 3, 4))
    gradient = numerical_gradient(lambda x: np.sum(x**2 * y), x)
    np.testing.assert_allclose(gradient, 2 * x * y, rtol=1e-7, atol=1e-9)
    assert gradient.dtype == np.float64


def test_step() -> None:
    """The step is 1e-4 to both sides: of x^3 it gives 3x^2 + 1e-8, and f is asked for both."""
    asked = []

    def cube(x: Any) -> Any:
        asked.append(float(x[0]))
        return x[0] ** 3

    gradient = numerical_gradient(cube, np.array([0.0]))
    assert asked == [1e-4, -1e-4]
    assert gradient[0] == pytest.approx(1e-8, rel=1e-9)


def test_in_place() -> None:
    """A function that reads the array itself, whatever its argument, is differentiated."""
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    gradient = numerical_gradient(lambda _: np.prod(x), x)
    np.testing.assert_allclose(gradient, [[24, 12], [8, 6]], rtol=1e-7)


def test_a_view() -> None:
    """Every other column of a larger array: that array's elements are changed, and restored."""
    whole = np.arange(12.0).reshape(3, 4)
    before = whole.copy()
    gradient = numerical_gradient(lambda _: np.sum(whole**2), whole[:, ::2])
    np.testing.assert_allclose(gradient, 2 * before[:, ::2], rtol=1e-7, atol=1e-9)
    np.testing.assert_array_equal(whole, before)


def test_x_is_restored_exactly() -> None:
    """Afterwards each element has the very bits that it had, not value + h - h."""
    x = np.array([0.1, 1e-9, 1e9, -0.0])
    before = x.tobytes()
    numerical_gradient(np.sum, x)
    assert x.tobytes() == before


@pytest.mark.parametrize("calls", range(4))
def test_x_is_restored_if_f_raises(calls: int) -> None:
    """Also when f raises, in any of its calls."""
    x = np.array([0.1, 0.2])
    counter = iter(range(4))

    def f(_: Any) -> float:
        if next(counter) == calls:
            raise RuntimeError("no value here")
        return 1.0

    with pytest.raises(RuntimeError, match="no value here"):
        numerical_gradient(f, x)
    assert x.tolist() == [0.1, 0.2]


def test_numbers() -> None:
    """A Python number, an integer too, is a real number: the derivative is a number."""
    for x in (3, 3.0, np.float64(3.0)):
        derivative = numerical_gradient(lambda x: x**2, x)
        assert isinstance(derivative, float)
        assert derivative == pytest.approx(6)


def test_an_array_of_no_axes() -> None:
    """A 0-d array is changed in place like any other, and the result is 0-d."""
    x = np.array(3.0)
    gradient = numerical_gradient(lambda _: x**2, x)
    assert isinstance(gradient, np.ndarray)
    assert gradient.shape == ()
    assert gradient == pytest.approx(6)
    assert x == 3.0


def test_values_of_one_element() -> None:
    """f may return an array of one element, or a Variable: a gradient check of a graph."""
    x = Variable([1.0, 2.0])
    np.testing.assert_allclose(numerical_gradient(lambda x: np.sum(x, keepdims=True), x.data), 1)
    numerical = numerical_gradient(lambda _: (x**3).sum(), x.data)
    (x**3).sum().backward()
    np.testing.assert_allclose(x.grad, numerical, rtol=1e-7)


def test_nothing_to_change() -> None:
    """An array without elements has a gradient without elements."""
    assert numerical_gradient(np.sum, np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize(
    "x",
    [np.array([1, 2]), np.array([True]), np.int64(3), np.array([1j]), True],
    ids=["integers", "booleans", "an integer", "complex", "True"],
)
def test_no_real_numbers(x: Any) -> None:
    """An integer array cannot take a small step: the error says what to write."""
    with pytest.raises((ValueError, TypeError), match=r"x = .*float"):
        numerical_gradient(np.sum, x)


def test_integers_are_refused_with_what_to_write() -> None:
    """The message names the dtype and shape and the line that helps; x is as it was."""
    x = np.array([1, 2])
    with pytest.raises(ValueError, match=r"int64\[2\].*x = x\.astype\(float\)"):
        numerical_gradient(np.sum, x)
    assert x.tolist() == [1, 2]


def test_too_few_digits() -> None:
    """float32 leaves next to no digits of a difference: refused in x and in f's result."""
    x = np.array([1.0, 2.0], dtype=np.float32)
    with pytest.raises(ValueError, match=r"float32\[2\].*x = x\.astype\(float\)"):
        numerical_gradient(np.sum, x)
    with pytest.raises(ValueError, match=r"f returned float32.*float64"):
        numerical_gradient(lambda x: np.sum(x, dtype=np.float32), x.astype(float))


def test_what_is_no_array() -> None:
    """A list cannot be changed by its caller's name, a Variable is not an array: errors."""
    with pytest.raises(TypeError, match=r"list.*np\.array\(x, dtype=float\)"):
        numerical_gradient(np.sum, [1.0, 2.0])
    with pytest.raises(TypeError, match=r"numerical_gradient\(f, x\.data\)"):
        numerical_gradient(np.sum, Variable([1.0, 2.0]))


def test_more_than_one_value() -> None:
    """f must return a single number; x is restored all the same."""
    x = np.array([1.0, 2.0])
    with pytest.raises(ValueError, match=r"one number, not float64\[2\]"):
        numerical_gradient(lambda x: 2 * x, x)
    assert x.tolist() == [1.0, 2.0]
