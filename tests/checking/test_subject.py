"""A check leaves no traces; it finds parameters and their gradients; it works in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import koubai
from koubai import Function, Variable, check, nn
from koubai.checking.check import subject_of
from koubai.checking.subjects import reachable


class Scribbler:
    """A layer that writes wherever it can, and draws from both global generators."""

    def __init__(self) -> None:
        self.W, self.dW = np.array([1.0, 2.0, 3.0], dtype=np.float32), np.zeros(3)
        self.cache: dict[str, Any] = {"calls": [np.zeros(1)]}

    def forward(self, x: Any, idx: Any) -> Any:
        self.cache["x"] = x.copy()
        self.cache["calls"][0] += 1
        noise = np.random.rand() + koubai.random.uniform(())  # noqa: NPY002
        y = x[idx] * self.W + noise
        x *= 0
        idx *= 0
        return y

    def backward(self, dout: Any) -> Any:
        self.dW += (dout * self.cache["x"]).sum(axis=0)
        dout *= self.W
        return dout


class Square(Function):
    def forward(self, x: Any) -> Any:
        self.x = x
        return x * x

    def backward(self, gy: Any) -> Any:
        return 2 * gy * self.x


class Network:
    """A network whose gradient keeps and writes."""

    def __init__(self) -> None:
        self.params = {"W": np.array([1.0, 2.0])}
        self.layer = Scribbler()

    def loss(self, x: Any, t: Any) -> Any:
        self.diff = x @ self.params["W"] - t
        self.layer.cache["last"] = self.diff
        return 0.5 * np.sum(self.diff**2)

    def gradient(self, x: Any, t: Any) -> Any:
        self.loss(x, t)
        return {"W": x.T @ self.diff}


def arrays_of(x: Any) -> dict[int, bytes]:
    """Every array that can be reached, by identity, to the bit."""
    return {id(a): a.tobytes() for a in reachable(x)}


def drawn() -> list[Any]:
    """The next numbers of both global generators, which are put back."""
    ours, numpys = koubai.random.default.state(), np.random.get_state()  # noqa: NPY002
    numbers = [np.random.rand(), koubai.random.uniform(()).item()]  # noqa: NPY002
    koubai.random.default.restore(ours)
    np.random.set_state(numpys)  # noqa: NPY002
    return numbers


X = np.array([[1.0, -2.0], [0.5, 3.0]])
TARGETS: dict[str, Callable[[], tuple[Any, ...]]] = {
    "layer": lambda: (Scribbler(), np.array([1.0, 2.0, 4.0]), np.array([2, 0, 1])),
    "function": lambda: (Square(), X.copy()),
    "network": lambda: (Network(), X.copy(), np.array([1.0, 2.0])),
    "module": lambda: (nn.Linear(2, 3), X.astype(np.float32)),
    "variables": lambda: (lambda x: koubai.sum(koubai.sin(x)), Variable(X.copy())),
    "graph": lambda: (koubai.sum(Square()(Variable(X.copy(), name="x"))),),
}


@pytest.mark.parametrize("name", TARGETS)
def test_no_traces(name: str) -> None:
    """The target, the inputs and both global generators are as they were, to the bit."""
    everything = TARGETS[name]()
    kept, state = arrays_of(everything), drawn()
    attributes = [set(vars(x)) for x in everything if hasattr(x, "__dict__")]
    check(*everything)
    assert arrays_of(everything) == kept
    assert drawn() == state
    assert [set(vars(x)) for x in everything if hasattr(x, "__dict__")] == attributes


def test_no_gradients_are_left() -> None:
    """Variables that took part have the ``.grad`` that they had."""
    x, linear = Variable(X.copy()), nn.Linear(2, 3, dtype=np.float64)
    grad = linear.W.grad = np.ones((2, 3))
    check(lambda x: koubai.sum(koubai.sin(x)), x)
    check(linear, x)
    check(koubai.sum(Square()(x)))
    assert x.grad is None
    assert linear.W.grad is grad
    np.testing.assert_array_equal(grad, 1)
    assert linear.b.grad is None


class Precise:
    """Says which dtypes it has been called with."""

    seen: set[str] = set()  # noqa: RUF012

    def __init__(self) -> None:
        self.W, self.dW = np.ones(2, np.float32), None

    def forward(self, x: Any) -> Any:
        self.seen |= {str(x.dtype), str(self.W.dtype)}
        self.x = x
        return x * self.W

    def backward(self, dout: Any) -> Any:
        self.dW = (dout * self.x).sum(axis=0)
        return dout * self.W


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_promotion(dtype: Any) -> None:
    """Inputs and attributes of a few bits are float64 inside, those of the user stay."""
    layer, x = Precise(), X.astype(dtype)
    Precise.seen.clear()
    assert check(layer, x).ok
    assert Precise.seen <= {"float64", "complex128"}
    assert x.dtype == dtype
    assert layer.W.dtype == np.float32


def single(*xs: Any) -> None:
    if any(x.dtype != np.float32 for x in xs):
        raise TypeError("float32 only")


class Single:
    """``y = x * x * W`` in float32 and nothing else; the gradient of x may be off by a factor."""

    def __init__(self, factor: int) -> None:
        self.W, self.dW = np.array([1.0, 2.0], dtype=np.float32), None
        self.factor = np.float32(factor)

    def forward(self, x: Any) -> Any:
        single(x, self.W)
        self.x = x
        return x * x * self.W

    def backward(self, dout: Any) -> Any:
        single(dout)
        self.dW = (dout * self.x * self.x).sum(axis=0)
        return self.factor * 2 * dout * self.x * self.W


class SingleFunction(Function):
    def __init__(self, factor: int) -> None:
        self.layer = Single(factor)

    def forward(self, x: Any) -> Any:
        return self.layer.forward(x)

    def backward(self, gy: Any) -> Any:
        return self.layer.backward(gy)


class SingleNetwork:
    """A layer, and a loss; all in float32."""

    def __init__(self, factor: int) -> None:
        self.layer = Single(factor)
        self.params = {"V": np.array([0.5, 3.0], dtype=np.float32)}

    def loss(self, x: Any, t: Any) -> Any:
        single(x, self.params["V"])
        self.x = x
        self.difference = self.layer.forward(x * self.params["V"]) - t
        return (self.difference**2).sum()

    def gradient(self, x: Any, t: Any) -> Any:
        self.loss(x, t)
        return {"V": (self.x * self.layer.backward(2 * self.difference)).sum(axis=0)}


@pytest.mark.parametrize(
    ("target", "wrong"),
    [
        (Single, "x"),
        (SingleFunction, "x"),
        (lambda factor: lambda x: koubai.sum(SingleFunction(factor)(x)), "x of SingleFunction"),
        (SingleNetwork, "x of Single"),
    ],
    ids=["layer", "function", "graph", "network"],
)
def test_code_that_takes_float32_alone(target: Any, wrong: str) -> None:
    """It is given float32, forward and backward, also inside a graph or network."""
    x = X.astype(np.float32)
    inputs = (x, np.float32(1)) if target is SingleNetwork else (x,)
    assert check(target(1), *inputs).ok
    assert [f.what for f in check(target(3), *inputs).failures] == [wrong]


class Named:
    """``y = x * a + b`` with a and b, and their gradients, under any names."""

    def __init__(self, a: str, da: str, b: str, db: str, off: float) -> None:
        self.names, self.off = (a, da, b, db), off
        vars(self).update({a: np.array([2.0, 3.0]), b: np.array([1.0, -1.0]), da: None, db: None})

    def forward(self, x: Any) -> Any:
        self.x = x
        return x * vars(self)[self.names[0]] + vars(self)[self.names[2]]

    def backward(self, dout: Any) -> Any:
        a, da, _, db = self.names
        vars(self)[da] = self.off * (dout * self.x).sum(axis=0)
        vars(self)[db] = dout.sum(axis=0)
        return dout * vars(self)[a]


@pytest.mark.parametrize(
    "names",
    [
        ("W", "dW", "b", "db"),
        ("w", "dw", "b", "db"),
        ("W", "dw", "B", "dB"),
        ("gamma", "dgamma", "beta", "dbeta"),
        ("weight", "grad_weight", "bias", "grad_bias"),
        ("W", "W_grad", "b", "b_grad"),
        ("W", "gW", "b", "gb"),
        ("W", "d_W", "b", "d_b"),
    ],
    ids=lambda names: names[1],
)
def test_parameters_in_attributes(names: tuple[str, str, str, str]) -> None:
    """Both parameters are checked; a wrong gradient of one is found there."""
    x = X.copy()
    right, wrong = check(Named(*names, 1.0), x), check(Named(*names, 2.0), x)
    assert right.ok
    assert set(right.checked) == set(wrong.checked) == {"x", names[0], names[2]}
    assert [f.what for f in wrong.failures] == [names[0]]


class Listed:
    """``y = x * a + b`` with lists, or dicts, of parameters and gradients."""

    def __init__(self, kind: str, params: str, grads: str, off: float) -> None:
        self.keys = (0, 1) if kind == "list" else ("W", "b")
        self.names, self.off = (params, grads), off
        values = [np.array([2.0, 3.0]), np.array([1.0, -1.0])]
        for name, xs in ((params, values), (grads, [np.zeros(2), np.zeros(2)])):
            made = xs if kind == "list" else dict(zip(self.keys, xs, strict=True))
            setattr(self, name, made)

    def forward(self, x: Any) -> Any:
        self.x = x
        a, b = (getattr(self, self.names[0])[k] for k in self.keys)
        return x * a + b

    def backward(self, dout: Any) -> Any:
        grads = getattr(self, self.names[1])
        grads[self.keys[0]][...] = self.off * (dout * self.x).sum(axis=0)
        grads[self.keys[1]][...] = dout.sum(axis=0)
        return dout * getattr(self, self.names[0])[self.keys[0]]


@pytest.mark.parametrize("kind", ["list", "dict"])
@pytest.mark.parametrize("names", [("params", "grads"), ("params", "gradients")])
def test_parameters_in_containers(kind: str, names: tuple[str, str]) -> None:
    """``params[0]`` or ``params['W']``: checked, and a wrong gradient is found there."""
    keys = ["params[0]", "params[1]"] if kind == "list" else ["params['W']", "params['b']"]
    right, wrong = (check(Listed(kind, *names, off), X.copy()) for off in (1.0, 2.0))
    assert right.ok
    assert set(right.checked) == {"x", *keys}
    assert [f.what for f in wrong.failures] == [keys[0]]


def test_parameters_that_are_shared() -> None:
    """An attribute that is also in ``params`` is one parameter, and moves with it."""

    class Shared(Listed):
        def __init__(self) -> None:
            super().__init__("list", "params", "grads", 1.0)
            self.W, self.dW = self.params[0], self.grads[0]

        def forward(self, x: Any) -> Any:
            self.x = x
            return x * self.W + self.params[1]

    report = check(Shared(), X.copy())
    assert report.ok
    assert set(report.checked) == {"x", "params[0]", "params[1]"}


def test_integers_have_no_gradient() -> None:
    """Labels and indices are given as they are; purchases of plain numbers are differentiated."""

    class Take:
        def forward(self, x: Any, idx: Any) -> Any:
            assert np.asarray(idx).dtype == np.int64
            self.n, self.idx = len(x), idx
            return x[idx]

        def backward(self, dout: Any) -> Any:
            dx = np.zeros(self.n)
            np.add.at(dx, self.idx, dout)
            return dx

    report = check(Take(), np.array([1.0, 2.0, 3.0]), np.array([0, 0, 2]))
    assert report.ok
    assert set(report.checked) == {"x"}

    class Purchase:
        def forward(self, apple: Any, number: Any) -> Any:
            self.apple, self.number = apple, number
            return apple * number

        def backward(self, dout: Any) -> Any:
            return dout * self.number, dout * self.apple

    assert set(check(Purchase(), 100, 2).checked) == {"apple", "number"}


class Raises:
    def forward(self, x: Any) -> Any:
        raise RuntimeError("the forward is broken")

    def backward(self, dout: Any) -> Any:
        return dout


class NeedsArguments:
    def __init__(self, W: Any, b: Any, stride: int = 1) -> None:
        self.W = W

    forward, backward = Raises.forward, Raises.backward


@pytest.mark.parametrize("target", [None, "layer", 3, X, object()], ids=lambda x: type(x).__name__)
def test_wrong_targets(target: Any) -> None:
    """What cannot be checked is refused; the error lists what can."""
    with pytest.raises(TypeError, match=r"check\(.*\): give a function, a Function, a module"):
        check(target, X)


def test_a_class_that_needs_arguments() -> None:
    """The error says to make an instance, and with what; a class that needs none is made one."""
    with pytest.raises(TypeError, match=r"write NeedsArguments\(W, b\), an instance"):
        check(NeedsArguments, X)
    assert check(Square, X).ok


def test_inputs_beside_a_variable() -> None:
    """A Variable has its inputs behind it."""
    with pytest.raises(TypeError, match="no inputs"):
        check(koubai.sum(Variable(X)), X)


@pytest.mark.parametrize("target", [Scribbler(), lambda x, y: x * y, Network(), Square()])
def test_missing_inputs(target: Any) -> None:
    """The error names the target, and says that an argument is missing."""
    with pytest.raises(ValueError, match=r"forward raises TypeError: .*missing.*argument"):
        check(target)


def test_a_forward_that_raises() -> None:
    """What it raises is in the error, with the inputs."""
    with pytest.raises(
        ValueError, match=r"(?s)Raises: forward raises RuntimeError: the forward is"
    ) as e:
        check(Raises(), X)
    assert "x: float64[2, 2]" in str(e.value)
    assert isinstance(e.value.__cause__, RuntimeError)


def test_a_backward_that_raises() -> None:
    """That is a failure of the gradient, with the error and its line."""

    class Broken(Raises):
        def forward(self, x: Any) -> Any:
            return x * 2

        def backward(self, dout: Any) -> Any:
            raise IndexError("no such thing")

    report = check(Broken(), X)
    (failure,) = report.failures
    assert "backward raises IndexError: no such thing (at test_subject.py:" in failure.why


def test_the_subject_is_a_copy() -> None:
    """What a check works on shares no array with what the user has."""
    layer = Scribbler()
    x = np.array([1.0, 2.0, 4.0])
    subject: Any = subject_of(layer, (x, np.array([0, 1, 2])))
    ours = {id(a) for a in reachable(subject.layer)} | {id(a) for a in subject.values.values()}
    assert not ours & ({id(a) for a in reachable(layer)} | {id(x)})
