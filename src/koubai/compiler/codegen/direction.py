"""Whether the lanes of a nest lie across rows or along them: whichever takes fewer instructions."""

from __future__ import annotations

import math

from koubai.compiler.codegen.functions import FUNCTIONS
from koubai.compiler.codegen.phases import is_computed, needed, phases, sinks
from koubai.compiler.kernels import Access, Nest
from koubai.compiler.passes.fusion import Plan

MOST = 64
"""Elements of a row: there is room for so many sums over rows, in each lane."""

INSTRUCTIONS = {**dict.fromkeys(FUNCTIONS, 20), "divide": 4, "sqrt": 4, "reciprocal": 4}
"""About; all else is one."""


def is_across(nest: Nest, plan: Plan, width: int) -> bool:
    """Whether rows side by side are better."""
    return is_possible(nest) and _across(nest, plan, width) < _along(nest, plan, width)


def is_possible(nest: Nest) -> bool:
    """Whether rows side by side are right."""
    if not nest.split or 0 in nest.domain or math.prod(nest.domain[nest.split :]) > MOST:
        return False
    # What is written to the same place twice must be so in order.
    return not any(node.is_scatter for node in nest.nodes.values())


def _along(nest: Nest, plan: Plan, width: int) -> float:
    *others, last = nest.domain
    lanes, rows = min(width, last), math.prod(nest.domain[: nest.split])
    registers = math.prod(others) * math.ceil(last / width)
    reductions = sum(node.is_row and bool(node.reduced) for node in nest.nodes.values())
    at_points = _at_points(nest, plan, len(others), lanes, frozenset())
    return registers * at_points + rows * (_of_rows(nest) + 4 * lanes.bit_length() * reductions)


def _across(nest: Nest, plan: Plan, width: int) -> float:
    axis = (nest.split or 0) - 1
    n, lanes = nest.domain[axis], min(width, nest.domain[axis])
    blocks = math.prod(nest.domain[:axis]) * math.ceil(n / width)
    at_points = _at_points(nest, plan, axis, lanes, frozenset(nest.kept))
    return blocks * (math.prod(nest.domain[axis + 1 :]) * at_points + _of_rows(nest))


def _of_rows(nest: Nest) -> int:
    """Instructions for each row."""
    rows = [node for node in nest.nodes.values() if node.is_row_value]
    return sum(INSTRUCTIONS.get(node.instruction.op, 1) for node in rows)


def _at_points(nest: Nest, plan: Plan, axis: int, lanes: int, dense: frozenset[int]) -> int:
    """Instructions for each register of points: what does not lie side by side is read one by one.

    Args:
        dense: buffers that lie so that it does.
    """
    count = 0
    for phase in phases(nest):
        kept = sinks(nest, phase)
        touched: set[Access] = set()
        for node in needed(nest, kept):
            count += INSTRUCTIONS.get(node.instruction.op, 1) + (lanes if node.through else 0)
            touched.update(x for x in node.reads if _is_in_memory(x, nest, plan, phase))
        touched.update(node.store for node in kept if not node.reduced and not node.is_scatter)
        for x in touched:
            count += 1 if x.strides[axis] in (0, 1) or x.buffer in dense else lanes
    return count


def _is_in_memory(x: Access, nest: Nest, plan: Plan, phase: int) -> bool:
    is_row = x.buffer in nest.nodes and nest.nodes[x.buffer].is_row
    return plan.literal(x.buffer) is None and not is_row and not is_computed(nest, x, phase)
