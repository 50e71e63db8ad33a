"""Common subexpressions."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from compiler.passes.equal_runs import F4, F8, I8, Writing, assert_pass_is_right, lines

from koubai.compiler.passes.common import merge_common
from koubai.compiler.primitives import OPERAND, Type


@pytest.mark.parametrize("first", range(0, 100, 50))
def test_random_programs(first: int) -> None:
    """The same outputs, to the bit."""
    assert_pass_is_right(merge_common, range(first, first + 50))


def test_the_same_is_computed_once() -> None:
    """By operands that have been found to be the same, too."""
    p = Writing(Type(F4, (3,)))
    one, two = p("exp", 0), p("exp", 0)
    x, y = p("sum", one, axis=(0,)), p("sum", two, axis=(0,))
    new = merge_common(p.outputs(p("subtract", x, y)))
    assert lines(new) == [
        "%1 = exp %0",
        "%2 = sum %1 axis=(0,)",
        "%3 = subtract %2 %2",
        "outputs %3",
    ]


def test_the_first_gives_the_location() -> None:
    """Of two lines that compute the same, messages name the first."""
    p = Writing(Type(F4, (3,)))
    program = p.outputs(p("add", p("exp", 0), p("exp", 0)))
    code = test_the_first_gives_the_location.__code__
    for n, i in enumerate(program.instructions):
        program.instructions[n] = dataclasses.replace(i, location=(code, n), origin=(f"f{n}", None))
    first, _ = merge_common(program).instructions
    assert (first.location, first.origin) == ((code, 0), ("f0", None))


def test_constants_by_their_bits() -> None:
    """0.0 is not -0.0, 0 is not 0.0; NaN is NaN."""
    p = Writing()
    values: list[Any] = [0.0, -0.0, 1.0, np.nan, np.nan, 0.0, [1.0], [1.0, 1.0]]
    numbers = [p.constant(x) for x in values]
    numbers += [p.constant(0, F8), p.constant(0, I8), p.constant(0, np.int32)]
    new = merge_common(p.outputs(*[p("copy", x) for x in numbers]))
    constants = [i for i in new.instructions if i.op == "constant"]
    assert len(constants) == len(numbers) - 2
    assert merge_common(p.outputs(*numbers)).outputs[:3] == [0, 1, 2]


def test_different_parameters_are_different() -> None:
    """Axes, indices (1 is not True), slices, dtypes, messages; other operands, other order."""
    p = Writing(Type(F4, (2, 2, 2)), Type(I8, (2,)))
    values = [
        p("sum", 0, axis=(0,)),
        p("sum", 0, axis=(1,)),
        p("getitem", 0, index=(1,)),
        p("getitem", 0, index=(True,)),
        p("getitem", 0, index=(0,)),
        p("getitem", 0, index=(slice(1, None),)),
        p("getitem", 0, index=(slice(None, 1),)),
        p("getitem", 0, index=(None,)),
        p("getitem", 0, index=(Ellipsis,)),
        p("getitem", 0, 1, index=(OPERAND,)),
        p("getitem", 0, 1, index=(slice(None), OPERAND)),
        p("cast", 0, dtype="float64"),
        p("cast", 0, dtype="int64"),
        p("subtract", 0, 0),
    ]
    values += [p("subtract", 0, values[0]), p("subtract", values[0], 0)]
    assert len(merge_common(p.outputs(*values)).instructions) == len(values)
