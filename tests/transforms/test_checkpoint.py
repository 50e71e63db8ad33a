"""``checkpoint``: the same numbers, less memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

import koubai
from koubai import Variable, checkpoint, nn


def layer(x: Any) -> Any:
    """Five results on the way."""
    return koubai.tanh(koubai.tanh(koubai.tanh(x * 1.1) * 1.1) * 1.1)


def peak(block: Any, depth: int = 40) -> int:
    """Bytes at the most, over the forward and backward pass of a chain."""
    x = Variable(np.ones(20_000))
    tracemalloc.start()
    y = x
    for _ in range(depth):
        y = block(y)
    y.sum().backward()
    size = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return size


def test_memory_of_a_deep_chain_falls() -> None:
    """A chain of checkpointed layers takes less than a third of the memory."""
    assert peak(checkpoint(layer)) < peak(layer) / 3


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_are_the_same(create_graph: bool) -> None:
    """Of the arguments, of parameters, and of Variables that were computed before."""
    rng = np.random.default_rng(3)
    model = nn.Linear(4, 4, rng=rng, dtype=np.float64)
    W = Variable(rng.normal(size=(4, 4)))
    x0 = rng.normal(size=(2, 4))

    def gradients(wrap: Any) -> list[Any]:
        x, scale = Variable(x0), W * 2
        for v in (W, *model.parameters()):
            v.cleargrad()
        f = wrap(lambda x: koubai.tanh(model(x) @ scale) * x)
        y = f(f(x * 0.3)).sum()
        y.backward(create_graph=create_graph)
        leaves = [x, W, *model.parameters()]
        grads = [v.grad for v in leaves]
        if create_graph:
            total = sum((g * g).sum() for g in grads)
            for v in leaves:
                v.cleargrad()
            total.backward()
            grads = [v.grad for v in leaves]
        return grads

    for a, b in zip(gradients(lambda f: f), gradients(checkpoint), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_random_numbers_are_the_same_again() -> None:
    """Dropout inside draws the same mask when it is computed again, and the stream goes on."""
    koubai.random.seed(4)
    x = Variable(np.ones(50))
    y = checkpoint(lambda x: koubai.dropout(x * 2, 0.5))(x)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, y.data)
    after = koubai.random.uniform(3)
    koubai.random.seed(4)
    koubai.random.uniform(50)
    np.testing.assert_array_equal(after, koubai.random.uniform(3))


def test_an_impure_function_is_refused() -> None:
    """Another result on the second run is an error, not a wrong gradient."""
    count = iter(range(1, 9))
    y = checkpoint(lambda x: x * float(next(count)))(Variable(2.0))
    with pytest.raises(ValueError, match="another output"):
        y.backward()


def test_without_variables_it_is_the_function() -> None:
    """Arrays in, an array out."""
    np.testing.assert_array_equal(checkpoint(koubai.exp)(np.zeros(2)), np.ones(2))
