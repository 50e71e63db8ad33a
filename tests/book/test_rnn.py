"""The recurrent layer: one step against differences, T steps against a graph."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import koubai
from koubai import Function, Variable
from koubai.book import RNN, numerical_gradient

Array = np.ndarray[Any, Any]


class OwnRNN(Function):
    """The layer as the notebook has it: NumPy alone, gradients written into its arrays."""

    def __init__(self, Wx: Array, Wh: Array, b: Array) -> None:
        self.params = [Wx, Wh, b]
        self.grads = [np.zeros_like(p) for p in self.params]
        self.cache: Any = None

    def forward(self, x: Any, h_prev: Any) -> Any:
        Wx, Wh, b = self.params
        h_next = np.tanh(np.dot(h_prev, Wh) + np.dot(x, Wx) + b)
        self.cache = (x, h_prev, h_next)
        return h_next

    def backward(self, dh_next: Any) -> Any:
        Wx, Wh, _ = self.params
        x, h_prev, h_next = self.cache
        dt = dh_next * (1 - h_next**2)
        self.grads[0][...] = np.dot(x.T, dt)
        self.grads[1][...] = np.dot(h_prev.T, dt)
        self.grads[2][...] = np.sum(dt, axis=0)
        return np.dot(dt, Wx.T), np.dot(dt, Wh.T)


class Sequence(NamedTuple):
    """Random parameters and T steps of inputs, with an upstream gradient at every step."""

    params: list[Array]
    xs: list[Array]
    h0: Array
    dhs: list[Array]


T, N, D, H = 5, 2, 3, 4


@pytest.fixture(params=[0, 1], ids=lambda seed: f"seed {seed}")
def sequence(request: pytest.FixtureRequest) -> Sequence:
    rng = np.random.default_rng(request.param)
    shapes: list[tuple[int, ...]] = [(D, H), (H, H), (H,)]
    return Sequence(
        params=[0.5 * rng.standard_normal(shape) for shape in shapes],
        xs=list(rng.standard_normal((T, N, D))),
        h0=rng.standard_normal((N, H)),
        dhs=list(rng.standard_normal((T, N, H))),
    )


def in_a_graph(s: Sequence) -> tuple[list[Any], list[Any], Any]:
    """The equation over T steps as a graph: gradients of the parameters, of each x, of h0."""
    params, xs = [Variable(p) for p in s.params], [Variable(x) for x in s.xs]
    Wx, Wh, b = params
    h = h0 = Variable(s.h0)
    loss: Any = 0.0
    for x, dh in zip(xs, s.dhs, strict=True):
        h = koubai.tanh(h @ Wh + x @ Wx + b)
        loss = loss + (h * dh).sum()
    loss.backward()
    return [p.grad for p in params], [x.grad for x in xs], h0.grad


def close(one: Any, other: Any) -> None:
    np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)


either = pytest.mark.parametrize("make", [RNN, OwnRNN])
Make = Callable[..., Any]


@either
def test_one_step_against_differences(make: Make, sequence: Sequence) -> None:
    """With a random upstream, dx, dh_prev and the three grads are those of differences."""
    rnn = make(*sequence.params)
    x, h, dout = sequence.xs[0], sequence.h0, sequence.dhs[0]
    h_next = rnn.forward(x, h)
    Wx, Wh, b = sequence.params
    close(h_next, np.tanh(h @ Wh + x @ Wx + b))
    gradients = [*rnn.backward(dout), *rnn.grads]
    for array, gradient in zip([x, h, *sequence.params], gradients, strict=True):
        expected = numerical_gradient(lambda _: np.sum(dout * rnn.forward(x, h)), array)
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


def test_grads_are_written_in_place(sequence: Sequence) -> None:
    """grads stay the same arrays; every backward replaces what they hold, nothing adds up."""
    rnn = RNN(*sequence.params)
    assert all(p is q for p, q in zip(rnn.params, sequence.params, strict=True))
    grads = list(rnn.grads)
    assert [g.tolist() for g in grads] == [np.zeros_like(p).tolist() for p in sequence.params]
    for _ in range(2):
        rnn.forward(sequence.xs[0], sequence.h0)
        rnn.backward(sequence.dhs[0])
        assert all(g is h for g, h in zip(grads, rnn.grads, strict=True))
    once = [g.copy() for g in grads]
    rnn.backward(2 * sequence.dhs[0])
    for grad, before in zip(grads, once, strict=True):
        close(grad, 2 * before)


@either
def test_steps_by_hand(make: Make, sequence: Sequence) -> None:
    """Back through T layers that share parameters: grads summed over time are the graph's."""
    steps = [make(*sequence.params) for _ in range(T)]
    h = sequence.h0
    for step, x in zip(steps, sequence.xs, strict=True):
        h = step.forward(x, h)
    dh: Any = 0.0
    dxs = []
    for step, upstream in zip(reversed(steps), reversed(sequence.dhs), strict=True):
        dx, dh = step.backward(dh + upstream)
        dxs.insert(0, dx)

    params, xs, h0 = in_a_graph(sequence)
    for i, expected in enumerate(params):
        close(sum(step.grads[i] for step in steps), expected)
    close(dxs, xs)
    close(dh, h0)


@either
def test_steps_of_layers_in_a_graph(make: Make, sequence: Sequence) -> None:
    """The same T layers called on Variables: one backward() fills all their grads."""
    steps = [make(*sequence.params) for _ in range(T)]
    xs = [Variable(x) for x in sequence.xs]
    h = h0 = Variable(sequence.h0)
    loss: Any = 0.0
    for step, x, dh in zip(steps, xs, sequence.dhs, strict=True):
        h = step(x, h)
        loss = loss + (h * dh).sum()
    loss.backward()

    params, dxs, dh0 = in_a_graph(sequence)
    for i, expected in enumerate(params):
        close(sum(step.grads[i] for step in steps), expected)
    close([x.grad for x in xs], dxs)
    close(h0.grad, dh0)


@either
def test_one_layer_for_all_steps(make: Make, sequence: Sequence) -> None:
    """One object called T times in a graph: every input's gradient is right.

    Its grads are those of one step, the one that was visited last, as the notebook's code says.
    """
    rnn = make(*sequence.params)
    xs = [Variable(x) for x in sequence.xs]
    h = h0 = Variable(sequence.h0)
    loss: Any = 0.0
    for x, dh in zip(xs, sequence.dhs, strict=True):
        h = rnn(x, h)
        loss = loss + (h * dh).sum()
    loss.backward()

    _, dxs, dh0 = in_a_graph(sequence)
    close([x.grad for x in xs], dxs)
    close(h0.grad, dh0)
    # dh_prev = dt Wh^T, so dt of the first step follows from h0's gradient; db is its sum.
    dt = np.linalg.solve(sequence.params[1], dh0.T).T
    np.testing.assert_allclose(rnn.grads[2], dt.sum(axis=0), rtol=1e-8)


def test_second_derivatives(sequence: Sequence) -> None:
    """create_graph: the gradients of x and h_prev have a history; grads are plain arrays."""
    rnn = RNN(*sequence.params)
    dout, v = sequence.dhs[0], sequence.dhs[1]
    x, h = Variable(sequence.xs[0].copy()), Variable(sequence.h0.copy())
    rnn(x, h).backward(dout, create_graph=True)
    by_hand = RNN(*sequence.params)
    by_hand.forward(sequence.xs[0], sequence.h0)
    by_hand.backward(dout)
    for grad, expected in zip(rnn.grads, by_hand.grads, strict=True):
        assert isinstance(grad, np.ndarray)
        close(grad, expected)
    dh = h.grad
    x.cleargrad()
    h.cleargrad()
    (dh * v).sum().backward()

    def along_v(_: Any) -> Any:
        rnn.forward(sequence.xs[0], sequence.h0)
        return np.sum(v * rnn.backward(dout)[1])

    for variable, array in ((x, sequence.xs[0]), (h, sequence.h0)):
        expected = numerical_gradient(along_v, array)
        np.testing.assert_allclose(variable.grad, expected, rtol=1e-6, atol=1e-8)


def test_own_layer_in_higher_orders(sequence: Sequence) -> None:
    """Writing a gradient that has a history into an array is an error, no silent constant."""
    h = Variable(sequence.h0)
    y = OwnRNN(*sequence.params)(sequence.xs[0], h)
    with pytest.raises(TypeError, match="lose"):
        y.backward(sequence.dhs[0], create_graph=True)


@pytest.mark.parametrize("wrong", range(3), ids=["Wx", "Wh", "b"])
def test_integer_parameters_are_refused(wrong: int, sequence: Sequence) -> None:
    """Gradients written into integers would lose their decimals: the error says what to write."""
    params = list(sequence.params)
    params[wrong] = params[wrong].astype(int)
    name = ["Wx", "Wh", "b"][wrong]
    with pytest.raises(ValueError, match=rf"{name} is int64.*write {name}\.astype\(float\)"):
        RNN(*params)


def test_shapes_that_would_broadcast_are_refused(sequence: Sequence) -> None:
    """One state for all rows, and weights (H, 1) that would fit by repetition, are errors."""
    Wx, Wh, b = sequence.params
    x, h = sequence.xs[0], sequence.h0
    with pytest.raises(ValueError, match=r"h_prev \(1, 4\)"):
        RNN(Wx, Wh, b).forward(x, h[:1])
    with pytest.raises(ValueError, match=r"x \(1, 3\)"):
        RNN(Wx, Wh, b).forward(x[:1], h)
    with pytest.raises(ValueError, match=r"Wh \(4, 1\)"):
        RNN(Wx, Wh[:, :1], b).forward(x, h)
    with pytest.raises(ValueError, match=r"b \(O,\)"):
        RNN(Wx, Wh, b[:1]).forward(x, h)
