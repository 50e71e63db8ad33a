"""What the standard's sorting has more than NumPy's, ``one_hot``, and indices by library."""

from typing import Any

import array_api_strict
import numpy as np
import pytest

import koubai
from koubai import Variable

ROWS = np.array([[2.0, 1.0, 2.0, 0.0], [1.0, 1.0, 3.0, 1.0]])


@pytest.mark.parametrize("wrap", [np.asarray, array_api_strict.asarray])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("axis", [-1, 0])
def test_argsort_and_sort(axis: int, descending: bool, wrap: Any) -> None:
    """Equal elements keep their order, also from the largest down, as in array-api-strict."""
    strict = array_api_strict.asarray(ROWS)
    x = Variable(wrap(ROWS))
    order = koubai.argsort(x, axis=axis, descending=descending)
    assert not isinstance(order, Variable)
    expected = array_api_strict.argsort(strict, axis=axis, descending=descending)
    np.testing.assert_array_equal(np.asarray(order), np.asarray(expected))
    y = koubai.sort(x, axis=axis, descending=descending)
    expected = array_api_strict.sort(strict, axis=axis, descending=descending)
    np.testing.assert_array_equal(np.asarray(y.data), np.asarray(expected))
    assert type(y.data) is type(x.data)

    gy = np.arange(8.0).reshape(2, 4)
    y.backward(wrap(gy))
    gx = np.zeros((2, 4))
    np.put_along_axis(gx, np.asarray(order), gy, axis)
    np.testing.assert_array_equal(np.asarray(x.grad), gx)


def test_numpys_argsort_of_a_variable() -> None:
    """np.argsort(v) is the array of numbers."""
    order = np.argsort(Variable(ROWS), axis=0)
    np.testing.assert_array_equal(order, np.argsort(ROWS, axis=0, stable=True))


@pytest.mark.parametrize("wrap", [np.asarray, array_api_strict.asarray])
def test_one_hot(wrap: Any) -> None:
    """A row for each number, of any shape, in any dtype; the inverse of argmax."""
    t = np.array([[2, 0], [1, 2]])
    rows = np.asarray(koubai.one_hot(wrap(t), 3))
    assert (rows.shape, rows.dtype) == ((2, 2, 3), np.float64)
    np.testing.assert_array_equal(rows.argmax(-1), t)
    np.testing.assert_array_equal(rows.sum(-1), 1)
    assert koubai.one_hot(Variable(t), 3, dtype=np.float32).dtype == np.float32
    np.testing.assert_array_equal(koubai.one_hot(1, 3), [0, 1, 0])
    assert np.flatnonzero(koubai.one_hot(np.array([2], np.uint8), 300)).tolist() == [2]


RANGED: dict[str, Any] = {
    "labels": lambda t: koubai.softmax_cross_entropy(np.zeros((4, 3)), t),
    "numbers of rows": lambda t: koubai.embedding(t, np.zeros((3, 2))),
    "one_hot": lambda t: koubai.one_hot(t, 3),
}


@pytest.mark.parametrize("value", [3, -7])
@pytest.mark.parametrize("wrap", [np.asarray, Variable, array_api_strict.asarray])
@pytest.mark.parametrize("what", RANGED)
def test_a_number_out_of_range_is_found(what: str, wrap: Any, value: int) -> None:
    """The error says which numbers are right, which one is not, and where it is."""
    t = wrap(np.array([2, 0, value, 9]))
    message = rf"{what}.* t must lie between 0 and 2: t\[2\] is {value}(\n|$)"
    with pytest.raises(ValueError, match=message):
        RANGED[what](t)


@pytest.mark.parametrize("what", RANGED)
def test_a_number_out_of_range_in_a_program(what: str) -> None:
    """Compiled, the error says what is right, and names no number: that of the trace is another."""
    f = koubai.compile(RANGED[what])
    f(np.array([2, 0, 1, 0]))
    with pytest.raises(ValueError, match=rf"{what}.* t must lie between 0 and 2(?!: t)"):
        f(np.array([2, 0, 3, 0]))


def test_one_number_out_of_range() -> None:
    """A single number has no place to name; one of a matrix has two."""
    W = np.zeros((3, 2))
    with pytest.raises(ValueError, match=r": t is 3\n"):
        koubai.embedding(np.array(3), Variable(W))
    with pytest.raises(ValueError, match=r": t\[1, 0\] is -1\n"):
        koubai.embedding(np.array([[0], [-1]]), Variable(W))


@pytest.mark.parametrize("t", [[3], [-1]])
def test_one_hot_of_what_is_out_of_range(t: list[int]) -> None:
    """An error, eager and compiled: a row of zeros would be a silent mistake."""
    for function in (koubai.one_hot, koubai.compile(koubai.one_hot)):
        with pytest.raises(ValueError, match=r"one_hot\(t: int64\[1\]\).*between 0 and 2"):
            function(np.array(t), 3)
    with pytest.raises(TypeError, match=r"one_hot\(t: float64\[1\]\).*integers"):
        koubai.one_hot(np.ones(1), 3)


def test_by_hand_on_another_library() -> None:
    """What picks elements works on array-api-strict; only the gradient needs a scatter-add."""
    x, t = array_api_strict.asarray(ROWS), array_api_strict.asarray([1, 0, 1])
    for y, expected in [
        (koubai.take(x, t, axis=1), ROWS[:, [1, 0, 1]]),
        (koubai.embedding(t, x), ROWS[[1, 0, 1]]),
        (koubai.take_along_axis(x, array_api_strict.asarray([[1], [3]])), [[1], [1]]),
    ]:
        assert isinstance(y, type(x))
        np.testing.assert_array_equal(np.asarray(y), expected)
