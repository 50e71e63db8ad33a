"""Layers that a user has written in NumPy, as the notebooks' are, inside a graph.

They know nothing of koubai: inheriting from ``Function`` or ``Layer`` is all that they do.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import koubai
from koubai import Function, Variable, book
from koubai.book import Layer, cross_entropy_error, numerical_gradient, softmax

Array = np.ndarray[Any, Any]


class OwnAdd(Function):
    def __init__(self) -> None:
        self.x = None
        self.y = None

    def forward(self, x: Any, y: Any) -> Any:
        self.x, self.y = x, y
        return x + y

    def backward(self, dout: Any) -> Any:
        return dout * 1, dout * 1


class OwnMul(Function):
    def __init__(self) -> None:
        self.x: Any = None
        self.y: Any = None

    def forward(self, x: Any, y: Any) -> Any:
        self.x, self.y = x, y
        return x * y

    def backward(self, dout: Any) -> Any:
        return dout * self.y, dout * self.x


class WrongMul(Layer):
    """With the mistake that one notebook has: additions in backward."""

    def __init__(self) -> None:
        self.x: Any = None
        self.y: Any = None

    def forward(self, x: Any, y: Any) -> Any:
        self.x, self.y = x, y
        return x * y

    def backward(self, dout: Any) -> Any:
        return dout + self.y, dout + self.x


class OwnDiv(Function):
    def forward(self, x: Any, y: Any) -> Any:
        self.x, self.y = x, y
        return x / y

    def backward(self, dout: Any) -> Any:
        return dout / self.y, dout * (-self.x / self.y**2)


class OwnSigmoid(Function):
    def forward(self, x: Any) -> Any:
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def backward(self, dout: Any) -> Any:
        return dout * self.out * (1.0 - self.out)


class OwnTanh(Function):
    def forward(self, x: Any) -> Any:
        self.out = np.tanh(x)
        return self.out

    def backward(self, dout: Any) -> Any:
        return dout * (1.0 - self.out**2)


class OwnRelu(Layer):
    """Writes into its output, and into the gradient that it is given."""

    def __init__(self) -> None:
        self.mask: Any = None

    def forward(self, x: Any) -> Any:
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout: Any) -> Any:
        dout[self.mask] = 0
        return dout


class OwnMatMul(Function):
    def __init__(self, W: Array) -> None:
        self.W = W
        self.x: Any = None
        self.dW: Any = None

    def forward(self, x: Any) -> Any:
        self.x = x
        return np.dot(x, self.W)

    def backward(self, dout: Any) -> Any:
        self.dW = np.dot(self.x.T, dout)
        return np.dot(dout, self.W.T)


class OwnAffine(Layer):
    def __init__(self, W: Array, b: Array) -> None:
        self.W, self.b = W, b
        self.x: Any = None
        self.dW: Any = None
        self.db: Any = None

    def forward(self, x: Any) -> Any:
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout: Any) -> Any:
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout, axis=0)
        return np.dot(dout, self.W.T)


class OwnSoftmaxWithLoss(Layer):
    """Two inputs and one gradient; what comes from above is ignored."""

    def __init__(self) -> None:
        self.loss: Any = None
        self.y: Any = None
        self.t: Any = None

    def forward(self, x: Any, t: Any) -> Any:
        self.t = t
        self.y = softmax(x)
        self.loss = cross_entropy_error(self.y, self.t)
        return self.loss

    def backward(self, dout: Any = 1) -> Any:
        return (self.y - self.t) / self.t.shape[0]


class Row(NamedTuple):
    """A user's layer, the package's own, and what both are made from and called with."""

    own: Callable[..., Any]
    ours: Callable[..., Any]
    inputs: int = 1
    parameters: tuple[tuple[int, ...], ...] = ()


ROWS = {
    "OwnAdd": Row(OwnAdd, book.AddLayer, inputs=2),
    "OwnMul": Row(OwnMul, book.MulLayer, inputs=2),
    "OwnDiv": Row(OwnDiv, book.DivLayer, inputs=2),
    "OwnSigmoid": Row(OwnSigmoid, book.SigmoidLayer),
    "OwnTanh": Row(OwnTanh, book.TanhLayer),
    "OwnRelu": Row(OwnRelu, book.ReluLayer),
    "OwnMatMul": Row(OwnMatMul, book.MatMul, parameters=((3, 2),)),
    "OwnAffine": Row(OwnAffine, book.Affine, parameters=((3, 2), (2,))),
}
each_row = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
each_seed = pytest.mark.parametrize("seed", [0, 1])


def pair(row: Row, seed: int) -> tuple[Any, Any, list[Array], np.random.Generator]:
    """The two layers, on the same parameters, and inputs well away from 0."""
    rng = np.random.default_rng(seed)
    parameters = [rng.standard_normal(shape) for shape in row.parameters]
    xs = rng.uniform(0.5, 2.0, (row.inputs, 4, 3)) * rng.choice([-1, 1], (row.inputs, 4, 3))
    return row.own(*parameters), row.ours(*parameters), list(xs), rng


@each_seed
@each_row
def test_gradients_in_a_graph(row: Row, seed: int) -> None:
    """Output, gradients of the inputs, dW and db are those of the package's layer."""
    own, ours, xs, rng = pair(row, seed)
    results = []
    dout = rng.standard_normal(ours.forward(*xs).shape)
    for layer in (own, ours):
        variables = [Variable(x) for x in xs]
        y = layer(*variables)
        assert y.creator is layer
        y.backward(dout)
        kept = [getattr(layer, name, None) for name in ("dW", "db")]
        results.append([y.data, *(x.grad for x in variables), *(g for g in kept if g is not None)])
    assert len(results[0]) == 1 + row.inputs + len(row.parameters)
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


@each_seed
@each_row
def test_second_derivatives(row: Row, seed: int) -> None:
    """Differentiated twice, with random directions, the two layers agree as well."""
    own, ours, xs, rng = pair(row, seed)
    dout = rng.standard_normal(ours.forward(*xs).shape)
    directions = [rng.standard_normal(x.shape) for x in xs]
    results = []
    for layer in (own, ours):
        variables = [Variable(x) for x in xs]
        layer(*variables).backward(dout, create_graph=True)
        # x^2 / 2 besides: where the layer is linear, its gradient does not depend on x at all.
        y: Any = sum((0.5 * x * x).sum() for x in variables)
        for x, direction in zip(variables, directions, strict=True):
            y = y + (x.grad * direction).sum()
            x.cleargrad()
        y.backward()
        results.append([x.grad for x in variables])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


def test_a_layer_that_writes_into_its_upstream() -> None:
    """dout[mask] = 0 reaches nobody else's gradient: not a sibling's, not the caller's array."""
    x, a = Variable([-1.0, 2.0]), Variable([3.0, 4.0])
    dout = np.array([5.0, 6.0])
    (OwnRelu()(x) + a).backward(dout)
    assert x.grad.tolist() == [0.0, 6.0]
    assert a.grad.tolist() == [5.0, 6.0]
    assert dout.tolist() == [5.0, 6.0]
    assert x.data.tolist() == [-1.0, 2.0]


def test_a_wrong_multiplication_stays_wrong() -> None:
    """backward with + for * computes what it says: by hand, and in a graph; nothing is mended."""
    layer = WrongMul()
    assert layer.forward(100, 2) == 200
    assert layer.backward(1) == (3, 101)
    assert layer.backward(1.1) == (3.1, 101.1)

    apple, number = Variable(100.0), Variable(2.0)
    WrongMul()(WrongMul()(apple, number), 1.1).backward()
    assert float(apple.grad) == (1 + 1.1) + 2
    assert float(number.grad) == (1 + 1.1) + 100


# The last layer.


@each_seed
def test_loss_of_own(seed: int) -> None:
    """A backward that returns dx alone for forward(x, t) is understood: t, an array, has none."""
    rng = np.random.default_rng(seed)
    scores, t = rng.standard_normal((4, 3)), np.eye(3)[rng.integers(3, size=4)]
    own, ours = Variable(scores), Variable(scores)
    loss = OwnSoftmaxWithLoss()(own, t)
    loss.backward()
    koubai.softmax_cross_entropy(ours, t).backward()
    np.testing.assert_allclose(own.grad, ours.grad, rtol=1e-12)
    # 1e-7 in the logarithm: the loss is smaller by up to that over the smallest probability.
    exact = koubai.softmax_cross_entropy(scores, t)
    assert 0 < exact - loss.data < 1e-7 / np.min(softmax(scores))


def test_loss_of_own_ignores_what_comes_from_above() -> None:
    """Twice the loss has, by that class, the same gradient; the package's layer doubles it."""
    scores, t = np.array([[1.0, 2.0], [0.0, 3.0]]), np.eye(2)
    once, own, ours = Variable(scores), Variable(scores), Variable(scores)
    OwnSoftmaxWithLoss()(once, t).backward()
    (2 * OwnSoftmaxWithLoss()(own, t)).backward()
    (2 * book.SoftmaxWithLoss()(ours, t)).backward()
    np.testing.assert_array_equal(own.grad, once.grad)
    np.testing.assert_allclose(ours.grad, 2 * once.grad, rtol=1e-12)


@each_seed
def test_loss_of_own_twice(seed: int) -> None:
    """Its gradient, (softmax(x) - t) / N, can be differentiated: softmax has a history too."""
    rng = np.random.default_rng(seed)
    scores, t = rng.standard_normal((4, 3)), np.eye(3)[rng.integers(3, size=4)]
    direction = rng.standard_normal((4, 3))
    seconds = []
    for layer in (OwnSoftmaxWithLoss(), book.SoftmaxWithLoss()):
        x = Variable(scores)
        layer(x, t).backward(create_graph=True)
        gx = x.grad
        x.cleargrad()
        (gx * direction).sum().backward()
        seconds.append(x.grad)
    np.testing.assert_allclose(*seconds, rtol=1e-10, atol=1e-13)


# Networks of them.


class OwnNet:
    """784-50-10 as the notebook builds it, but trained through a graph."""

    def __init__(self, params: dict[str, Array]) -> None:
        self.params = params
        self.affine1, self.affine2 = (
            OwnAffine(params["W1"], params["b1"]),
            OwnAffine(params["W2"], params["b2"]),
        )
        self.relu, self.last = OwnRelu(), OwnSoftmaxWithLoss()

    def loss(self, x: Any, t: Array) -> Any:
        for layer in (self.affine1, self.relu, self.affine2):
            x = layer(x)
        return self.last(x, t)

    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        self.loss(Variable(x), t).backward()
        return {
            "W1": self.affine1.dW,
            "b1": self.affine1.db,
            "W2": self.affine2.dW,
            "b2": self.affine2.db,
        }


@each_seed
def test_training_iteration_after_iteration(seed: int) -> None:
    """The same objects in five iterations: dW and db are each time those of the book's network.

    Without Variables the calls compute by hand, so loss(x, t) of an array is a number.
    """
    rng = np.random.default_rng(seed)
    reference = book.TwoLayerNet(6, 5, 3, weight_init_std=0.5, rng=rng)
    net = OwnNet({key: p.copy() for key, p in reference.params.items()})
    for _ in range(5):
        x, t = rng.standard_normal((8, 6)), np.eye(3)[rng.integers(3, size=8)]
        grad, expected = net.gradient(x, t), reference.gradient(x, t)
        for key in net.params:
            np.testing.assert_allclose(grad[key], expected[key], rtol=1e-10, atol=1e-13)
            net.params[key] -= 0.5 * grad[key]
            reference.params[key] -= 0.5 * expected[key]
        assert net.loss(x, t) == pytest.approx(reference.loss(x, t), rel=1e-5)


@each_seed
def test_one_object_twice_in_a_graph(seed: int) -> None:
    """Affine and relu objects called twice, both calls alive: x's gradient is right."""
    rng = np.random.default_rng(seed)
    W, b = rng.standard_normal((3, 3)), rng.standard_normal(3)
    dout, values = rng.standard_normal((2, 4, 3))
    affine, relu = OwnAffine(W, b), OwnRelu()
    x = Variable(values)
    relu(affine(relu(affine(x)))).backward(dout)

    other = Variable(values)
    y = koubai.relu(koubai.relu(other @ W + b) @ W + b)
    y.backward(dout)
    assert np.count_nonzero(other.grad) > 0
    np.testing.assert_allclose(x.grad, other.grad, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("seed", [0])
def test_gradient_check_of_own_layers(digits: Any, seed: int) -> None:
    """On three digits the differences are as large as the notebook's table: that of its 1e-7.

    It printed 2.9e-09 for b1, 5.5e-09 for W2, 1.4e-07 for b2. (W1 is checked in the package's
    network; its 39 200 parameters take long.)
    """
    x, t = digits[0]
    reference = book.TwoLayerNet(784, 50, 10, rng=np.random.default_rng(seed))
    net = OwnNet(reference.params)
    grad = {key: g.copy() for key, g in net.gradient(x[:3], t[:3]).items()}
    for key, low, high in [("b1", 1e-9, 1e-8), ("W2", 2e-9, 2e-8), ("b2", 1e-7, 2e-7)]:
        numerical = numerical_gradient(lambda _: net.loss(x[:3], t[:3]), net.params[key])
        difference = np.average(np.abs(grad[key] - numerical))
        assert low < difference < high, f"seed {seed}: {key}: {difference}"
