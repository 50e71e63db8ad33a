"""Operators and NumPy's protocols on Variables: the numbers of NumPy, both ways round."""

import operator
from collections.abc import Callable
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
BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
NUMPYS = {
    operator.add: np.add,
    operator.sub: np.subtract,
    operator.mul: np.multiply,
    operator.truediv: np.true_divide,
    operator.pow: np.power,
    operator.eq: np.equal,
    operator.ne: np.not_equal,
    operator.lt: np.less,
    operator.le: np.less_equal,
    operator.gt: np.greater,
    operator.ge: np.greater_equal,
}

NUMBERS = st.floats(0.125, 8, width=32)
DTYPES = st.sampled_from([np.float32, np.float64])


@st.composite
def pairs(draw: Any) -> tuple[Any, Any]:
    """Two arrays of shapes that broadcast, or an array and a Python number; either order."""
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3))
    a, b = (draw(hnp.arrays(draw(DTYPES), s, elements=NUMBERS)) for s in shapes.input_shapes)
    other = draw(st.sampled_from([b, draw(NUMBERS), draw(st.integers(1, 4))]))
    return (a, other) if draw(st.booleans()) else (other, a)


def _ways(a: Any, b: Any) -> list[tuple[Any, Any]]:
    """The arguments with either or both of them as Variables; numbers stay numbers."""
    va, vb = (Variable(x) if isinstance(x, np.ndarray) else x for x in (a, b))
    ways = [(va, vb), (va, b), (a, vb)]
    return [way for way in ways if any(isinstance(x, Variable) for x in way)]


@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.__name__)
@LAW
@given(pairs())
def test_binary_operators(op: Callable[..., Any], pair: tuple[Any, Any]) -> None:
    """a op b is NumPy's, bit for bit and in dtype, whichever side is a Variable."""
    expected = np.asarray(op(*pair))
    for a, b in _ways(*pair):
        for function in (op, NUMPYS[op]):
            y = function(a, b)
            assert isinstance(y, Variable)
            assert y.dtype == expected.dtype
            np.testing.assert_array_equal(y.data, expected)


@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.__name__)
@LAW
@given(pairs())
def test_sides_have_the_same_gradient(op: Callable[..., Any], pair: tuple[Any, Any]) -> None:
    """The gradient of one side does not depend on whether the other is a Variable."""
    gradients: dict[int, list[Any]] = {0: [], 1: []}
    for way in _ways(*pair):
        y = op(*way)
        y.backward(np.full(y.shape, 1.5, y.dtype))
        for i, x in enumerate(way):
            if isinstance(x, Variable):
                assert (x.grad.shape, x.grad.dtype) == (x.shape, x.dtype)
                gradients[i].append(x.grad)
                x.cleargrad()
    for side in gradients.values():
        for gradient in side[1:]:
            np.testing.assert_array_equal(gradient, side[0])


@pytest.mark.parametrize("op", COMPARISONS, ids=lambda op: op.__name__)
@LAW
@given(pairs())
def test_comparisons(op: Callable[..., Any], pair: tuple[Any, Any]) -> None:
    """They give NumPy's arrays of booleans, not Variables."""
    expected = op(*pair)
    for a, b in _ways(*pair):
        for function in (op, NUMPYS[op]):
            result = function(a, b)
            assert isinstance(result, np.ndarray | np.bool_)
            np.testing.assert_array_equal(result, expected)


@LAW
@given(hnp.arrays(np.float64, hnp.array_shapes(min_dims=0), elements=NUMBERS))
def test_unary_operators(a: Any) -> None:
    """-v and +v; + gives a copy with v's history."""
    v = Variable(a)
    np.testing.assert_array_equal((-v).data, -a)
    np.testing.assert_array_equal((+v).data, a)
    (+v).backward(np.ones(v.shape))
    np.testing.assert_array_equal(v.grad, np.ones(v.shape))


@LAW
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.booleans(), st.booleans())
def test_matmul_operator(n: int, k: int, m: int, row: bool, column: bool) -> None:
    """@ of vectors and matrices, and np.matmul and np.dot, whichever side is a Variable."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=(k,) if row else (n, k))
    b = rng.normal(size=(k,) if column else (k, m))
    for va, vb in [(Variable(a), Variable(b)), (Variable(a), b), (a, Variable(b))]:
        for y in (va @ vb, np.matmul(va, vb), np.dot(va, vb)):
            assert isinstance(y, Variable)
            np.testing.assert_array_equal(y.data, a @ b)


def test_augmented_assignment_rebinds() -> None:
    """x += y makes a new Variable; the old one and its gradient are not disturbed."""
    x = Variable([1.0, 2.0])
    y = x
    y += 1
    y *= x
    y -= x
    y /= 2
    np.testing.assert_array_equal(x.data, [1, 2])
    y.backward(np.ones(2))  # (x**2 + x - x) / 2
    np.testing.assert_array_equal(x.grad, [1, 2])


def test_methods_of_ndarrays() -> None:
    """x.sum(0), x.reshape(3, 2), x.transpose() ... take what the ndarray's own methods take."""
    a = np.random.default_rng(0).normal(size=(2, 3))
    calls: list[Callable[[Any], Any]] = [
        lambda x: x.sum(),
        lambda x: x.sum(0),
        lambda x: x.sum(axis=1, keepdims=True),
        lambda x: x.mean(axis=(0, 1)),
        lambda x: x.max(1),
        lambda x: x.min(axis=-1),
        lambda x: x.reshape(3, 2),
        lambda x: x.reshape((3, 2)),
        lambda x: x.reshape(-1),
        lambda x: x.transpose(),
        lambda x: x.transpose(1, 0),
        lambda x: x.transpose((1, 0)),
        lambda x: x.T,
        lambda x: x.copy(),
        lambda x: x.astype(np.float32),
        lambda x: x.dot(x.T),
        lambda x: x[0, 1:],
    ]
    for call in calls:
        expected, y = call(a), call(Variable(a))
        assert isinstance(y, Variable)
        assert y.dtype == expected.dtype
        np.testing.assert_array_equal(y.data, expected)


def test_functions_without_a_derivative() -> None:
    """Through NumPy and through koubai they give arrays, of Variables as of arrays."""
    a = np.array([[1.5, -2.0], [np.nan, 3.0]])
    v = Variable(a)
    names = ["isnan", "isfinite", "sign", "floor", "ceil", "argmax", "zeros_like", "ones_like"]
    names += ["any", "all", "round", "logical_not", "count_nonzero"]
    for name in names:
        for module in (np, koubai):
            result = getattr(module, name)(v)
            assert not isinstance(result, Variable)
            np.testing.assert_array_equal(result, getattr(np, name)(a))
    np.testing.assert_array_equal(np.argmax(v, axis=1), np.argmax(a, axis=1))
    np.testing.assert_array_equal(koubai.full_like(v, 7), np.full_like(a, 7))


def test_builtin_sum() -> None:
    """sum([...]) of Python's, which begins with 0."""
    xs = [Variable(1.0), Variable(2.0)]
    y = sum(xs)
    assert isinstance(y, Variable)
    y.backward()
    assert [x.grad for x in xs] == [1, 1]


def test_foreign_operands_are_refused() -> None:
    """An operand of an unknown type: an error that names both, on either side."""
    x = Variable([1.0])
    with pytest.raises(TypeError, match=r"Add\(x1: float64\[1\], x2: str 'a'\)"):
        x + "a"
    with pytest.raises(TypeError, match=r"Subtract\(x1: str 'a', x2: float64\[1\]\)"):
        "a" - x
