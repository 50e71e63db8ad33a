"""Promises of ``koubai.check`` that it has once broken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import koubai
from koubai import Function, Variable, check, nn
from koubai.checking.numerical import derivative

X = np.array([0.5, -1.0, 2.0, 3.0])


class Layer:
    """The identity, with a gradient that is given."""

    def __init__(self, slope: Any) -> None:
        self.slope = slope

    def forward(self, x: Any) -> Any:
        return x * 1.0

    def backward(self, dout: Any) -> Any:
        return dout * self.slope


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_gradient_that_is_not_finite(value: float) -> None:
    """A backward that gives infinity where the slope is 1 is wrong."""
    report = check(Layer(np.array([1.0, 1.0, value, 1.0])), X)
    (failure,) = report.failures
    assert failure.index == (2,)
    assert np.isfinite(failure.expected)
    assert failure.mistake is None


@pytest.mark.parametrize("rows", [4, 150])
def test_nan_is_no_formula(rows: int) -> None:
    """A gradient that is right but for a NaN is not called transposed; small or large."""

    class Product:
        def forward(self, x: Any, W: Any) -> Any:
            self.x, self.W = x, W
            return x @ W

        def backward(self, dout: Any) -> Any:
            dW = self.x.T @ dout
            dW[2, 1] = np.nan
            return dout @ self.W.T, dW

    rng = np.random.default_rng(0)
    report = check(Product(), rng.normal(size=(5, rows)), rng.normal(size=(rows, rows)))
    (failure,) = report.failures
    assert failure.index == (2, 1)
    assert failure.mistake is None


def test_a_forward_that_takes_no_subclass_of_an_array() -> None:
    """What looks at the uses of a parameter gives up; nothing is raised."""

    class Strict:
        def __init__(self) -> None:
            self.W, self.dW = np.array([1.0, 2.0, 3.0, 4.0]), None

        def forward(self, x: Any) -> Any:
            if type(self.W) is not np.ndarray:
                raise TypeError("an array, please")
            self.x = x
            return np.tanh(x * self.W)

        def backward(self, dout: Any) -> Any:
            self.dW = dout * np.sin(self.x)
            return dout * (1 - np.tanh(self.x * self.W) ** 2) * self.W

    (failure,) = check(Strict(), X).failures
    assert (failure.what, failure.mistake) == ("W", None)


RAGGED = [[1.0, 2.0], [3.0]]


class RaggedLayer:
    def __init__(self) -> None:
        self.W, self.dW = np.ones(4), None

    def forward(self, x: Any) -> Any:
        return x * self.W

    def backward(self, dout: Any) -> Any:
        self.dW = dout * 0.5
        return (RAGGED,)


class RaggedNetwork:
    def __init__(self) -> None:
        self.params = {"W": np.ones(4)}

    def loss(self, x: Any) -> Any:
        return np.sum(x * self.params["W"])

    def gradient(self, x: Any) -> Any:
        return {"W": RAGGED}


@pytest.mark.parametrize("target", [RaggedLayer(), RaggedNetwork()])
def test_a_ragged_gradient(target: Any) -> None:
    """A list of lists of different lengths is no array, and hides no other mistake."""
    failures = {f.what: f for f in check(target, X).failures}
    what = "params['W']" if isinstance(target, RaggedNetwork) else "x"
    assert failures[what].mistake == "wrong dtype"
    assert "gives list [[1.0, 2.0], [3.0]] for" in failures[what].why
    assert ("W" in failures) == isinstance(target, RaggedLayer)


def test_a_zero_is_no_forgotten_scale() -> None:
    """A wrong gradient times 1 / 0 is not the right one."""

    class Shifted:
        def __init__(self) -> None:
            self.b, self.db = np.zeros(4), None

        def forward(self, x: Any) -> Any:
            self.x = x
            return x**4 + self.b

        def backward(self, dout: Any) -> Any:
            self.db = dout
            return dout * (self.x - 7)

    (failure,) = check(Shifted(), X).failures
    assert (failure.what, failure.mistake) == ("x", None)


@pytest.mark.parametrize(("width", "mistake"), [(3, "inner derivative forgotten"), (784, None)])
def test_a_scale_that_is_forgotten(width: int, mistake: str | None) -> None:
    """g in tanh(g * x): of a large layer it can't be told whether it is outside or inside."""

    class Scaled:
        def __init__(self) -> None:
            self.g, self.dg = np.linspace(1.1, 2, width), None

        def forward(self, x: Any) -> Any:
            self.x, self.y = x, np.tanh(self.g * x)
            return self.y

        def backward(self, dout: Any) -> Any:
            d = dout * (1 - self.y**2)
            self.dg = (d * self.x).sum(axis=0)
            return d

    report = check(Scaled(), np.random.default_rng(0).normal(size=(10, width)))
    (failure,) = report.failures
    assert (failure.what, failure.mistake) == ("x", mistake)


def test_a_tie_with_a_half() -> None:
    """A half and the whole don't add up, although a half is what central differences give."""

    class Maximum:
        def forward(self, a: Any, b: Any) -> Any:
            self.a, self.b = a, b
            return np.maximum(a, b)

        def backward(self, dout: Any) -> Any:
            half = 0.5 * (self.a == self.b)
            return dout * ((self.a > self.b) + half), dout * (self.b >= self.a)

    assert not check(Maximum(), np.array([3.0, 2.0]), np.array([1.0, 2.0])).ok


def test_nan_has_no_derivative() -> None:
    """At a point where the function is NaN the derivative is unknown, and nothing is raised."""
    (d,) = derivative([lambda t: np.array([np.nan * t])], np.ones(1), np.float64)
    assert not np.isfinite(d.error).any()


def test_nan_in_the_input() -> None:
    """It cannot be told, or is refused; no error of the check itself is laid to the backward."""
    try:
        report = check(Layer(1.0), np.array([np.nan, 1.0]))
    except ValueError as error:
        assert "nan" in str(error).lower()  # noqa: PT017
    else:
        assert not any("backward raises" in f.why for f in report.failures)
        assert report.ok


def test_closures_keep_their_gradients() -> None:
    """Parameters that a function takes from outside have the ``.grad`` that they had."""
    linear = nn.Linear(2, 3, dtype=np.float64)
    linear.W.grad = np.ones((2, 3))
    check(lambda x: koubai.sum(linear(x)), X.reshape(2, 2))
    np.testing.assert_array_equal(linear.W.grad, 1)
    assert linear.b.grad is None


class Running(nn.Module):
    """A module with state: a mean over calls, a function that keeps, a generator."""

    def __init__(self) -> None:
        self.mean, self.rng = np.zeros(4), np.random.default_rng(0)
        self.keep = Keep()

    def forward(self, x: Any) -> Any:
        self.mean += 0.1
        self.rng.random()
        return self.keep(x)


class Keep(Function):
    def forward(self, x: Any) -> Any:
        self.x = x
        return 2 * x

    def backward(self, gy: Any) -> Any:
        return 2 * gy


def test_modules_keep_their_state() -> None:
    """Running means, generators and functions inside a module are as they were."""
    module = Running()
    state = module.rng.bit_generator.state
    check(module, X)
    np.testing.assert_array_equal(module.mean, 0)
    assert module.rng.bit_generator.state == state
    assert not vars(module.keep)


def test_names_that_differ_by_case() -> None:
    """w and dw, W and dW: each parameter has its own gradient."""

    class Two:
        def __init__(self) -> None:
            self.w, self.W = np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4)
            self.dw = self.dW = None

        def forward(self, x: Any) -> Any:
            self.x = x
            return x * self.w + self.W

        def backward(self, dout: Any) -> Any:
            self.dw, self.dW = dout * self.x, dout * 1
            return dout * self.w

    assert check(Two(), X).ok


@pytest.mark.parametrize(
    ("target", "inputs"),
    [
        (Layer(5.0), (np.arange(3),)),
        (Variable(X), ()),
        (lambda x: x.data, (X,)),
        (lambda x: None, (X,)),
    ],
    ids=["integers", "a leaf", "an array", "None"],
)
def test_nothing_to_check(target: Any, inputs: tuple[Any, ...]) -> None:
    """Where there is nothing to differentiate this is said, not "right"."""
    with pytest.raises((TypeError, ValueError)):
        check(target, *inputs)


def test_a_backward_that_raises_is_not_right() -> None:
    """What could not be looked at is not called right."""

    class Broken(Layer):
        def backward(self, dout: Any) -> Any:
            raise IndexError("no such thing")

    assert "right" not in str(check(Broken(1.0), X))


def test_layers_of_one_class_have_their_own_lines() -> None:
    """Two layers of a class are two lines of the table."""

    class Net:
        def __init__(self) -> None:
            self.params = {"a": np.ones(4), "b": np.ones(4)}
            self.layers = [Times(self.params["a"]), Times(self.params["b"])]

        def loss(self, x: Any, t: Any) -> Any:
            for layer in self.layers:
                x = layer.forward(x)
            return np.sum(x * t)

        def gradient(self, x: Any, t: Any) -> Any:
            self.loss(x, t)
            d = t
            for layer in reversed(self.layers):
                d = layer.backward(d)
            return {"a": self.layers[0].dW, "b": self.layers[1].dW}

    class Times:
        def __init__(self, W: Any) -> None:
            self.W, self.dW = W, None

        def forward(self, x: Any) -> Any:
            self.x = x
            return x * self.W

        def backward(self, dout: Any) -> Any:
            self.dW = dout * self.x
            return dout * self.W

    report = check(Net(), X, np.array([1.0, 2.0, 3.0, 4.0]))
    assert len(report.checked) == 2 + 2 * 2


def test_a_lost_history_has_its_name() -> None:
    """Where every node of a graph is right, its function makes no mistake of the chain rule."""

    def decayed(x: Any, w: Any) -> Any:
        return koubai.sum(x * w) + 0.5 * koubai.sum(w.data**2)

    report = check(decayed, X, X + 1)
    assert [f.mistake for f in report.failures] == ["history lost"]
