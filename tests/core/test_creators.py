"""The graph can be walked and worked by hand."""

import weakref
from typing import Any

import numpy as np
import pytest
from core.functions import Exp, Square, SumAndDifference

import koubai
from koubai import Function, Variable
from koubai.ops.elementwise import Add, Multiply


def test_creators_lead_back_to_the_leaf() -> None:
    """y.creator is the function called, its input the very Variable it was called with."""
    A, B, C = Square(), Exp(), Square()
    x = Variable(np.array(0.5))
    a = A(x)
    b = B(a)
    y = C(b)
    assert y.creator is C
    assert y.creator.input is b
    assert y.creator.input.creator is B
    assert y.creator.input.creator.input is a
    assert y.creator.input.creator.input.creator is A
    assert y.creator.input.creator.input.creator.input is x
    assert x.creator is None
    assert (A.output, B.output, C.output) == (a, b, y)


def test_gradients_can_be_passed_by_hand() -> None:
    """b.grad = C.backward(y.grad) and so on to x gives what y.backward() gives."""
    A, B, C = Square(), Exp(), Square()
    x = Variable(np.array(0.5))
    a = A(x)
    b = B(a)
    y = C(b)
    y.grad = np.array(1.0)
    b.grad = C.backward(y.grad)
    a.grad = B.backward(b.grad)
    x.grad = A.backward(a.grad)
    assert x.grad == 3.297442541400256
    by_hand = x.grad
    for variable in (x, a, b, y):
        variable.cleargrad()
    y.backward()
    assert x.grad == by_hand


def test_operations_by_hand() -> None:
    """The package's own operations, forward and backward on numbers and arrays, without a graph."""
    add, multiply = Add(), Multiply()
    assert add.forward(100, 2) == 102
    assert add.backward(1.5) == (1.5, 1.5)
    assert multiply.forward(100, 2) == 200
    assert multiply.backward(1.1) == (1.1 * 2, 1.1 * 100)
    x, gy = np.array([[1.0, 2.0], [3.0, 4.0]]), np.ones((2, 2))
    np.testing.assert_array_equal(multiply.forward(x, x), x * x)
    np.testing.assert_array_equal(multiply.backward(gy)[0], x)


def test_operations_on_arrays_alone() -> None:
    """Called with no Variable, a function gives what its forward gives, and records nothing."""
    f = Square()
    assert f(3) == 9
    assert isinstance(f(np.ones(2)), np.ndarray)
    with pytest.raises(AttributeError, match="Square has not been called on a Variable yet"):
        f.input  # noqa: B018


def test_inputs_and_outputs() -> None:
    """All of them, constants too; an output that nobody uses is gone."""
    x1, x2 = Variable(3.0), Variable(1.0)
    f = SumAndDifference()
    total, difference = f(x1, x2)
    assert f.inputs == (x1, x2)
    assert f.input is x1
    assert f.outputs == (total, difference)
    assert total.creator is difference.creator is f
    del difference
    assert f.outputs == (total, None)
    product = x1 * 2.5
    assert product.creator.inputs == (x1, 2.5)


def test_an_operation_knows_its_output_when_it_is_asked() -> None:
    """A function that koubai made for itself is as any other to who takes it from y.creator."""
    x = Variable(3.0)
    y = x * x
    f: Any = y.creator
    assert f.output is y
    y.backward()
    assert x.grad == 6
    z = f(y, y)
    assert (z.creator, f.output, f.input) == (f, z, y)
    assert y.creator is not f
    assert y.creator.output is y
    assert y.creator.input is x
    z.backward()
    assert x.grad == 6 + 4 * 27
    del z
    assert f.output is None


def test_set_creator() -> None:
    """set_creator says which function computed a variable, or that it is a leaf."""
    f, y = Square(), Variable(4.0)
    y.set_creator(f)
    assert y.creator is f
    y.set_creator(None)
    assert y.creator is None
    x = Variable(2.0)
    y = f(x)
    y.set_creator(None)
    z = y * 3
    z.backward()
    assert y.grad == 3
    assert x.grad is None


class ByHand(Function):
    """A square that links its graph by itself, as the notebooks' first functions do."""

    def __call__(self, input: Any) -> Any:
        output = Variable(self.forward(input.data))
        output.set_creator(self)
        self.input, self.output = input, output
        return output

    def forward(self, x: Any) -> Any:
        return x**2

    def backward(self, gy: Any) -> Any:
        return 2 * self.input.data * gy


def test_a_graph_that_was_linked_by_hand() -> None:
    """It can be walked and its gradients passed by hand, in the notebooks' loop."""
    x = Variable(np.array(3.0))
    y = ByHand()(ByHand()(x))
    y.grad = np.array(1.0)
    variable: Any = y
    while (f := variable.creator) is not None:
        assert f.output is variable
        f.input.grad = f.backward(variable.grad)
        variable = f.input
    assert variable is x
    assert x.grad == 4 * 3.0**3


def test_backward_through_a_creator_that_did_not_compute() -> None:
    """The package's own pass needs the package's own call: the error says so, whoever set it."""
    f, unasked = Square(), Variable(9.0)
    unasked.set_creator(f)
    for y in (ByHand()(Variable(3.0)), unasked):
        for z in (y, y * 2):
            with pytest.raises(TypeError, match=r"set_creator.* by hand; .*write y = f\(x\)"):
                z.backward()


def test_a_user_may_call_attributes_as_he_likes() -> None:
    """self.input, self.output, self.x ... are the user's; the graph is not disturbed."""

    class Own(Function):
        def __init__(self) -> None:  # without super().__init__()
            self.input = None

        def forward(self, x: Any) -> Any:
            self.input, self.inputs, self.x = x, "mine", x
            self.output = self.out = self.outputs = self.name = self.grad = self.creator = 3 * x
            return self.output

        def backward(self, gy: Any) -> Any:
            assert self.inputs == "mine"
            return 3 * gy + 0 * self.input

    x = Variable(np.array([1.0, 2.0]))
    own = Own()
    y = own(own(x) * 2)
    assert y.creator is own
    assert isinstance(own.input, np.ndarray)
    y.backward(np.ones(2))
    np.testing.assert_array_equal(x.grad, [18, 18])
    x.cleargrad()
    y.backward(np.ones(2), create_graph=True)
    np.testing.assert_array_equal(x.grad.data, [18, 18])


def test_a_creator_that_is_shared_keeps_its_name() -> None:
    """repr of a function says what it is."""
    assert repr(koubai.exp(Variable(1.0)).creator) == "<Exp>"


def test_functions_hold_their_outputs_weakly() -> None:
    """A result that nobody uses dies, although its function lives."""
    f = Square()
    link = weakref.ref(f(Variable(2.0)))
    assert link() is None
    assert f.output is None
