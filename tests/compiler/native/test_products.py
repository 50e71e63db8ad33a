"""Products that are scaled, and added to what else there is, in one kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from compiler.native.close import assert_close

import koubai
from koubai.compiler.codegen.tiles import BLOCK
from koubai.compiler.registers import Registers
from koubai.compiler.runtime import jit

pytestmark = pytest.mark.native


def _of_sums(x: Any, w: Any) -> Any:
    h = x @ w
    return h @ w + h


CASES: dict[str, Callable[[Any, Any], Any]] = {
    "a sum with a factor": _of_sums,
    "with the other": lambda x, w: (h := x @ w) + w @ h,
    "with both": lambda x, w: (h := x @ w) @ h - h,
    "less a product": lambda x, w: x @ w - (x * 2) @ w,
    "with a part": lambda x, w: (h := x @ w)[1:] + w[1:] @ w + h[0],
    "with the first part": lambda x, w: w[1:] @ w + (x @ w)[:-1],
    "with a transpose": lambda x, w: (h := x @ w).T + h @ w,
    "with a row": lambda x, w: x @ w + (w @ x)[0],
    "of many": lambda x, w: x @ w + w @ x + x @ x + w @ w + x,
    "scaled": lambda x, w: 0.5 * (x @ w) - 2 * (w @ x),
    "scaled and added": lambda x, w: x - 0.5 * (x @ w) + (x @ w) * -3,
    "used twice": lambda x, w: (h := x @ w) + (h + w @ x) * h,
    "of vectors": lambda x, w: x[0] @ w + w @ x[0] + (x[0] @ w) @ w,
    "of stacks": lambda x, w: np.stack([x, w]) @ np.stack([w, x]) + np.stack([x, x]) @ w,
    "divided": lambda x, w: (x @ w + x) / 4 + w,
}


@pytest.mark.parametrize("n", [1, 2, 5, 9, 300])
@pytest.mark.parametrize("case", CASES)
def test_sums_of_products(case: str, n: int) -> None:
    """As NumPy has them, also where BLAS can't write over what it still reads."""
    f, rng = CASES[case], np.random.default_rng(n)
    for dtype in (np.float32, np.float64):
        x, w = (rng.normal(size=(n, n)).astype(dtype) for _ in range(2))
        expected = f(x, w)
        assert_close(koubai.compile(f)(x, w), expected, 100 + n)
        inside = koubai.compile(lambda x, w, f=f: abs(f(x, w)))
        assert_close(inside(x, w), abs(expected), 100 + n)


@pytest.mark.parametrize("n", [2, 40])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("factor", [0.0, -0.0, 1.0, -2.0])
def test_what_is_not_finite_stays(factor: float, bad: float, n: int) -> None:
    """A NaN comes through every factor, zero too, which BLAS takes for "there is no product"."""
    x, w = (np.ones((n, n), np.float32) for _ in range(2))
    x[0, 0] = bad
    with np.errstate(invalid="ignore"):
        for f in (lambda x, w: factor * (x @ w), lambda x, w: w - factor * (x @ w)):
            np.testing.assert_array_equal(koubai.compile(f)(x, w), f(x, w))


REGISTERS = {"AVX-512": Registers(32, 64), "AVX2": Registers(16, 32), "BLAS": None}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("registers", REGISTERS)
def test_of_any_shape(registers: str, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However rows, columns and terms fall into tiles, and however the matrices lie: as NumPy has
    them, and what lies beside a matrix is neither used nor written."""
    monkeypatch.setattr(jit, "registers", lambda: REGISTERS[registers])
    rng = np.random.default_rng(0)
    for case in range(60):
        m, n, k = (int(x) for x in 2 ** rng.uniform(1, 6.2, 3))
        if case % 10 == 0:
            k += BLOCK
        stack = (3,) * (case % 5 == 1)
        turns = tuple(rng.integers(0, 2, 2).tolist())
        shapes = [(k, m) if turns[0] else (m, k), (n, k) if turns[1] else (k, n), (m, n)]
        big = [np.full((6, *stack, *shape), np.nan, dtype) for shape in shapes]
        x, w, y = (b[3] for b in big)
        for array in (x, w, y):
            array[...] = rng.normal(size=array.shape)

        def f(x: Any, w: Any, y: Any, turns: Any = turns) -> Any:
            left = koubai.matrix_transpose(x) if turns[0] else x
            right = koubai.matrix_transpose(w) if turns[1] else w
            product = left @ right
            return product, y - 0.5 * (left @ right), product * 1

        expected = f(x, w, y)
        step = koubai.compile(f)
        for found, right in zip(step(x, w, y), expected, strict=True):
            assert_close(found, right, 100 + k)


@pytest.mark.parametrize("registers", REGISTERS)
def test_in_place(registers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix that a product is added to where it lies gets each term once: of every block, also
    in a tile that has fewer rows than the others."""
    monkeypatch.setattr(jit, "registers", lambda: REGISTERS[registers])
    rng = np.random.default_rng(1)
    x, g = rng.normal(size=(2 * BLOCK + 3, 13)), rng.normal(size=(2 * BLOCK + 3, 21))
    w = koubai.Variable(np.ones((13, 21)))

    @koubai.compile
    def step(x: Any, g: Any) -> None:
        w.data = w.data - 0.1 * (x.T @ g)

    expected = w.data
    for _ in range(3):
        step(x, g)
        expected = expected - 0.1 * (x.T @ g)
        assert_close(w.data, expected, 1000)
    assert [i.state for i in step.explain(x, g).inputs if i.state] == ["in place"]
