"""Where intermediate buffers lie: no two that are alive at once share a byte."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from compiler.native.networks import NETWORKS, Training
from compiler.passes.test_fusion import plan_of
from compiler.random_array_programs import random_array_program

from koubai.compiler.kernels import Check, Kernel, Nest, Product, Sort, written
from koubai.compiler.passes import partition
from koubai.compiler.passes.fusion import Plan, fuse
from koubai.compiler.passes.memory import LINE, Phases, plan_memory
from koubai.compiler.runtime.coverage import is_native

Times = list[list[Kernel]]
"""Kernels that run at the same time, or in any order, one list after the other."""


def times_of(phases: Phases) -> Times:
    if len(phases) == 1 == len(phases[0]):
        return [[kernel] for kernel in phases[0][0]]
    return [[kernel for chunk in phase for kernel in chunk] for phase in phases]


def lives(times: Times) -> dict[int, tuple[int, int]]:
    """The first and the last time at which each buffer is touched."""
    found: dict[int, tuple[int, int]] = {}
    for time, kernels in enumerate(times):
        for kernel in kernels:
            for buffer in _touched(kernel):
                found[buffer] = found.get(buffer, (time, time))[0], time
    return found


def _touched(kernel: Kernel) -> set[int]:
    if isinstance(kernel, Nest):
        accesses = [x for node in kernel.nodes.values() for x in node.reads]
        accesses += [node.through.access for node in kernel.nodes.values() if node.through]
        outside = {x.buffer for x in accesses} - set(kernel.nodes)
        return outside | {kernel.nodes[value].store.buffer for value in kernel.stored}
    if isinstance(kernel, Product):
        operands = [kernel.a, kernel.b, *([kernel.addend] if kernel.addend else [])]
        return {kernel.value, *(x.buffer for x in operands)}
    if isinstance(kernel, Check):
        return {kernel.condition.buffer}
    scratch = {kernel.scratch} if isinstance(kernel, Sort) else set()
    return {kernel.value, *scratch, *(x.buffer for x in kernel.operands)}


def assert_apart(plan: Plan, phases: Phases) -> int:
    """Buffers that live at the same time lie apart, in the workspace, on lines of the cache.

    Returns:
        The bytes that they would take one after the other, less those of the workspace.
    """
    memory, times = plan_memory(plan, phases), times_of(phases)
    alive = lives(times)
    places = {}
    for buffer, start in memory.offsets.items():
        type_ = plan.types[buffer]
        stop = start + max(math.prod(type_.shape) * type_.dtype.itemsize, 1)
        assert start % LINE == 0
        assert 0 <= start < stop <= memory.size
        places[buffer] = start, stop
    outside = {*range(len(plan.program.inputs)), *plan.constants, *plan.outputs}
    assert set(places) == set(alive) - outside
    first = {b: a for a, b in _sums(plan) if places.get(a) == places.get(b)}  # of a chain of sums
    for a, b in itertools.combinations(places, 2):
        meet = alive[a][0] <= alive[b][1] and alive[b][0] <= alive[a][1]
        if meet and _end(first, a) != _end(first, b):
            assert places[a][1] <= places[b][0] or places[b][1] <= places[a][0], (a, b)
    return sum(-(-(stop - start) // LINE) * LINE for start, stop in places.values()) - memory.size


def _sums(plan: Plan) -> Iterator[tuple[int, int]]:
    """Buffers, and the products that may be written over them, as BLAS adds to what is there."""
    for kernel in plan.kernels:
        if isinstance(kernel, Product) and kernel.addend:
            a = kernel.addend.buffer
            is_whole = kernel.addend == replace(kernel.out, buffer=a)
            readers = [k for k in plan.kernels if a in _touched(k) and a not in written(k)]
            if is_whole and readers == [kernel] and a not in (kernel.a.buffer, kernel.b.buffer):
                yield a, kernel.value


def _end(chain: dict[int, int], link: int) -> int:
    while link in chain:
        link = chain[link]
    return link


@pytest.fixture(params=[1, 2, 3])
def chunks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Into how many a program is cut, as if it were large."""
    monkeypatch.setattr(partition, "WORTH", 0)
    monkeypatch.setattr(partition, "LEAST", 0)
    return int(request.param)


@pytest.mark.parametrize("seed", range(40))
def test_random_programs(seed: int, chunks: int) -> None:
    """Whatever the order in which buffers come and go."""
    program, _ = random_array_program(seed, length=60)
    plan = fuse(program, is_native)
    assert_apart(plan, partition.partition(plan, chunks, {}))


@pytest.mark.parametrize("network", NETWORKS)
def test_steps_of_training(network: Callable[[Any], Training], chunks: int) -> None:
    """Of a whole step too; and what is dead makes room for others."""
    training = network(np.float32)
    plan = plan_of(training.step, *training.batch(np.random.default_rng(0)))
    saved = assert_apart(plan, partition.partition(plan, chunks, {}))
    assert saved >= 0
    if network.__name__ in ("deep", "recurrent"):
        assert saved > 0
