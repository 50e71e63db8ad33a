"""Random numbers: streams that repeat, can be saved, and have the right distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import koubai
from koubai import Variable
from koubai.random import Generator

N = 200_000


def test_a_seed_is_a_stream() -> None:
    """The same seed gives the same numbers; another seed, or a later draw, others."""
    a, b = Generator(1), Generator(1)
    first = a.uniform(5)
    np.testing.assert_array_equal(first, b.uniform(5))
    assert not np.array_equal(first, a.uniform(5))
    assert not np.array_equal(first, Generator(2).uniform(5))


def test_numbers_are_a_function_of_key_and_counter() -> None:
    """What is drawn does not depend on how it was asked for before, only on the counter."""
    a, b = Generator(1), Generator(1)
    a.uniform((4, 25))
    b.normal(48)
    b.uniform(4)
    assert a.counter == b.counter == 25
    np.testing.assert_array_equal(a.uniform(7), b.uniform(7))


def test_known_numbers() -> None:
    """Philox4x64-10 as NumPy has it: the stream stays the same from release to release."""
    np.testing.assert_allclose(Generator(0).uniform(3), [0.01406704, 0.25776725, 0.47156538], 1e-6)


def test_save_and_restore() -> None:
    """A state that was saved continues the stream where it was."""
    a, b = Generator(3), Generator(4)
    a.normal(11)
    b.restore(a.state())
    np.testing.assert_array_equal(a.uniform(9), b.uniform(9))


def test_the_default_generator() -> None:
    """koubai.random.seed sets the one that the functions use."""
    koubai.random.seed(7)
    a = [koubai.random.uniform(3), koubai.random.normal(3), koubai.random.randint(0, 9, 3)]
    koubai.random.seed(7)
    b = [koubai.random.uniform(3), koubai.random.normal(3), koubai.random.randint(0, 9, 3)]
    np.testing.assert_array_equal(a, b)
    generator = Generator(7)
    np.testing.assert_array_equal(a[0], generator.uniform(3))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform(dtype: Any) -> None:
    """Evenly from low to below high, in the dtype asked for (Kolmogorov-Smirnov, p > 1e-3)."""
    x = Generator(5).uniform(N, 2, 5, dtype=dtype)
    assert x.dtype == dtype
    assert x.min() >= 2
    assert x.max() < 5
    assert stats.kstest(x, stats.uniform(2, 3).cdf).pvalue > 1e-3


def test_normal() -> None:
    """Mean and standard deviation as asked for, and the right shape of the distribution."""
    x = Generator(6).normal(N, mean=-1, std=3)
    assert np.isfinite(x).all()
    assert stats.kstest(x, stats.norm(-1, 3).cdf).pvalue > 1e-3
    assert Generator(6).normal((2, 3), dtype=np.float32).dtype == np.float32


def test_whole_numbers() -> None:
    """randint, bernoulli, choice: each value as often as it should be (chi-squared, p > 1e-3)."""
    g = Generator(8)
    assert stats.chisquare(np.bincount(g.randint(-3, 4, N) + 3)).pvalue > 1e-3
    assert stats.binomtest(int(g.bernoulli(0.3, (N,)).sum()), N, 0.3).pvalue > 1e-3
    p = np.array([0.1, 0.2, 0.7])
    assert stats.chisquare(np.bincount(g.choice(3, N, p=p)), N * p).pvalue > 1e-3
    rows = g.choice(np.arange(10).reshape(5, 2), 4)
    assert rows.shape == (4, 2)
    assert (rows[:, 0] % 2 == 0).all()


def test_permutation() -> None:
    """Every number once; every order equally often; rows of an array stay whole."""
    g = Generator(9)
    assert sorted(g.permutation(100).tolist()) == list(range(100))
    orders = [tuple(g.permutation(3).tolist()) for _ in range(3000)]
    assert stats.chisquare([orders.count(o) for o in set(orders)]).pvalue > 1e-3
    x = np.arange(10).reshape(5, 2)
    y = g.permutation(x)
    assert sorted(map(tuple, y.tolist())) == list(map(tuple, x.tolist()))


def test_dropout() -> None:
    """The mean stays, about p of the elements are 0, and the gradient has the same mask."""
    x = Variable(np.ones(N))
    y = koubai.dropout(x, 0.3, generator=Generator(10))
    assert stats.binomtest(int((y.data == 0).sum()), N, 0.3).pvalue > 1e-3
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, y.data)
    assert koubai.dropout(Variable(np.ones(3, np.float32))).dtype == np.float32


def test_compiled_draws_the_same() -> None:
    """A compiled function draws what eager execution would, and moves the stream on."""

    def draws(compiled: bool) -> Any:
        g = Generator(11)

        def step(x: Any) -> Any:
            return koubai.dropout(x, 0.5, generator=g) + g.normal((4,)) + g.randint(0, 9, 4)

        f = koubai.compile(step) if compiled else step
        return [f(np.ones(4)) for _ in range(3)], g.counter

    (eager, a), (compiled, b) = draws(False), draws(True)
    np.testing.assert_array_equal(eager, compiled)
    assert a == b


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: Generator(-1), "from 0"),
        (lambda: Generator(1.5), "from 0"),
        (lambda: Generator(1).bernoulli(1.5), "between 0 and 1"),
        (lambda: Generator(1).randint(3, 3), "below high"),
        (lambda: Generator(1).choice(3, p=[0.5, 0.5]), "3 probabilities"),
        (lambda: Generator(1).restore({"key": np.zeros(2), "counter": 0}), "uint64"),
        (lambda: koubai.dropout(Variable(np.ones(2)), 1.0), "below 1"),
    ],
)
def test_errors(call: Any, says: str) -> None:
    """Bad arguments are refused with what they should be."""
    with pytest.raises(ValueError, match=says):
        call()
