"""What a Variable shows of itself, and what it refuses so that nothing detaches silently."""

import copy
import pickle
from typing import Any

import array_api_strict
import numpy as np
import pytest

import koubai
from koubai import Variable


@pytest.mark.parametrize(
    "convert",
    [
        float,
        int,
        np.asarray,
        np.array,
        lambda v: np.array([v, v]),
        lambda v: np.float64(v),
        lambda v: np.full(2, v),
        lambda v: np.linalg.eigvals(v),
        lambda v: np.add.reduce(v),
        lambda v: np.add(v, v, out=np.zeros(2)),
        lambda v: np.add(v, 1, dtype=np.float32),
        lambda v: np.add.at(np.zeros(2), [0], v),
        lambda v: np.hstack([v, v]),
        lambda v: np.cbrt(v),
    ],
)
@pytest.mark.parametrize("data", [2.0, [1.0, 2.0]])
def test_nothing_detaches_silently(convert: Any, data: Any) -> None:
    """Every way to plain numbers is an error that says what to write instead."""
    with pytest.raises((TypeError, ValueError)) as caught:
        convert(Variable(data))
    causes = [str(caught.value), str(caught.value.__cause__)]
    assert any("would lose the history of a Variable" in c and "v.data" in c for c in causes)


COPIES: dict[str, Any] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
}


@pytest.mark.parametrize("way", COPIES)
def test_copies_of_a_leaf(way: str) -> None:
    """A leaf is copied as any object is, with gradient and name; copy.copy shares the arrays."""
    x = Variable(np.array([1.0, 2.0]), name="x")
    (x * x).sum().backward()
    y = COPIES[way](x)
    assert (type(y), y.name, y.creator) == (Variable, "x", None)
    np.testing.assert_array_equal(y.data, x.data)
    np.testing.assert_array_equal(y.grad, x.grad)
    assert np.shares_memory(y.data, x.data) == (way == "copy")


@pytest.mark.parametrize("way", COPIES)
def test_copies_of_a_result(way: str) -> None:
    """A graph is not copied: half of it would be missing. The error says what to write."""
    x = Variable(np.array([1.0, 2.0]))
    y = x * x
    message = r"copy or pickle would lose the history.*v\.data.*keeps it is v\.copy\(\)"
    with pytest.raises(TypeError, match=message):
        COPIES[way]({"y": [y]} if way != "copy" else y)
    np.testing.assert_array_equal(COPIES[way](y.data), y.data)
    y.copy().backward(np.ones(2))
    np.testing.assert_array_equal(x.grad, [2, 4])


def test_repr() -> None:
    """The values, the dtype unless it is float64, the name if there is one."""
    assert repr(Variable([1.0, 2.5])) == "Variable([1. , 2.5])"
    assert repr(Variable(np.float32([1, 2]))) == "Variable([1., 2.], dtype=float32)"
    assert repr(Variable(2.0, name="x")) == "Variable(2., name='x')"
    assert "float32" in repr(Variable(array_api_strict.ones(2, dtype=array_api_strict.float32)))


def test_shape_and_friends() -> None:
    """shape, ndim, size, dtype, T are those of the array."""
    data = np.zeros((2, 3), np.float32)
    x = Variable(data)
    assert (x.shape, x.ndim, x.size, x.dtype) == ((2, 3), 2, 6, np.float32)
    assert x.T.shape == (3, 2)
    assert (koubai.shape(x), koubai.ndim(x), koubai.size(x)) == ((2, 3), 2, 6)


def test_detach_and_item() -> None:
    """detach() gives the array itself; item() the number of a single one."""
    x = Variable([1.0, 2.0])
    assert x.detach() is x.data
    assert (Variable(2.5).item(), Variable([[3]]).item(), Variable(True).item()) == (2.5, 3, True)
    assert type(Variable(np.float32([1.5])).item()) is float
    with pytest.raises(ValueError, match=r"item\(\) needs a single number, this is float64\[2\]"):
        x.item()


def test_hash_is_by_identity() -> None:
    """Variables are keys of dicts and members of sets, although == compares elements."""
    x, y = Variable([1.0, 2.0]), Variable([1.0, 2.0])
    assert {x: 1, y: 2}[x] == 1
    assert len({x, y, x}) == 2


def test_truth() -> None:
    """As of an array: of a single number only."""
    assert Variable(1.0)
    assert not Variable([0])
    with pytest.raises(ValueError, match="ambiguous"):
        bool(Variable([1.0, 2.0]))


def test_data_can_be_replaced() -> None:
    """x.data = ... is checked as at construction."""
    x = Variable(1.0)
    x.data = np.ones((2, 2), np.float32)
    assert (x.shape, x.dtype) == ((2, 2), np.float32)
    with pytest.raises(TypeError, match="real numbers"):
        x.data = "text"
    with pytest.raises(AttributeError):
        x.creator = None  # type: ignore[misc]
    with pytest.raises(AttributeError):
        x.gard = 1  # type: ignore[attr-defined]  # a typing error is not accepted silently
