"""What a step assigns is written over the old numbers only where these are no longer needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from compiler.native.close import assert_close

import koubai

pytestmark = pytest.mark.native

N = 40


class State:
    """Two square matrices; each step is a method."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.W, self.V = rng.normal(size=(N, N)), rng.normal(size=(N, N))

    def elementwise(self, x: Any) -> Any:
        self.W = self.W - 0.1 * x

    def both(self, x: Any) -> Any:
        self.V = 0.9 * self.V + x
        self.W -= 0.1 * self.V

    def swap(self, x: Any) -> Any:
        self.W, self.V = self.V + x, self.W

    def crossed(self, x: Any) -> Any:
        self.W, self.V = self.W + self.V, self.W - self.V

    def transpose(self, x: Any) -> Any:
        self.W = self.W.T + x

    def reverse(self, x: Any) -> Any:
        self.W = self.W[::-1] * 2 - self.W

    def shift(self, x: Any) -> Any:
        y = np.zeros_like(x)
        y[1:] = self.W[:-1]
        self.W = y

    def keep_rows(self, x: Any) -> Any:
        y = np.zeros_like(x)
        y[1:] = self.W[1:]
        self.W = y

    def permute(self, x: Any) -> Any:
        self.W = self.W[np.argsort(x[0], stable=True)]

    def scatter(self, x: Any) -> Any:
        y = self.V * 1
        y[np.array([3, 3, 0])] += self.V[np.array([1, 2, 3])]
        self.V = y

    def roll(self, x: Any) -> Any:
        self.W = np.roll(self.W, 3, axis=1)

    def centre(self, x: Any) -> Any:
        self.W = self.W - self.W.mean(axis=0)

    def softmax(self, x: Any) -> Any:
        self.W = koubai.softmax(self.W + x, axis=1)

    def softmax_of_columns(self, x: Any) -> Any:
        self.W = koubai.softmax(self.W + x, axis=0)

    def softmax_of_the_old(self, x: Any) -> Any:
        y = koubai.softmax(self.W, axis=1)
        self.W = self.W + x
        return (y,)

    def read_later(self, x: Any) -> Any:
        old = self.W
        self.W = self.W + x
        return np.exp(old @ x / 100), old

    def product(self, x: Any) -> Any:
        self.W = self.W - self.W @ x / 10

    def product_of_itself(self, x: Any) -> Any:
        self.W = self.W @ self.W / 100 + self.W

    def update(self, x: Any) -> Any:
        self.W = self.W - 0.1 * (x @ self.V)
        self.V -= x.T @ x

    def first_row(self, x: Any) -> Any:
        self.W = self.W[0] + x * self.W

    def cumulative(self, x: Any) -> Any:
        self.W = np.cumulative_sum(self.W, axis=0) / 10 + self.W

    def a_view(self, x: Any) -> Any:
        self.V = self.W
        self.V[0] = self.V[1] + x[0]


STEPS = [f for name, f in vars(State).items() if not name.startswith("_")]


@pytest.mark.parametrize("step", STEPS)
def test_state(step: Callable[..., Any]) -> None:
    """Ten steps agree with eager ones, though the new numbers may lie where the old ones did.

    Arrays that the user holds, an old parameter for instance, keep their numbers.
    """
    eager, native = State(), State()
    compiled, rng = koubai.compile(step.__get__(native)), np.random.default_rng(1)
    for i in range(10):
        x = rng.normal(size=(N, N)) / 10
        held = [native.W, native.V] if i == 5 else []
        before = [array.copy() for array in held]
        expected, actual = step(eager, x), compiled(x)
        assert_close(
            [*(actual or ()), native.W, native.V], [*(expected or ()), eager.W, eager.V], 1000
        )
        if step not in (State.a_view, State.both, State.update):  # these write into the arrays
            for array, old in zip(held, before, strict=True):
                np.testing.assert_array_equal(array, old)
