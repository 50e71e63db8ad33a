"""What a check found, as objects and as a table."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from typing import Any

from koubai.checking.mistakes import VOCABULARY


@dataclass(frozen=True)
class Failure:
    """One gradient that is wrong.

    Attributes:
        what: which gradient: "x" or "W" of what was checked.
        where: the file and line of the backward, and the place in the graph or network.
        index: of the worst element; None where there is no array to point into.
        expected, found: the numerical and the given gradient there; or shapes, counts and the like.
        mistake: a name from ``koubai.checking.VOCABULARY``, or None: unexplained.
        advice: what to write.
        why: what is wrong, in a sentence.
    """

    what: str
    where: str
    index: tuple[int, ...] | None
    expected: Any
    found: Any
    mistake: str | None
    advice: str
    why: str = ""


@dataclass(frozen=True)
class Caution:
    """Something that does not make a gradient wrong, here. The attributes are those of Failure."""

    what: str
    where: str
    mistake: str | None
    why: str
    advice: str = ""


class GradientError(AssertionError):
    """A gradient is wrong; the text is the report."""


@dataclass
class Report:
    """What ``koubai.check`` found.

    Attributes:
        name: of what was checked.
        where: the file and line of its backward, and its place in a graph or network.
        inputs: with which it was checked, if somebody else than the user has chosen them.
        checked: the names of all gradients that were looked at, and the number of their elements.
        failures: the gradients that are wrong.
        warnings: what is right but will hurt, and what could not be told.
    """

    name: str
    where: str = ""
    checked: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    warnings: list[Caution] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    kinks: dict[str, str] = field(default_factory=dict)
    inputs: str = ""

    @property
    def ok(self) -> bool:
        """Whether no gradient is wrong."""
        return not self.failures

    def raise_if_failed(self) -> Report:
        """Raise ``GradientError`` with the report as its text if a gradient is wrong."""
        if self.failures:
            raise GradientError(str(self))
        return self

    def __str__(self) -> str:
        return render(self)

    def __repr__(self) -> str:
        return str(self)


_WIDTH = 80


def number(x: Any) -> str:
    return f"{x + 0.0:.6g}" if isinstance(x, float) else str(x)  # + 0.0: no "-0"


def render(report: Report) -> str:
    """The report as text, for 80 columns where no word is longer."""
    title = f"check of {report.name}"
    lines = [f"{title}, {report.where}" if report.where else title]
    if report.inputs:
        # A shape stays in one piece.
        whole = re.sub(r", (?=\d)", ",\N{NO-BREAK SPACE}", report.inputs)
        lines += [s.replace("\N{NO-BREAK SPACE}", " ") for s in _filled("  with ", whole)]
    wrong = {f.what: f for f in report.failures}
    width = max([len(name) for name in (*report.checked, *wrong)], default=0)
    for name, count in report.checked.items():
        elements = f"{count:>7} element{'s' if count != 1 else ' '}"
        lines += _filled(f"  {name:{width}}  {elements}  ", _verdict(report, name))
    for f in report.failures:
        lines += ["", *_filled("  ", _heading(f))]
        if f.where != report.where:  # else it is in the title
            lines += _filled("    where     ", f.where)
        if f.why:
            lines += _filled("    what      ", f.why)
        if f.expected is not None:
            at = f"at [{', '.join(map(str, f.index))}]" if f.index else ""
            lines.append(f"    {at:9} expected {number(f.expected)}")
            lines.append(f"    {'':9} found    {number(f.found)}")
        if f.advice:
            lines += _filled("    fix       ", f.advice)
    for w in report.warnings:
        lines += ["", *_filled("  warning: ", w.why)]
        if w.where and w.where != report.where:
            lines += _filled("    where     ", w.where)
        if w.advice:
            lines += _filled("    fix       ", w.advice)
    return "\n".join(lines)


def _verdict(report: Report, name: str) -> str:
    mistakes = [f.mistake or "unexplained" for f in report.failures if f.what == name]
    if mistakes:
        return f"WRONG  {mistakes[-1]}"
    if name in report.unknown:
        return f"cannot tell: {report.unknown[name]}"
    if name in report.kinks:
        return f"right; not differentiable here: {report.kinks[name]}"
    return "right"


def _heading(f: Failure) -> str:
    if f.expected is None and f.mistake is None:  # the backward raises
        return f"the gradient of {f.what} can't be computed"
    return f"the gradient of {f.what} is wrong: {f.mistake or 'unexplained'}"


def _filled(label: str, text: str) -> list[str]:
    """A label, and a text beside it in as many lines as it needs."""
    # In a narrow column it would be worse than in lines that are too long.
    indent = " " * min(len(label), _WIDTH // 2)
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=label,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [label.rstrip()]


def advice(mistake: str | None) -> str:
    """What to write, by the name of the mistake."""
    return VOCABULARY.get(mistake or "", "")
