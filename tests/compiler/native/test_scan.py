"""Running sums and products in machine code are NumPy's to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiler.native.one import Array, Written

DTYPES = (
    *("bool", "int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64", "float32", "float64"),
)
SHAPES = [(1,), (0,), (37,), (50, 3), (9, 43), (2, 0), (3, 4, 10)]


def numbers(dtype: str, shape: tuple[int, ...], special: bool) -> Array:
    rng = np.random.default_rng(len(shape))
    x = rng.normal(0, 20, shape)
    if dtype[0] != "f":
        return (x.astype(np.int64) & 127).astype(dtype)
    if special:
        x = np.where(rng.random(shape) < 0.1, rng.choice([np.nan, np.inf, -0.0, 0.0], shape), x)
    return x.astype(dtype)


@pytest.mark.parametrize("op", ["cumulative_sum", "cumulative_prod"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_along_every_axis(dtype: str, op: str) -> None:
    """In the same order as NumPy, -0.0 and NaN too; of views as well."""
    for special in (False, True):
        for shape in SHAPES:
            w = Written(x := numbers(dtype, shape, special))
            axes = tuple(reversed(range(x.ndim)))
            views = [
                0,
                w.emit("permute_dims", 0, axes=axes),
                w.emit("getitem", 0, index=(Ellipsis, slice(None, None, -2))),
                w.emit("broadcast_to", 0, shape=(3, *shape)),
            ]
            outputs = [
                w.emit(op, v, axis=axis)
                for v in views
                for axis in range(len(w.program.type_of(v).shape))
            ]
            for actual, expected in zip(*w.results(*outputs), strict=True):
                assert_same_bits(actual, expected)


def assert_same_bits(x: Any, y: Any) -> None:
    np.testing.assert_array_equal(x, y, strict=True)
    if y.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(x) & (x == 0), np.signbit(y) & (y == 0))
