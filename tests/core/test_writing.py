"""x[index] = value on Variables, as a user writes it: out[mask] = 0."""

import numpy as np
import pytest

import koubai
from koubai import Variable, grad


def test_a_mask() -> None:
    """ReLU as the notebooks write it, on Variables: the gradient is 0 where it was overwritten."""
    x = Variable([-1.0, 2.0, -3.0, 4.0])
    out = x.copy()
    out[x <= 0] = 0
    np.testing.assert_array_equal(out.data, [0, 2, 0, 4])
    np.testing.assert_array_equal(x.data, [-1, 2, -3, 4])
    (out * out).sum().backward()
    np.testing.assert_array_equal(x.grad, [0, 4, 0, 8])


def test_older_uses_keep_the_older_value() -> None:
    """What was computed before the write is differentiated as it was computed."""
    x = Variable([1.0, 2.0])
    y = x * 3
    before = y * y
    y[0] = 10.0
    after = y * y
    np.testing.assert_array_equal(before.data, [9, 36])
    np.testing.assert_array_equal(after.data, [100, 36])
    (before * 1000 + after).sum().backward()
    # before: 2 * 9 x; after: the same, but 0 where it was overwritten
    np.testing.assert_array_equal(x.grad, [18 * 1 * 1000, 18 * 2 * 1001])


def test_a_value_that_is_a_variable() -> None:
    """The value has a gradient; writes may follow one another and use what they change."""
    x, v = Variable([1.0, 2.0, 3.0]), Variable(5.0)
    y = x * 1
    y[0] = v
    y[1] = y[0] * y[2]
    np.testing.assert_array_equal(y.data, [5, 15, 3])
    y.backward(np.array([1.0, 10.0, 100.0]))
    np.testing.assert_array_equal(x.grad, [0, 0, 100 + 10 * 5])
    assert v.grad == 1 + 10 * 3


def test_a_recurrence() -> None:
    """y[i] = y[i - 1] * a + y[i]: a loop of writes, each of which uses the one before."""
    rng = np.random.default_rng(0)
    x, a = Variable(rng.normal(size=6)), Variable(0.5)
    y = x * 1
    for i in range(1, 6):
        y[i] = y[i - 1] * a + y[i]
    terms = [x[j] * a ** (5 - j) for j in range(6)]
    y[5].backward()
    ours, gradients = y.data[5], (x.grad, a.grad)
    x.cleargrad(), a.cleargrad()
    total = sum(terms, start=Variable(0.0))
    total.backward()
    np.testing.assert_allclose(ours, total.data)
    np.testing.assert_allclose(gradients[0], x.grad)
    np.testing.assert_allclose(gradients[1], a.grad)


def test_two_that_are_written_from_each_other() -> None:
    """y and z take turns; a value computed before earlier writes, and y itself as the value."""
    x = Variable([2.0, 3.0])
    y, z = x * 1, x * 10
    old = y * y  # [4, 9]
    y[0] = z[1]  # y = [30, 3]
    z[0] = y[0] + y[1]  # z = [33, 30]
    y[1] = old[0] + z[0]  # y = [30, 37]
    y[...] = y
    np.testing.assert_array_equal(y.data, [30, 37])
    y.backward(np.array([1.0, 100.0]))
    # y0 = 10 x1, y1 = x0 ** 2 + 10 x1 + x1
    np.testing.assert_array_equal(x.grad, [400, 10 + 1100])


def test_a_write_that_fails_changes_nothing() -> None:
    """A value of the wrong shape: the variable, its value and its gradient are as before."""
    x = Variable([1.0, 2.0, 3.0])
    y = x * 2
    creator = y.creator
    with pytest.raises(ValueError, match=r"SetItem\(x: float64\[3\], value: float64\[3\]\)"):
        y[:2] = np.ones(3)
    with pytest.raises(IndexError, match="SetItem"):
        y[5] = 0.0
    assert y.creator is creator
    y.backward(np.ones(3))
    np.testing.assert_array_equal(x.grad, [2, 2, 2])


def test_second_derivatives() -> None:
    """Writes are differentiated twice, and uses before a write see the older value again."""
    x = Variable([1.0, 2.0])
    y = x * x
    before = y * y  # x ** 4
    y[0] = 0.0
    total = (before + y * y).sum()  # x0 ** 4 + 2 x1 ** 4
    total.backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    np.testing.assert_array_equal(gx.data, [4, 8 * 8])
    gx.sum().backward()
    np.testing.assert_array_equal(x.grad, [12, 24 * 4])


def test_one_of_several_outputs() -> None:
    """A write to one output of a function leaves the other and the older value as they are."""
    from core.functions import SumAndDifference

    x1, x2 = Variable([3.0, 4.0]), Variable([1.0, 2.0])
    total, difference = SumAndDifference()(x1, x2)
    older = total * 1
    total[0] = 0.0
    (older.sum() * 100 + (total * difference).sum()).backward()
    np.testing.assert_array_equal(x1.grad, [100, 100 + 2 * 4])
    np.testing.assert_array_equal(x2.grad, [100, 100 - 2 * 2])


def test_a_leaf_refuses() -> None:
    """Its gradient would belong to nothing that anybody holds; the error says what to write."""
    x = Variable([1.0, 2.0])
    with pytest.raises(ValueError, match=r"a leaf: assign x.data = .*y = x.copy\(\)"):
        x[0] = 0.0
    np.testing.assert_array_equal(x.data, [1, 2])


def test_without_recording_a_leaf_is_written() -> None:
    """Inside no_grad(), and for integers, it is an ordinary write that leaves the old array."""
    x = Variable(np.array([1.0, 2.0]))
    data = x.data
    with koubai.no_grad():
        x[0] = 5.0
    np.testing.assert_array_equal(x.data, [5, 2])
    np.testing.assert_array_equal(data, [1, 2])
    n = Variable([1, 2])
    n[0] = 7
    np.testing.assert_array_equal(n.data, [7, 2])
    with pytest.raises(ValueError, match=r"x is int64\[2\].*history of value would be lost"):
        n[0] = Variable(7.0)


def test_an_ndarray_refuses_variables() -> None:
    """ndarray[...] = Variable would detach silently; so would array += Variable."""
    data, x = np.zeros(2), Variable([1.0, 2.0])
    with pytest.raises(TypeError, match="would lose the history"):
        data[:] = x
    with pytest.raises(TypeError, match="would lose the history"):
        data += x
    np.testing.assert_array_equal(data, [0, 0])


def test_inside_grad() -> None:
    """grad(f) of a function that writes into its argument is refused, into a copy is right."""

    def writes(x: Variable) -> Variable:
        x[0] = x[1] * 3
        return (x * x).sum()

    def copies(x: Variable) -> Variable:
        return writes(x.copy())

    for argument in (np.array([1.0, 2.0]), Variable(np.array([1.0, 2.0]))):
        with pytest.raises(ValueError, match=r"x\.copy\(\)"):
            grad(writes)(argument)
        np.testing.assert_array_equal(koubai.asarray(grad(copies)(argument)), [0, 40])
