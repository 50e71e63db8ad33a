"""Check one subject: its gradients against numerical ones, and what its calls leave behind."""

from __future__ import annotations

import traceback
from typing import Any

import numpy as np

from koubai.arrays import describe
from koubai.checking.evidence import Evidence, flat, gather, learn
from koubai.checking.mistakes import alike, factor_of, name_mistake
from koubai.checking.report import Caution, Failure, Report, advice
from koubai.checking.subjects import TARGETS, Graph, Subject, Values, is_numbers, source_line
from koubai.checking.uses import gradients_by_use, user_of
from koubai.checking.verdict import Verdict, judge

POINTS = 3  # at which a mistake must explain the gradient to be named


def examine(subject: Subject, rng: np.random.Generator, place: str = "") -> Report:
    """Check one subject.

    Args:
        subject: what to check.
        rng: for upstream gradients and directions.
        place: where in a graph or network the subject stands, for the report.
    """
    where = f"{subject.where}{place}"
    report = Report(subject.name, where)
    values = subject.values
    try:
        with np.errstate(all="ignore"):
            subject.find_out_whether_it_draws()
            first, second = flat(subject.forward(values)), flat(subject.forward(values))
    except Exception as error:
        raise ForwardError(subject, error) from error
    if not values:
        raise ValueError(
            f"check: there is nothing to differentiate in {subject.name}: give inputs of"
            " floating-point numbers (arrays of integers count as labels and indices)"
        )
    report.checked = {name: int(np.size(x)) for name, x in values.items()}
    if first.shape != second.shape or not np.array_equal(first, second, equal_nan=True):
        why = "two forwards with the same input give different outputs: no gradient can be checked"
        report.unknown = dict.fromkeys(values, "the forward is random")
        report.warnings.append(
            Caution(subject.name, where, "random forward", why, advice("random forward"))
        )
        return report
    try:
        evidence = gather(subject, values, rng)
    except Exception as error:  # raised by the backward under check
        report.failures.append(_raised(subject, error, where))
        report.unknown = dict.fromkeys(values, "backward raises")
        return report
    verdict = judge(evidence, rng)
    _missing(evidence, report, where)
    _wrong(evidence, verdict, report, where, rng)
    _uncertain(evidence, verdict, report)
    _conduct(evidence, report, where)
    return report


class ForwardError(ValueError):
    """The forward raises: there is nothing to check."""

    def __init__(self, subject: Subject, error: Exception) -> None:
        super().__init__(
            f"{subject.name}: forward raises {type(error).__name__}: {error}\n"
            "  with " + ", ".join(f"{name}: {describe(x)}" for name, x in subject.values.items())
        )


def _raised(subject: Subject, error: Exception, where: str) -> Failure:
    frames = traceback.extract_tb(error.__traceback__)
    line = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    why = f"backward raises {type(error).__name__}: {error} (at {line})"
    return Failure(subject.name, where, None, None, None, None, "", why)


def _missing(evidence: Evidence, report: Report, where: str) -> None:
    """Gradients that are no arrays of the right shape and dtype at all."""
    outcome, count = evidence.outcome, evidence.outcome.count
    if count is not None:
        names = list(evidence.point.subject.arguments)
        why = (
            f"backward returned {count} gradient{'s' * (count != 1)}, and forward takes"
            f" {len(names)} argument{'s' * (len(names) != 1)} with a gradient"
        )
        report.failures.append(
            Failure(
                ", ".join(names), where, None, len(names), count, "wrong count",
                advice("wrong count"), why,
            )
        )  # fmt: skip
        report.unknown = dict.fromkeys(names, "a wrong number of gradients")
        if len(outcome.gradients) < len(names):
            return
    for name, shape in evidence.point.shapes.items():
        g = outcome.gradients.get(name)
        left_out = name not in outcome.gradients and (count is not None or name in TARGETS)
        if g is None and not left_out:
            why = f"backward gives None for {name}"
            f = Failure(name, where, None, "an array", None, "none", advice("none"), why)
            report.failures.append(f)
        elif g is not None and not is_numbers(g):
            why = f"backward gives {describe(g)} for {name}, no array of numbers"
            report.failures.append(
                Failure(name, where, None, "an array", describe(g), "wrong dtype", "", why)
            )
        elif g is not None and _too_narrow(evidence, name):
            why = f"the gradient of {name} is {describe(np.asarray(g))}"
            expected = f"{evidence.outcome.outputs[0].dtype}" if np.size(g) else None
            report.failures.append(
                Failure(
                    name, where, None, expected, str(np.asarray(g).dtype), "wrong dtype",
                    advice("wrong dtype"), why,
                )
            )  # fmt: skip
        elif g is not None and np.shape(g) != shape and count is None:
            mistake = name_mistake(name, _more(evidence, name)) or "wrong shape"
            why = f"the gradient of {name} has the shape {np.shape(g)}, and {name} {shape}"
            report.failures.append(
                Failure(name, where, None, shape, np.shape(g), mistake, advice(mistake), why)
            )


def _too_narrow(evidence: Evidence, name: str) -> bool:
    """Whether a gradient has a dtype that loses what its input and the output have."""
    g = np.asarray(evidence.outcome.gradients[name])
    others = [np.asarray(y).dtype for y in evidence.outcome.outputs]
    if g.dtype.kind != "f":
        truth = evidence.part(name, evidence.truth)
        off = np.abs(g.reshape(-1)[: truth.size] - truth.reshape(-1)[: g.size])
        return bool(np.any(off > 1e-3))
    sizes = [d.itemsize for d in others if d.kind == "f"]
    return bool(sizes) and g.dtype.itemsize < min(8, *sizes)


def _wrong(
    evidence: Evidence, verdict: Verdict, report: Report, where: str, rng: np.random.Generator
) -> None:
    """Gradients with elements that differ from the numerical ones."""
    point = evidence.point
    for name in point.slices:
        part = point.slices[name]
        wrong = [j for j in verdict.wrong if part.start <= j < part.stop]
        ties = [t for t in verdict.ties if part.start <= t[0] < part.stop]
        if (not wrong and not ties) or any(f.what == name for f in report.failures):
            continue
        j = wrong[0] if wrong else ties[0][0]
        _, index = point.place(j)
        mistake = "mask boundary" if not wrong else None
        if wrong:
            if not isinstance(point.subject, Graph):  # whose parts say what is wrong
                mistake = name_mistake(name, _more(evidence, name, rng))
            if mistake is None and _is_one_use(evidence, name):
                mistake = "overwritten"
        count = len(wrong) or len(ties)
        of = "of those looked at " if verdict.sampled else ""
        why = f"{count} {of}of {part.stop - part.start} elements differ"
        if ties:
            other = point.place(ties[0][1])
            why = (
                f"at the tie with {other[0]}{list(other[1])} the two gradients don't add up to the"
                " slope along both"
            )
        at_fault = where
        if mistake == "overwritten":
            owner = user_of(evidence, name)
            if owner is not None:
                at_fault = f"{source_line(owner)}, in {type(owner).__name__}, used several times"
        is_factor = mistake in ("factor", "sum instead of mean", "mean instead of sum")
        if is_factor and (factor := factor_of(name, evidence)) is not None:
            why += f": all are {_fraction(factor)} times the right ones"
        expected, found = float(evidence.truth[j]), float(evidence.found[j])
        report.failures.append(
            Failure(name, at_fault, index, expected, found, mistake, advice(mistake), why)
        )


def _fraction(x: float) -> str:
    if abs(x) < 1 and x != 0 and abs(1 / x - round(1 / x)) < 1e-4 * abs(1 / x):
        return f"1/{round(1 / x)}" if x > 0 else f"-1/{-round(1 / x)}"
    return f"{x:.6g}"


def _more(first: Evidence, name: str, rng: np.random.Generator | None = None) -> list[Evidence]:
    """Evidence, and more at points near the first, each with other upstream gradients."""
    evidences, rng = [first], rng or np.random.default_rng(0)
    part = first.point.slices[name]
    known = part.start + np.flatnonzero(~np.isnan(first.truth[part]))
    for _ in range(POINTS - 1):
        values: Values = {
            n: x * (1 + 0.1 * rng.uniform(-1, 1, np.shape(x))) for n, x in first.values.items()
        }
        try:
            evidence = gather(first.point.subject, values, rng)
            if evidence.jacobian is None:
                learn(evidence, known)
            evidences.append(evidence)
        except Exception:  # outside the domain
            continue
    return evidences


def _is_one_use(evidence: Evidence, name: str) -> bool:
    """Whether the gradient is that of one use of a parameter that is used several times."""
    size = float(np.max(np.abs(evidence.part(name, evidence.truth)), initial=0))
    found = evidence.part(name, evidence.found)
    return any(alike(found, g, size) for g in gradients_by_use(evidence, name))


def _uncertain(evidence: Evidence, verdict: Verdict, report: Report) -> None:
    for name, part in evidence.point.slices.items():
        unknown = [j for j in verdict.unknown if part.start <= j < part.stop]
        if unknown:
            j = unknown[0]
            _, index = evidence.point.place(j)
            report.unknown[name] = (
                f"{len(unknown)} of {part.stop - part.start} elements, the numerical derivative at"
                f" {list(index)} is {evidence.truth[j]:.3g} ± {evidence.error[j]:.1g}"
            )
        kinks = [k for k in verdict.kinks if part.start <= k.element < part.stop]
        if kinks:
            _, index = evidence.point.place(kinks[0].element)
            report.kinks[name] = (
                f"at {list(index)} the slope is {kinks[0].left:.4g} to the left and"
                f" {kinks[0].right:.4g} to the right"
            )


def _conduct(evidence: Evidence, report: Report, where: str) -> None:
    """What the calls leave behind: changed arrays, shared ones, and a cache of an earlier call."""
    subject, outcome = evidence.point.subject, evidence.outcome
    for name in dict.fromkeys(outcome.changed):
        kind = "upstream mutated" if name == "upstream" else "input mutated"
        what = "the gradient that it was given" if name == "upstream" else f"the array of {name}"
        why = f"{subject.name} writes into {what}"
        report.warnings.append(Caution(name, where, kind, why, advice(kind)))
    for a, b in outcome.shared:
        why = f"{a} and {b} share memory"
        report.warnings.append(Caution(a, where, "aliased", why, advice("aliased")))
    if report.failures:
        return
    others = {n: x * 1.25 + 0.01 for n, x in evidence.values.items()}
    try:
        with np.errstate(all="ignore"):
            if subject.draws_anew():
                why = "every forward draws other random numbers; checked with the same ones"
                report.warnings.append(
                    Caution(subject.name, where, "random forward", why, advice("random forward"))
                )
                return
            gradients = subject.after_another(others, evidence.values, evidence.gys)
            reuses = subject.reuses(others, evidence.values, evidence.gys)
    except Exception:  # somebody's forward that does not take the other inputs
        return
    if reuses:
        why = f"the next call of {subject.name} overwrites the gradients that this one returned"
        report.warnings.append(Caution(subject.name, where, "aliased", why, advice("aliased")))
    if gradients is None:
        return
    for name, g in gradients.items():
        clean: Any = outcome.gradients.get(name)
        if not is_numbers(g) or not is_numbers(clean) or not np.size(clean):
            continue
        if np.shape(g) != np.shape(clean) or not alike(g, clean):
            why = (
                "after an earlier forward with other inputs, backward gives another gradient for"
                " the same input"
            )
            j = int(np.argmax(np.abs(np.asarray(g, float) - np.asarray(clean, float)).reshape(-1)))
            index = tuple(int(i) for i in np.unravel_index(j, np.shape(g)))
            expected: Any = float(np.asarray(clean).reshape(-1)[j])
            found = float(np.asarray(g).reshape(-1)[j])
            report.failures.append(
                Failure(
                    name, where, index, expected, found, "stale cache", advice("stale cache"), why
                )
            )
