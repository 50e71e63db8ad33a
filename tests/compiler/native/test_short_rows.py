"""Nests with short rows: lanes across rows or along them, the numbers are the interpreter's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from compiler.native.close import assert_close

import koubai
from koubai.compiler.codegen import across, direction, nest
from koubai.compiler.interpret import interpret
from koubai.compiler.runtime import jit
from koubai.compiler.runtime.native import NativeProgram

ROWS = (1, 2, 7, 8, 9, 16, 31, 100)
COLUMNS = (2, 3, 8, 10, 31)


def softmax(x: Any, w: Any, k: Any) -> Any:
    y = koubai.softmax(x * w)
    return y, (y * x).sum(axis=0), y.sum()


def layer_norm(x: Any, w: Any, k: Any) -> Any:
    c = x - x.mean(axis=1, keepdims=True)
    y = c / np.sqrt((c * c).mean(axis=1, keepdims=True) + 1e-3) * w
    return y, y.max(axis=0), y.min()


def outer(x: Any, w: Any, k: Any) -> Any:
    """Three phases, of which nothing but sums is kept."""
    s = np.tanh(x[:, :1] * w)
    d = (s * w).sum(axis=1) - x[:, 1]
    e = np.exp(-abs(d[:, None] * s)).sum(axis=1)
    g = d[:, None] * s * e[:, None]
    return (g * g).sum(axis=0), g.sum(axis=0), (d * e).sum(), d.max()


def places(x: Any, w: Any, k: Any) -> Any:
    least = np.argmin(x, axis=1)
    return np.argmax(x * w, axis=1), least, (least + k).sum()


def looked_up(x: Any, w: Any, k: Any) -> Any:
    """By indices that a row has in common, and by those of each point."""
    rows = w[k][:, None] * x
    return rows.sum(axis=1), np.exp(x[k]).sum(axis=0), (x[k] * x).max(axis=1)


def integers(x: Any, w: Any, k: Any) -> Any:
    n = (x * 10).astype(np.int32) + k[:, None].astype(np.int32)
    return n.max(axis=1), n.sum(axis=0), (n * n.min(axis=1, keepdims=True)).prod(axis=1)


def booleans(x: Any, w: Any, k: Any) -> Any:
    b = (x > w) & (x.max(axis=1, keepdims=True) > 1)
    return b.all(axis=1), b.any(axis=0), b.any(axis=1), b.all()


def three_axes(x: Any, w: Any, k: Any) -> Any:
    z = x[:, :, None] * w[:2]
    y = z - z.max(axis=(1, 2), keepdims=True)
    return y.sum(axis=(1, 2)), y.sum(axis=0), y.sum(axis=(0, 2)), np.exp(y).sum(axis=(0, 1))


FUNCTIONS = (softmax, layer_norm, outer, places, looked_up, integers, booleans, three_axes)


def numbers(rows: int, columns: int, dtype: str, special: bool) -> list[Any]:
    rng = np.random.default_rng([rows, columns])
    x = rng.normal(size=(rows, columns)).astype(dtype)
    if special:
        x[rng.random(x.shape) < 0.05] = np.nan
        x[rng.random(x.shape) < 0.05] = np.inf
    return [x, rng.normal(size=columns).astype(dtype), rng.integers(0, min(rows, columns), rows)]


@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize("lanes", ["across", "along", "as is best"])
@pytest.mark.parametrize("f", FUNCTIONS)
def test_they_are_the_interpreters(
    f: Callable[..., Any], lanes: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is computed, for all numbers of rows and columns about the lanes', also where rows
    take many strips."""
    backend = replace(jit.backend(), width=width)
    monkeypatch.setattr(jit, "backend", lambda: backend)
    if lanes != "as is best":
        monkeypatch.setattr(
            nest, "is_across", lambda one, *_: lanes == "across" and direction.is_possible(one)
        )
    for i, (rows, columns) in enumerate((n, m) for n in ROWS for m in COLUMNS):
        monkeypatch.setattr(across, "STRIP", (64, 8192, 1000)[i % 3])
        dtype, special = ("float32", "float64")[i % 2], i % 5 == 4 and f is not integers
        inputs = numbers(rows, columns, dtype, special)
        compiled = koubai.compile(f)
        with np.errstate(all="ignore"):
            compiled(*inputs)
            (program,) = compiled.programs
            right = interpret(program, inputs)
            y = NativeProgram(program, processors=1 + i % 2).run(list(inputs))
        assert_close(y, right, 300, f"{f.__name__}, {rows} x {columns}, {dtype}")
