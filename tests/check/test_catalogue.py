"""The catalogue itself: each case is what it says it is, by differences in float64."""

from __future__ import annotations

import inspect
import sys
from collections import Counter

import numpy as np
import pytest
from check.case import KINDS, WARNINGS, Case
from check.differences import Finding, examine
from check.mistakes import CASES as MISTAKES
from check.right import CASES as RIGHT

from koubai.checking import VOCABULARY

RAISE = {"sum missing", "wrong shape", "wrong count", "none"}
"""Mistakes that the engine refuses to go on with."""

each_seed = pytest.mark.parametrize("seed", [0, 1])
WRONG = [case for case in MISTAKES if not case.warns]
WRITING = [case for case in MISTAKES if case.warns]


def named(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


@each_seed
@named(WRONG)
def test_mistakes(case: Case, seed: int) -> None:
    """Exactly the gradients that are named are wrong, by far, and nothing else is."""
    found = examine(case, seed)
    assert found.random == (case.mistake == "random forward")
    if case.mistake == "wrong count":
        assert found.raised is not None
    elif found.raised:
        assert case.mistake in RAISE, repr(found.raised)
    else:
        assert set(found.wrong) == set(case.wrong), found
    assert not found.unclear
    assert not any([found.upstream_mutated, found.input_mutated, found.aliased]), found


@each_seed
@named(WRITING)
def test_writing(case: Case, seed: int) -> None:
    """The gradients are right, and the layer does what it is to be warned of."""
    found = examine(case, seed)
    assert not any([found.wrong, found.raised, found.random, found.unclear]), found
    seen = {
        "upstream mutated": found.upstream_mutated,
        "input mutated": found.input_mutated,
        "aliased": found.aliased,
    }
    assert seen[str(case.mistake)], found


@each_seed
@named(RIGHT)
def test_right(case: Case, seed: int) -> None:
    """All gradients are right, and nothing is written where it should not be."""
    found = examine(case, seed)
    assert found == Finding(), found


def test_names() -> None:
    """Names are unique; every kind has cases; what is at fault exists where the target is."""
    assert max(Counter(case.name for case in MISTAKES + RIGHT).values()) == 1
    kinds = Counter(case.mistake for case in MISTAKES)
    assert set(kinds) == {*KINDS, *WARNINGS}
    assert min(kinds.values()) >= 2
    assert len(MISTAKES) >= 60
    assert len(RIGHT) >= 40
    assert {case.mistake for case in RIGHT} == {None}
    assert set(VOCABULARY) == kinds.keys() - {"unexplained"}
    for case in MISTAKES:
        assert case.located, case.name
        assert case.warns == (case.mistake in WARNINGS), case.name
        module = sys.modules[case.target.__module__]
        fault = getattr(module, case.located, None)
        assert inspect.isclass(fault) or inspect.isfunction(fault), case.name
        assert not {*case.also} & {None, case.mistake}, case.name


@pytest.mark.parametrize("case", MISTAKES + RIGHT, ids=lambda case: case.name)
def test_targets_are_fresh(case: Case) -> None:
    """A target is another object each time (a function has no state), and inputs are drawn anew."""
    first, second = case.target(), case.target()
    assert first is not second or inspect.isfunction(first) or inspect.isclass(first)
    one, other = (case.inputs(np.random.default_rng(0)) for _ in range(2))
    for x, y in zip(one, other, strict=True):
        np.testing.assert_array_equal(x, y)
        assert x is not y or not isinstance(x, np.ndarray)
