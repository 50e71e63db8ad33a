"""Is a gradient right, wrong, at a point without one, or beyond what can be told?

An element is wrong when it differs from the numerical derivative by far more than both can be off.
At a kink, or a tie, the slopes to the right and to the left differ, and whatever lies between them
is a legitimate choice (a subgradient); but along a direction in which there is no kink the choices
must add up:  y = max(a, b) at a = b grows by 1 when both grow by 1, so the gradients of a and b may
be (1, 0) or (0.5, 0.5), not (1, 1).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from koubai.checking.evidence import Evidence, learn

Array = Any

RELATIVE = 1e-4  # of a gradient, what is not worth speaking of
DIRECTIONS = 4  # random ones, for a large subject
NOISE = 20  # times the jumps of the outputs are not to be told from a wrong gradient
SAMPLES = 40  # elements that are looked at one by one where a large one is wrong
TIES = 24  # elements at kinks that are tried together


@dataclass
class Kink:
    """An element at which the derivative does not exist: its slopes to both sides."""

    element: int
    left: float
    right: float


@dataclass
class Verdict:
    """Of one evidence: elements by what is to be said of them; the worst first.

    Attributes:
        wrong: elements whose gradient is wrong.
        kinks: elements without a derivative, whose gradient is a legitimate choice.
        ties: pairs of elements whose choices don't add up.
        unknown: elements for which the numerical derivative is too uncertain.
        sampled: only some elements were looked at, after random directions disagreed.
    """

    wrong: list[int] = field(default_factory=list)
    kinks: list[Kink] = field(default_factory=list)
    ties: list[tuple[int, int]] = field(default_factory=list)
    unknown: list[int] = field(default_factory=list)
    sampled: bool = False


def judge(evidence: Evidence, rng: np.random.Generator) -> Verdict:
    """Compare found and true gradients; missing ones (NaN in found) are not this file's concern."""
    verdict = Verdict()
    if evidence.jacobian is None and not _search(evidence, verdict, rng):
        return verdict
    known = np.flatnonzero(~np.isnan(evidence.truth) | ~np.isnan(evidence.error))
    known = known[_given(evidence)[known]]
    off, unsure = differences(evidence, known)
    suspects = [int(j) for j in known[off | unsure]]
    if suspects:
        _settle(evidence, verdict, suspects, set(known[off].tolist()))
    _check_ties(evidence, verdict)
    distance = np.abs(evidence.found - evidence.truth)
    verdict.wrong.sort(key=lambda j: -np.nan_to_num(distance[j], nan=np.inf, posinf=np.inf))
    return verdict


def _given(evidence: Evidence) -> Array:
    """Which elements have a gradient of the right shape at all."""
    given = np.zeros(len(evidence.point.x), dtype=bool)
    for name, part in evidence.point.slices.items():
        g = evidence.outcome.gradients.get(name)
        given[part] = g is not None and np.shape(g) == evidence.point.shapes[name]
    return given


def tolerance(evidence: Evidence, elements: Array) -> Array:
    """How far a right gradient may be from the numerical one."""
    eps = evidence.precision
    truth, found = evidence.truth[elements], evidence.found[elements]
    size = np.fmax(np.abs(truth), np.where(np.isfinite(found), np.abs(found), 0.0))
    # What cancels, and what is lost beside the largest; the 1e-7 in log(y + 1e-7) is no mistake.
    rounding = 1e3 * eps * evidence.scale[elements] + eps * np.max(
        np.nan_to_num(evidence.scale), initial=0
    )
    return 20 * evidence.error[elements] + max(RELATIVE, 50 * eps) * size + rounding + 1e-300


def differences(evidence: Evidence, elements: Array) -> tuple[Array, Array]:
    """Of some elements: which are off, and for which the numerical derivative is too uncertain."""
    truth, error = evidence.truth[elements], evidence.error[elements]
    found = evidence.found[elements]
    with np.errstate(all="ignore"):
        known = np.isfinite(truth) & np.isfinite(error)
        off = known & ~(np.abs(found - truth) <= tolerance(evidence, elements))
        size = np.fmax(np.abs(truth), np.abs(found))
        # 1 - y * y near y = 1 is rounded to a multiple of eps.
        lost = np.abs(found - truth) <= 10 * evidence.precision * np.sum(np.abs(evidence.gy))
        small = 1e-6 * np.max(np.nan_to_num(evidence.scale), initial=0.0)
        unsure = ~known | (error > np.fmax(0.05 * size, small))
    return off & ~lost, unsure & ~off | off & lost


def _settle(evidence: Evidence, verdict: Verdict, suspects: list[int], off: set[int]) -> None:
    """Sort elements that don't agree into wrong ones, kinks, and those that can't be told."""
    suspects = suspects[: 4 * SAMPLES]
    gy = evidence.gy
    lost = {j for j in suspects if _hidden(evidence, j)}
    right, left = evidence.slopes(suspects, side=1), evidence.slopes(suspects, side=-1)
    with np.errstate(all="ignore"):
        jump = np.abs(right.value - left.value)
        size = np.fmax(np.abs(right.value), np.abs(left.value))
        known = np.isfinite(right.value) & np.isfinite(left.value)
        kink = known & (jump > 20 * (right.error + left.error) + 1e-4 * size)
        low = np.where(kink, np.fmin(right.value * gy, left.value * gy), 0.0)
        high = np.where(kink, np.fmax(right.value * gy, left.value * gy), 0.0)
    for row, j in enumerate(suspects):
        if j in lost:
            verdict.unknown.append(j)
        elif kink[row].any():
            # Outputs without a kink count with their slope, the others with an interval.
            rest = np.where(kink[row] | (gy == 0), 0.0, 0.5 * (right.value + left.value)[row] * gy)
            a, b = float(rest.sum() + low[row].sum()), float(rest.sum() + high[row].sum())
            slack = 1e-4 * (abs(a) + abs(b)) + 20 * float(
                ((right.error + left.error)[row] * np.abs(gy)).sum()
            )
            if not np.isfinite(slack):
                verdict.unknown.append(j)
            elif a - slack <= evidence.found[j] <= b + slack:
                one_sided = (
                    np.where(gy == 0, 0.0, left.value[row] * gy).sum(),
                    np.where(gy == 0, 0.0, right.value[row] * gy).sum(),
                )
                verdict.kinks.append(Kink(j, float(one_sided[0]), float(one_sided[1])))
            else:
                (verdict.wrong if j in off else verdict.unknown).append(j)
        elif j in off:
            verdict.wrong.append(j)
        else:
            verdict.unknown.append(j)


def _hidden(evidence: Evidence, j: int) -> bool:
    """Whether an element is no farther off than the outputs jump about."""
    e = np.zeros((1, len(evidence.point.x)))
    e[0, j] = 1.0
    distance = abs(float(evidence.found[j] - evidence.truth[j]))
    return bool(distance <= NOISE * evidence.noise(e, evidence.slopes_of[j])[0])


def _at_kinks(evidence: Evidence, known: list[int]) -> list[int]:
    """The elements at kinks, with those whose gradient is the mean of both slopes by chance."""
    others = [j for j in evidence.slopes_of if j not in known][: 4 * SAMPLES] if known else []
    if not others:
        return known
    right, left = evidence.slopes(others, side=1), evidence.slopes(others, side=-1)
    with np.errstate(all="ignore"):
        size = np.fmax(np.abs(right.value), np.abs(left.value))
        jump = np.abs(right.value - left.value) > 20 * (right.error + left.error) + 1e-4 * size
    return [*known, *(j for j, jumps in zip(others, jump.any(axis=1), strict=True) if jumps)]


def _check_ties(evidence: Evidence, verdict: Verdict) -> None:
    """Gradients at kinks must add up along directions that have no kink."""
    elements = _at_kinks(evidence, [kink.element for kink in verdict.kinks])[:TIES]
    pairs = list(itertools.combinations(elements, 2))
    if not pairs:
        return
    directions = np.zeros((2 * len(pairs), len(evidence.point.x)))
    for row, (j, k) in enumerate(pairs):
        directions[2 * row, [j, k]] = 1.0
        directions[2 * row + 1, [j, k]] = 1.0, -1.0
    right, left = evidence.along(directions, side=1), evidence.along(directions, side=-1)
    gy = evidence.gy
    for row, d in enumerate(directions):
        with np.errstate(all="ignore"):
            size = np.fmax(np.abs(right.value[row]), np.abs(left.value[row]))
            slack = 20 * (right.error + left.error)[row] + 1e-4 * size
            smooth = np.abs(right.value[row] - left.value[row]) <= slack
        if not smooth.all():
            continue
        slope = float((right.value[row] * gy).sum())
        found = (
            float(evidence.found @ d)
            if np.isfinite(evidence.found).all()
            else float(np.nansum(np.where(d != 0, evidence.found * d, 0.0)))
        )
        limit = float((slack * np.abs(gy)).sum()) + 1e-4 * abs(found)
        if abs(found - slope) > limit:
            verdict.ties.append(pairs[row // 2])


def _search(evidence: Evidence, verdict: Verdict, rng: np.random.Generator) -> bool:
    """Look at a large subject along random directions, each value by itself.

    Returns:
        Whether one disagreed; the truth is then known for some elements of that value.
    """
    gy, point = evidence.gy, evidence.point
    given = _given(evidence)
    rows, names = [], []
    for name, part in point.slices.items():
        if part.stop > part.start and given[part].all():
            for _ in range(DIRECTIONS if len(point.slices) < 10 else 2):
                d = np.zeros(len(point.x))
                d[part] = rng.normal(size=part.stop - part.start) * point.units[part]
                rows.append(d / np.sqrt(part.stop - part.start))
                names.append(name)
    if not rows:
        return False
    directions = np.array(rows)
    suspicious: dict[str, None] = {}
    for name, d in zip(names, directions, strict=True):
        if _disagrees(evidence, d):
            suspicious[name] = None
    if not suspicious:
        return False
    verdict.sampled = True
    for name in suspicious:
        part = point.slices[name]
        size = part.stop - part.start
        largest = np.argsort(-np.abs(evidence.found[part]))[: SAMPLES // 4]
        drawn = rng.choice(size, size=min(size, SAMPLES), replace=False)
        elements = part.start + np.unique(np.concatenate([largest, drawn]))
        learn(evidence, elements)
        off, _ = differences(evidence, elements)
        if not off.any():
            learn(evidence, np.array([_bisect(evidence, part, rng)]))
    assert gy.size
    return True


def _disagrees(evidence: Evidence, d: Array) -> bool:
    """Whether found and numerical derivative differ along direction ``d``."""
    gy = evidence.gy
    result = evidence.along(d[None])
    with np.errstate(all="ignore"):
        slope = float(np.where(gy != 0, result.value[0] * gy, 0.0).sum())
        error = float(np.where(gy != 0, result.error[0] * np.abs(gy), 0.0).sum())
        scale = float(np.abs(result.value[0] * gy).sum()) + float(np.abs(evidence.found * d).sum())
    found = (
        float(evidence.found @ np.where(d != 0, d, 0.0))
        if np.isfinite(evidence.found).all()
        else float(np.nansum(np.where(d != 0, evidence.found * d, 0.0)))
    )
    eps = evidence.precision
    limit = 20 * error + max(RELATIVE, 50 * eps) * abs(found) + 1e3 * eps * scale
    if not (np.isfinite(slope) and np.isfinite(error) and abs(found - slope) > limit):
        return False
    return bool(abs(found - slope) > NOISE * evidence.noise(d[None], result)[0])


def _bisect(evidence: Evidence, part: slice, rng: np.random.Generator) -> int:
    """One element at which a value's gradient is off, where most are right."""
    low, high = int(part.start), int(part.stop)
    while high - low > 1:
        middle = (low + high) // 2
        d = np.zeros(len(evidence.point.x))
        d[low:middle] = rng.normal(size=middle - low) * evidence.point.units[low:middle]
        low, high = (low, middle) if _disagrees(evidence, d) else (middle, high)
    return low
