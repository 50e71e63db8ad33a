"""One table says what stands for an array can do; Variables and traced arrays do all of it."""

from typing import Any

import numpy as np
import pytest

import koubai
from koubai import Variable
from koubai.array_methods import METHODS, OPERATORS, REFLECTED, ArrayMethods
from koubai.compiler.trace.traced import Traced

NAMES = sorted(
    {
        *OPERATORS,
        *METHODS,
        *(f"__r{stem}__" for stem in REFLECTED),
        *(name for name, value in vars(ArrayMethods).items() if callable(value)),
        *("T", "ndim", "size", "shape", "dtype", "item"),
    }
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cls", [Variable, Traced])
def test_both_have_every_method(cls: type, name: str) -> None:
    """Each operator and method of the table is the class's own or the table's, not object's."""
    assert getattr(cls, name) is not getattr(object, name, None)


@pytest.mark.parametrize("name", [*METHODS, "reshape", "transpose", "item", "T"])
def test_they_are_those_of_ndarray(name: str) -> None:
    """No method has a name of its own: code written for them runs on ndarrays."""
    assert hasattr(np.ndarray, name)


def test_operators_are_bound_to_the_operations() -> None:
    """x + y is koubai.add(x, y), without a look-up between them."""
    for method, name in OPERATORS.items():
        assert getattr(Variable, method) is getattr(koubai, name)


def test_reflected_operators() -> None:
    """Every operator that has a reflected form in Python has one here."""
    stems = {name.strip("_") for name in OPERATORS}
    assert set(REFLECTED) == {stem for stem in stems if hasattr(int, f"__r{stem}__")} | {"matmul"}


def test_the_same_text_serves_arrays_and_variables() -> None:
    """A function that uses every method of the table gives an ndarray's values on a Variable."""

    def text(x: Any) -> Any:
        y = x.copy().astype(np.float64).reshape(2, -1).T
        y = y.dot(y.transpose()) @ y - y.mean(axis=0) / 2 + y.sum() ** 2
        y = 1 - (2 + y) * -y / (3 ** y.max() + 1) + (+y).min(axis=1, keepdims=True)
        return y[1:].sum(axis=-1)[0]

    x = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    y = text(Variable(x))
    assert isinstance(y, Variable)
    np.testing.assert_allclose(y.data, text(x), rtol=1e-12)
