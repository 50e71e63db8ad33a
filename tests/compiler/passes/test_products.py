"""Products of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiler.passes.equal_runs import (
    BOOL,
    F4,
    I8,
    Writing,
    assert_equal_runs,
    assert_pass_is_right,
    lines,
)
from compiler.random_array_programs import INDEXING, MOVES

from koubai.compiler.passes.dead import remove_dead
from koubai.compiler.passes.products import flatten_products
from koubai.compiler.primitives import Type


@pytest.mark.parametrize("first", range(0, 100, 50))
def test_random_programs(first: int) -> None:
    """Of integers, which are added up in any order: the same outputs."""
    ops = (*MOVES, *INDEXING, "matmul", "sum", "add", "multiply")
    assert_pass_is_right(flatten_products, range(first, first + 50), ops, ["int64", "bool"])


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3,), (3,)),
        ((3,), (3, 4)),
        ((2, 3), (3,)),
        ((3,), (5, 3, 4)),
        ((5, 2, 3), (3,)),
        ((4, 1), (1, 6)),
        ((5, 4, 1), (1, 6)),
        ((1,), (1,)),
        ((0,), (0, 4)),
        ((2, 0), (0, 3)),
    ],
)
@pytest.mark.parametrize("dtype", [F4, I8, BOOL])
def test_products(a: Any, b: Any, dtype: Any) -> None:
    """Vectors are matrices with a row or a column, and sums of floats; one term is no sum.

    Exact where the numbers are whole, but for NaN and infinities, which are as before.
    """
    rng = np.random.default_rng(0)
    p = Writing(Type(dtype, a), Type(dtype, b))
    program = p.outputs(p("matmul", 0, 1))
    new = flatten_products(program)
    for x in (0, -1, np.nan, np.inf) if dtype == F4 else (0, 1):
        inputs = [rng.integers(-4, 5, shape).astype(dtype) for shape in (a, b)]
        if inputs[0].size:
            inputs[0].flat[0] = -0.0 if x == 0 and dtype == F4 else x
        assert_equal_runs(program, new, inputs)
    ops = [i.op for i in new.instructions]
    if 1 in (len(a), len(b)) or a[-1] == 1:
        is_vector = dtype == F4 and (len(b) == 1 or (len(a) == 1 and len(b) == 2))
        assert ("multiply" in ops) == (is_vector or (a[-1] == 1 and dtype != BOOL))
    products = [i for i in new.instructions if i.op == "matmul"]
    assert all(len(new.type_of(x).shape) > 1 for i in products for x in i.inputs)


def test_stacks_by_one_matrix() -> None:
    """All rows at once; not where they are transposed, and would have to be moved."""
    p = Writing(Type(F4, (5, 2, 3)), Type(F4, (3, 4)))
    program = p.outputs(p("matmul", 0, 1))
    new = flatten_products(program)
    assert lines(new) == [
        "%2 = reshape %0 shape=(10, 3)",
        "%3 = matmul %2 %1",
        "%4 = reshape %3 shape=(5, 2, 4)",
        "outputs %4",
    ]
    rng = np.random.default_rng(0)
    assert_equal_runs(
        program, new, [rng.integers(-9, 9, s).astype(F4) for s in [(5, 2, 3), (3, 4)]]
    )
    p = Writing(Type(F4, (5, 3, 2)), Type(F4, (3, 4)))
    program = p.outputs(p("matmul", p("permute_dims", 0, axes=(0, 2, 1)), 1))
    assert lines(flatten_products(program)) == lines(program)


@pytest.mark.parametrize("stack", [(5,), (2, 3), (0,)])
def test_sums_of_products(stack: Any) -> None:
    """The gradient of weights: one product, that adds up along the stack as well."""
    n = len(stack)
    p = Writing(Type(F4, (*stack, 2, 3)), Type(F4, (*stack, 2, 4)))
    x = p("permute_dims", 0, axes=(*range(n), n + 1, n))
    program = p.outputs(p("sum", p("matmul", x, 1), axis=tuple(range(n))))
    new = remove_dead(flatten_products(program))
    assert [i.op for i in new.instructions] == ["reshape", "reshape", "permute_dims", "matmul"]
    rng = np.random.default_rng(0)
    inputs = [rng.integers(-9, 9, (*stack, 2, m)).astype(F4) for m in (3, 4)]
    assert_equal_runs(program, new, inputs)


def test_sums_in_a_wider_dtype_stay() -> None:
    """NumPy adds integers of 32 bits up in 64."""
    p = Writing(*[Type(np.dtype(np.int32), (5, 2, n)) for n in (3, 4)])
    product = p("matmul", p("permute_dims", 0, axes=(0, 2, 1)), 1)
    program = p.outputs(p("sum", product, axis=(0,)))
    assert lines(flatten_products(program)) == lines(program)


@pytest.mark.parametrize(
    ("axes", "axis", "b"),
    [
        ((0, 1, 3, 2), (0,), (5, 6, 2, 4)),  # not over the whole stack
        ((0, 1, 3, 2), (0, 1, 2), (5, 6, 2, 4)),  # over rows too
        ((1, 0, 3, 2), (0, 1), (6, 5, 2, 4)),  # another order of the stack
        ((0, 1, 3, 2), (0, 1), (1, 6, 2, 4)),  # one is broadcast
        ((0, 1, 2, 3), (0, 1), (5, 6, 3, 4)),  # not transposed
    ],
)
def test_sums_that_stay(axes: Any, axis: Any, b: Any) -> None:
    """What one product can't be, or not without moving numbers."""
    p = Writing(Type(F4, (5, 6, 2, 3)), Type(F4, b))
    product = p("matmul", p("permute_dims", 0, axes=axes), 1)
    program = p.outputs(p("sum", product, axis=axis))
    assert lines(flatten_products(program)) == lines(program)
