"""What a user may write in forward and backward, and what happens if it is wrong."""

import inspect
from typing import Any

import numpy as np
import pytest
from core.functions import SumAndDifference

import koubai
from koubai import Function, Variable


class Double(Function):
    def forward(self, x: Any) -> Any:
        return 2 * x

    def backward(self, gy: Any) -> Any:
        return 2 * gy


def returning(*gradients: Any) -> Function:
    """2 * x1 (+ 0 * x2 ...), whose backward returns ``gradients``, right or wrong."""

    class Wrong(Function):
        def forward(self, *xs: Any) -> Any:
            return 2 * xs[0]

        def backward(self, gy: Any) -> Any:
            return gradients[0] if len(gradients) == 1 else gradients

    return Wrong()


def test_several_outputs() -> None:
    """Each output has its gradient; one that is not used, or is gone, has zeros."""
    x1, x2 = Variable([3.0, 4.0]), Variable([1.0, 2.0])
    total, difference = SumAndDifference()(x1, x2)
    (total * difference).sum().backward()  # x1 ** 2 - x2 ** 2
    np.testing.assert_array_equal(x1.grad, 2 * x1.data)
    np.testing.assert_array_equal(x2.grad, -2 * x2.data)

    for create_graph in (False, True):
        for used in (0, 1):
            for kept in (False, True):
                x1.cleargrad(), x2.cleargrad()
                outputs = SumAndDifference()(x1, x2)
                y = outputs[used]
                if not kept:
                    del outputs
                y.backward(np.ones(2), create_graph=create_graph)
                sign = (1, -1)[used]
                np.testing.assert_array_equal(koubai.asarray(x1.grad), [1, 1])
                np.testing.assert_array_equal(koubai.asarray(x2.grad), [sign, sign])


def test_lists_are_as_good_as_tuples() -> None:
    """forward may return a list of outputs, backward a list of gradients."""

    class Split(Function):
        def forward(self, x: Any) -> Any:
            return [x[:1], x[1:]]

        def backward(self, *gys: Any) -> Any:
            return [np.concatenate(gys)]

    x = Variable([1.0, 2.0, 3.0])
    head, tail = Split()(x)
    (2 * head.sum() + 3 * tail.sum()).backward()
    np.testing.assert_array_equal(x.grad, [2, 3, 3])


def test_one_output_in_a_tuple() -> None:
    """A tuple of one output comes back as a tuple of one Variable."""

    class One(Function):
        def forward(self, x: Any) -> Any:
            return (2 * x,)

        def backward(self, gy: Any) -> Any:
            return 2 * gy

    x = Variable(1.0)
    (y,) = One()(x)
    y.backward()
    assert x.grad == 2


def test_fewer_gradients_than_inputs() -> None:
    """backward(x, t) may return the gradient of x alone, or None for the labels, in any place."""
    x, t = Variable([1.0, 2.0]), Variable([0, 1])
    for gradients in ((np.ones(2),), (np.ones(2), None)):
        for labels in (t, np.array([0, 1])):
            x.cleargrad()
            returning(*gradients)(x, labels).backward(np.ones(2))
            np.testing.assert_array_equal(x.grad, [1, 1])

    class LabelsFirst(Function):
        def forward(self, t: Any, x: Any) -> Any:
            return x * t

        def backward(self, gy: Any) -> Any:
            return gy * 7

    x.cleargrad()
    LabelsFirst()(t, x).backward(np.ones(2))
    np.testing.assert_array_equal(x.grad, [7, 7])


@pytest.mark.parametrize(
    ("gradients", "words"),
    [
        ((np.ones(2), np.ones(2)), ["returned 2 gradients for 1 input, 1 of them differentiable"]),
        (((),), ["returned 0 gradients for 1 input,"]),
        ((None,), ["returned None for input 0, float64[2]", "zeros"]),
        (
            (np.ones(3),),
            ["returned float64[3] as the gradient of input 0, float64[2]", "must be equal"],
        ),
        ((np.ones((1, 2)),), ["float64[1, 2]", "float64[2]"]),
        ((np.ones(1),), ["float64[1]", "float64[2]"]),
        ((3.0,), ["float64[]", "float64[2]"]),
    ],
)
@pytest.mark.parametrize("create_graph", [False, True])
def test_wrong_gradients_are_errors(gradients: Any, words: list[str], create_graph: bool) -> None:
    """The wrong count or shape is never summed away or cut off: the error names all there is."""
    x = Variable(np.array([1.0, 2.0]))
    y = returning(*gradients)(x)
    line = inspect.currentframe().f_lineno - 1  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="the backward of Wrong") as caught:
        y.sum().backward(create_graph=create_graph)
    message = str(caught.value)
    for word in words:
        assert word in message
    assert f"test_user_functions.py:{line}, in test_wrong_gradients_are_errors" in message
    assert "y = returning(*gradients)(x)" in message
    assert x.grad is None


def test_gradients_are_summed_where_forward_broadcast() -> None:
    """A gradient of the output's shape is summed to the input's, if forward repeated it."""

    class OwnAdd(Function):
        def forward(self, x1: Any, x2: Any) -> Any:
            return x1 + x2

        def backward(self, gy: Any) -> Any:
            return gy, gy

    x1, x2 = Variable(np.ones((2, 3))), Variable(np.ones((3,)))
    gy = np.arange(6.0).reshape(2, 3)
    OwnAdd()(x1, x2).backward(gy)
    np.testing.assert_array_equal(x1.grad, gy)
    np.testing.assert_array_equal(x2.grad, gy.sum(axis=0))


def test_an_error_in_backward_says_where_forward_was_called() -> None:
    """Whatever is raised, a note names the function and the line of the user's forward call."""

    class Broken(Function):
        def forward(self, x: Any) -> Any:
            return x * 1.0

        def backward(self, gy: Any) -> Any:
            return gy / {}["nothing"]

    y = Broken()(Variable(1.0))
    with pytest.raises(KeyError) as caught:
        y.backward()
    (note,) = caught.value.__notes__
    assert "in the backward of Broken" in note
    assert "y = Broken()(Variable(1.0))" in note


def test_an_error_in_forward_names_arguments_and_line() -> None:
    """The function, its arguments by forward's names, and the line; the cause is kept."""

    class Product(Function):
        def forward(self, left: Any, right: Any) -> Any:
            return left @ right

    with pytest.raises(ValueError, match="Product") as caught:
        Product()(Variable(np.ones((2, 3))), np.ones((2, 3)))
    assert "Product(left: float64[2, 3], right: float64[2, 3])" in str(caught.value)
    assert "test_user_functions.py" in str(caught.value)
    assert isinstance(caught.value.__cause__, ValueError)


def test_missing_methods() -> None:
    """A function without forward or backward says so."""

    class Nothing(Function):
        pass

    with pytest.raises(NotImplementedError, match="Nothing has no forward"):
        Nothing()(Variable(1.0))

    class Half(Function):
        def forward(self, x: Any) -> Any:
            return x * 1.0

    with pytest.raises(NotImplementedError, match="Half has no backward"):
        Half()(Variable(1.0)).backward()


def test_writing_into_the_upstream_gradient_harms_nothing() -> None:
    """dout[mask] = 0, as the notebooks write it: no other gradient changes, nor the caller's gy."""

    class OwnRelu(Function):
        def forward(self, x: Any) -> Any:
            self.mask = x <= 0
            y = x.copy()
            y[self.mask] = 0
            return y

        def backward(self, dout: Any) -> Any:
            dout[self.mask] = 0
            return dout

    x, z = Variable([-1.0, 2.0]), Variable([0.0, 0.0])
    gy = np.array([5.0, 7.0])
    (OwnRelu()(x) + z).backward(gy)
    np.testing.assert_array_equal(gy, [5, 7])
    np.testing.assert_array_equal(x.grad, [0, 7])
    np.testing.assert_array_equal(z.grad, [5, 7])


def test_gradients_that_the_user_keeps_are_not_shared() -> None:
    """x.grad is its own array, also where backward returns one that it keeps."""

    class Keeping(Function):
        def forward(self, x: Any) -> Any:
            return 2 * x

        def backward(self, gy: Any) -> Any:
            self.dx = gy * 2
            return self.dx

    f, x = Keeping(), Variable([1.0, 2.0])
    (f(x) + x).backward(np.ones(2))
    np.testing.assert_array_equal(f.dx, [2, 2])
    np.testing.assert_array_equal(x.grad, [3, 3])
    x.grad[...] = 0
    np.testing.assert_array_equal(f.dx, [2, 2])


def test_forward_must_return_arrays() -> None:
    """A Variable out of forward is an error that says how constants and inputs are passed."""

    class Careless(Function):
        def forward(self, x: Any) -> Any:
            return Variable(x) * 2

    with pytest.raises(TypeError, match="an array is needed, not a Variable") as caught:
        Careless()(Variable(1.0))
    assert "Careless(x: float64[])" in str(caught.value)


@pytest.mark.parametrize("value", [1j, "text", None, object(), {"a": 1}, np.array(["a"]), [1j]])
def test_what_is_no_real_number_is_refused(value: Any) -> None:
    """Text, complex numbers, objects: neither as an input nor as a result."""
    with pytest.raises(TypeError, match="Double"):
        Double()(Variable(1.0), value)

    class Careless(Double):
        def forward(self, x: Any) -> Any:
            return value

    with pytest.raises(TypeError, match=r"real numbers are needed|is a return missing"):
        Careless()(Variable(1.0))


def test_integers_and_python_numbers_from_forward() -> None:
    """A forward that returns a Python number makes a Variable of it."""

    class Count(Function):
        def forward(self, x: Any) -> Any:
            return float((x > 0).sum())

        def backward(self, gy: Any) -> Any:
            return np.zeros(3)

    y = Count()(Variable([1.0, -1.0, 2.0]))
    assert isinstance(y.data, np.ndarray)
    assert y.item() == 2
    y.backward()
