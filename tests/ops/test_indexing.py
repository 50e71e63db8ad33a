"""Reading and writing by any index that NumPy takes: laws, by property tests."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import koubai
from koubai import Variable

# A loaded machine is no reason to fail.
LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, max_side=4)


@st.composite
def shapes_and_indices(draw: Any) -> tuple[tuple[int, ...], Any]:
    """A shape, and an index of it: slices and integers, integer arrays (which repeat), a mask."""
    shape = draw(SHAPES)
    kinds = [
        hnp.basic_indices(shape, allow_newaxis=True),
        hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=3)),
        hnp.arrays(bool, shape),
        hnp.arrays(bool, shape[:1]),
        st.lists(st.integers(-shape[0], shape[0] - 1), min_size=1, max_size=4),
        st.lists(st.integers(-shape[0], shape[0] - 1), min_size=1, max_size=4).map(
            lambda xs: (tuple(xs),)
        ),
    ]
    return shape, draw(st.one_of(kinds))


def _numbers(shape: tuple[int, ...], seed: int = 0) -> Any:
    return np.asarray(np.random.default_rng(seed).normal(size=shape))


@LAW
@given(shapes_and_indices())
def test_getitem(case: tuple[tuple[int, ...], Any]) -> None:
    """x[index] is NumPy's; each element of its gradient goes to the element that it was read from.

    The oracle indexes the elements' numbers, and adds up by number.
    """
    shape, index = case
    data = _numbers(shape)
    x = Variable(data)
    y = x[index]
    np.testing.assert_array_equal(y.data, data[index])
    gy = _numbers(y.shape, seed=1)
    y.backward(gy)
    numbers = np.arange(data.size).reshape(shape)[index]
    expected = np.bincount(numbers.ravel(), gy.ravel(), minlength=data.size).reshape(shape)
    np.testing.assert_allclose(x.grad, expected, rtol=1e-12, atol=1e-12)


@LAW
@given(shapes_and_indices())
def test_scatter_add_is_the_transpose_of_getitem(case: tuple[tuple[int, ...], Any]) -> None:
    """<y, x[index]> = <scatter_add(y, index), x>, and so on for the gradients of both."""
    shape, index = case
    x = _numbers(shape)
    y = Variable(_numbers(x[index].shape, seed=1))
    scattered = koubai.scatter_add(y, index, shape)
    np.testing.assert_allclose(np.sum(y.data * x[index]), np.sum(scattered.data * x))
    scattered.backward(x)
    np.testing.assert_array_equal(y.grad, x[index])


@LAW
@given(shapes_and_indices(), st.data())
def test_setitem(case: tuple[tuple[int, ...], Any], data: st.DataObject) -> None:
    """y[index] = value is NumPy's, also if value broadcasts; what it overwrites has gradient 0.

    Where the index names an element twice and the value is a Variable, its gradient is refused.
    """
    shape, index = case
    before = _numbers(shape)
    written = before[index].shape
    keep = data.draw(st.integers(0, len(written)), label="axes of the value")
    value_shape = tuple(
        1 if data.draw(st.booleans()) else n for n in written[len(written) - keep :]
    )
    x, value = Variable(before), Variable(_numbers(value_shape, seed=1))
    y = x.copy()
    y[index] = value
    expected = before.copy()
    expected[index] = value.data
    np.testing.assert_array_equal(y.data, expected)

    gy = _numbers(shape, seed=2)
    numbers = np.arange(before.size).reshape(shape)[index]
    if len(set(numbers.ravel().tolist())) < numbers.size:
        with pytest.raises(ValueError, match="names an element twice"):
            y.backward(gy)
        return
    y.backward(gy)
    gx = gy.copy()
    gx[index] = 0
    np.testing.assert_array_equal(x.grad, gx)
    # Of a sum: every element of the value stands in several places of x[index].
    gathered = gy[index].reshape((1,) * (len(value_shape) - len(written)) + written)
    numbers = np.broadcast_to(np.arange(value.size).reshape(value_shape), gathered.shape)
    summed = np.bincount(numbers.ravel(), gathered.ravel(), minlength=value.size)
    np.testing.assert_allclose(value.grad, summed.reshape(value_shape), rtol=1e-12, atol=1e-12)


def test_a_repeated_index_may_not_write_a_variable() -> None:
    """Which of its two elements is written is not defined: its gradient is refused."""
    y = Variable(_numbers((3,))) * 2
    y[[1, 1]] = Variable(_numbers((2,)))
    with pytest.raises(ValueError, match="names an element twice"):
        y.backward(_numbers((3,)))


def test_a_repeated_index_may_write_a_constant() -> None:
    """x[[0, 0]] = 5 is well defined, and so is the gradient of x."""
    x = Variable([1.0, 2.0, 3.0])
    y = x.copy()
    y[[0, 0]] = 5
    y.backward(np.array([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(y.data, [5, 2, 3])
    np.testing.assert_array_equal(x.grad, [0, 2, 3])


def test_an_index_of_variables() -> None:
    """Integer and boolean Variables are indices, without a gradient."""
    x = Variable([1.0, 2.0, 3.0])
    for index in (np.array([2, 2]), np.array([True, False, True])):
        np.testing.assert_array_equal(x[Variable(index)].data, x.data[index])
        np.testing.assert_array_equal(x.reshape(1, 3)[0, Variable(index)].data, x.data[index])


def test_len_and_iteration() -> None:
    """len is that of the first axis; iteration gives Variables along it; 0-d has neither."""
    x = Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert len(x) == 3
    rows = list(x)
    assert [type(row) for row in rows] == [Variable] * 3
    (rows[0] * rows[2]).sum().backward()
    np.testing.assert_array_equal(x.grad, [[5, 6], [0, 0], [1, 2]])
    a, b = Variable([1.0, 2.0])
    assert (a.item(), b.item()) == (1, 2)
    assert 3.0 in Variable([1.0, 3.0])
    for call in (len, iter):
        with pytest.raises(TypeError, match="0-d Variable"):
            call(Variable(1.0))
