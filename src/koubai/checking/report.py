"""What a check found, as objects and as a table."""

from __future__ import annotations

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
class Warning:
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
    warnings: list[Warning] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    kinks: dict[str, str] = field(default_factory=dict)
    is_network: bool = False
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


def number(x: Any) -> str:
    return f"{x:.6g}" if isinstance(x, float) else str(x)


def render(report: Report) -> str:
    """The report as text."""
    title = f"check of {report.name}"
    lines = [f"{title}, {report.where}" if report.where else title]
    wrong = {f.what: f for f in report.failures}
    width = max([len(name) for name in (*report.checked, *wrong)], default=0)
    for name, count in report.checked.items():
        verdict = "right"
        if name in wrong:
            verdict = f"WRONG  {wrong[name].mistake or 'unexplained'}"
        elif name in report.unknown:
            verdict = f"cannot tell: {report.unknown[name]}"
        elif name in report.kinks:
            verdict = f"right; not differentiable here: {report.kinks[name]}"
        lines.append(f"  {name:{width}}  {count:>7} element{'s' if count != 1 else ' '}  {verdict}")
    for f in report.failures:
        index = "" if f.index is None else f"[{', '.join(map(str, f.index))}]"
        lines.append("")
        lines.append(f"  the gradient of {f.what} is wrong: {f.mistake or 'unexplained'}")
        lines.append(f"    where     {f.where}")
        if f.why:
            lines.append(f"    what      {f.why}")
        if f.expected is not None:
            lines.append(f"    {'at ' + index if index else 'all':9} expected {number(f.expected)}")
            lines.append(f"    {'':9} found    {number(f.found)}")
        if f.advice:
            lines.append(f"    write     {f.advice}")
    for w in report.warnings:
        lines.append("")
        lines.append(f"  warning: {w.why}")
        if w.where:
            lines.append(f"    where     {w.where}")
        if w.advice:
            lines.append(f"    write     {w.advice}")
    return "\n".join(lines)


def advice(mistake: str | None) -> str:
    """What to write, by the name of the mistake."""
    return VOCABULARY.get(mistake or "", "")
