"""Constants."""

from __future__ import annotations

import numpy as np
import pytest
from compiler.passes.equal_runs import (
    F4,
    I8,
    Writing,
    assert_equal_runs,
    assert_pass_is_right,
    lines,
)

from koubai.compiler.passes.constants import fold_constants
from koubai.compiler.passes.dead import remove_dead
from koubai.compiler.primitives import OPERAND, Type


@pytest.mark.parametrize("first", range(0, 100, 50))
def test_random_programs(first: int) -> None:
    """The same outputs, to the bit."""
    assert_pass_is_right(fold_constants, range(first, first + 50))


def test_known_numbers_are_computed() -> None:
    """A chain of them; NumPy's warnings are not for the user, who computes nothing yet."""
    p = Writing(Type(F4, (3,)))
    known = p("log", p("subtract", p.constant([1.0, 2.0, 0.5]), p.constant(1.0)))
    new = remove_dead(fold_constants(p.outputs(p("add", 0, known))))
    assert [i.op for i in new.instructions] == ["constant", "add"]
    value = new.instructions[0].params["value"]
    np.testing.assert_array_equal(value, np.array([-np.inf, 0, np.nan], F4))
    assert not value.flags.writeable


def test_large_results_are_not_kept() -> None:
    """4096 elements are; more only if there were as many before."""
    for n, folded in [(4096, True), (4097, False)]:
        p = Writing()
        program = p.outputs(p("broadcast_to", p.constant(1.0), shape=(n,)))
        assert (fold_constants(program).instructions[-1].op == "constant") == folded
    p = Writing()
    program = p.outputs(p("negative", p.constant(np.zeros(5000))))
    assert fold_constants(program).instructions[-1].op == "constant"


def test_effects_and_errors_stay() -> None:
    """Checks, random numbers, and what would raise: it does so when the program runs."""
    p = Writing()
    check = p("raise_unless", p.constant(False, bool), message="no")
    key, counter = p.constant([1, 2], np.uint64), p.constant(3, np.uint64)
    random = p("random_uniform", key, counter, shape=(3,), dtype="float32")
    beyond = p("getitem", p.constant([1.0]), p.constant([5], I8), index=(OPERAND,))
    program = p.outputs(check, random, beyond)
    assert lines(fold_constants(program)) == lines(program)


def test_results_may_be_constants() -> None:
    """Also two that are the same."""
    p = Writing()
    x = p.constant(1.0)
    program = p.outputs(p("negative", x), p("negative", x), x)
    assert_equal_runs(program, fold_constants(program), [])
