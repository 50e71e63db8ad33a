"""The engine's gradients on random graphs are those of the naive engine, and repeat exactly."""

import numpy as np
import pytest
from core import naive
from core.random_graphs import random_graph

import koubai
from koubai import Variable

SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_gradients_are_the_naive_engines(seed: int) -> None:
    """Of every leaf: the sum over all paths. A leaf that is not in reach has none."""
    leaves, y = random_graph(seed)
    y.backward()
    expected = naive.gradients(y, np.ones(()))
    for leaf in leaves:
        if leaf in expected:
            np.testing.assert_allclose(leaf.grad, expected[leaf], rtol=1e-10, atol=1e-12)
        else:
            assert leaf.grad is None


@pytest.mark.parametrize("seed", SEEDS)
def test_a_second_run_is_bit_equal(seed: int) -> None:
    """The same graph again, and the same graph built again, give the same bits."""
    leaves, y = random_graph(seed)
    y.backward()
    first = [leaf.grad for leaf in leaves]
    for leaf in leaves:
        leaf.cleargrad()
    y.backward()
    others, z = random_graph(seed)
    z.backward()
    for before, leaf, other in zip(first, leaves, others, strict=True):
        np.testing.assert_array_equal(leaf.grad, before)
        np.testing.assert_array_equal(other.grad, before)


@pytest.mark.parametrize("seed", SEEDS)
def test_create_graph_gives_the_same_gradients(seed: int) -> None:
    """backward(create_graph=True) gives the same numbers, as Variables with a history."""
    leaves, y = random_graph(seed)
    y.backward()
    first = [leaf.grad for leaf in leaves]
    for leaf in leaves:
        leaf.cleargrad()
    y.backward(create_graph=True)
    for before, leaf in zip(first, leaves, strict=True):
        if before is not None:
            np.testing.assert_allclose(leaf.grad.data, before, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("seed", range(20))
def test_second_derivatives_along_a_direction(seed: int) -> None:
    """The derivative of the gradient along a random direction is the numerical one."""
    leaves, y = random_graph(seed)
    y.backward(create_graph=True)
    rng = np.random.default_rng(seed + 1000)
    reached = {i: leaf for i, leaf in enumerate(leaves) if leaf.grad is not None}
    directions = {i: rng.normal(size=leaf.shape) for i, leaf in reached.items()}
    total = Variable(0.0)
    for i, leaf in reached.items():
        total = total + koubai.sum(leaf.grad * directions[i])
        leaf.cleargrad()
    total.backward()
    second = {i: leaf.grad for i, leaf in reached.items() if leaf.grad is not None}

    def slope(step: float) -> float:
        """The derivative of y along the directions, at the point moved along them."""
        moved, z = random_graph(seed, moves={i: step * v for i, v in directions.items()})
        z.backward()
        return float(sum(np.sum(moved[i].grad * v) for i, v in directions.items()))

    numerical = (slope(1e-5) - slope(-1e-5)) / 2e-5
    ours = sum(np.sum(g * directions[i]) for i, g in second.items())
    np.testing.assert_allclose(ours, numerical, rtol=1e-6, atol=1e-6)
