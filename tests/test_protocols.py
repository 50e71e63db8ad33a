"""NumPy's functions of Variables are koubai's, for every name that both have."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from op_table import OPERATIONS

import koubai
from koubai import Variable
from koubai.array_methods import STANDARD_KEYWORDS, STANDARD_NAMES

X = np.array([[1.5, -0.5, np.nan], [0.0, 2.0, -np.inf]])
Y = np.array([1.5, 0.0, 1.0])
ONE = ["all", "any", "argmax", "argmin", "argsort", "ceil", "count_nonzero", "floor", "isfinite"]
ONE += ["isinf", "isnan", "logical_not", "ndim", "nonzero", "ones_like", "round", "shape", "sign"]
ONE += ["size", "zeros_like"]
TWO = ["equal", "greater", "greater_equal", "less", "less_equal", "logical_and", "logical_or"]
TWO += ["logical_xor", "not_equal", "full_like"]
"""Functions without a derivative, of one array and of two."""
OF_NO_ARRAY = {"arange", "asarray", "isdtype", "ones", "zeros"}
"""They take no Variable, or refuse it: asarray would lose its history."""
SECOND_NAMES = ["matmul", "matrix_transpose", "outer", "tensordot", "vecdot"]
"""What np.linalg has beside np itself."""


def _shared(ours: ModuleType, numpys: ModuleType) -> set[str]:
    names = {name for name in ours.__all__ if callable(getattr(numpys, name, None))}
    return {name for name in names if not isinstance(getattr(numpys, name), type)}


def test_every_shared_name_is_tested() -> None:
    """Each name that NumPy has too is a row, whose checks call NumPy's, or is called below."""
    rows = {operation.name for operation in OPERATIONS if operation.protocol is not None}
    assert _shared(koubai, np) - rows == {*ONE, *TWO, *OF_NO_ARRAY}
    shared = {f"linalg.{name}" for name in _shared(koubai.linalg, np.linalg)}
    assert shared - rows == {f"linalg.{name}" for name in SECOND_NAMES}


def _of_variables(name: str, *xs: Any) -> tuple[Any, Any]:
    """NumPy's function, and koubai's, of Variables."""
    variables = [Variable(x) for x in xs]
    return getattr(np, name)(*variables), getattr(koubai, name)(*variables)


@pytest.mark.parametrize("name", [*ONE, *TWO])
def test_functions_without_a_derivative(name: str) -> None:
    """np.isnan(v) is koubai.isnan(v), and NumPy's of the array: an array, no Variable."""
    xs = [X] if name in ONE else [X, np.array(2.0)] if name == "full_like" else [X, Y]
    theirs, ours = _of_variables(name, *xs)
    for y in (theirs, ours):
        assert not isinstance(y, Variable)
        np.testing.assert_array_equal(y, getattr(np, name)(*xs))


@pytest.mark.parametrize("name", STANDARD_NAMES)
def test_names_that_differ(name: str) -> None:
    """np.arctan2(v, w) is koubai.atan2(v, w): NumPy's own names too."""
    x = Variable(np.array([1.25, 2.5]) if name == "arccosh" else np.array([0.25, 0.5]))
    args: list[Any] = [x, x * 2] if name in ("arctan2", "power", "true_divide") else [x]
    args = [[x, x]] if name == "concatenate" else args
    ours, theirs = getattr(koubai, STANDARD_NAMES[name])(*args), getattr(np, name)(*args)
    assert isinstance(theirs, Variable)
    np.testing.assert_array_equal(theirs.data, ours.data)
    assert type(theirs.creator) is type(ours.creator)


def test_keywords_that_differ() -> None:
    """np.clip(v, a_min=...) and np.std(v, ddof=1) too."""
    assert set(STANDARD_KEYWORDS) == {"a_min", "a_max", "ddof"}
    v = Variable(Y)
    np.testing.assert_array_equal(np.clip(v, a_min=0.5, a_max=1.2).data, [1.2, 0.5, 1])
    for f in (np.std, np.var):
        np.testing.assert_allclose(f(v, ddof=1).data, f(Y, ddof=1))


@pytest.mark.parametrize("name", SECOND_NAMES)
def test_second_names_in_linalg(name: str) -> None:
    """np.linalg.matmul(v, w) is koubai.linalg.matmul(v, w)."""
    x = Variable(np.arange(4.0).reshape(2, 2))
    args = [x] if name == "matrix_transpose" else [x[0], x[1]] if name == "outer" else [x, x]
    ours, theirs = getattr(koubai.linalg, name)(*args), getattr(np.linalg, name)(*args)
    assert isinstance(theirs, Variable)
    np.testing.assert_array_equal(theirs.data, ours.data)
