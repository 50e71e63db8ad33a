"""Operators of values in generated code, against NumPy's."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.codegen.lanes import Lanes
from koubai.compiler.codegen.value import Value, clamp, nearest, polynomial
from koubai.compiler.runtime import jit

FLOATS: dict[str, tuple[Callable[..., Value], Callable[..., Any]]] = {
    "sum": (lambda x, y: x + y, lambda x, y: x + y),
    "two roundings": (lambda x, y: x.unfused * y + x, lambda x, y: x * y + x),
    "reversed": (lambda x, y: 1.0 - 2.0 / y, lambda x, y: 1 - 2 / y),
    "negative": (lambda x, y: -x, lambda x, y: -x),
    "copysign": (lambda x, y: x.copysign(y), np.copysign),
    "sqrt": (lambda x, y: x.absolute().sqrt(), lambda x, y: np.sqrt(abs(x))),
    "less": (lambda x, y: (x < y).select(x, y), lambda x, y: np.where(x < y, x, y)),
    "not less": (lambda x, y: (~(x < y)).select(x, 2.0), lambda x, y: np.where(~(x < y), x, 2)),
    "between": (
        lambda x, y: ((x >= 0.0) & (x <= y)).select(x, 0.0),
        lambda x, y: np.where((x >= 0) & (x <= y), x, 0),
    ),
    "equal": (lambda x, y: x.equals(y).select(x, 7.0), lambda x, y: np.where(x == y, x, 7)),
    "clamp": (lambda x, y: clamp(x, -1.0, 1.0), lambda x, y: np.clip(x, -1, 1)),
    "nearest": (
        lambda x, y: nearest(clamp(x, -9.0, 9.0))[0] + 0.0,
        lambda x, y: np.rint(np.clip(x, -9, 9)) + 0,
    ),
    "polynomial": (
        lambda x, y: polynomial(x.unfused, (1.0, 2.0, 3.0)),
        lambda x, y: (3 * x + 2) * x + 1,
    ),
    "float64": (
        lambda x, y: (x.to("float64") * y.to("float64")).to(x.t.dtype),
        lambda x, y: (x.astype(np.float64) * y).astype(x.dtype),
    ),
}
INTEGERS: dict[str, tuple[Callable[..., Value], Callable[..., Any]]] = {
    "arithmetic": (lambda x, y: 3 - x * y + 1, lambda x, y: 3 - x * y + 1),
    "bits": (lambda x, y: (x & y) ^ (x | 5) ^ ~y, lambda x, y: (x & y) ^ (x | 5) ^ ~y),
    "shifts": (
        lambda x, y: (x << 3) ^ (y >> 2),
        lambda x, y: (x << 3) ^ (y.view(f"u{y.dtype}") >> 2).view(y.dtype),
    ),
    "choice": (lambda x, y: (x < y).select(-x, y), lambda x, y: np.where(x < y, -x, y)),
}


def evaluated(formula: Callable[..., Value], x: Any, y: Any, lanes: int) -> Any:
    t = Lanes(x.dtype.name, lanes)
    f = Emitter("kernel", ["ptr %x", "ptr %y", "ptr %z", "i64 %n"])
    with f.loop("0", "%n", lanes) as i:
        places = [f.op(f"getelementptr {t.element}, ptr %{p}, i64 {i}") for p in "xyz"]
        values = [Value(f, t, f.op(f"load {t}, ptr {p}, align 4")) for p in places[:2]]
        f.do(f"store {t} {formula(*values).name}, ptr {places[2]}, align 4")
    text = f.text() + '\nattributes #0 = { nounwind "no-builtins" }\n'
    pointer = ctypes.c_void_p
    run = jit.compile_text(text, ["kernel"]).function(
        "kernel", pointer, pointer, pointer, ctypes.c_int64
    )
    z = np.empty_like(x)
    run(x.ctypes.data, y.ctypes.data, z.ctypes.data, x.size)
    return z


@pytest.mark.parametrize("lanes", [1, 8])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_floats(name: str, dtype: str, lanes: int) -> None:
    """Each rounded as in NumPy, with zeros, infinities and NaN."""
    seed = int(np.random.default_rng().integers(2**32))
    print("seed", seed)
    rng = np.random.default_rng(seed)
    edge = np.array([0.0, -0.0, 1.0, -1.0, 0.5, 2.5, np.inf, -np.inf, np.nan], dtype)
    x = np.concatenate([np.repeat(edge, 9), rng.normal(size=79)]).astype(dtype)
    y = np.concatenate([np.tile(edge, 9), rng.normal(size=79)]).astype(dtype)
    formula, right = FLOATS[name]
    np.testing.assert_array_equal(
        evaluated(formula, x, y, lanes), right(x, y).astype(dtype), strict=True
    )


@pytest.mark.parametrize("lanes", [1, 8])
@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_integers(name: str, dtype: str, lanes: int) -> None:
    """Modulo 2^32 or 2^64; the right shift brings zeros."""
    seed = int(np.random.default_rng().integers(2**32))
    print("seed", seed)
    info = np.iinfo(dtype)
    x, y = np.random.default_rng(seed).integers(info.min, info.max, (2, 80), dtype)
    formula, right = INTEGERS[name]
    np.testing.assert_array_equal(
        evaluated(formula, x, y, lanes), right(x, y).astype(dtype), strict=True
    )
