"""Integers and booleans in machine code are NumPy's to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiler.native.one import Array, Written, both

from koubai.compiler.runtime.native import NativeProgram

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
ALL = ("bool", *INTEGERS, "float32", "float64")


def numbers(dtype: str, shape: Any, seed: int = 0) -> Array:
    """Over the whole range, and often near 0."""
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if dtype.startswith("float"):
        return rng.normal(0, 40, shape).astype(dtype)
    limits = np.iinfo(dtype)
    far = rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    near = rng.integers(-(limits.min < 0), 3, shape).astype(dtype)
    return np.where(rng.random(shape) < 0.5, far, near).astype(dtype)


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS])
@pytest.mark.parametrize("op", ["floor", "ceil", "round", "abs", "isnan", "isinf", "isfinite"])
def test_what_does_little_to_an_integer(op: str, dtype: str) -> None:
    """Rounding changes none, and none is NaN or infinite."""
    if (op, dtype) == ("round", "bool"):
        return  # float16 to NumPy
    actual, expected = both(op, numbers(dtype, (3, 13)))
    np.testing.assert_array_equal(actual, expected, strict=True)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_reciprocal(dtype: str) -> None:
    """Of an integer but 0, for which C has no answer: 1 and -1 are their own, all else is 0."""
    x = numbers(dtype, (3, 13))
    actual, expected = both("reciprocal", np.where(x == 0, 1, x).astype(dtype))
    np.testing.assert_array_equal(actual, expected, strict=True)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_pow(dtype: str) -> None:
    """Modulo the type's range."""
    x = numbers(dtype, (3, 13))
    y = np.abs(numbers(dtype, (3, 13), 1).astype(np.int64)).astype(dtype)
    y = np.where(y < 0, 0, y).astype(dtype)
    actual, expected = both("pow", x, y)
    np.testing.assert_array_equal(actual, expected, strict=True)


def test_a_negative_power_is_refused() -> None:
    """As NumPy refuses it, and nothing is overwritten; without one, the program goes on."""
    w = Written(np.arange(13), np.arange(13), np.zeros(3))
    w.program.outputs = [w.emit("add", 2, 2), w.emit("pow", 0, 1)]
    native = NativeProgram(w.program, [(2, 0)])
    assert not native.later
    state = np.ones(3)
    with pytest.raises(ValueError, match="negative integer powers"):
        native.run([np.arange(13), np.arange(13) - 1, state])
    np.testing.assert_array_equal(state, np.ones(3))
    _, power = native.run([np.arange(13), np.arange(13), state])
    np.testing.assert_array_equal(power, np.arange(13) ** np.arange(13))


@pytest.mark.parametrize("result", ALL)
@pytest.mark.parametrize("dtype", ALL)
def test_cast(dtype: str, result: str) -> None:
    """Integers lose their upper bits or are extended by their sign; floats their fractions."""
    x = numbers(dtype, (3, 13))
    if dtype.startswith("float") and result in INTEGERS:
        limits = np.iinfo(result)
        edges = [limits.min, -0.75, 0.5, 1.0, float(limits.max) / 2, float(limits.max) * 0.999]
        x = np.clip(np.concatenate([x.reshape(-1), edges]), edges[0], edges[-1]).astype(dtype)
    actual, expected = both("cast", x, dtype=result)
    np.testing.assert_array_equal(actual, expected, strict=True)


@pytest.mark.parametrize("op", ["sum", "prod", "max", "min", "all", "any", "argmax", "argmin"])
@pytest.mark.parametrize("dtype", ["bool", *INTEGERS])
def test_reductions(dtype: str, op: str) -> None:
    """Of a type that the result has not, too."""
    axis = 1 if op.startswith("arg") else (1,)
    actual, expected = both(op, numbers(dtype, (3, 13)), axis=axis)
    np.testing.assert_array_equal(actual, expected, strict=True)


SHAPES = [
    ((3, 13), (13, 5)),
    ((13,), (13,)),
    ((4,), (2, 4, 9)),
    ((3, 1, 2, 4), (5, 4, 1)),
    ((3, 0), (0, 5)),
    ((0, 3), (3, 2)),
    ((1, 1), (1, 1)),
]


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("dtype", ["bool", *INTEGERS])
def test_matmul(dtype: str, shapes: tuple[Any, Any]) -> None:
    """Modulo the type's range, and the operands transposed."""
    a, b = (numbers(dtype, shape, i) for i, shape in enumerate(shapes))
    w = Written(a, b.T)
    turned = w.emit("permute_dims", 1, axes=tuple(reversed(range(b.ndim))))
    product = w.emit("matmul", 0, turned)
    (actual,), (expected,) = w.results(product)
    np.testing.assert_array_equal(actual, expected, strict=True)
