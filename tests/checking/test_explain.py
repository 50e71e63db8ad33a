"""``explain_grad`` says why a gradient is None or zero: one test for each reason."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import koubai
from koubai import Function, Variable, explain_grad, watch
from koubai.checking.graphs import functions_of, name_of


def leaf(*values: float, name: str = "W") -> Variable:
    return Variable(np.array(values, dtype=float), name=name)


def test_fine() -> None:
    """A gradient that is there: its range; NaN in it sends to watch()."""
    W = leaf(1, 2)
    loss = (W * np.array([3.0, -4.0])).sum()
    loss.backward()
    for explanation in (explain_grad(W), explain_grad(W, loss)):
        assert str(explanation) == "W.grad is there: float64[2], from -4 to 3."
    W.grad = np.array([np.nan, 1.0])
    assert "koubai.watch()" in explain_grad(W)


def test_integers() -> None:
    """Integers have no gradient; the text says what to write."""
    x = Variable([1, 2])
    said = explain_grad(x, (x * leaf(1, 2)).sum())
    assert "v.grad is None: it is int64[2], and integers" in said
    assert "x.astype(float)" in said


def test_not_a_leaf() -> None:
    """What was computed keeps no gradient: by what, where, and which gradient it would get."""
    W = leaf(1, 2)
    with watch():
        h = W * 2
    loss = (h * h).sum()
    loss.backward()
    said = explain_grad(h, loss)
    assert "only leaves" in said
    assert "by Multiply, called at test_explain.py" in said
    assert "h = W * 2" in said
    assert "it gets float64[2], from 4 to 8" in said
    assert "The loss was not computed from it either" in explain_grad(h, W.sum())


def test_never_used() -> None:
    """Alone: nothing was computed from it. With the loss: which leaves it depends on."""
    W, loss = leaf(1, 2), leaf(3, name="b") * 2
    assert "nothing that is still there was computed from it" in explain_grad(W)
    said = explain_grad(W, loss)
    assert "the loss was not computed from W, nor from its array" in said
    assert "The loss depends on 1 leaves: b float64[1]." in said
    h = W * 2
    assert "W was used, but the loss does not depend on the result, by\n    Multiply" in (
        explain_grad(W, loss)
    )
    assert h.creator is not None


def test_backward_was_not_called() -> None:
    """Alone: who uses it. With the loss: what backward() would give, which changes nothing."""
    W, x = leaf(1, 2), leaf(3, 4, name="x")
    loss = (W * x).sum()
    said = explain_grad(W)
    assert "W is in a graph: it was used by\n    Multiply" in said
    assert "backward() has not been called" in said
    said = explain_grad(W, loss)
    assert "loss.backward() gives it float64[2], from 3 to 4" in said
    assert "No leaf of the loss has a gradient" in said
    assert W.grad is None
    assert x.grad is None


def test_cleared() -> None:
    """Others have their gradients: it was cleared since."""
    W, x = leaf(1, 2), leaf(3, 4, name="x")
    loss = (W * x).sum()
    loss.backward()
    W.cleargrad()
    said = explain_grad(W, loss)
    assert "Others have theirs (x float64[2]), so it was cleared" in said
    W.grad = np.zeros(2)
    assert "It was set to zeros" in explain_grad(W, loss)


@pytest.mark.parametrize(
    "detached",
    [lambda v: v.data, lambda v: v.detach(), lambda v: v.data[1:], lambda v: v.data.reshape(2, 1)],
    ids=["data", "detach", "a part", "a view"],
)
def test_detached(detached: Callable[[Variable], Any]) -> None:
    """Its array was used as a constant: where, and as what."""
    W, x = leaf(1, 2), leaf(3, name="x")
    assert "nothing" in explain_grad(W)
    with watch():
        loss = (x * detached(W)).sum()
    loss.backward()
    said = explain_grad(W, loss)
    assert "the loss was computed from W's array, but without its history" in said
    assert "It is a constant there: x2 of Multiply, called at test_explain.py:" in said
    assert "loss = (x * detached(W)).sum()" in said
    assert "W's array was used, without its history, by\n    Multiply" in explain_grad(W)


def test_another_variable_of_the_array() -> None:
    """Variable(W.data) is another leaf."""
    W = leaf(1, 2)
    loss = koubai.exp(Variable(W.data).reshape(2)).sum()
    assert "Another Variable, a new leaf, holds it: x of Reshape." in explain_grad(W, loss)


def test_detached_on_the_way() -> None:
    """The array of something that was computed from it: what, and where it became a constant."""
    W, x = leaf(1, 2), leaf(3, 4, name="x")
    with watch():
        h = koubai.tanh(W * 2)
        loss = (h.data * x).sum()
    said = explain_grad(W, loss)
    assert "the loss was computed from an array that was computed from it" in said
    assert "The array came from Tanh, called at test_explain.py" in said
    assert "It is a constant there: x1 of Multiply" in said
    assert h.shape == (2,)


def test_a_view_is_no_detour() -> None:
    """Views of its array with a history do not count as detached."""
    W, x = leaf(1, 2), leaf(3, 4, name="x")
    h = W.reshape(2)
    loss = (h.reshape(2) * x).sum()
    assert "loss.backward() gives it" in explain_grad(W, loss)


def test_before_a_write() -> None:
    """What was computed from y before y[0] = 0 does not depend on the write."""
    y = leaf(1, 2) * 2
    z = koubai.exp(y)
    y[0] = 0
    assert [name_of(f) for f in functions_of(z)] == ["Exp", "Multiply"]
    assert [name_of(f) for f in functions_of(y)] == ["SetItem", "Multiply"]


def test_no_grad() -> None:
    """A loss without a history; a part without one is named as a possibility."""
    W, x = leaf(1, 2), leaf(3, 4, name="x")
    with koubai.no_grad():
        loss, h = (W * x).sum(), W * 2
    said = explain_grad(W, loss)
    assert "the loss has no history" in said
    assert "no_grad()" in said
    assert "no_grad()" in explain_grad(W, (h * x).sum())


def test_compiled() -> None:
    """What comes out of a compiled function has no history, and the text says so."""
    W = leaf(1, 2)
    y = koubai.compile(lambda: koubai.exp(W))()
    assert "compile the whole step" in explain_grad(W, (y * 2).sum())


ZEROS: dict[str, tuple[Callable[[Variable], Any], str]] = {
    "Relu": (lambda W: koubai.relu(W - 5), "nothing in its input is above 0"),
    "Where": (lambda W: koubai.where(W.data > 5, W, 1.0), "the condition chooses the other one"),
    "Multiply": (lambda W: W * np.zeros(2), "the other factor is 0"),
    "Maximum": (lambda W: koubai.maximum(W, 9.0), "the other one is larger"),
    "ClipMax": (lambda W: koubai.clip(W, None, 0.5), "above the bound"),
    "Sigmoid": (lambda W: koubai.sigmoid(W * 1e4), "saturated"),
}


@pytest.mark.parametrize("name", ZEROS)
def test_zeros(name: str) -> None:
    """The function where the gradient became zero, why, and the line."""
    f, why = ZEROS[name]
    W = leaf(1, 2)
    with watch():
        loss = (f(W) * 2.0).sum()
        loss.backward()
    said = explain_grad(W, loss)
    assert "W.grad is all zero: on every way from the loss to W the gradient becomes 0" in said
    assert f"At {name}, called at test_explain.py" in said
    assert "what arrives is float64[2], all 2" in said
    assert why in said
    assert said.count("At ") == 1
    W.cleargrad()
    assert "loss.backward() gives it zeros" in explain_grad(W, loss)
    assert "all zero" in explain_grad(W, loss) or W.grad is None


def test_zeros_on_one_of_two_ways() -> None:
    """A gradient that arrives another way is fine; two that cancel are said to."""
    W = leaf(1, 2)
    loss = (koubai.relu(W - 5) + W).sum()
    loss.backward()
    assert "is there" in explain_grad(W, loss)
    W.cleargrad()
    assert "gradients may cancel out" in explain_grad(W, (W * 1.0 - W * 1.0).sum())


def test_a_users_function() -> None:
    """A user's backward that returns zeros is named; its line is known without watch()."""

    class Zero(Function):
        def forward(self, x: Any) -> Any:
            return x * 1.0

        def backward(self, gy: Any) -> Any:
            return gy * 0

    W = leaf(1, 2)
    loss = koubai.exp(Zero()(W)).sum()
    loss.backward()
    said = explain_grad(W, loss)
    assert "At Zero, called at test_explain.py" in said
    assert "koubai.watch()" not in said


def test_a_backward_that_fails() -> None:
    """The error is a part of the explanation."""

    class Wrong(Function):
        def forward(self, x: Any) -> Any:
            return x * 1.0

        def backward(self, gy: Any) -> Any:
            return gy[:1]

    W = leaf(1, 2)
    said = explain_grad(W, Wrong()(W).sum())
    assert "backward() of the loss fails" in said
    assert "the shapes must be equal" in said


def test_losses_that_are_no_numbers() -> None:
    """Any Variable may be the loss, v itself too."""
    W = leaf(1, 2)
    assert "gives it float64[2], all 2" in explain_grad(W, W * 2)
    assert "a leaf; nothing was computed" in explain_grad(W, W)


def test_what_it_takes() -> None:
    """Arrays are refused with a word on what to pass."""
    with pytest.raises(TypeError, match=r"takes the Variable itself as v, not float64\[2\]"):
        explain_grad(np.ones(2))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="as loss, not 3"):
        explain_grad(leaf(1), 3)  # type: ignore[arg-type]


def test_the_prompt_shows_it() -> None:
    """repr is the text itself, lines and all."""
    said = explain_grad(leaf(1))
    assert repr(said) == str(said)
    assert "\n" in repr(said)
