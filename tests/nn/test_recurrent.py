"""Recurrent layers: the equations, against a loop by hand and PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import koubai
from koubai import Variable, nn


def _layer(dtype: Any = np.float64) -> nn.RNN:
    layer = nn.RNN(3, 4, rng=np.random.default_rng(0), dtype=dtype)
    layer.b.data = np.random.default_rng(1).normal(size=4).astype(dtype)
    return layer


@pytest.mark.parametrize("batch", [(), (2,)])
@pytest.mark.parametrize("given", [False, True])
def test_states(batch: tuple[int, ...], given: bool) -> None:
    """h = tanh(x @ Wx + h @ Wh + b), step by step; h begins with zeros, or as given."""
    layer, rng = _layer(), np.random.default_rng(2)
    x, h = rng.normal(size=(5, *batch, 3)), rng.normal(size=(*batch, 4)) if given else None
    states, last = layer(x) if h is None else layer(x, h)
    expected = np.zeros((*batch, 4)) if h is None else h
    for t in range(5):
        expected = np.tanh(x[t] @ layer.Wx.data + expected @ layer.Wh.data + layer.b.data)
        np.testing.assert_allclose(states.data[t], expected, rtol=1e-12)
    np.testing.assert_array_equal(last.data, states.data[-1])


@pytest.mark.native
def test_gradients_compiled_and_eager() -> None:
    """The same, for parameters and inputs, and right by numerical derivatives."""
    layer, rng = _layer(), np.random.default_rng(2)
    x, weights = rng.normal(size=(5, 2, 3)), rng.normal(size=(5, 2, 4))

    def step(x: Any) -> Any:
        for p in layer.parameters():
            p.cleargrad()
        v = Variable(x)
        loss = koubai.sum(layer(v)[0] * weights)
        loss.backward()
        return loss, v.grad, [p.grad for p in layer.parameters()]

    eager, compiled = step(x), koubai.compile(step)(x)
    for a, b in zip((eager[1], *eager[2]), (compiled[1], *compiled[2]), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-12)
    assert koubai.check(layer, x).ok


def test_as_pytorch() -> None:
    """PyTorch's nn.RNN, which has its weights transposed, and two biases."""
    torch = pytest.importorskip("torch")
    layer = _layer()
    theirs = torch.nn.RNN(3, 4, dtype=torch.float64)
    weights = (layer.Wx.data.T, layer.Wh.data.T, layer.b.data, np.zeros(4))
    with torch.no_grad():
        for p, value in zip(theirs.parameters(), weights, strict=True):
            p.copy_(torch.from_numpy(value.copy()))
    x = np.random.default_rng(3).normal(size=(5, 2, 3))
    states, last = layer(x)
    expected, end = theirs(torch.from_numpy(x))
    np.testing.assert_allclose(states.data, expected.detach().numpy(), rtol=1e-10)
    np.testing.assert_allclose(last.data, end[0].detach().numpy(), rtol=1e-10)


def test_bad_input() -> None:
    """Sizes, dtypes and shapes that do not fit are named."""
    with pytest.raises(ValueError, match="hidden_size must be a whole number from 1, got 0"):
        nn.RNN(3, 0)
    with pytest.raises(ValueError, match="floating-point, got int64"):
        nn.RNN(3, 4, dtype=np.int64)
    layer = _layer()
    with pytest.raises(ValueError, match=r"x must be \(steps, batch, 3\) or .*float64\[5, 2, 4\]"):
        layer(np.zeros((5, 2, 4)))
    with pytest.raises(ValueError, match=r"h must be float64\[2, 4\] for this x, not float64\[4\]"):
        layer(np.zeros((5, 2, 3)), np.zeros(4))
