"""The order of elements in machine code is NumPy's, of equal ones too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiler.native.one import Array, Written

import koubai
from koubai.ops.sorting import sort

DTYPES = (
    *("bool", "int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64", "float32", "float64"),
)
SHAPES = [(1,), (0,), (2,), (37,), (129,), (3, 50), (2, 0), (3, 4, 10)]


def numbers(rng: Any, dtype: str, shape: Any, few: bool) -> Array:
    """Of the whole range, or few that differ; NaN of both signs, infinities and zeros."""
    if dtype[0] != "f":
        x = rng.integers(0, 5, shape) if few else rng.integers(0, 2**63, shape) * 3
        return (x - (2 if dtype[0] == "i" else 0)).astype(dtype)
    x = rng.integers(-2, 3, shape) if few else rng.normal(size=shape) * 1e3
    special = rng.choice([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-42], shape)
    return np.where(rng.random(shape) < 0.3, special, x).astype(dtype)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_argsort(dtype: str, descending: bool) -> None:
    """Along every axis, of views too; equal elements keep their order, 0.0 and -0.0 are equal."""
    seed = int(np.random.default_rng().integers(2**32))
    print("seed", seed)
    rng = np.random.default_rng(seed)
    for few in (False, True):
        for shape in SHAPES:
            w = Written(x := numbers(rng, dtype, shape, few))
            axes = tuple(reversed(range(x.ndim)))
            views = [
                0,
                w.emit("permute_dims", 0, axes=axes),
                w.emit("getitem", 0, index=(Ellipsis, slice(None, None, -2))),
                w.emit("broadcast_to", 0, shape=(3, *shape)),
            ]
            outputs = [
                w.emit("argsort", v, axis=axis, descending=descending, stable=True)
                for v in views
                for axis in range(len(w.program.type_of(v).shape))
            ]
            for actual, expected in zip(*w.results(*outputs), strict=True):
                np.testing.assert_array_equal(actual, expected, strict=True)


@pytest.mark.native
def test_sort_is_one_native_call() -> None:
    """And its gradient."""

    def run(x: Any) -> Any:
        v = koubai.Variable(x)
        y = sort(v, axis=0, descending=True)
        y.backward(np.arange(y.size, dtype=np.float32).reshape(y.shape))
        return y.data, v.grad

    x = np.random.default_rng(0).integers(0, 9, (13, 5)).astype(np.float32)
    compiled = koubai.compile(run)
    for actual, expected in zip(compiled(x), run(x), strict=True):
        np.testing.assert_array_equal(actual, expected, strict=True)
    (found,) = compiled.cache.compiled.values()
    assert found.native is not None
    assert not found.native.later
