"""``check`` on what other packages differentiate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import koubai


def test_a_module_of_pytorch() -> None:
    """A wrong autograd Function inside a module is found in input and parameters, and named."""
    torch = pytest.importorskip("torch")

    class Square(torch.autograd.Function):  # type: ignore[name-defined,misc]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            (x,) = ctx.saved_tensors
            return grad * x

    class Net(torch.nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self, wrong: bool) -> None:
            super().__init__()
            self.linear, self.dropout = torch.nn.Linear(3, 2), torch.nn.Dropout(0.5)
            self.square = Square.apply if wrong else torch.square

        def forward(self, x: Any) -> Any:
            return self.square(self.dropout(self.linear(x)))

    torch.manual_seed(0)
    x, net = torch.randn(4, 3), Net(wrong=True)
    before = [p.clone() for p in net.parameters()]
    report = koubai.check(net, x)
    found = {(f.what, f.mistake) for f in report.failures}
    assert found == {("x", "factor"), ("linear.weight", "factor"), ("linear.bias", "factor")}
    assert report.failures[0].where.startswith("test_foreign.py:")
    assert all(bool((p == b).all()) for p, b in zip(net.parameters(), before, strict=True))
    assert koubai.check(Net(wrong=False), x).ok
    assert koubai.check(Net(wrong=False), x.numpy()).ok


def test_a_function_of_jax() -> None:
    """A wrong custom derivative is found; trees of arrays are named by their paths."""
    jax = pytest.importorskip("jax")
    jnp = jax.numpy

    @jax.custom_vjp
    def square(x: Any) -> Any:
        return x * x

    square.defvjp(lambda x: (x * x, x), lambda x, gy: (-2 * gy * x,))
    report = koubai.check(square, jnp.arange(3.0) + 1)
    assert [(f.what, f.mistake) for f in report.failures] == [("x", "sign")]

    def layer(params: Any, x: Any) -> Any:
        return jnp.tanh(x @ params["W"] + params["b"])

    params = {"W": jnp.ones((3, 2)), "b": jnp.zeros(2)}
    report = koubai.check(layer, params, np.ones((4, 3)))
    assert report.ok
    assert list(report.checked) == ["params['W']", "params['b']", "x"]
