"""Where intermediate buffers lie: no two that are alive at once share a byte."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from compiler.native.networks import NETWORKS, Training
from compiler.passes.test_fusion import plan_of
from compiler.random_array_programs import random_array_program

from koubai.compiler.kernels import Check, Kernel, Nest, Product
from koubai.compiler.passes.fusion import Plan, fuse
from koubai.compiler.passes.memory import LINE, plan_memory
from koubai.compiler.runtime.native import is_native


def lives(plan: Plan) -> dict[int, tuple[int, int]]:
    """The first and the last kernel that touches each buffer."""
    found: dict[int, tuple[int, int]] = {}
    for k, kernel in enumerate(plan.kernels):
        if isinstance(kernel, Nest):
            accesses = [x for node in kernel.nodes.values() for x in node.reads]
            accesses += [node.through.access for node in kernel.nodes.values() if node.through]
            touched = {*kernel.stored, *(x.buffer for x in accesses)}
            touched -= set(kernel.nodes) - kernel.stored
        elif isinstance(kernel, Product):
            operands = [kernel.a, kernel.b, *([kernel.addend] if kernel.addend else [])]
            touched = {kernel.value, *(x.buffer for x in operands)}
        elif isinstance(kernel, Check):
            touched = {kernel.condition.buffer}
        else:
            touched = {kernel.value, *(x.buffer for x in kernel.operands)}
        for buffer in touched:
            found[buffer] = found.get(buffer, (k, k))[0], k
    return found


def assert_apart(plan: Plan) -> int:
    """Buffers that live at the same time lie apart, in the workspace, on lines of the cache.

    Returns:
        The bytes that they would take one after the other, less those of the workspace.
    """
    memory, alive = plan_memory(plan), lives(plan)
    places = {}
    for buffer, start in memory.offsets.items():
        type_ = plan.types[buffer]
        stop = start + max(math.prod(type_.shape) * type_.dtype.itemsize, 1)
        assert start % LINE == 0
        assert 0 <= start < stop <= memory.size
        places[buffer] = start, stop
    outside = {*range(len(plan.program.inputs)), *plan.constants, *plan.outputs}
    assert set(places) == set(alive) - outside
    kept = sorted(places, key=lambda buffer: alive[buffer])
    for i, a in enumerate(kept):
        for b in kept[i + 1 :]:
            last, first = alive[a][1], alive[b][0]
            if first < last or (first == last and not _is_added_to(plan.kernels[last], a)):
                assert places[a][1] <= places[b][0] or places[b][1] <= places[a][0], (a, b)
    return sum(-(-(stop - start) // LINE) * LINE for start, stop in places.values()) - memory.size


def _is_added_to(kernel: Kernel, buffer: int) -> bool:
    """Whether it is a product that may write over ``buffer``, for BLAS adds to what is there."""
    return (
        isinstance(kernel, Product)
        and kernel.addend == replace(kernel.out, buffer=buffer)
        and buffer not in (kernel.a.buffer, kernel.b.buffer)
    )


@pytest.mark.parametrize("seed", range(60))
def test_random_programs(seed: int) -> None:
    """Whatever the order in which buffers come and go."""
    program, _ = random_array_program(seed, length=60)
    assert_apart(fuse(program, is_native))


@pytest.mark.parametrize("network", NETWORKS)
def test_steps_of_training(network: Callable[[Any], Training]) -> None:
    """Of a whole step too; and what is dead makes room for others."""
    training = network(np.float32)
    plan = plan_of(training.step, *training.batch(np.random.default_rng(0)))
    saved = assert_apart(plan)
    assert saved >= 0
    if network.__name__ in ("deep", "recurrent"):
        assert saved > 0
