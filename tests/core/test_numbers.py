"""Dtypes: Python numbers are weak, float32 and float64 mix as in NumPy, integers are constants."""

from typing import Any

import numpy as np
import pytest

import koubai
from koubai import Variable


@pytest.mark.parametrize("shape", [(), (3,)])
def test_python_numbers_are_weak(shape: tuple[int, ...]) -> None:
    """float32 stays float32 with Python numbers on either side, forward and backward."""
    x = Variable(np.full(shape, 1.5, np.float32))
    y = 2.5 * (x + 1) / 3 - (2 - x) ** 2 * 0.5 + 1 / x + x**0.5 + koubai.maximum(x, 0.25)
    y = koubai.where(x > 1, y, 0.0).sum()
    assert y.dtype == np.float32
    y.backward()
    assert x.grad.dtype == np.float32
    x.cleargrad()
    y.backward(create_graph=True)
    assert x.grad.dtype == np.float32


@pytest.mark.parametrize("create_graph", [False, True])
def test_float32_and_float64(create_graph: bool) -> None:
    """The result is float64; each gradient has the dtype of its own variable."""
    x = Variable(np.array([1.0, 2.0], np.float32))
    w = Variable(np.array([3.0, 4.0]))
    y = x * w
    assert y.dtype == np.float64
    y.backward(np.ones(2), create_graph=create_graph)
    assert (x.grad.dtype, w.grad.dtype) == (np.float32, np.float64)
    np.testing.assert_array_equal(koubai.asarray(x.grad), [3, 4])


def test_a_numpy_scalar_is_strong() -> None:
    """As in NumPy, np.float64(2) makes float64 of float32; the gradient is float32 again."""
    x = Variable(np.array([1.0, 2.0], np.float32))
    y = np.float64(2) * x
    assert isinstance(y, Variable)
    assert y.dtype == np.float64
    y.backward(np.ones(2))
    assert x.grad.dtype == np.float32


@pytest.mark.parametrize("number", [3, 3.0])
def test_numbers_become_float64(number: float) -> None:
    """Variable(3) is the real number 3.0; its derivative exists."""
    x = Variable(number)
    assert x.dtype == np.float64
    (x * x).backward()
    assert x.grad == 6


def test_arrays_keep_their_dtype_and_identity() -> None:
    """An array is kept, not copied; lists become arrays of their own dtype."""
    data = np.array([1, 2], np.float32)
    assert Variable(data).data is data
    assert Variable([1, 2]).dtype.kind == "i"
    assert Variable([1.0, 2]).dtype == np.float64
    assert Variable(True).dtype == bool
    assert Variable(np.float32(1.5)).dtype == np.float32


def test_integers_are_constants() -> None:
    """They take part as NumPy's do, and have no gradient."""
    x, n, b = Variable([1.5, 2.5]), Variable([2, 3]), Variable([True, False])
    assert (n * n + 1).dtype.kind == "i"
    y = (x**n * n).sum() + koubai.where(b, x, 0.0).sum()
    y.backward()
    np.testing.assert_allclose(x.grad, [2 * 2 * 1.5 + 1, 3 * 3 * 2.5**2])
    assert n.grad is None
    assert b.grad is None
    assert (n / 2).dtype == np.float64


@pytest.mark.parametrize(
    "value",
    [1j, np.complex64(1j), np.array([1j]), [1j], "text", np.array(["text"]), [object()], None, {}],
)
def test_what_holds_no_real_numbers(value: Any) -> None:
    """Complex numbers, text and objects: neither a Variable nor an operand; the error says why."""
    with pytest.raises(TypeError, match=r"real numbers are needed|an array is needed, not None"):
        Variable(value)
    x = Variable([1.0])
    with pytest.raises(TypeError, match=r"real numbers are needed|take Variables, arrays"):
        koubai.multiply(x, value)
    with pytest.raises(TypeError):
        x * value


def test_a_variable_of_a_variable() -> None:
    """It would lose its history; so would one in a list."""
    with pytest.raises(TypeError, match="history would be lost"):
        Variable(Variable(1.0))
    with pytest.raises(TypeError, match="would lose the history"):
        Variable([Variable(1.0), Variable(2.0)])
    with pytest.raises(TypeError, match="would lose the history"):
        koubai.exp([Variable(1.0), Variable(2.0)])
