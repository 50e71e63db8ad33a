"""Blocks."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from compiler.passes.equal_runs import F4, I8, Writing, assert_equal_runs, lines

from koubai.compiler.passes.blocks import join_blocks
from koubai.compiler.passes.dead import remove_dead
from koubai.compiler.primitives import Type
from koubai.compiler.program import Program

HARD = np.array([0.0, -0.0, 1.5, np.nan, np.inf, -np.inf], F4)


def sum_of_blocks(
    rng: np.random.Generator, axis: int, cuts: list[int], dtype: Any = F4
) -> tuple[Program, list[Any]]:
    """Blocks of an array (6, 5, 4), cut along an axis: in random order, added in a random tree."""
    shape, bounds = (6, 5, 4), [0, *cuts, (6, 5, 4)[axis]]
    indices: list[Any] = []
    inputs: list[Any] = []
    for start, stop in pairwise(bounds):
        block = [*shape[:axis], stop - start, *shape[axis + 1 :]]
        part: Any = slice(start, stop)
        if stop - start == 1 and rng.random() < 0.7:
            part = start if rng.random() < 0.5 else start - shape[axis]
            block.pop(axis)
        if rng.random() < 0.3:
            block = block[1:]  # broadcast
            if axis == 0:
                block = [4]
        index = (*(slice(None),) * axis, part)
        indices.append(index if rng.random() < 0.5 else (*index, Ellipsis))
        inputs.append(np.asarray(rng.choice(HARD if dtype == F4 else [-1, 0, 5], block), dtype))
    p = Writing(*[Type(x.dtype, x.shape) for x in inputs])
    order = rng.permutation(len(inputs))
    values = [p("scatter_add", int(i), index=indices[i], shape=shape) for i in order]
    while len(values) > 1:
        i = rng.integers(len(values) - 1)
        values[i : i + 2] = [p("add", values[i], values[i + 1])]
    return p.outputs(values[0]), inputs


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("cuts", [[2], [1], [1, 2, 3], [1, 3]])
@pytest.mark.parametrize("dtype", [F4, I8])
def test_blocks_are_joined(axis: int, cuts: list[int], dtype: Any) -> None:
    """Along any axis, in any order of additions, to the bit."""
    for seed in range(10):
        program, inputs = sum_of_blocks(np.random.default_rng(seed), axis, cuts, dtype)
        new = remove_dead(join_blocks(program))
        assert_equal_runs(program, new, inputs, f"seed {seed}")
        ops = [i.op for i in new.instructions if i.op not in ("reshape", "broadcast_to")]
        assert ops == (["concat", "constant", "add"] if dtype == F4 else ["concat"]), f"seed {seed}"
        assert remove_dead(join_blocks(new)).text() == new.text()


def test_more_may_be_added() -> None:
    """The blocks are joined, and the rest stays."""
    p = Writing(Type(F4, (3, 2)), Type(F4, (3, 4)))
    blocks = [p("scatter_add", 0, index=(slice(None), i), shape=(3, 4)) for i in HALVES]
    program = p.outputs(p("multiply", p("add", p("add", *blocks), 1), 1))
    new = remove_dead(join_blocks(program))
    assert [i.op for i in new.instructions] == ["concat", "constant", "add", "add", "multiply"]
    rng = np.random.default_rng(0)
    assert_equal_runs(program, new, [rng.choice(HARD, (3, 2)), rng.choice(HARD, (3, 4))])


HALVES = (slice(0, 2), slice(2, 4))
ALL = slice(None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((ALL, slice(0, 2)), (ALL, slice(1, 3))),  # they overlap
        ((ALL, slice(0, 2)), (ALL, slice(0, 2))),  # twice the same
        ((ALL, slice(0, 1)), (ALL, slice(2, 4))),  # a gap
        ((slice(0, 2), ALL), (ALL, slice(2, 4))),  # along two axes
        ((slice(0, 2), slice(0, 2)), (slice(0, 2), slice(2, 4))),  # both axes are cut
        ((ALL, slice(0, None, 2)), (ALL, slice(1, None, 2))),  # with steps
        ((ALL, slice(0, 2, 2)), (ALL, slice(2, 4, 2))),  # with gaps inside
        ((ALL, None, slice(0, 2)), (ALL, None, slice(2, 4))),  # with a new axis
    ],
)
def test_what_is_no_whole(one: Any, other: Any) -> None:
    """It stays."""
    zeros = np.zeros((4, 4), F4)
    p = Writing(*[Type(F4, zeros[index].shape) for index in (one, other)])
    blocks = [p("scatter_add", x, index=i, shape=(4, 4)) for x, i in enumerate((one, other))]
    program = p.outputs(p("add", *blocks))
    assert lines(join_blocks(program)) == lines(program)


def test_sums_that_are_broadcast() -> None:
    """They stay: a row of blocks, added to each of others."""
    p = Writing(Type(F4, (1, 2)), Type(F4, (3, 2)))
    row = p("scatter_add", 0, index=(ALL, HALVES[0]), shape=(1, 4))
    rows = p("scatter_add", 1, index=(ALL, HALVES[1]), shape=(3, 4))
    program = p.outputs(p("add", row, rows))
    assert lines(join_blocks(program)) == lines(program)
