"""Derivatives of derivatives: backward(create_graph=True)."""

from typing import Any

import numpy as np
import pytest
from core.functions import Affine, Exp, Square, SumAndDifference

import koubai
from koubai import Function, Variable


def derivatives(f: Any, at: float, orders: int) -> list[float]:
    """The first ``orders`` derivatives of ``f``, by backward passes over backward passes."""
    x = Variable(at)
    y, found = f(x), []
    for _ in range(orders):
        y.backward(create_graph=True)
        y = x.grad if x.grad is not None else Variable(0.0) * x  # a constant
        x.cleargrad()
        found.append(float(y.item()))
    return found


def test_third_order() -> None:
    """x ** 4, tanh and the user's own exp(x) ** 2, three times."""
    assert derivatives(lambda x: x**4, 2.0, 4) == [32, 48, 48, 24]
    t = np.tanh(0.3)
    expected = [1 - t**2, -2 * t * (1 - t**2), (1 - t**2) * (6 * t**2 - 2)]
    np.testing.assert_allclose(derivatives(koubai.tanh, 0.3, 3), expected, rtol=1e-12)
    own = [2 * np.exp(0.2), 4 * np.exp(0.2), 8 * np.exp(0.2)]
    np.testing.assert_allclose(derivatives(lambda x: Square()(Exp()(x)), 0.1, 3), own, rtol=1e-12)


def test_gradients_are_variables() -> None:
    """After create_graph=True, .grad is a Variable; gradients accumulate as Variables."""
    x = Variable(3.0)
    y = x * x * x
    y.backward(create_graph=True)
    assert isinstance(x.grad, Variable)
    assert x.grad.creator is not None
    y.backward()
    assert x.grad.item() == 2 * 27
    first = x.grad
    x.cleargrad()
    first.backward()
    assert x.grad == 18


def test_a_gradient_that_is_part_of_a_loss() -> None:
    """The penalty of the gradient's size: d/dx (y + (dy/dx)**2) of y = x**3."""
    x = Variable(2.0)
    y = x**3
    y.backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    (y + gx * gx).backward()
    assert x.grad == 3 * 4 + 2 * 12 * 12


def test_an_upstream_gradient_that_is_a_variable() -> None:
    """gy takes part: the derivative of gx = gy * 2x with respect to gy."""
    x, gy = Variable(3.0), Variable(5.0)
    (x * x).backward(gy, create_graph=True)
    gx = x.grad
    assert gx.item() == 30
    gx.backward()
    assert gy.grad == 6


def test_what_forward_keeps_has_a_history() -> None:
    """Intermediates, tuples, casts, copies, dicts: forward is run again with Variables."""

    class Keeping(Function):
        """x ** 3, whose backward is made of everything that may be kept."""

        def forward(self, x: Any) -> Any:
            self.pair = (x.copy(), [x * 1])
            self.cache = {"square": np.square(x)}
            self.shape = x.shape
            return x * x * x

        def backward(self, gy: Any) -> Any:
            copied, (same,) = self.pair
            third = self.cache["square"].reshape(self.shape)
            return gy * (copied * same + 2 * third)

    np.testing.assert_allclose(derivatives(Keeping(), 2.0, 4), [12, 12, 6, 0])


def test_what_backward_assigns_is_the_users() -> None:
    """self.dW of a layer after create_graph=True: on the user's object, as a Variable."""
    rng = np.random.default_rng(0)
    affine = Affine()
    x, W, b = (Variable(rng.normal(size=s)) for s in [(4, 3), (3, 2), (2,)])
    gy = rng.normal(size=(4, 2))
    affine(x, W, b).backward(gy, create_graph=True)
    assert isinstance(affine.dW, Variable)
    np.testing.assert_allclose(affine.dW.data, x.data.T @ gy)
    np.testing.assert_allclose(W.grad.data, x.data.T @ gy)


def test_several_outputs() -> None:
    """The second derivatives of the product of two outputs, one more output unused."""
    x1, x2 = Variable(3.0), Variable(2.0)
    total, difference = SumAndDifference()(x1, x2)
    y = total * difference * total
    y.backward(create_graph=True)
    g1 = x1.grad
    x1.cleargrad(), x2.cleargrad()
    g1.backward()
    # y = (x1 + x2)**2 (x1 - x2): d2y/dx1dx1 = 6 x1 + 2 x2, d2y/dx1dx2 = 2 x1 - 2 x2
    np.testing.assert_allclose([x1.grad, x2.grad], [22, 2])
    x1.cleargrad(), x2.cleargrad()
    total, _ = SumAndDifference()(x1, x2)
    (total * total).backward(create_graph=True)
    g1 = x1.grad
    x1.cleargrad(), x2.cleargrad()
    g1.backward()
    assert x1.grad == x2.grad == 2


def test_a_forward_that_is_random_is_refused() -> None:
    """Run again it gives another output: the error says so and names the line of the call."""

    class Noise(Function):
        def __init__(self) -> None:
            self.rng = np.random.default_rng(0)

        def forward(self, x: Any) -> Any:
            self.mask = self.rng.random(x.shape)
            return x * self.mask

        def backward(self, gy: Any) -> Any:
            return gy * self.mask

    x = Variable(np.ones(3))
    y = Noise()(x).sum()
    y.backward()
    x.cleargrad()
    with pytest.raises(ValueError, match="forward of Noise gave another output") as caught:
        y.backward(create_graph=True)
    assert "random" in str(caught.value)
    assert "y = Noise()(x).sum()" in str(caught.value)


def test_inputs_changed_in_place_are_refused() -> None:
    """A write into x.data between forward and a second-order backward is noticed."""
    x = Variable(np.ones(3))
    y = Square()(x).sum()
    x.data[...] = 2
    with pytest.raises(ValueError, match="an input was changed in place"):
        y.backward(create_graph=True)


def test_a_forward_that_underflows_is_no_reason_to_refuse() -> None:
    """NaN, infinity and zero come out the same again, and are accepted."""
    x = Variable(np.array([0.0, -1.0, 1e300, np.nan, np.inf]))
    with np.errstate(all="ignore"):
        y = koubai.exp(x) * koubai.log(x)
        y.backward(np.ones(5), create_graph=True)
    assert isinstance(x.grad, Variable)


def test_the_data_of_an_input_is_refused() -> None:
    """self.input.data is right for the first derivative and refused for a second one."""

    class FromInput(Function):
        def forward(self, x: Any) -> Any:
            return x * x

        def backward(self, gy: Any) -> Any:
            return 2 * self.input.data * gy

    class Right(FromInput):
        def backward(self, gy: Any) -> Any:
            return 2 * self.input * gy if isinstance(gy, Variable) else 2 * self.input.data * gy

    x = Variable(3.0)
    y = FromInput()(x)
    y.backward()
    assert x.grad == 6
    with pytest.raises(ValueError, match=r"self.input.data is a constant.*write self.input"):
        y.backward(create_graph=True)
    np.testing.assert_array_equal(derivatives(Right(), 3.0, 3), [6, 2, 0])


def test_one_instance_several_times() -> None:
    """f(f(x)) to second order, from snapshots: x ** 4."""
    f = Square()
    np.testing.assert_allclose(derivatives(lambda x: f(f(x)), 2.0, 3), [32, 48, 48])


def test_no_graph_is_kept_without_create_graph() -> None:
    """An ordinary pass records nothing, also if backward is written with koubai's functions."""

    class Own(Function):
        def forward(self, x: Any) -> Any:
            self.x = x
            return x * x

        def backward(self, gy: Any) -> Any:
            assert (Variable(gy) * 2).creator is None
            return 2 * self.x * gy

    x = Variable(3.0)
    Own()(x).backward()
    assert type(x.grad) is np.ndarray
