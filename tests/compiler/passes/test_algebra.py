"""Algebra."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from compiler.passes.equal_runs import (
    BOOL,
    F4,
    F8,
    I8,
    WITHOUT_PRODUCTS,
    Writing,
    assert_equal_runs,
    assert_pass_is_right,
    lines,
)
from compiler.random_array_programs import ARITHMETIC, INDEXING, MOVES

from koubai.compiler.passes.algebra import simplify
from koubai.compiler.passes.dead import remove_dead
from koubai.compiler.primitives import Type
from koubai.compiler.program import digest

X, Y, B, J = 0, 1, 2, 3
"""The inputs: two of floats, one of truth values, one of integers."""

HARD = np.array([[0.0, -0.0, 1.5], [np.nan, np.inf, -np.inf]], F4)
INPUTS = [HARD, HARD[:, ::-1].copy(), HARD > 0, np.array([[0, -3, 2], [5, 1, -1]])]

Write = Callable[[Writing], int]


@pytest.mark.parametrize("first", range(0, 100, 50))
def test_random_programs(first: int) -> None:
    """The same outputs, to the bit."""
    assert_pass_is_right(simplify, range(first, first + 50), WITHOUT_PRODUCTS)


@pytest.mark.parametrize("first", range(0, 100, 50))
def test_random_programs_of_what_it_knows(first: int) -> None:
    """Of arithmetic and moves alone, where most instructions have a rule."""
    ops = (*ARITHMETIC, *MOVES, *INDEXING, "abs", "pow", "logical_not", "equal", "sum", "max")
    assert_pass_is_right(simplify, range(first, first + 50), ops, ["float32", "bool"])


def simplified(write: Write) -> list[str]:
    """What becomes of one value: checked on numbers that are hard, as lines of text."""
    float_, truth = Type(F4, (2, 3)), Type(BOOL, (2, 3))
    p = Writing(float_, float_, truth, Type(I8, (2, 3)))
    program = p.outputs(p("copy", write(p)))  # the copy is there where the value is an input
    new = remove_dead(simplify(program))
    assert_equal_runs(program, new, INPUTS)
    return lines(new)


SAME: dict[str, Write] = {
    "x * 1": lambda p: p("multiply", X, p.constant(1)),
    "1 * x": lambda p: p("multiply", p.constant(1), X),
    "x * ones": lambda p: p("multiply", X, p.constant(np.ones((2, 3)))),
    "x / 1": lambda p: p("divide", X, p.constant(1)),
    "x - 0": lambda p: p("subtract", X, p.constant(0)),
    "x + -0.0": lambda p: p("add", p.constant(-0.0), X),
    "x ** 1": lambda p: p("pow", X, p.constant(1)),
    "-(-x)": lambda p: p("negative", p("negative", X)),
    "x as it is": lambda p: p("cast", X, dtype="float32"),
    "x as float64 and back": lambda p: p("cast", p("cast", X, dtype="float64"), dtype="float32"),
    "where(c, x, x)": lambda p: p("where", B, X, X),
    "where(True, x, y)": lambda p: p("where", p.constant(True, BOOL), X, Y),
    "where(all False, y, x)": lambda p: p("where", p.constant(np.zeros((2, 3)), BOOL), Y, X),
    "reshape to its shape": lambda p: p("reshape", X, shape=(2, 3)),
    "reshape and back": lambda p: p("reshape", p("reshape", X, shape=(6,)), shape=(2, 3)),
    "permute nothing": lambda p: p("permute_dims", X, axes=(0, 1)),
    "x.T.T": lambda p: p("permute_dims", p("permute_dims", X, axes=(1, 0)), axes=(1, 0)),
    "broadcast to its shape": lambda p: p("broadcast_to", X, shape=(2, 3)),
    "x[...]": lambda p: p("getitem", X, index=(Ellipsis,)),
    "x[:, 0:9]": lambda p: p("getitem", X, index=(slice(None), slice(0, 9))),
    "x[...] = x": lambda p: p("setitem", Y, X, index=(Ellipsis,)),
    "the gradient of x[:]": lambda p: p("scatter_add", X, index=(slice(None),), shape=(2, 3)),
    "max over no axes": lambda p: p("max", X, axis=()),
    "of one array": lambda p: p("concat", X, axis=1),
}


@pytest.mark.parametrize("name", SAME)
def test_what_is_its_operand(name: str) -> None:
    """Nothing is computed."""
    assert simplified(SAME[name]) == ["%4 = copy %0", "outputs %4"]


OTHER: dict[str, tuple[Write, list[str]]] = {
    "x - -y": (lambda p: p("subtract", X, p("negative", Y)), ["add %0 %1"]),
    "x + -y": (lambda p: p("add", X, p("negative", Y)), ["subtract %0 %1"]),
    "-x + y": (lambda p: p("add", p("negative", X), Y), ["subtract %1 %0"]),
    "x * -1": (lambda p: p("multiply", X, p.constant(-1)), ["negative %0"]),
    "abs(-x)": (lambda p: p("abs", p("negative", X)), ["abs %0"]),
    "x ** 2": (lambda p: p("pow", X, p.constant(2)), ["multiply %0 %0"]),
    "x / 4": (
        lambda p: p("divide", X, p.constant(4)),
        ["constant value=0.25", "multiply %0 %4"],
    ),
    "x / powers of two": (
        lambda p: p("divide", X, p.constant([1.0, 2.0, -8.0])),
        [
            f"constant value={digest(np.array([1.0, 0.5, -0.125], F4))}",
            "multiply %0 %4",
        ],
    ),
    "exp of what is broadcast": (
        lambda p: p("exp", p("broadcast_to", X, shape=(5, 2, 3))),
        ["exp %0", "broadcast_to %4 shape=(5, 2, 3)"],
    ),
    "add to what is broadcast": (
        lambda p: p("subtract", Y, p("broadcast_to", p("getitem", X, index=(0,)), shape=(2, 3))),
        ["getitem %0 index=(0,)", "subtract %1 %4"],
    ),
    "add to a constant of one number": (
        lambda p: p("add", X, p.constant(np.full((2, 3), 2.5))),
        ["constant value=2.5", "add %0 %4"],
    ),
    "(c as numbers) == 0": (
        lambda p: p("equal", p("cast", B, dtype="float32"), p.constant(0)),
        ["logical_not %2"],
    ),
    "where(not c, x, y)": (
        lambda p: p("where", p("logical_not", B), X, Y),
        ["where %2 %1 %0"],
    ),
    "c as int64 as float32": (
        lambda p: p("cast", p("cast", B, dtype="int64"), dtype="float32"),
        ["cast %2 dtype='float32'"],
    ),
    "reshape of reshape": (
        lambda p: p("reshape", p("reshape", X, shape=(6,)), shape=(3, 2)),
        ["reshape %0 shape=(3, 2)"],
    ),
    "broadcast of broadcast": (
        lambda p: p("broadcast_to", p("broadcast_to", X, shape=(1, 2, 3)), shape=(4, 2, 3)),
        ["broadcast_to %0 shape=(4, 2, 3)"],
    ),
    "x[:, None]": (
        lambda p: p("getitem", X, index=(slice(None), None)),
        ["reshape %0 shape=(2, 1, 3)"],
    ),
    "x[...] = a row": (
        lambda p: p("setitem", Y, p("getitem", X, index=(0,)), index=(Ellipsis,)),
        ["getitem %0 index=(0,)", "broadcast_to %4 shape=(2, 3)"],
    ),
    "sum over no axes": (
        lambda p: p("sum", X, axis=()),
        ["constant value=0.0", "add %0 %4"],
    ),
    "sum of sums": (
        lambda p: p("sum", p("sum", X, axis=(0,)), axis=()),
        ["sum %0 axis=(0,)"],
    ),
    "sum over an axis of length 1": (
        lambda p: p("sum", p("exp", p("getitem", X, index=(slice(1),))), axis=(0,)),
        ["getitem %0 index=(slice(None, 1, None),)", "exp %4", "reshape %5 shape=(3,)"],
    ),
}


@pytest.mark.parametrize("name", OTHER)
def test_what_becomes_simpler(name: str) -> None:
    """One rule each."""
    write, expected = OTHER[name]
    n = 4 + len(expected)
    texts = [f"%{4 + i} = {text}" for i, text in enumerate(expected)]
    actual = simplified(write)
    assert actual[: len(texts)] == texts
    assert actual[-1] in (f"outputs %{n - 1}", f"outputs %{n}")


STAY: dict[str, Write] = {
    "x + 0.0": lambda p: p("add", X, p.constant(0)),
    "x - -0.0": lambda p: p("subtract", X, p.constant(-0.0)),
    "0.0 - x": lambda p: p("subtract", p.constant(0), X),
    "x * 0": lambda p: p("multiply", X, p.constant(0)),
    "x / 3": lambda p: p("divide", X, p.constant(3)),
    "x / 0": lambda p: p("divide", X, p.constant(0)),
    "x / inf": lambda p: p("divide", X, p.constant(np.inf)),
    "x / 2**127": lambda p: p("divide", X, p.constant(2.0**127)),
    "x / 2**-149": lambda p: p("divide", X, p.constant(2.0**-149)),
    "x / x": lambda p: p("divide", X, X),
    "x - x": lambda p: p("subtract", X, X),
    "x == x": lambda p: p("equal", X, X),
    "(integers as numbers) == 0": lambda p: p(
        "equal", p("cast", J, dtype="float32"), p.constant(0)
    ),
    "(integers as numbers) != 0": lambda p: p(
        "not_equal", p.constant(0), p("cast", J, dtype="float32")
    ),
    "x ** 0.5": lambda p: p("pow", X, p.constant(0.5)),
    "x * [1, 1, 2]": lambda p: p("multiply", X, p.constant([1, 1, 2])),
    "not (numbers)": lambda p: p("logical_not", p("logical_not", X)),
    "int64 as float64 as int64": lambda p: p("cast", p("cast", J, dtype="float64"), dtype="int64"),
    "float64 as float32": lambda p: p(
        "cast", p("cast", p("cast", J, dtype="float64"), dtype="float32"), dtype="float64"
    ),
    "sum of truth values": lambda p: p("sum", B, axis=()),
    "x[::-1]": lambda p: p("getitem", X, index=(slice(None, None, -1),)),
    "x[:1]": lambda p: p("getitem", X, index=(slice(1),)),
    "abs(-integers)": lambda p: p("abs", p("negative", J)),
}


@pytest.mark.parametrize("name", STAY)
def test_what_must_stay(name: str) -> None:
    """It is not the same for some number: -0.0, NaN, what is rounded; or it is no whole."""
    p = Writing(Type(F4, (2, 3)), Type(F4, (2, 3)), Type(BOOL, (2, 3)), Type(I8, (2, 3)))
    program = p.outputs(STAY[name](p))
    assert lines(simplify(program)) == lines(program)


def test_powers_of_two_that_can_be_inverted() -> None:
    """As far as 1/y has all its digits, for float64 too, and for results without all theirs."""
    x = np.array([1.0, 3.0, -5e-324, 2.0**-1022, 1e308, np.inf, np.nan, 0.0, -0.0])
    for exponent in (-1022, -1000, -1, 1, 5, 1000, 1022):
        p = Writing(Type(F8, (9,)))
        program = p.outputs(p("divide", 0, p.constant(2.0**exponent, F8)))
        new = remove_dead(simplify(program))
        assert new.instructions[-1].op == "multiply"
        assert_equal_runs(program, new, [x])
