"""How far the results of a program may be from the interpreter's.

Machine code adds in another order, joins a product and a sum, has its own exp. How much that may
change a result depends on the program: after a subtraction of nearly equal numbers, a lot. So the
program is run several times with each rounding disturbed by a few units in the last place (Monte
Carlo arithmetic), and what is added up in another order. What the results differ by is what
rounding is worth, element by element. A comparison that hangs by a rounding shows as well, and a
product that may overflow on its way: their results differ.

Source of the idea: D. S. Parker, "Monte Carlo Arithmetic", UCLA technical report 970002, 1997.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from compiler.random_array_programs import INDEXING, MOVES

from koubai.compiler.primitives import PRIMITIVES
from koubai.compiler.program import Program

Array = np.ndarray[Any, Any]

RUNS = 8
UNITS = 4
"""How many units in the last place a rounding is disturbed by, at most."""
SIGNS = ("abs", "negative", "sign", "floor", "ceil", "round")
CHOICES = ("max", "min", "maximum", "minimum", "where")
EXACT = {*SIGNS, *CHOICES, *MOVES, *INDEXING, "constant", "part", "raise_unless"}
EXACT |= {"random_uniform"}
"""What does not round; neither does what has no float as a result."""
SUMS = {"sum", "cumulative_sum", "matmul", "scatter_add", "add", "subtract"}
"""Whose error is relative to what is added up, not to the result."""


def run(program: Program, inputs: Sequence[Array], rng: np.random.Generator | None) -> list[Array]:
    """All values of ``program``, with disturbed roundings if there is an ``rng``."""
    values = [np.asarray(x) for x in inputs]
    with np.errstate(all="ignore"):
        for i in program.instructions:
            operands = [values[v] for v in i.inputs]
            if rng is not None and i.op in SUMS:
                operands = [_disturbed(x, rng) for x in operands]
            if rng is not None and i.op in ("sum", "prod"):
                operands = [_shuffled(operands[0], i.params["axis"], rng)]
            if i.op == "loop":
                values.append(_steps(operands, rng, **i.params))
                continue
            result = np.asarray(PRIMITIVES[i.op].run(*operands, **i.params))
            values.append(
                result if rng is None or i.op in EXACT - SUMS else _disturbed(result, rng)
            )
    return values


def _steps(
    operands: list[Array],
    rng: np.random.Generator | None,
    body: Program,
    constants: int,
    carries: int,
    length: int,
    reverse: bool,
) -> Any:
    """What a loop makes, each step with roundings of its own."""
    first = constants + carries
    carried, made = operands[constants:first], []
    for i in reversed(range(length)) if reverse else range(length):
        each = [*operands[:constants], *carried, *(x[i] for x in operands[first:])]
        values = run(body, each, rng)
        results = [values[v] for v in body.outputs]
        carried = results[:carries]
        made.append(results[carries:])
    if reverse:
        made.reverse()
    types = [body.type_of(v) for v in body.outputs[carries:]]
    stacks = [
        np.array([row[k] for row in made], t.dtype).reshape(length, *t.shape)
        for k, t in enumerate(types)
    ]
    return (*carried, *stacks)


def _disturbed(x: Array, rng: np.random.Generator) -> Array:
    if x.dtype.kind != "f":
        return x
    limits = np.finfo(x.dtype)
    units = rng.uniform(-UNITS, UNITS, x.shape)
    near_zero = np.where(x == 0, 0, limits.smallest_subnormal * np.round(units))
    return np.asarray(x + x * units * limits.eps + near_zero).astype(x.dtype)


def _shuffled(x: Array, axes: tuple[int, ...], rng: np.random.Generator) -> Array:
    for axis in axes:
        x = x.take(rng.permutation(x.shape[axis]), axis=axis)
    return x


def assert_plausible(
    program: Program, inputs: Sequence[Array], actual: Sequence[Array], where: str
) -> float:
    """The outputs ``actual`` are what rounding allows, and exact where rounding changes nothing.

    Returns:
        The share of the elements that were held against a number: where rounding decides between
        a number and NaN, for instance, there is none.
    """
    expected = run(program, inputs, None)
    others = []
    for seed in range(RUNS):
        with contextlib.suppress(ValueError, IndexError):  # what a rounding may decide, too
            others.append(run(program, inputs, np.random.default_rng(seed)))
    assert others, where
    checked = total = 0
    for v, found in zip(program.outputs, actual, strict=True):
        x, wheres = expected[v], f"{where}: %{v}"
        assert (found.dtype, found.shape) == (x.dtype, x.shape), wheres
        known, far = _known(x, [other[v] for other in others])
        wrong = known & ~_within(found, x, far)
        assert not wrong.any(), (
            f"{wheres}: {found[wrong][:3]}, not {x[wrong][:3]}, give or take {far[wrong][:3]}"
        )
        checked += int(known.sum())
        total += x.size
    return checked / total if total else 1.0


def _known(x: Array, others: Sequence[Array]) -> tuple[Array, Array]:
    """Where ``x`` is no matter of chance, and how far from it a result may be there."""
    if x.dtype.kind != "f":
        return np.all([x == other for other in others], axis=0), np.zeros(x.shape)
    kinds = [(np.isnan(y), np.isposinf(y), np.isneginf(y)) for y in (x, *others)]
    known = np.all([np.equal(kinds[0], kind).all(axis=0) for kind in kinds[1:]], axis=0)
    limits = np.finfo(x.dtype)
    with np.errstate(all="ignore"):
        spread = np.max([np.abs(x - other) for other in others], axis=0)
        least = 8 * (limits.eps * np.abs(x) + limits.smallest_subnormal)
        return np.asarray(known), np.where(np.isfinite(x), 4 * spread + least, 0)


def _within(found: Array, x: Array, far: Array) -> Array:
    if x.dtype.kind != "f":
        return np.asarray(found == x)
    with np.errstate(all="ignore"):
        near = np.abs(found - x) <= far
    return np.asarray(near | (found == x) | (np.isnan(found) & np.isnan(x)))
