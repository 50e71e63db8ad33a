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

from koubai.checking.evidence import Direction, Evidence, learn, towards, weighted
from koubai.checking.numerical import Derivative
from koubai.checking.subjects import is_numbers

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
        g: Any = evidence.outcome.gradients.get(name)
        given[part] = is_numbers(g) and np.shape(g) == evidence.point.shapes[name]
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
        kinks = _jump(right, left) > _room(right, left)
        if j in lost:
            verdict.unknown.append(j)
        elif kinks.any():
            # Outputs without a kink count with their slope, the others with an interval.
            middle = weighted(0.5 * (right.value + left.value), gy)
            reach = weighted(np.where(kinks, 0.5 * _jump(right, left), 0.0), np.abs(gy))
            slack = 1e-4 * (abs(middle - reach) + abs(middle + reach))
            slack += 20 * weighted(right.error + left.error, np.abs(gy))
            if not np.isfinite(slack):
                verdict.unknown.append(j)
            elif abs(evidence.found[j] - middle) <= reach + slack:
                one_sided = weighted(left.value, gy), weighted(right.value, gy)
                verdict.kinks.append(Kink(j, *one_sided))
            else:
                (verdict.wrong if j in off else verdict.unknown).append(j)
        elif j in off:
            verdict.wrong.append(j)
        else:
            verdict.unknown.append(j)


def _jump(right: Derivative, left: Derivative) -> Array:
    """How far apart the slopes to the two sides are, (m,)."""
    return np.abs(right.value - left.value)


def _room(right: Derivative, left: Derivative) -> Array:
    """How far apart they may be without a kink, (m,)."""
    size = np.fmax(np.abs(right.value), np.abs(left.value))
    return 20 * (right.error + left.error) + 1e-4 * size


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
    sides = zip(others, rights, lefts, strict=True)
    return [*known, *(j for j, *both in sides if (_jump(*both) > _room(*both)).any())]


def _check_ties(evidence: Evidence, verdict: Verdict) -> None:
    """Gradients at kinks must add up along directions that have no kink."""
    elements = _at_kinks(evidence, [kink.element for kink in verdict.kinks])[:TIES]
    pairs = [(p, sign) for p in itertools.combinations(elements, 2) for sign in (1.0, -1.0)]
    directions = [Direction(list(pair), np.array([1.0, sign])) for pair, sign in pairs]
    rights, lefts = evidence.along(directions, side=1), evidence.along(directions, side=-1)
    gy = evidence.gy
    for (pair, _), d, right, left in zip(pairs, directions, rights, lefts, strict=True):
        room, found = _room(right, left), _found(evidence, d)
        is_smooth = (_jump(right, left) <= room).all()
        limit = weighted(room, np.abs(gy)) + 1e-4 * abs(found)
        if is_smooth and abs(found - weighted(right.value, gy)) > limit:
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
    (result,) = evidence.along([d])
    slope, error, scale = evidence.summed(result)
    found = _found(evidence, d)
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
