"""The seam: which library's functions are asked."""

from typing import Any

import array_api_strict
import numpy as np
import pytest

import koubai
from koubai import Variable, arrays

STRICT = array_api_strict.ones(2)
V, OF_STRICT = Variable([1.0, 2.0]), Variable(STRICT)


@pytest.mark.parametrize(
    ("xs", "module"),
    [
        ((1.0, 2), np),
        ((np.ones(2), 1.0), np),
        ((np.float32(1), np.ones(2)), np),
        ((STRICT,), array_api_strict),
        ((1.0, STRICT), array_api_strict),
        ((V,), koubai),
        ((np.ones(2), 1.0, V), koubai),
        ((STRICT, V), koubai),
        ((OF_STRICT, STRICT), koubai),
    ],
)
def test_namespace(xs: tuple[Any, ...], module: Any) -> None:
    """A Variable goes before any array, an array of another library before NumPy's."""
    assert arrays.namespace(*xs) is module


@pytest.mark.parametrize("wrap", [np.asarray, array_api_strict.asarray])
@pytest.mark.parametrize("in_graph", [False, True])
def test_kinds(wrap: Any, in_graph: bool) -> None:
    """Floating, whole and boolean, of every library, and of Variables of them."""
    for values, kinds in [([1.5], (1, 0, 0)), ([1], (0, 1, 0)), ([True], (0, 0, 1))]:
        x = Variable(wrap(values)) if in_graph else wrap(values)
        found = arrays.is_floating(x), arrays.is_integer(x), arrays.is_boolean(x)
        assert found == tuple(map(bool, kinds))


def test_holds() -> None:
    """What is known to be true; of what is traced nothing is known."""
    x = np.ones(2)

    def f(x: Any) -> Any:
        return x + 1 if arrays.holds(np.all(x > 0)) else x

    np.testing.assert_array_equal(f(x), x + 1)
    np.testing.assert_array_equal(f(-x), -x)
    np.testing.assert_array_equal(koubai.compile(f)(x), x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_is_normal(dtype: str) -> None:
    """All but 0, the subnormal, the infinite and NaN; of each library, by its own limits."""
    tiny = float(np.finfo(dtype).smallest_normal)
    values = np.array([tiny, -1, tiny / 2, 0, np.inf, -np.inf, np.nan], dtype)
    expected = [True, True, False, False, False, False, False]
    strict = array_api_strict.asarray(values)
    for x in (values, strict, Variable(values), Variable(strict)):
        np.testing.assert_array_equal(np.asarray(arrays.is_normal(x)), expected)


NUMBERS = np.random.default_rng(0).integers(-30, 30, (40, 5))


@pytest.mark.parametrize(
    "index",
    [
        NUMBERS,
        (NUMBERS,),
        (NUMBERS[:, 0].tolist(),),
        (NUMBERS, NUMBERS % 4),
        (slice(5, None, 2), NUMBERS % 4),
        (2, NUMBERS % 4),
        (None, NUMBERS),
        (np.arange(30) % 3 > 0, [1] * 20),
        (NUMBERS, ..., NUMBERS % 50),
        (NUMBERS, slice(None), NUMBERS % 50),
        (..., NUMBERS),
        (slice(None), NUMBERS % 4, ...),
        (slice(None), slice(None), NUMBERS[0]),
        (slice(None), np.arange(4) % 3 > 0, slice(None)),
        (slice(None), -1, [3] * 20),
        (slice(None), []),
        (slice(None), None, slice(None), NUMBERS % 50),
    ],
)
def test_scatter_add_of_many_rows(index: Any) -> None:
    """As np.add.at, for every kind of index of rows that repeat; what is added may broadcast.

    Of arrays of a library without scatter-add too.
    """
    shape, rng = (30, 4, 50), np.random.default_rng(1)
    written = np.zeros(shape)[index].shape
    for x in (rng.normal(size=written), rng.normal(size=written[-1:])):
        expected = np.zeros(shape)
        np.add.at(expected, index, x)
        scattered = arrays.scatter_add(x, index, shape)
        np.testing.assert_allclose(scattered, expected, rtol=1e-12, atol=1e-12)
        strict = arrays.scatter_add(array_api_strict.asarray(x), index, shape)
        np.testing.assert_allclose(np.asarray(strict), expected, rtol=1e-12, atol=1e-12)
        read = arrays.getitem(array_api_strict.asarray(expected), index)
        np.testing.assert_array_equal(np.asarray(read), expected[index])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int32, np.longdouble])
def test_scatter_add_keeps_the_dtype(dtype: Any) -> None:
    """Rows are added up in their own dtype."""
    x = np.ones((5000, 2), dtype)
    y = arrays.scatter_add(x, (np.arange(5000) % 5,), (5, 2))
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.full((5, 2), 1000))


def test_scatter_add_refuses_an_index_out_of_range() -> None:
    """Also of many rows, and below -n."""
    for wrong in (5, -6):
        index = np.full(5000, wrong)
        with pytest.raises(IndexError, match="out of bounds"):
            arrays.scatter_add(np.ones((5000, 2)), (index,), (5, 2))


@pytest.mark.parametrize(
    ("shape", "to", "expected"),
    [
        ((), (2, 3), True),
        ((1, 3), (2, 3), True),
        ((2, 3), (2, 3), True),
        ((2,), (2, 3), False),
        ((2, 3), (3,), False),
        ((1,), (0,), True),
    ],
)
def test_broadcasts(shape: tuple[int, ...], to: tuple[int, ...], expected: bool) -> None:
    """As NumPy's broadcast_to."""
    assert arrays.broadcasts(shape, to) is expected
    if expected:
        assert arrays.sum_to(np.ones(to), shape).shape == shape
        assert np.sum(arrays.sum_to(np.ones(to), shape)) == np.prod(to)


def test_scatter_add_broadcasts() -> None:
    """A row is added for each row of indices, in whatever order it lies in memory."""
    index = np.array([[-1, 0], [0, -1], [0, 0]])
    for dtype in ("float32", "float64"):
        for x in (np.array([2, 3], dtype), np.array([[9, 2], [9, 3]], dtype)[:, 1]):
            added = arrays.scatter_add(x, (index,), (2,))
            np.testing.assert_array_equal(added, [3 + 2 + 2 + 3, 2 + 3])
