"""Layers compute what they say, from parameters of the right size."""

from typing import Any

import numpy as np
import pytest

import koubai
from koubai import Variable, nn


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 5, 3)])
def test_linear_is_x_at_W_plus_b(dtype: Any, shape: tuple[int, ...]) -> None:
    """y = x @ W + b for rows, in any number of axes, in the layer's dtype; W is (in, out)."""
    rng = np.random.default_rng(0)
    layer = nn.Linear(3, 4, rng=rng, dtype=dtype)
    assert layer.b is not None
    layer.b.data = rng.normal(size=4).astype(dtype)
    x = rng.normal(size=shape).astype(dtype)
    y = layer(x)
    assert y.dtype == dtype
    assert layer.W.shape == (3, 4)
    np.testing.assert_allclose(y.data, x @ layer.W.data + layer.b.data, rtol=1e-6)


def test_linear_without_bias() -> None:
    """bias=False: y = x @ W, and W is the only parameter."""
    layer = nn.Linear(3, 4, bias=False)
    x = np.ones((2, 3), np.float32)
    assert layer.b is None
    assert [name for name, _ in layer.named_parameters()] == ["W"]
    np.testing.assert_allclose(layer(x).data, x @ layer.W.data, rtol=1e-6)


def test_linear_begins_with_he_uniform_weights() -> None:
    """Weights spread evenly over +-sqrt(6 / in), biases 0; the same seed gives the same ones."""
    layer, same, other = (nn.Linear(600, 200, rng=np.random.default_rng(s)) for s in (0, 0, 1))
    W, bound = layer.W.data, 0.1
    assert np.abs(W).max() <= bound
    assert abs(W.mean()) < 0.01 * bound
    np.testing.assert_allclose(W.std(), bound / 3**0.5, rtol=0.01)
    np.testing.assert_array_equal(W, same.W.data)
    assert layer.b is not None
    assert not layer.b.data.any()
    assert not np.array_equal(W, other.W.data)
    assert not np.array_equal(nn.Linear(9, 9).W.data, nn.Linear(9, 9).W.data)


def test_initialisers() -> None:
    """Shape, dtype and size of what nn.init draws."""
    rng = np.random.default_rng(0)
    normal = nn.init.normal((300, 400), std=0.01, rng=rng, dtype=np.float64)
    assert (normal.shape, normal.dtype) == ((300, 400), np.float64)
    np.testing.assert_allclose(normal.std(), 0.01, rtol=0.02)
    uniform = nn.init.he_uniform((300, 400), fan_in=6, rng=rng)
    assert (uniform.shape, uniform.dtype) == ((300, 400), np.float32)
    assert 0.99 < np.abs(uniform).max() <= 1
    with pytest.raises(ValueError, match="fan_in must be at least 1, got 0"):
        nn.init.he_uniform((0, 3), fan_in=0)
    with pytest.raises(ValueError, match=r"std must not be negative, got -1\.0"):
        nn.init.normal((3,), std=-1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_features": 0}, "in_features must be a whole number from 1, got 0"),
        ({"out_features": -1}, "out_features must be a whole number from 1, got -1"),
        ({"in_features": 2.5}, r"in_features must be a whole number from 1, got 2\.5"),
        ({"dtype": np.int64}, "dtype must be floating-point, got int64"),
    ],
)
def test_linear_refuses(arguments: dict[str, Any], message: str) -> None:
    """Sizes that are none and integer parameters are errors that name the argument."""
    with pytest.raises(ValueError, match=message):
        nn.Linear(**{"in_features": 2, "out_features": 3, **arguments})


def test_linear_of_images() -> None:
    """Images that nobody has flattened: the error says how; rows of another length have no cure."""
    layer = nn.Linear(6, 2)
    images = np.ones((5, 3, 2), np.float32)
    with pytest.raises(ValueError, match=r"not \(5, 3, 2\).*write x\.reshape\(len\(x\), -1\)"):
        layer(images)
    assert layer(images.reshape(len(images), -1)).shape == (5, 2)
    with pytest.raises(ValueError, match=r"not \(5, 3, 3\), \(6, 2\) and \(2,\)\n"):
        layer(np.ones((5, 3, 3), np.float32))


@pytest.mark.parametrize(
    ("layer", "function"),
    [(nn.ReLU(), koubai.relu), (nn.Sigmoid(), koubai.sigmoid), (nn.Tanh(), koubai.tanh)],
)
def test_activations_are_the_functions(layer: nn.Module, function: Any) -> None:
    """The layer of a name computes the function of that name, and so does its gradient."""
    x, y = (Variable(np.linspace(-2, 2, 7)) for _ in range(2))
    layer(x).sum().backward()
    function(y).sum().backward()
    np.testing.assert_array_equal(layer(x).data, function(y).data)
    np.testing.assert_array_equal(x.grad, y.grad)
    assert list(layer.parameters()) == []


def test_sequential_calls_one_after_another() -> None:
    """The output of each layer is the input of the next; indexing, iteration and len agree."""
    first, second = nn.Linear(3, 5), nn.Linear(5, 2)
    model = nn.Sequential(first, nn.ReLU(), second)
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    np.testing.assert_array_equal(model(x).data, second(koubai.relu(first(x))).data)
    assert len(model) == 3
    assert (model[0], model[-1]) == (first, second)
    assert list(model) == [model[i] for i in range(3)]
    assert nn.Sequential()(x) is x


def test_sequential_subclass_may_add_fields() -> None:
    """Parameters of a subclass's own fields are found beside the layers'."""

    class Scaled(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Linear(1, 1))
            self.scale = nn.Parameter(2.0)

    assert [name for name, _ in Scaled().named_parameters()] == ["0.W", "0.b", "scale"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (koubai.relu, r"layer 1 is <function relu.*not a module; write a class with nn\.Module"),
        (nn.ReLU, r"layer 1 is the class ReLU, not a module; write ReLU\(\.\.\.\)"),
        ([nn.ReLU()], r"layer 1 is a list, not a module; write Sequential\(\*layers\)"),
    ],
)
def test_sequential_takes_modules_only(given: Any, message: str) -> None:
    """Anything else is refused where it is given, not at the first call, with what to write."""
    with pytest.raises(TypeError, match=f"Sequential: {message}"):
        nn.Sequential(nn.Linear(1, 1), given)


def test_gradients_against_torch() -> None:
    """A network of all layers has PyTorch's output and gradients, to rounding."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        nn.Linear(4, 8, rng=rng),
        nn.ReLU(),
        nn.Linear(8, 8, rng=rng),
        nn.Tanh(),
        nn.Linear(8, 3, rng=rng),
        nn.Sigmoid(),
    )
    x, g = rng.normal(size=(5, 4)).astype(np.float32), rng.normal(size=(5, 3)).astype(np.float32)
    y = model(x)
    y.backward(g)
    peers = [torch.tensor(p.data, requires_grad=True) for p in model.parameters()]
    W1, b1, W2, b2, W3, b3 = peers
    h = torch.relu(torch.tensor(x) @ W1 + b1)
    peer = torch.sigmoid(torch.tanh(h @ W2 + b2) @ W3 + b3)
    peer.backward(torch.tensor(g))
    np.testing.assert_allclose(y.data, peer.detach().numpy(), rtol=1e-5, atol=1e-6)
    for p, q in zip(model.parameters(), peers, strict=True):
        np.testing.assert_allclose(p.grad, q.grad.numpy(), rtol=1e-4, atol=1e-6)
