"""What kind of mistake explains the numbers: each hypothesis computes what it would have given.

The names are a vocabulary, ``VOCABULARY``, with what to write instead. A name is given only if the
hypothesis explains the found gradient at several points and for several upstream gradients; what
none of them explains is "unexplained". A hypothesis sees one ``Case``: a value's true gradient, the
one that was found, and the Jacobian.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from koubai.arrays import broadcasts, sum_to
from koubai.checking.evidence import Evidence, Point, gather_slopes
from koubai.checking.subjects import is_numbers

Array = Any

VOCABULARY = {
    "upstream ignored": "multiply by the gradient that backward is given",
    "added instead of multiplied": "write gy * (local derivative), not gy + ...",
    "sign": "the sign is wrong: negate it",
    "factor": "a constant factor is missing, or too much",
    "transposed": "transpose it",
    "swapped": "the gradients of two inputs are swapped: return them in the order of forward",
    "sum missing": "sum over the axes along which the input was repeated (np.sum(..., axis=0))",
    "sum instead of mean": "the forward averages: divide by the number of rows",
    "mean instead of sum": "the forward does not average: don't divide by the number of rows",
    "diagonal only": "every output depends on every input: subtract y * sum(gy * y), for softmax",
    "output instead of input": "the derivative's formula belongs at the input x, not the output y",
    "input instead of output": "the formula is written for the output y: use the stored y, not x",
    "outer derivative forgotten": "chain rule: multiply by the derivative of the outer function",
    "inner derivative forgotten": "chain rule: multiply by the derivative of the inner function",
    "local derivative forgotten": "the upstream gradient is passed on unchanged: multiply it by the"
    " local derivative",
    "mask inverted": "the gradient passes where it must stop, and the reverse: invert the mask",
    "mask boundary": "where two inputs tie, or one lies on the threshold, the mask must choose as"
    " the forward does (>= and > differ)",
    "overwritten": "used several times: add the gradients up (+=), don't assign",
    "stale cache": "backward uses what an earlier forward stored: store it anew at every call",
    "wrong shape": "a gradient has the shape of its input",
    "wrong dtype": "a gradient has a floating-point dtype",
    "wrong count": "return one gradient for each input, in the order of forward",
    "none": "return the gradient; is a return missing?",
    "random forward": "draw random numbers from a generator that can be set back, or store them",
    "history lost": "every backward on the way is right, but the graph misses a part: something was"
    " computed on plain arrays (v.data, detach())",
    "upstream mutated": "copy the gradient that backward is given before you write into it",
    "input mutated": "copy an input before you write into it",
    "aliased": "return a copy: who writes into one of the arrays changes the other",
}


@dataclass
class Case:
    """One value of one evidence, for the hypotheses.

    Attributes:
        x, found, truth: the value and its gradients, in its shape.
        y, gy: the output and its upstream gradient; of a subject with several, the first.
        J: (n, m), of the value's elements; None of a large one, of which the truth is known for
            some elements only (NaN elsewhere).
    """

    evidence: Evidence
    name: str
    x: Array
    found: Any
    truth: Array
    J: Any

    @property
    def y(self) -> Any:
        return np.asarray(self.evidence.outcome.outputs[0], dtype=float)

    @property
    def gy(self) -> Array:
        return self.evidence.gys[0]

    @property
    def single(self) -> bool:
        """Whether there is one output only."""
        return len(self.evidence.gys) == 1

    @property
    def elementwise(self) -> bool:
        """Whether each output depends on the input element at its own place only."""
        if not self.single or self.y.shape != self.x.shape or not self.x.size or self.J is None:
            return False
        rest = self.J - np.diag(np.diag(self.J))
        largest = float(np.nanmax(np.abs(self.J)))
        return bool(np.nanmax(np.abs(rest), initial=0) <= 1e-8 * largest)

    @property
    def local(self) -> Array:
        """The derivative of each element of an elementwise function."""
        return np.diag(self.J).reshape(self.x.shape)

    def gives(self, candidate: Any) -> bool:
        """Whether the found gradient is this one: NaN, too, must be where this one has it."""
        if not alike(self.found, candidate, self.size):
            return False
        return not np.any(np.isnan(self.found) & ~np.isnan(candidate))

    @property
    def size(self) -> float:
        """How large a gradient is here."""
        return float(np.max(np.abs(np.nan_to_num(self.truth)), initial=0))


def alike(a: Any, b: Any, size: float = 0.0) -> bool:
    """Equal up to the precision of numerical derivatives; where either is unknown, it may be."""
    if not is_numbers(a) or not is_numbers(b) or np.shape(a) != np.shape(b):
        return False
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    known = ~(np.isnan(a) | np.isnan(b))
    if not known.any():
        return bool(a.size == 0)
    with np.errstate(all="ignore"):
        # Each element by itself: that a large one is explained says nothing about the small.
        limit = 1e-5 * np.fmax(np.abs(a), np.abs(b)) + 1e-9 * size
        close = (a == b) | (np.isfinite(limit) & (np.abs(a - b) <= limit))
    return bool(close[known].all())


Hypothesis = Callable[[Case], bool]

# What hypotheses raise about shapes, and without a Jacobian, for which they are not made.
NOT_APPLICABLE = (ValueError, IndexError, TypeError, AttributeError, np.linalg.LinAlgError)
ENOUGH = 8  # elements of a large value that must be known for a mistake to be named


def name_mistake(name: str, evidences: Sequence[Evidence]) -> str | None:
    """The mistake that explains the gradient of a value at all points, or None."""
    cases = [case_of(name, e) for e in evidences]
    if not all(c is not None for c in cases):
        return None
    known = [c for c in cases if c is not None]
    if len(known) < 2:  # at a single point much is explained by chance
        return None
    if all(_upstream_ignored(c) for c in known):
        return "upstream ignored"
    factor = _factor(known)
    if factor is not None:
        return _name_factor(known[0], factor)
    for mistake, hypothesis in _HYPOTHESES:
        try:
            with np.errstate(all="ignore"):
                if all(hypothesis(c) for c in known):
                    return mistake
        except NOT_APPLICABLE:
            continue
    return None


def case_of(name: str, e: Evidence) -> Case | None:
    found = e.outcome.gradients.get(name)
    if not is_numbers(found):
        return None
    x, truth, J = e.part(name, e.point.x), e.part(name, e.truth), None
    if e.jacobian is not None:
        J = e.jacobian[e.point.slices[name]]
    elif np.isfinite(truth).sum() < min(ENOUGH, truth.size):
        return None
    return Case(e, name, x, found, truth, J)


# Constant factors.


def _factor(cases: Sequence[Case]) -> float | None:
    """found / truth, if it is the same for all elements at all points."""
    factors = []
    for c in cases:
        if np.shape(c.found) != c.truth.shape:
            return None
        found, truth = np.asarray(c.found, dtype=float), np.nan_to_num(c.truth)
        power = float((truth * truth).sum())
        if power == 0:
            return None
        factor = float((found * truth).sum()) / power
        if not np.isfinite(factor) or factor == 0 or not c.gives(factor * c.truth):
            return None
        factors.append(factor)
    return factors[0] if np.allclose(factors, factors[0], rtol=1e-4) else None


def factor_of(name: str, evidence: Evidence) -> float | None:
    """found / truth, if that is a constant."""
    c = case_of(name, evidence)
    return None if c is None else _factor([c])


def _name_factor(c: Case, factor: float) -> str | None:
    if abs(factor - 1) < 1e-4:
        return None
    if abs(factor + 1) < 1e-4:
        return "sign"
    if c.elementwise and _passed_on(c) and np.ptp(c.local) > 0:
        return "local derivative forgotten"
    shapes = [*c.evidence.point.shapes.values(), c.y.shape, *_shapes(c)]
    counts = {n for s in shapes for n in s} | {c.x.size}
    counts -= {0, 1, 2}  # 2 and 1/2 are more often forgotten for other reasons
    batch = next((n for n in sorted(counts) if _is(factor, n)), 0)
    share = next((n for n in sorted(counts) if _is(factor, 1 / n)), 0)
    averages = _averages(c, batch or share) if batch or share else False
    if batch and averages:
        return "sum instead of mean"
    if share and not averages:
        return "mean instead of sum"
    if _is_own_number(c, 1 / factor):
        return "inner derivative forgotten"
    return "factor"


def _is(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-4 * abs(b)


def _shapes(c: Case) -> Iterator[tuple[int, ...]]:
    for a in c.evidence.point.subject.args:
        yield np.shape(a)


def _averages(c: Case, count: int) -> bool:
    """Whether the forward is a mean over ``count`` of something: the same where they come twice."""
    subject = c.evidence.point.subject
    args, arguments = subject.args, subject.arguments
    longest = max((np.ndim(a) for a in args), default=0)
    for axis in range(longest):

        def twice(a: Any, axis: int = axis) -> Any:
            fits = np.ndim(a) > axis and (np.shape(a)[axis] == count or count == np.size(a))
            return np.concatenate([a, a], axis=axis) if fits else a

        values = {n: twice(x) if n in arguments else x for n, x in c.evidence.values.items()}
        try:
            subject.args = [twice(a) for a in args]
            y = np.asarray(subject.forward(values)[0], dtype=float)
            changed = any(np.size(a) != np.size(b) for a, b in zip(args, subject.args, strict=True))
            if changed and y.shape == c.y.shape and np.allclose(y, c.y):
                return True
        except Exception:  # somebody's forward that knows only one shape
            continue
        finally:
            subject.args = args
    return False


def _is_own_number(c: Case, factor: float) -> bool:
    """Whether it is a number that the object under check holds: the scale s in f(s * x)."""
    subject = c.evidence.point.subject
    owner = getattr(subject, "layer", None)
    numbers = [x for x in getattr(owner, "__dict__", {}).values() if isinstance(x, (int, float))]
    return any(x not in (0, 1, 2, 0.5) and _is(factor, x) for x in numbers)


# Elementwise functions of which people know the derivative by heart: f(x) and f'(x); and f' where
# it is known by y = f(x).

_FUNCTIONS: list[tuple[Any, Any]] = [
    (lambda x: x, lambda x: np.ones_like(x)),
    (lambda x: x * x, lambda x: 2 * x),
    (lambda x: x**3, lambda x: 3 * x * x),
    (np.sin, np.cos),
    (np.cos, lambda x: -np.sin(x)),
    (np.exp, np.exp),
    (lambda x: np.exp(-x), lambda x: -np.exp(-x)),
    (np.log, lambda x: 1 / x),
    (np.log1p, lambda x: 1 / (1 + x)),
    (np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    (lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
    (lambda x: 1 / x, lambda x: -1 / (x * x)),
    (lambda x: 1 + x * x, lambda x: 2 * x),
    (lambda x: -x, lambda x: -np.ones_like(x)),
    (lambda x: -x * x, lambda x: -2 * x),
    (lambda x: x * x / 2, lambda x: x),
    (lambda x: -x * x / 2, lambda x: -x),
    (lambda x: 1 + np.exp(x), np.exp),
    (lambda x: 1 + np.exp(-x), lambda x: -np.exp(-x)),
    (np.abs, np.sign),
]
_BY_OUTPUT: list[Any] = [
    lambda y: y * (1 - y),  # sigmoid
    lambda y: 1 - y * y,  # tanh
    lambda y: y,  # exp
    lambda y: 0.5 / y,  # sqrt
    lambda y: -y * y,  # 1 / x
    lambda y: 1 - np.exp(-y),  # softplus
]


def _sums(c: Case) -> Iterator[Array]:
    """The gradient row by row of the output: without the sum over the rows."""
    y = c.y
    if not c.single or not y.ndim or y.shape[0] < 2:
        return
    rows = c.J.reshape(*c.x.shape, y.shape[0], -1) * c.gy.reshape(y.shape[0], -1)
    yield from np.moveaxis(rows.sum(axis=-1), -1, 0)


def _passed_on(c: Case) -> bool:
    fits = c.single and c.gy.shape == c.x.shape
    return fits and c.gives(c.gy) and not alike(c.truth, c.gy, c.size)


def _added(c: Case) -> bool:
    """gy + (local derivative), summed over the places that a value was repeated to."""
    if not c.single or not broadcasts(c.x.shape, c.y.shape) or not c.J.size:
        return False
    used = np.abs(c.J) > 1e-8 * np.nanmax(np.abs(c.J))
    if used.sum(axis=0).max() > 1:  # an output depends on several elements
        return False
    return c.gives(sum_to(c.gy + c.J.sum(axis=0).reshape(c.y.shape), c.x.shape))


def _last_only(c: Case) -> bool:
    """Each element has the gradient of one of the outputs that it went into, mostly the last."""
    if not c.single or np.shape(c.found) != c.x.shape:
        return False
    each = c.J * c.gy.reshape(-1)  # (n, m)
    parts = [each]
    for axis in range(c.y.ndim):
        kept = np.moveaxis(each.reshape(len(each), *c.y.shape), 1 + axis, 1)
        parts.append(kept.reshape(len(each), c.y.shape[axis], -1).sum(axis=-1))
    for part in parts:
        used = np.abs(part) > 1e-9 * np.max(np.abs(part), initial=0)
        if not (used.sum(axis=1) > 1).any():
            continue
        for order in (slice(None, None, -1), slice(None)):
            place = np.argmax(used[:, order], axis=1)
            one = part[:, order][np.arange(len(part)), place].reshape(c.x.shape)
            if c.gives(one) and not alike(c.truth, one, c.size):
                return True
    return False


def _output_for_input(c: Case) -> bool:
    if not c.elementwise:
        return False
    e = c.evidence
    there = gather_slopes(Point(e.point.subject, e.values | {c.name: c.y}), c.name, e.dtype)
    return c.gives(c.gy * np.diag(there).reshape(c.x.shape)) and not alike(c.x, c.y)


def _input_for_output(c: Case) -> bool:
    return c.elementwise and any(
        alike(c.local, g(c.y), float(np.max(np.abs(c.local)))) and c.gives(c.gy * g(c.x))
        for g in _BY_OUTPUT
    )


def _compositions(c: Case) -> Iterator[tuple[Any, Any, Any]]:
    """(F, F', G, G') of the library with y = F(G(x))."""
    if c.elementwise:
        for F, dF in _FUNCTIONS[1:]:
            for G, dG in _FUNCTIONS[1:]:
                y = F(G(c.x))
                if np.isfinite(y).all() and alike(y, c.y, float(np.max(np.abs(c.y)))):
                    yield dF, G, dG


def _products(c: Case) -> Iterator[Array]:
    """What the gradient would be if the output were a product or a sum with another value."""
    x, gy = c.x, c.gy
    others = [v for n, v in c.evidence.values.items() if n != c.name]
    others += [
        np.asarray(a)
        for a in c.evidence.point.subject.args
        if is_numbers(a) and np.asarray(a).dtype.kind == "f"
    ]
    for w in others:
        if x.ndim == w.ndim == gy.ndim == 2:
            if gy.shape == (x.shape[0], w.shape[1]) and x.shape[1] == w.shape[0]:
                yield gy @ w.T
            if gy.shape == (w.shape[0], x.shape[1]) and w.shape[1] == x.shape[0]:
                yield w.T @ gy
            if gy.shape == (x.shape[0], w.shape[0]) and x.shape[1] == w.shape[1]:
                yield gy @ w
            if gy.shape == (w.shape[0], x.shape[0]) and w.shape[1] == x.shape[1]:
                yield gy.T @ w
        if w.shape == x.shape == gy.shape and not alike(w, x):
            yield gy * w
        if x.ndim == 2 and gy.shape == x.shape[:1] and w.shape == x.shape[1:]:
            yield np.outer(gy, w)
        if w.ndim == 2 and gy.shape == w.shape[:1] and x.shape == w.shape[1:]:
            yield w.T @ gy
        if x.ndim == w.ndim == 1 and x.shape == w.shape and gy.shape == ():
            yield gy * w
    if x.ndim == 1 and gy.ndim == 2 and gy.shape[1] == len(x):
        yield gy.sum(axis=0)


def _outer_forgotten(c: Case) -> bool:
    if any(c.gives(c.gy * dG(c.x)) for _, _, dG in _compositions(c)):
        return True
    return c.single and any(c.gives(p) and not alike(c.truth, p, c.size) for p in _products(c))


def _scale_forgotten(c: Case) -> str | None:
    """Whether another value is a factor of the right gradient, and not of the found one.

    "outer" for s in s * f(x), "inner" for s in f(s * x) or f(x / s).
    """
    J = c.evidence.jacobian
    if J is None or not c.single or np.shape(c.found) != c.truth.shape:
        return None
    for name, v in c.evidence.values.items():
        if name == c.name or not broadcasts(v.shape, c.truth.shape):
            continue
        for factor in (v, 1 / v, v * v, v**-2.0):
            if alike(c.truth, np.asarray(c.found, dtype=float) * factor, c.size):
                slopes = J[c.evidence.point.slices[name]]
                linear = np.allclose(v.reshape(-1) @ slopes, c.y.reshape(-1))
                return "outer" if linear else "inner"
    return None


def _inner_forgotten(c: Case) -> bool:
    return any(c.gives(c.gy * dF(G(c.x))) for dF, G, _ in _compositions(c))


def _mask_inverted(c: Case) -> bool:
    if not c.elementwise or np.shape(c.found) != c.x.shape:
        return False
    known = ~np.isnan(c.local) & (c.gy != 0)
    local, found = c.local[known], (np.asarray(c.found, dtype=float) / c.gy)[known]
    values = np.unique(np.round(local, 6))
    if len(values) != 2:
        return False
    return alike(found, values.sum() - local, float(np.max(np.abs(values))))


def _transposed(c: Case) -> bool:
    truth = c.truth
    if truth.ndim < 2:
        return False
    swapped = truth.swapaxes(-1, -2)
    if c.gives(swapped) or c.gives(truth.reshape(truth.shape[::-1]).T):
        return True
    products = list(_products(c))
    if any(alike(truth, p, c.size) for p in products):
        return any(c.gives(p) for p in products)
    # gx = g @ W instead of g @ W.T, whatever g is.
    return truth.ndim == 2 and any(
        W.shape == (truth.shape[1],) * 2 and c.gives(np.linalg.solve(W, truth.T).T @ W)
        for W in c.evidence.values.values()
    )


def _sum_missing(c: Case) -> bool:
    found = np.asarray(c.found, dtype=float)
    if found.shape == c.truth.shape:
        return any(c.gives(row) for row in _sums(c))
    if found.ndim < c.truth.ndim:
        return False
    shape = c.truth.shape
    if found.size > c.truth.size and broadcasts(shape, found.shape):
        return alike(sum_to(found, shape), c.truth, c.size)
    return False


def _swapped(c: Case) -> bool:
    e = c.evidence
    for other in e.point.slices:
        if other == c.name:
            continue
        d = case_of(other, e)
        if d is None or alike(c.truth, d.truth, c.size):
            continue
        if c.gives(d.truth) and d.gives(c.truth):
            return True
    return False


def _upstream_ignored(c: Case) -> bool:
    """The same whatever backward is given."""
    e = c.evidence
    other = [2.5 - gy for gy in e.gys]
    again = e.point.subject.backward(e.values, other).gradients.get(c.name)
    return bool(np.any(np.asarray(c.found))) and alike(c.found, again)


_HYPOTHESES: list[tuple[str, Hypothesis]] = [
    ("transposed", _transposed),
    ("local derivative forgotten", _passed_on),
    ("mask inverted", _mask_inverted),
    ("swapped", _swapped),
    ("overwritten", _last_only),
    ("sum missing", _sum_missing),
    ("added instead of multiplied", _added),
    (
        "diagonal only",
        lambda c: (
            c.single
            and c.y.shape == c.x.shape
            and not c.elementwise
            and c.gives(c.gy * np.diag(c.J).reshape(c.x.shape))
        ),
    ),
    ("input instead of output", _input_for_output),
    ("output instead of input", _output_for_input),
    ("outer derivative forgotten", _outer_forgotten),
    ("outer derivative forgotten", lambda c: _scale_forgotten(c) == "outer"),
    ("inner derivative forgotten", lambda c: _scale_forgotten(c) == "inner"),
    ("inner derivative forgotten", _inner_forgotten),
    (
        "wrong dtype",
        lambda c: alike(c.found, np.trunc(c.truth)) and bool(np.any(np.trunc(c.truth))),
    ),
]
