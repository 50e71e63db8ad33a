"""The catalogue through ``koubai.check``: what is wrong is found, located and named.

With one seed; ``python -m check`` takes a hundred.
"""

from __future__ import annotations

import pytest
from check.case import Case
from check.mistakes import CASES as MISTAKES
from check.outcome import UNEXPLAINED, is_in, outcome
from check.right import CASES as RIGHT

SEED = 0
NAMED_RIGHTLY = 0.9
"""The part of the mistakes with a name that must be given it."""

UNNAMED = {
    "diagonal_left_out",
    "one_step_too_many",
    "padding_counted",
    "rnn_step_plus",
}
"""Mistakes that are found, and called "unexplained" although they have a name."""


def each(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


@each(MISTAKES)
def test_mistakes(case: Case) -> None:
    """Found; located in the class at fault; named rightly unless on the list, never wrongly."""
    o = outcome(case, SEED)
    assert o.found, o.report
    assert o.located, o.report
    assert not o.misnamed, o.report
    if case.mistake != UNEXPLAINED:
        assert o.named == (case.name not in UNNAMED), o.report


@each(RIGHT)
def test_right(case: Case) -> None:
    """No false alarm: nothing is said to be wrong with a right gradient."""
    o = outcome(case, SEED)
    assert not o.found, o.report


def test_most_have_their_names() -> None:
    """At least nine of ten mistakes that have a name are given it."""
    known = {case.name for case in MISTAKES if case.mistake != UNEXPLAINED}
    assert known >= UNNAMED
    assert len(UNNAMED) <= (1 - NAMED_RIGHTLY) * len(known)


def test_a_place_outside_the_class_does_not_count() -> None:
    """The line before a class and the one after it, and another file, are not in it."""
    case = next(case for case in MISTAKES if case.name == "exp_plus")
    o = outcome(case, SEED)
    file, line = o.report.failures[0].where.split(":")
    assert is_in(f"{file}:{line}, node 1", case)
    assert not is_in(f"{file}:{int(line) - 10}", case)
    assert not is_in(f"{file}:{int(line) + 10}", case)
    assert not is_in(f"other_{file}:{line}", case)
    assert not is_in("Exp.backward", case)
