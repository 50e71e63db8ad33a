"""What ``koubai.check`` says of a case of the catalogue, held against what it has to say."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
from check.case import WARNINGS, Case

import koubai
from koubai.checking import Caution, Failure, Report, evidence

UNEXPLAINED = "unexplained"


@dataclass(frozen=True)
class Outcome:
    """How a check of one case came out.

    Attributes:
        found: the mistake: a gradient is wrong, or there is a warning where one is due. Of a right
            case: something is said to be wrong with it, a false alarm.
        located: an entry of the report names a file and a line of the class at fault.
        named: all entries that do so have the case's name.
        misnamed: names in the report that are not the case's.
        cannot_tell: there are elements that the report says nothing of.
    """

    found: bool
    located: bool
    named: bool
    misnamed: frozenset[str]
    cannot_tell: bool
    report: Report


def outcome(case: Case, seed: int) -> Outcome:
    """Check a case, with the inputs that ``seed`` draws."""
    with untimed():
        report = koubai.check(case.target(), *case.inputs(np.random.default_rng(seed)))
    entries: Sequence[Failure | Caution] = report.failures
    if case.mistake is None:
        entries = [*report.failures, *(w for w in report.warnings if w.mistake in WARNINGS)]
    elif case.warns or case.mistake == "random forward":
        entries = [w for w in report.warnings if w.mistake in (*WARNINGS, "random forward")]
    right = {case.mistake, *case.also}
    there = [e for e in entries if case.mistake and is_in(e.where, case)]
    names = {e.mistake for e in entries if e.mistake}
    if entries is not report.failures:  # no gradient is wrong: each failure is a wrong name
        names |= {f.mistake or UNEXPLAINED for f in report.failures}
    return Outcome(
        found=any(e.mistake == case.mistake for e in entries) if case.warns else bool(entries),
        located=bool(there),
        named=bool(there) and all((e.mistake or UNEXPLAINED) in right for e in there),
        misnamed=frozenset(names - right),
        cannot_tell=bool(report.unknown),
        report=report,
    )


@contextmanager
def untimed() -> Iterator[None]:
    """A check looks less closely at what is slow; inside, a busy machine makes no difference."""
    clock = SimpleNamespace(perf_counter=lambda: 0.0)
    with mock.patch.object(evidence, "time", clock):
        yield


def is_in(where: str, case: Case) -> bool:
    """Whether a place in a report, which begins with file and line, is in the class at fault."""
    match = re.match(r"([^:]+):(\d+)", where)
    if match is None:
        return False
    fault = getattr(sys.modules[case.target.__module__], case.located)
    lines, first = inspect.getsourcelines(fault)
    same_file = match[1] == Path(inspect.getsourcefile(fault) or "").name
    return same_file and first <= int(match[2]) < first + len(lines)
