"""backward(): where it starts, where gradients end up, and what it refuses."""

import contextvars
from typing import Any

import array_api_strict
import numpy as np
import pytest

import koubai
from koubai import Variable


def test_a_variable_that_is_used_twice() -> None:
    """b = a + a; c = b * b: b is finished before a is visited. The smallest graph for order."""
    a = Variable(3.0)
    b = a + a
    c = b * b
    c.backward()
    assert a.grad == 8 * 3


def test_only_leaves_keep_gradients() -> None:
    """Inner variables and the result have none after a pass."""
    x = Variable(2.0)
    a = x * x
    y = a * 3
    y.backward()
    assert x.grad == 12
    assert a.grad is None
    assert y.grad is None


def test_a_second_pass_adds_the_same_again() -> None:
    """The graph is not used up, and the first pass leaves nothing behind that counts twice."""
    x = Variable(np.array([1.0, 2.0]))
    y = (x * x * x).sum()
    y.backward()
    first = x.grad
    kept = first.copy()
    y.backward()
    np.testing.assert_array_equal(x.grad, 2 * kept)
    np.testing.assert_array_equal(first, kept)  # accumulating makes a new array
    x.cleargrad()
    y.backward()
    np.testing.assert_array_equal(x.grad, kept)


def test_gradients_of_two_graphs_accumulate() -> None:
    """x.grad adds up over graphs until it is cleared."""
    x = Variable(2.0)
    (x * 3).backward()
    (x * x).backward()
    assert x.grad == 3 + 4
    x.cleargrad()
    assert x.grad is None


def test_the_seed() -> None:
    """gy; else y.grad, if somebody has set it; else 1 for a single number of any shape."""
    x = Variable([[3.0]])
    y = x * x
    y.backward()
    np.testing.assert_array_equal(x.grad, [[6]])
    x.cleargrad()
    y.backward([[2.0]])
    np.testing.assert_array_equal(x.grad, [[12]])
    x.cleargrad()
    y.grad = np.array([[10.0]])
    y.backward()
    np.testing.assert_array_equal(x.grad, [[60]])
    x.cleargrad()
    y.backward(np.array([[1.0]]))  # goes before
    np.testing.assert_array_equal(x.grad, [[6]])
    np.testing.assert_array_equal(y.grad, [[10]])


@pytest.mark.parametrize("gy", [3, 3.0, np.float32(3), np.array(3), [[3]], Variable([[3.0]])])
def test_forms_of_the_seed(gy: Any) -> None:
    """A number, a list, an array of any dtype, a Variable; converted to y's dtype."""
    x = Variable(np.array([[2.0]], np.float32))
    y = x * x
    shaped = gy if np.shape(gy) or isinstance(gy, Variable) else [[gy]]
    y.backward(shaped)
    assert x.grad.dtype == np.float32
    np.testing.assert_array_equal(x.grad, [[12]])


@pytest.mark.parametrize("gy", [np.ones(3), np.ones((1, 2)), np.ones(1), 1.0])
def test_a_seed_of_the_wrong_shape(gy: Any) -> None:
    """Names both shapes; nothing is broadcast."""
    x = Variable(np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match=r"gy is float64\[.*\], and must have the shape \(2,\)"):
        (x * x).backward(gy)
    assert x.grad is None


def test_no_seed_for_what_is_not_a_number() -> None:
    """The error says what to write."""
    with pytest.raises(ValueError, match=r"float64\[2\].*y.backward\(gy\) with gy of shape \(2,\)"):
        (Variable([1.0, 2.0]) * 2).backward()


def test_a_leaf() -> None:
    """There is nothing to go back to."""
    with pytest.raises(ValueError, match=r"not computed from other Variables.*no_grad"):
        Variable(1.0).backward()
    x = Variable(2.0)
    with koubai.no_grad():
        y = x * x
    with pytest.raises(ValueError, match="not computed from other Variables"):
        y.backward()


def test_nothing_differentiable() -> None:
    """Integers and booleans alone have no gradient; the error says how to get one."""
    for data in ([1, 2], [True, False]):
        x = Variable(data)
        with pytest.raises(ValueError, match=r"integers and booleans have no gradient"):
            x.sum().backward()
        with pytest.raises(ValueError, match=r"nothing differentiable in reach.*astype\(float\)"):
            (x * 0.5).sum().backward()
        with pytest.raises(ValueError, match="integers and booleans have no gradient"):
            x.backward(np.ones(2))


def test_a_gradient_that_was_set_to_another_shape() -> None:
    """The error names the variable and the shape."""
    x, z = Variable([1.0, 2.0], name="x"), Variable([1.0, 2.0])
    x.grad = np.ones(3)
    with pytest.raises(ValueError, match=r"name='x'.*float64\[3\]: not of its shape"):
        (x * z).sum().backward()


def test_integer_inputs_on_the_way() -> None:
    """An integer Variable is a constant: it stops nothing and receives nothing."""
    x, n = Variable([1.0, 2.0]), Variable([3, 4])
    y = (x * (n + n)).sum()
    y.backward()
    np.testing.assert_array_equal(x.grad, [6, 8])
    assert n.grad is None


def test_gradients_are_nobody_elses() -> None:
    """Add, where both gradients are the upstream one: three arrays, and the caller's stays his."""
    x1, x2, gy = Variable([1.0, 2.0]), Variable([3.0, 4.0]), np.ones(2)
    (x1 + x2).backward(gy)
    x1.grad *= 5
    gy *= 7
    np.testing.assert_array_equal(x1.grad, [5, 5])
    np.testing.assert_array_equal(x2.grad, [1, 1])


def test_gradients_of_other_libraries_are_nobody_elses() -> None:
    """Views of arrays that do not tell whose view they are: sums are right, gy is not changed."""
    xp = array_api_strict
    x, gy = Variable(xp.asarray([[1.0, 2.0], [3.0, 4.0]])), xp.asarray([1.0, 2.0, 3.0, 4.0])
    y = x.reshape(4) + x.reshape(4) + x.reshape(4)
    y.backward(gy)
    np.testing.assert_array_equal(np.asarray(x.grad), [[3, 6], [9, 12]])
    np.testing.assert_array_equal(np.asarray(gy), [1, 2, 3, 4])


def test_numbers_are_arrays() -> None:
    """0-d data and gradients are arrays, never NumPy scalars, also where a sum made them."""
    x = Variable(2.0)
    y = (x * np.ones(3)).sum()
    y.backward()
    assert type(y.data) is type(x.grad) is np.ndarray
    assert x.grad == 3


def test_wide_graphs() -> None:
    """Ten thousand uses of one variable."""
    x = Variable(1.5)
    y = sum((x * float(i) for i in range(10_000)), start=Variable(0.0))
    y.backward()
    assert x.grad == sum(range(10_000))


def test_a_failed_pass_changes_no_gradient() -> None:
    """An error in the middle: .grad of the leaves is as it was, and recording is switched on."""

    class Broken(koubai.Function):
        def forward(self, x: Any) -> Any:
            return x * 1

        def backward(self, gy: Any) -> Any:
            raise RuntimeError("no")

    x, z = Variable(1.0), Variable(2.0)
    y = z * z + Broken()(x)
    with pytest.raises(RuntimeError):
        y.backward()
    assert x.grad is None
    assert z.grad is None
    assert (x * z).creator is not None


def test_a_pass_in_a_context_of_its_own() -> None:
    """Run in another context (asyncio, callbacks), forward and backward record as usual."""

    def step() -> Any:
        x = Variable(3.0)
        (x * x).backward()
        return x.grad

    with koubai.no_grad():
        assert contextvars.Context().run(step) == 6
