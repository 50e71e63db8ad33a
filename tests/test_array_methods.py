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


@pytest.mark.parametrize(
    "name", [*METHODS, "reshape", "transpose", "flatten", "ravel", "item", "T"]
)
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


ROWS = np.array([[2.0, 0.5, -1.5], [0.0, 1.0, 3.0]])
CALLS: dict[str, tuple[Any, ...]] = {
    "all": (1,),
    "any": (0,),
    "argmax": (1,),
    "argmin": (),
    "argsort": (0,),
    "astype": (np.float32,),
    "clip": (0, 1),
    "copy": (),
    "cumprod": (1,),
    "cumsum": (0,),
    "diagonal": (1,),
    "dot": (np.arange(3.0),),
    "flatten": (),
    "max": (1,),
    "mean": (0,),
    "min": (),
    "nonzero": (),
    "prod": ((0, 1),),
    "ravel": (),
    "repeat": (2, 1),
    "reshape": (3, 2),
    "round": (),
    "squeeze": (),
    "std": (0,),
    "sum": (1,),
    "take": (np.array([2, 0]), 1),
    "transpose": (1, 0),
    "var": (1,),
}


def test_every_method_is_called_below() -> None:
    """The calls are those of all methods."""
    assert set(CALLS) == {*METHODS, "flatten", "ravel", "reshape", "transpose"}


@pytest.mark.parametrize("name", CALLS)
def test_a_method_of_a_variable_and_of_a_traced_array(name: str) -> None:
    """It gives what the ndarray's method of that name gives; also in a compiled function."""

    def call(x: Any) -> Any:
        return getattr(x, name)(*CALLS[name])

    expected = call(ROWS)
    y = call(Variable(ROWS))
    np.testing.assert_array_equal(y.data if isinstance(y, Variable) else y, expected)
    if name != "nonzero":  # how many there are is not known in a trace
        np.testing.assert_array_equal(koubai.compile(call)(ROWS), expected)


def test_flatten_is_a_copy() -> None:
    """A write to it changes nothing else, eager and compiled; ravel of an ndarray is a view."""

    def write(x: Any) -> Any:
        x = x * 1
        x.flatten()[0] = 5
        return x

    for f in (write, koubai.compile(write)):
        np.testing.assert_array_equal(f(ROWS), ROWS)
