"""Whole steps of training, compiled, are equal to eager ones: results and all state, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiler.agree import agree, assert_same

import koubai
from koubai import Function, Variable, nn, optim
from koubai.book import RNN, TwoLayerNet

Rng = np.random.Generator


def batches(rng: Rng, n: int, rows: int = 6, dtype: Any = np.float32) -> list[tuple[Any, ...]]:
    """``n`` times inputs of 5 features, and labels of 3 classes."""
    return [(rng.normal(size=(rows, 5)).astype(dtype), rng.integers(0, 3, rows)) for _ in range(n)]


@pytest.mark.parametrize(
    "make_optimizer",
    [
        lambda parameters: optim.SGD(parameters, 0.1),
        lambda parameters: optim.SGD(parameters, 0.1, momentum=0.9),
        lambda parameters: optim.Adam(parameters, 0.01),
    ],
    ids=["sgd", "momentum", "adam"],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_step_of_a_model(make_optimizer: Any, dtype: Any) -> None:
    """Forward, backward and update of an nn model: loss, parameters, gradients, optimizer state."""

    def make() -> Any:
        rng = np.random.default_rng(1)
        model = nn.Sequential(
            nn.Linear(5, 4, rng=rng, dtype=dtype), nn.ReLU(), nn.Linear(4, 3, rng=rng, dtype=dtype)
        )
        optimizer = make_optimizer(model.parameters())

        def step(x: Any, t: Any) -> Any:
            loss = koubai.softmax_cross_entropy(model(x), t)
            model.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step, (model, optimizer)

    compiled = agree(make, *batches(np.random.default_rng(0), 5, dtype=dtype))
    # The step clears the gradients that are there, so one program serves all steps.
    assert len(compiled.programs) == 1


def test_step_with_accumulated_gradients() -> None:
    """Without zero_grad the gradients of all steps add up, as in eager."""

    def make() -> Any:
        model = nn.Linear(5, 3, rng=np.random.default_rng(1))

        def step(x: Any, t: Any) -> Any:
            koubai.softmax_cross_entropy(model(x), t).backward()

        return step, model

    agree(make, *batches(np.random.default_rng(0), 4))


def test_step_of_variables() -> None:
    """Plain Variables, updated by hand."""

    def make() -> Any:
        rng = np.random.default_rng(1)
        W, b = Variable(rng.normal(size=(5, 3))), Variable(np.zeros(3), name="b")

        def step(x: Any, t: Any) -> Any:
            y = koubai.tanh(x @ W + b)
            loss = koubai.mean_squared_error(y, t)
            W.cleargrad()
            b.cleargrad()
            loss.backward()
            for p in (W, b):
                p.data = p.data - 0.1 * p.grad
            return loss.data, y

        return step, (W, b)

    rng = np.random.default_rng(0)
    calls = [(rng.normal(size=(4, 5)), rng.normal(size=(4, 3))) for _ in range(4)]
    agree(make, *calls)


class Swish(Function):
    """A user's operation, which calls NumPy as the notebooks do."""

    def forward(self, x: Any) -> Any:
        self.x = x
        self.s = 1 / (1 + np.exp(-x))
        return np.multiply(x, self.s)

    def backward(self, gy: Any) -> Any:
        return gy * (self.s + self.x * self.s * np.subtract(1, self.s))


class Masked(Function):
    """The notebooks' Relu, with a mask, and writes in place in both directions."""

    def forward(self, x: Any) -> Any:
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout: Any) -> Any:
        dout[self.mask] = 0
        return dout


@pytest.mark.parametrize("layer", [Swish, Masked])
@pytest.mark.parametrize("new", [True, False], ids=["made-in-each-step", "kept"])
def test_users_function(layer: Any, new: bool) -> None:
    """A user's own Function that calls np.*; as a new object in each step and as a kept one."""

    def make() -> Any:
        W = Variable(np.random.default_rng(1).normal(size=(5, 3)))
        kept = layer()

        def step(x: Any) -> Any:
            f = layer() if new else kept
            loss = koubai.sum(koubai.square(f(koubai.matmul(x, W))))
            W.cleargrad()
            loss.backward()
            W.data = W.data - 0.01 * W.grad
            return loss

        return step, (W, kept)

    rng = np.random.default_rng(0)
    agree(make, *[(rng.normal(size=(4, 5)),) for _ in range(4)])


def test_layers_by_hand() -> None:
    """A network of hand-written NumPy layers held in an object: no Variable anywhere."""

    class Affine:
        def __init__(self, W: Any, b: Any) -> None:
            self.W, self.b = W, b

        def forward(self, x: Any) -> Any:
            self.x_shape = x.shape
            self.x = x.reshape(x.shape[0], -1)
            return np.dot(self.x, self.W) + self.b

        def backward(self, dout: Any) -> Any:
            self.dW = np.dot(self.x.T, dout)
            self.db = np.sum(dout, axis=0)
            return np.dot(dout, self.W.T).reshape(*self.x_shape)

    class Net:
        def __init__(self) -> None:
            rng = np.random.default_rng(1)
            self.params = {"W1": rng.normal(size=(6, 4)), "b1": np.zeros(4)}
            self.params |= {"W2": rng.normal(size=(4, 3)), "b2": np.zeros(3)}
            self.layers = [
                Affine(self.params["W1"], self.params["b1"]),
                Masked(),
                Affine(self.params["W2"], self.params["b2"]),
            ]
            self.velocity: Any = None

        def step(self, x: Any, t: Any) -> Any:
            for layer in self.layers:
                x = layer.forward(x)
            y = np.exp(x - np.max(x, axis=1, keepdims=True))
            y /= np.sum(y, axis=1, keepdims=True)
            rows = np.arange(y.shape[0])
            loss = -np.sum(np.log(y[rows, t] + 1e-7)) / y.shape[0]
            dout = y.copy()
            dout[rows, t] -= 1
            dout = dout / y.shape[0]
            for layer in reversed(self.layers):
                dout = layer.backward(dout)
            if self.velocity is None:
                self.velocity = {}
                for key, value in self.params.items():
                    self.velocity[key] = np.zeros_like(value)
            for key, i in (("W1", 0), ("b1", 0), ("W2", 2), ("b2", 2)):
                layer = self.layers[i]
                grad = layer.dW if key[0] == "W" else layer.db  # type: ignore[attr-defined]
                self.velocity[key] = 0.9 * self.velocity[key] - 0.1 * grad
                self.params[key] += self.velocity[key]
            return loss

    def make() -> Any:
        net = Net()
        return net.step, net

    rng = np.random.default_rng(0)
    calls = [(rng.normal(size=(7, 2, 3)), rng.integers(0, 3, 7)) for _ in range(5)]
    compiled = agree(make, *calls)
    assert len(compiled.programs) == 2  # the velocity is there from the second step on


@pytest.mark.parametrize("one_hot", [False, True])
def test_two_layer_net(one_hot: bool) -> None:
    """The book's network and its training loop, unchanged."""

    def make() -> Any:
        net = TwoLayerNet(5, 4, 3, rng=np.random.default_rng(1))

        def step(x_batch: Any, t_batch: Any) -> Any:
            grad = net.gradient(x_batch, t_batch)
            for key in ("W1", "b1", "W2", "b2"):
                net.params[key] -= 0.1 * grad[key]
            return net.loss(x_batch, t_batch)

        return step, net

    calls = batches(np.random.default_rng(0), 5, dtype=np.float64)
    if one_hot:
        calls = [(x, np.eye(3)[t]) for x, t in calls]
    compiled = agree(make, *calls)
    assert len(compiled.programs) == 2


def test_rnn_over_time() -> None:
    """The book's RNN over T steps with shared parameters, and gradients written in place."""
    T, N, D, H = 4, 3, 2, 5

    def make() -> Any:
        rng = np.random.default_rng(1)
        Wx, Wh, b = rng.normal(size=(D, H)), rng.normal(size=(H, H)), np.zeros(H)
        layers = [RNN(Wx, Wh, b) for _ in range(T)]
        grads = [np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)]

        def step(xs: Any, dhs: Any) -> Any:
            h = np.zeros((N, H))
            hs = []
            for t, layer in enumerate(layers):
                h = layer.forward(xs[:, t, :], h)
                hs.append(h)
            for grad in grads:
                grad[...] = 0
            dh, dxs = 0, []
            for t in reversed(range(T)):
                dx, dh = layers[t].backward(dhs[:, t, :] + dh)
                dxs.append(dx)
                for grad, new in zip(grads, layers[t].grads, strict=True):
                    grad += new
            for p, grad in zip((Wx, Wh, b), grads, strict=True):
                p -= 0.1 * grad
            return hs, dxs[::-1], dh

        return step, (layers, grads, Wx)

    rng = np.random.default_rng(0)
    calls = [(rng.normal(size=(N, T, D)), rng.normal(size=(N, T, H))) for _ in range(3)]
    agree(make, *calls)


def test_gather_a_batch_inside() -> None:
    """X_train is captured, the indices are an argument; gradients scatter-add into a table."""
    rng = np.random.default_rng(0)
    X_train, t_train = rng.normal(size=(20, 5)), rng.integers(0, 3, 20)

    def make() -> Any:
        W = Variable(np.ones((5, 3)))
        table = Variable(np.random.default_rng(2).normal(size=(20, 3)))

        def step(idx: Any) -> Any:
            y = koubai.matmul(X_train[idx], W) + table[idx]
            loss = koubai.softmax_cross_entropy(y, t_train[idx])
            for p in (W, table):
                p.cleargrad()
            loss.backward()
            for p in (W, table):
                p.data = p.data - 0.1 * p.grad
            return loss

        return step, (W, table)

    calls = [(rng.integers(0, 20, 30),) for _ in range(3)]
    assert len({*calls[0][0].tolist()}) < 30, "some row is gathered twice"
    agree(make, *calls)


def test_second_order_inside() -> None:
    """create_graph, and a penalty on the gradient: the gradients of gradients too."""

    def make() -> Any:
        W = Variable(np.random.default_rng(1).normal(size=(4, 3)))

        def step(x: Any) -> Any:
            x = Variable(x)
            y = koubai.sum(koubai.tanh(koubai.relu(x) @ W) * koubai.sigmoid(x @ W))
            y.backward(create_graph=True)
            penalty = koubai.sum(koubai.square(x.grad))
            W.cleargrad()
            penalty.backward()
            W.data = W.data - 0.1 * W.grad
            return penalty, x.grad

        return step, W

    rng = np.random.default_rng(0)
    agree(make, *[(rng.normal(size=(2, 4)),) for _ in range(3)])


def test_grad_inside() -> None:
    """grad and value_and_grad of a user's function, nested, inside a compiled function."""

    def cube(x: Any) -> Any:
        return koubai.sum(x**3)

    def f(x: Any) -> Any:
        value, gradient = koubai.value_and_grad(cube)(x)
        return value, gradient, koubai.grad(lambda v: koubai.sum(koubai.grad(cube)(v)))(x)

    agree(lambda: (f, None), (np.array([1.0, -2.0, 3.0]),), (np.array([0.5, 0.0, 1.0]),))


def test_twenty_steps_reach_the_same_loss() -> None:
    """Twenty steps of training: the same losses, falling."""

    def losses(compile: bool) -> list[float]:
        rng = np.random.default_rng(1)
        model = nn.Sequential(nn.Linear(5, 16, rng=rng), nn.Tanh(), nn.Linear(16, 3, rng=rng))
        optimizer = optim.Adam(model.parameters(), 0.05)
        x, t = batches(np.random.default_rng(0), 1, rows=30)[0]

        def step(x: Any, t: Any) -> Any:
            model.zero_grad()
            loss = koubai.softmax_cross_entropy(model(x), t)
            loss.backward()
            optimizer.step()
            return loss

        run = koubai.compile(step) if compile else step
        return [run(x, t).item() for _ in range(20)]

    eager, compiled = losses(False), losses(True)
    assert_same(eager, compiled)
    assert compiled[-1] < compiled[0] / 2
