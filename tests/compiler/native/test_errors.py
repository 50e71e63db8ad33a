"""What stops machine code: NumPy's error at the user's line, and a world that is as it was."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from compiler.agree import assert_same

import koubai
from koubai import Variable, nn, optim

pytestmark = pytest.mark.native

X, T = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32), np.array([0, 2, 1, 0])


class Model:
    """Parameters and an optimizer; each step is a method."""

    def __init__(self) -> None:
        self.W = nn.Parameter(X[:3] + 1)
        self.table = nn.Parameter(X - 1)
        self.buffer = np.zeros((4, 3), np.float32)
        self.optimizer = optim.Adam([self.W, self.table], lr=0.1)

    def _train(self, loss: Any) -> Any:
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def gather(self, x: Any, rows: Any) -> Any:
        return self._train(koubai.sum(Variable(x)[rows] @ self.W))

    def numpys_gather(self, x: Any, rows: Any) -> Any:
        self.W.data -= 1
        return x[rows, 1]

    def embedding(self, x: Any, rows: Any) -> Any:
        return self._train(koubai.sum(koubai.embedding(rows, self.table)))

    def take_along_axis(self, x: Any, rows: Any) -> Any:
        return self._train(koubai.sum(koubai.take_along_axis(x @ self.W, rows[:, None], axis=0)))

    def write(self, x: Any, rows: Any) -> Any:
        self.W.data -= 1
        self.buffer[rows] = x
        return self.buffer.sum()

    def labels(self, x: Any, rows: Any) -> Any:
        return self._train(koubai.softmax_cross_entropy(x @ self.W, rows))

    def update_first(self, x: Any, rows: Any) -> Any:
        self.labels(x, T)
        return self.table.data[rows]


STEPS = [f for name, f in vars(Model).items() if not name.startswith("_")]


@pytest.mark.parametrize("bad", [4, -5, 2**40, -(2**63)])
@pytest.mark.parametrize("step", STEPS)
def test_index_out_of_range(step: Callable[..., Any], bad: int) -> None:
    """In the first row and in the last, when just compiled and later: what NumPy says, and where.

    Neither parameters nor gradients nor the optimizer's state have changed, though the update may
    come before the index in the program; and the next call is right again.
    """
    eager, native = Model(), Model()
    compiled = koubai.compile(step.__get__(native))
    for place in (0, 3, 3):
        rows = T.copy()
        rows[place] = bad
        with pytest.raises((IndexError, ValueError)) as expected:
            step(deepcopy(eager), X, rows)
        before = deepcopy(vars(native))
        with pytest.raises(expected.type) as caught:
            compiled(X, rows)
        assert_same(before, vars(native), "after the error")
        said, _, line = str(caught.value).partition("\n  at ")
        assert said in str(expected.value)
        assert f"in {step.__name__}: " in line
        np.testing.assert_allclose(_number(compiled(X, T)), _number(step(eager, X, T)), rtol=1e-6)


def _number(x: Any) -> Any:
    return x.data if isinstance(x, Variable) else x
