"""Dead code."""

from __future__ import annotations

import pytest
from compiler.passes.equal_runs import BOOL, F4, Writing, assert_pass_is_right, lines

from koubai.compiler.passes.dead import remove_dead
from koubai.compiler.primitives import Type


@pytest.mark.parametrize("first", range(0, 100, 50))
def test_random_programs(first: int) -> None:
    """The same outputs, to the bit."""
    assert_pass_is_right(remove_dead, range(first, first + 50))


def test_what_nobody_uses_goes() -> None:
    """Also what only the unused has used; inputs stay, for the caller passes them."""
    p = Writing(Type(F4, (3,)), Type(F4, (3,)))
    unused = p("exp", p("negative", 1))
    kept = p("negative", 0)
    p("add", unused, kept)
    new = remove_dead(p.outputs(kept, 0))
    assert lines(new) == ["%2 = negative %0", "outputs %2 %0"]
    assert len(new.inputs) == 2


def test_checks_stay() -> None:
    """raise_unless has an effect, and what it looks at is needed."""
    p = Writing(Type(F4, (3,)), Type(BOOL, ()))
    p("exp", 0)
    p("raise_unless", p("logical_not", 1), message="no")
    new = remove_dead(p.outputs(0))
    assert lines(new) == ["%2 = logical_not %1", "%3 = raise_unless %2 message='no'", "outputs %0"]
