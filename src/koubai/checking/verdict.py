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

from koubai.checking.evidence import Direction, Evidence, learn, towards

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
    rights, lefts = evidence.slopes(suspects, side=1), evidence.slopes(suspects, side=-1)
    for j, right, left in zip(suspects, rights, lefts, strict=True):
        with np.errstate(all="ignore"):
            jump = np.abs(right.value - left.value)
            size = np.fmax(np.abs(right.value), np.abs(left.value))
            known = np.isfinite(right.value) & np.isfinite(left.value)
            kink = known & (jump > 20 * (right.error + left.error) + 1e-4 * size)
            low = np.where(kink, np.fmin(right.value * gy, left.value * gy), 0.0)
            high = np.where(kink, np.fmax(right.value * gy, left.value * gy), 0.0)
        if j in lost:
            verdict.unknown.append(j)
        elif kink.any():
            # Outputs without a kink count with their slope, the others with an interval.
            rest = np.where(kink | (gy == 0), 0.0, 0.5 * (right.value + left.value) * gy)
            a, b = float(rest.sum() + low.sum()), float(rest.sum() + high.sum())
            slack = 1e-4 * (abs(a) + abs(b)) + 20 * float(
                ((right.error + left.error) * np.abs(gy)).sum()
            )
            if not np.isfinite(slack):
                verdict.unknown.append(j)
            elif a - slack <= evidence.found[j] <= b + slack:
                one_sided = (
                    np.where(gy == 0, 0.0, left.value * gy).sum(),
                    np.where(gy == 0, 0.0, right.value * gy).sum(),
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
    distance = abs(float(evidence.found[j] - evidence.truth[j]))
    return bool(distance <= NOISE * evidence.noise(towards(j), evidence.slopes_of[j]))


def _at_kinks(evidence: Evidence, known: list[int]) -> list[int]:
    """The elements at kinks, with those whose gradient is the mean of both slopes by chance."""
    others = [j for j in evidence.slopes_of if j not in known][: 4 * SAMPLES] if known else []
    if not others:
        return known
    rights, lefts = evidence.slopes(others, side=1), evidence.slopes(others, side=-1)
    more = []
    for j, right, left in zip(others, rights, lefts, strict=True):
        with np.errstate(all="ignore"):
            size = np.fmax(np.abs(right.value), np.abs(left.value))
            jump = np.abs(right.value - left.value) > 20 * (right.error + left.error) + 1e-4 * size
        if jump.any():
            more.append(j)
    return [*known, *more]


def _check_ties(evidence: Evidence, verdict: Verdict) -> None:
    """Gradients at kinks must add up along directions that have no kink."""
    elements = _at_kinks(evidence, [kink.element for kink in verdict.kinks])[:TIES]
    pairs = [(p, sign) for p in itertools.combinations(elements, 2) for sign in (1.0, -1.0)]
    directions = [Direction(list(pair), np.array([1.0, sign])) for pair, sign in pairs]
    rights, lefts = evidence.along(directions, side=1), evidence.along(directions, side=-1)
    gy = evidence.gy
    for (pair, _), d, right, left in zip(pairs, directions, rights, lefts, strict=True):
        with np.errstate(all="ignore"):
            size = np.fmax(np.abs(right.value), np.abs(left.value))
            slack = 20 * (right.error + left.error) + 1e-4 * size
            smooth = np.abs(right.value - left.value) <= slack
        if not smooth.all():
            continue
        slope = float((right.value * gy).sum())
        found = _found(evidence, d)
        limit = float((slack * np.abs(gy)).sum()) + 1e-4 * abs(found)
        if abs(found - slope) > limit:
            verdict.ties.append(pair)


def _found(evidence: Evidence, d: Direction) -> float:
    """The slope along a direction, by the gradient under check; NaN where that is missing."""
    with np.errstate(all="ignore"):
        return float((evidence.found[d.elements] * d.change).sum())


def _search(evidence: Evidence, verdict: Verdict, rng: np.random.Generator) -> bool:
    """Look at a large subject along random directions, each value by itself.

    Returns:
        Whether one disagrees; the truth is then known for some elements of that value.
    """
    point = evidence.point
    given = _given(evidence)
    suspicious: dict[str, None] = {}
    for name, part in point.slices.items():
        if part.stop > part.start and given[part].all():
            for _ in range(DIRECTIONS if len(point.slices) < 10 else 2):
                change = rng.normal(size=part.stop - part.start) * point.units[part]
                change /= np.sqrt(part.stop - part.start)
                if _disagrees(evidence, Direction(part, change)):
                    suspicious[name] = None
    if not suspicious:
        return False
    verdict.sampled = True
    for name in suspicious:
        part = point.slices[name]
        size = part.stop - part.start
        found = np.abs(evidence.found[part])
        largest = np.argsort(np.where(np.isfinite(found), -found, -np.inf))[: SAMPLES // 4]
        drawn = rng.choice(size, size=min(size, SAMPLES), replace=False)
        elements = part.start + np.unique(np.concatenate([largest, drawn]))
        learn(evidence, elements)
        off, _ = differences(evidence, elements)
        if not off.any():
            learn(evidence, np.array([_bisect(evidence, part, rng)]))
    return True


def _disagrees(evidence: Evidence, d: Direction) -> bool:
    """Whether found and numerical derivative differ along direction ``d``, or can't be told."""
    gy = evidence.gy
    (result,) = evidence.along([d])
    found = _found(evidence, d)
    with np.errstate(all="ignore"):
        slope = float(np.where(gy != 0, result.value * gy, 0.0).sum())
        error = float(np.where(gy != 0, result.error * np.abs(gy), 0.0).sum())
        scale = float(np.abs(result.value * gy).sum())
        scale += float(np.abs(evidence.found[d.elements] * d.change).sum())
    if not np.isfinite([found, slope, error]).all():
        return True
    eps, distance = evidence.precision, abs(found - slope)
    limit = 20 * error + max(RELATIVE, 50 * eps) * abs(found) + 1e3 * eps * scale
    return distance > limit and distance > NOISE * evidence.noise(d, result)


def _bisect(evidence: Evidence, part: slice, rng: np.random.Generator) -> int:
    """One element at which a value's gradient is off, where most are right."""
    low, high, units = int(part.start), int(part.stop), evidence.point.units
    while high - low > 1:
        middle = (low + high) // 2
        change = rng.normal(size=middle - low) * units[low:middle]
        d = Direction(slice(low, middle), change)
        low, high = (low, middle) if _disagrees(evidence, d) else (middle, high)
    return low
