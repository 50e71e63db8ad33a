"""Rewriting, whatever the rules are: which arrays are results, and whose they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiler.passes.equal_runs import F4, Writing, lines
from compiler.random_array_programs import random_array_program

import koubai
from koubai.compiler.interpret import interpret
from koubai.compiler.passes import optimize
from koubai.compiler.passes.algebra import simplify
from koubai.compiler.primitives import Type
from koubai.compiler.program import Program


def sharing(program: Program, inputs: list[Any]) -> set[tuple[int, int]]:
    """Which outputs share memory, with one another (i, j) or with an input (i, -1 - j).

    What is read-only is copied before it reaches the user.
    """
    with np.errstate(all="ignore"):
        xs = [x if x.flags.writeable else x.copy() for x in interpret(program, inputs)]
    pairs = [(i, j, xs[i], xs[j]) for i in range(len(xs)) for j in range(i)]
    pairs += [(i, -1 - j, x, y) for i, x in enumerate(xs) for j, y in enumerate(inputs)]
    return {(i, j) for i, j, x, y in pairs if np.shares_memory(x, y)}


@pytest.mark.parametrize("seed", range(60))
def test_results_of_their_own_stay_so(seed: int) -> None:
    """Two results share memory, or one with an input, only where they did before."""
    program, inputs = random_array_program(seed, length=15)
    n = len(program.inputs)
    program.outputs = [n + i for i in range(len(program.instructions))]
    assert sharing(optimize(program), inputs) <= sharing(program, inputs), f"seed {seed}"


def test_copies_that_are_results() -> None:
    """A copy of an input, and of another result, is an array of its own."""
    p = Writing(Type(F4, (2, 3)))
    turned = p("copy", p("permute_dims", 0, axes=(1, 0)))
    y = p("exp", 0)
    new = simplify(p.outputs(turned, y, p("copy", y)))
    assert lines(new) == [
        "%1 = permute_dims %0 axes=(1, 0)",
        "%2 = exp %0",
        "%3 = copy %1",
        "%4 = copy %2",
        "outputs %3 %2 %4",
    ]


def test_results_that_were_read_only() -> None:
    """They reached the user as copies: two arrays, where they have become one."""
    p = Writing(Type(F4, (3,)))
    y = p("exp", 0)
    new = simplify(p.outputs(*[p("broadcast_to", y, shape=(3,)) for _ in range(2)]))
    assert lines(new) == ["%1 = exp %0", "%2 = copy %1", "outputs %1 %2"]


def test_copies_between_go() -> None:
    """Nothing writes into values; nor is one needed for a result that is nobody else's."""
    p = Writing(Type(F4, (3,)))
    y = p("copy", p("exp", p("copy", 0, order="C")))
    new = simplify(p.outputs(p("broadcast_to", y, shape=(3,))))
    assert lines(new) == ["%1 = exp %0", "outputs %1"]


def test_rows_that_are_results_stay() -> None:
    """x.copy() lies in memory in the order of rows, unlike np.copy(x)."""
    p = Writing(Type(F4, (2, 3)))
    program = p.outputs(p("copy", p("permute_dims", 0, axes=(1, 0)), order="C"))
    (y,) = interpret(optimize(program), [np.ones((2, 3), F4)])
    assert y.flags.c_contiguous


def test_a_user_may_write_into_one_of_equal_results() -> None:
    """return x + 1, x + 1 returns two arrays."""

    def f(x: Any) -> Any:
        y = x + 1
        return y, x + 1, y.copy(), y.sum(axis=0, keepdims=True), y.sum(axis=0), x.copy()

    x = np.ones((2, 3))
    compiled = koubai.compile(f)
    compiled(x)
    (program,) = compiled.programs
    new = optimize(program)
    assert sum(i.op == "add" for i in new.instructions) == 1
    assert sharing(new, [x]) == set()
