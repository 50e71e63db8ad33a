"""The notebooks' chains of Square and Exp: gradients by hand, by loops, along the creators."""

from typing import Any

import numpy as np
import pytest

from koubai import Function, Variable
from koubai.ops import elementwise


class OwnSquare(Function):
    """A user's class that keeps nothing and reads its input in backward."""

    def forward(self, x: Any) -> Any:
        return x**2

    def backward(self, gy: Any) -> Any:
        return 2 * self.input.data * gy


class OwnExp(Function):
    def forward(self, x: Any) -> Any:
        return np.exp(x)

    def backward(self, gy: Any) -> Any:
        return np.exp(self.input.data) * gy


Operations = tuple[type[Function], type[Function]]


@pytest.fixture(params=["own", "koubai's"])
def operations(request: pytest.FixtureRequest) -> Operations:
    """Square and Exp: a user's, and the package's."""
    own = request.param == "own"
    return (OwnSquare, OwnExp) if own else (elementwise.Square, elementwise.Exp)


class Chain:
    """y = C(B(A(x))) at x = 0.5, with what is between kept: exp(x**2)**2."""

    def __init__(self, operations: Operations) -> None:
        square, exp = operations
        self.A, self.B, self.C = square(), exp(), square()
        self.x = Variable(np.array(0.5))
        self.a = self.A(self.x)
        self.b = self.B(self.a)
        self.y = self.C(self.b)


def test_gradients_passed_by_hand(operations: Operations) -> None:
    """Gradients handed from function to function give x's, to the digit printed."""
    c = Chain(operations)
    c.y.grad = np.array(1.0)
    c.b.grad = c.C.backward(c.y.grad)
    c.a.grad = c.B.backward(c.b.grad)
    c.x.grad = c.A.backward(c.a.grad)
    assert str(c.x.grad) == "3.297442541400256"


def test_the_formula() -> None:
    """4x exp(2x^2), worked out with pencil, differs only in the last digit."""
    assert str(4 * 0.5 * np.exp(0.5)) == "3.2974425414002564"


def test_backward_along_the_creators(operations: Operations) -> None:
    """y.backward() from a gradient that was set on y, and a recursion of one's own, agree."""
    c = Chain(operations)
    c.y.grad = np.array(1.0)
    c.y.backward()
    assert str(c.x.grad) == "3.297442541400256"

    def walk(v: Variable) -> None:
        if v.creator is not None:
            v.creator.input.grad = v.creator.backward(v.grad)
            walk(v.creator.input)

    c = Chain(operations)
    c.y.grad = np.array(1.0)
    walk(c.y)
    assert str(c.x.grad) == "3.297442541400256"


def test_creators_lead_back_to_x(operations: Operations) -> None:
    """Each variable names the very function that made it, each function its very input."""
    c = Chain(operations)
    assert c.y.creator is c.C
    assert c.y.creator.input is c.b
    assert c.b.creator is c.B
    assert c.y.creator.input.creator is c.B
    assert c.y.creator.input.creator.input is c.a
    assert c.y.creator.input.creator.input.creator is c.A
    assert c.y.creator.input.creator.input.creator.input is c.x
    assert c.x.creator is None
    # The notebook compares with ==, which must hold as well.
    assert c.y.creator == c.C
    assert c.y.creator.input == c.b


def test_x_from_y_alone(operations: Operations) -> None:
    """The exercise: from y the walk along creator and input arrives at x's array."""
    x = Variable(np.array([0.5]))
    y = operations[0]()(x)
    assert y.creator is not None
    assert repr(y.creator.input.data) == "array([0.5])"
    assert y.creator.input.data is x.data


def test_set_creator() -> None:
    """A Variable can be told by hand who made it."""
    f = OwnSquare()
    y = Variable(f.forward(np.array(0.5)))
    assert y.creator is None
    y.set_creator(f)
    assert y.creator is f


def test_three_exponentials_by_hand(operations: Operations) -> None:
    """exp(exp(exp(x))) at 0.5, each step by hand."""
    _, exp = operations
    A, B, C = exp(), exp(), exp()
    x = Variable(np.array(0.5))
    a = A(x)
    b = B(a)
    y = C(b)
    y.grad = np.array(1.0)
    b.grad = C.backward(y.grad)
    a.grad = B.backward(b.grad)
    x.grad = A.backward(a.grad)
    assert str(x.grad) == "1554.7142341744839"


def test_three_exponentials_by_loops(
    operations: Operations, capsys: pytest.CaptureFixture[str]
) -> None:
    """One loop forward, one backward over the functions: all that the second prints on its way."""
    functions = [operations[1]() for _ in range(3)]
    variables = [Variable(np.array(0.5))]
    for f in functions:
        variables.append(f(variables[-1]))
    variables[-1].grad = np.array(1.0)
    for i in reversed(range(3)):
        print(i)
        print(variables[i + 1].grad)
        variables[i].grad = functions[i].backward(variables[i + 1].grad)
    print(variables[0].grad)
    assert capsys.readouterr().out.splitlines() == [
        "2",
        "1.0",
        "1",
        "181.33130360854574",
        "0",
        "942.9818501184714",
        "1554.7142341744839",
    ]


def test_reversing_the_list_of_functions(operations: Operations) -> None:
    """list.reverse() returns None and turns the list itself round, which the loop can then walk."""
    functions = [operations[1]() for _ in range(3)]
    x = y = Variable(np.array(0.5))
    for f in functions:
        y = f(y)
    assert str(functions.reverse()) == "None"
    gradient: Any = np.array(1.0)
    for f in functions:
        gradient = f.backward(gradient)
    y.backward()
    assert str(gradient) == str(x.grad) == "1554.7142341744839"
