"""no_grad(): computed, but not recorded."""

import numpy as np
import pytest

import koubai
from koubai import Variable, no_grad


def test_as_a_context() -> None:
    """Inside, results are leaves; afterwards they are recorded again, also after an error."""
    x = Variable([1.0, 2.0])
    with no_grad():
        y = koubai.exp(x) * 2
        assert y.creator is None
    np.testing.assert_array_equal(y.data, np.exp([1, 2]) * 2)
    assert (x * x).creator is not None
    with pytest.raises(RuntimeError), no_grad():
        raise RuntimeError
    assert (x * x).creator is not None


def test_nested() -> None:
    """The inner end does not switch recording on in the outer one."""
    x = Variable(1.0)
    with no_grad():
        with no_grad():
            pass
        assert (x * x).creator is None


def test_as_a_decorator() -> None:
    """Of a function that is called again and again."""

    @no_grad()
    def predict(x: Variable) -> Variable:
        """Of x."""
        return x * x

    for _ in range(3):
        assert predict(Variable(3.0)).creator is None
        assert (Variable(3.0) * 2).creator is not None
    assert predict.__name__ == "predict"


def test_what_was_computed_inside_is_a_constant() -> None:
    """A graph outside goes as far as it."""
    x = Variable(3.0)
    with no_grad():
        a = x * x
    y = a * x
    y.backward()
    assert x.grad == 9
    assert a.grad == 3


def test_backward_inside() -> None:
    """A graph from before can be differentiated inside; create_graph asks for recording itself."""
    x = Variable(3.0)
    y = x * x * x
    with no_grad():
        y.backward()
        assert x.grad == 27
        x.cleargrad()
        y.backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    gx.backward()
    assert x.grad == 18


def test_functions_with_several_outputs() -> None:
    """They are leaves, all of them."""

    class Both(koubai.Function):
        def forward(self, x: float) -> tuple[float, float]:
            return x * 1, x * 2

    with no_grad():
        outputs = Both()(Variable(2.0))
    assert [(y.item(), y.creator) for y in outputs] == [(2, None), (4, None)]
