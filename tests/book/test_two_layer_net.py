"""TwoLayerNet: its parts, its parameters, and what it refuses."""

import itertools
from typing import Any

import numpy as np
import pytest

import koubai
from koubai import Variable
from koubai.book import Affine, Relu, SoftmaxWithLoss, TwoLayerNet

Array = np.ndarray[Any, Any]


@pytest.fixture(params=[0, 1], ids=lambda seed: f"seed {seed}")
def small(request: pytest.FixtureRequest) -> tuple[TwoLayerNet, Array, Array]:
    """A network 6-5-3 with weights that matter, eight rows, their labels."""
    rng = np.random.default_rng(request.param)
    net = TwoLayerNet(6, 5, 3, weight_init_std=0.5, rng=rng)
    net.params["b1"] += rng.standard_normal(5)
    return net, rng.standard_normal((8, 6)), rng.integers(3, size=8)


def test_parts() -> None:
    """The layers by name and in order, and the parameters' names, shapes and first values."""
    net = TwoLayerNet(784, 50, 10)
    assert list(net.layers) == ["Affine1", "Relu1", "Affine2"]
    assert [type(layer) for layer in net.layers.values()] == [Affine, Relu, Affine]
    assert type(net.lastLayer) is SoftmaxWithLoss
    shapes = {key: p.shape for key, p in net.params.items()}
    assert shapes == {"W1": (784, 50), "b1": (50,), "W2": (50, 10), "b2": (10,)}
    assert {p.dtype for p in net.params.values()} == {np.dtype(np.float64)}
    assert not net.params["b1"].any()
    assert not net.params["b2"].any()
    # 39 200 draws: their deviation is within 5 standard errors (0.36 % each) of 0.01.
    assert np.std(net.params["W1"]) == pytest.approx(0.01, rel=0.018)


def test_weights_come_from_the_global_state() -> None:
    """np.random.seed gives the book's weights: std times randn, W1 before W2."""
    np.random.seed(7)  # noqa: NPY002
    net = TwoLayerNet(4, 3, 2, weight_init_std=0.1)
    np.random.seed(7)  # noqa: NPY002
    np.testing.assert_array_equal(net.params["W1"], 0.1 * np.random.randn(4, 3))  # noqa: NPY002
    np.testing.assert_array_equal(net.params["W2"], 0.1 * np.random.randn(3, 2))  # noqa: NPY002


def test_weights_from_a_generator() -> None:
    """With rng the weights are its, and the global state is not touched."""
    np.random.seed(7)  # noqa: NPY002
    expected = np.random.rand()  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    one = TwoLayerNet(4, 3, 2, rng=np.random.default_rng(5))
    other = TwoLayerNet(4, 3, 2, rng=np.random.default_rng(5))
    assert np.random.rand() == expected  # noqa: NPY002
    np.testing.assert_array_equal(one.params["W1"], other.params["W1"])
    np.testing.assert_array_equal(one.params["W2"], other.params["W2"])


def test_gradient_is_the_graphs(small: tuple[TwoLayerNet, Array, Array]) -> None:
    """Loss and gradients are those of the same network as a graph of Variables."""
    net, x, t = small
    params = {key: Variable(p) for key, p in net.params.items()}
    hidden = koubai.relu(koubai.linear(x, params["W1"], params["b1"]))
    scores = koubai.linear(hidden, params["W2"], params["b2"])
    loss = koubai.softmax_cross_entropy(scores, t)
    loss.backward()
    np.testing.assert_array_equal(net.predict(x), scores.data)
    assert net.loss(x, t) == loss.data
    gradient = net.gradient(x, t)
    assert list(gradient) == list(params)
    for key, param in params.items():
        np.testing.assert_allclose(gradient[key], param.grad, rtol=1e-13, atol=1e-15)


def test_gradient_against_differences(small: tuple[TwoLayerNet, Array, Array]) -> None:
    """numerical_gradient, for labels and one-hot rows, agrees with gradient."""
    net, x, t = small
    numerical, backprop = net.numerical_gradient(x, np.eye(3)[t]), net.gradient(x, t)
    assert list(numerical) == list(backprop)
    for key, gradient in backprop.items():
        np.testing.assert_allclose(numerical[key], gradient, rtol=1e-5, atol=1e-8)


def test_updates_in_place_train(small: tuple[TwoLayerNet, Array, Array]) -> None:
    """The layers hold the arrays of params, so params[key] -= ... lowers the loss step by step."""
    net, x, t = small
    assert net.layers["Affine1"].W is net.params["W1"]  # type: ignore[attr-defined]
    assert net.layers["Affine2"].b is net.params["b2"]  # type: ignore[attr-defined]
    losses = [net.loss(x, t)]
    for _ in range(20):
        grads = net.gradient(x, t)
        for key in net.params:
            net.params[key] -= 0.1 * grads[key]
        losses.append(net.loss(x, t))
    assert all(later < before for before, later in itertools.pairwise(losses))


def test_other_arrays_in_params(small: tuple[TwoLayerNet, Array, Array]) -> None:
    """params[key] = another array is heeded too, for each key: loaded parameters, for instance."""
    net, x, _ = small
    for key in net.params:
        before = net.predict(x)
        net.params[key] = net.params[key] + 0.5
        p = net.params
        expected = np.maximum(x @ p["W1"] + p["b1"], 0) @ p["W2"] + p["b2"]
        np.testing.assert_allclose(net.predict(x), expected, rtol=1e-12, atol=1e-13)
        assert np.abs(expected - before).max() > 1e-3


def test_gradients_are_not_overwritten(small: tuple[TwoLayerNet, Array, Array]) -> None:
    """A dict of gradients stays what it is when gradient is called for other rows."""
    net, x, t = small
    first = net.gradient(x[:4], t[:4])
    copies = {key: g.copy() for key, g in first.items()}
    net.gradient(x[4:], t[4:])
    for key, gradient in first.items():
        np.testing.assert_array_equal(gradient, copies[key])


def test_accuracy(small: tuple[TwoLayerNet, Array, Array]) -> None:
    """The share of right answers, a float, for labels of any integer type and one-hot rows."""
    net, x, _ = small
    right = net.predict(x).argmax(axis=1)
    t = right.copy()
    t[:3] = (t[:3] + 1) % 3
    for targets in (t, t.astype(np.uint8), np.eye(3)[t], np.eye(3, dtype=int)[t]):
        accuracy = net.accuracy(x, targets)
        assert accuracy == 5 / 8
        assert type(accuracy) is float
    assert net.accuracy(x, right) == 1.0


@pytest.mark.parametrize(
    ("t", "message"),
    [
        (np.array([0, 1, 2, 0, 1, 2, 0, 3]), "between 0 and 2"),
        (np.array([0, 1, 2, 0, 1, 2, 0, -1]), "between 0 and 2"),
        (np.array([0]), r"shape \(8,\)"),
        (np.zeros((8, 1), dtype=int), r"shape \(8,\)"),
        (np.zeros(8), r"shape \(8,\)"),
        (np.eye(3), r"shape \(8,\)"),
    ],
    ids=["too large", "negative", "one for all", "(N, 1)", "not integers", "3 rows"],
)
@pytest.mark.parametrize("method", ["loss", "gradient", "accuracy"])
def test_bad_labels_are_refused(method: str, t: Array, message: str) -> None:
    """Labels out of range, or of a shape that would broadcast, are errors everywhere."""
    net = TwoLayerNet(6, 5, 3)
    with pytest.raises(ValueError, match=message):
        getattr(net, method)(np.zeros((8, 6)), t)


def test_bad_rows_are_refused() -> None:
    """Rows of the wrong length are an error."""
    with pytest.raises(ValueError, match=r"x \(\.\.\., I\)"):
        TwoLayerNet(6, 5, 3).predict(np.zeros((8, 7)))
