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


def test_scatter_add_is_never_wrong() -> None:
    """Where a library cannot add at repeated indices, it is an error."""
    with pytest.raises(TypeError, match="array_api_strict has no scatter-add"):
        arrays.scatter_add(STRICT, ([0, 0],), (3,))


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
    ],
)
def test_scatter_add_of_many_rows(index: Any) -> None:
    """As np.add.at, for every kind of index of rows that repeat; what is added may broadcast."""
    shape, rng = (30, 4, 50), np.random.default_rng(1)
    written = np.zeros(shape)[index].shape
    for x in (rng.normal(size=written), rng.normal(size=written[-1:])):
        expected = np.zeros(shape)
        np.add.at(expected, index, x)
        scattered = arrays.scatter_add(x, index, shape)
        np.testing.assert_allclose(scattered, expected, rtol=1e-12, atol=1e-12)


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
