"""Where each intermediate buffer lies in one workspace; what is dead makes room for others."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from koubai.compiler.kernels import Kernel, Product, read, written
from koubai.compiler.passes.fusion import Plan

Phases = list[list[list[Kernel]]]
"""Phases, of chunks, of kernels; see partition.py."""

LINE = 64
"""Bytes: buffers begin where a cache line does."""


@dataclass
class Memory:
    """Attributes:
    size: bytes of the workspace.
    offsets: in it, by buffer.
    """

    size: int = 0
    offsets: dict[int, int] = field(default_factory=dict)


def added_to(kernel: Kernel) -> int:
    """The buffer that a product is added to, if it may be where the sum is; else -1."""
    if not isinstance(kernel, Product) or kernel.addend is None:
        return -1
    is_factor = kernel.addend.buffer in (kernel.a.buffer, kernel.b.buffer)
    return -1 if is_factor else kernel.addend.buffer


def bytes_of(plan: Plan, buffer: int) -> int:
    type_ = plan.types[buffer]
    return math.prod(type_.shape) * type_.dtype.itemsize


def plan_memory(plan: Plan, phases: Phases) -> Memory:
    """First fit, in the order of time: kernel by kernel, or where there are chunks, by phases."""
    times: list[list[Kernel]] = [[k for chunk in phase for k in chunk] for phase in phases]
    if len(phases) == 1 == len(phases[0]):
        times = [[kernel] for kernel in phases[0][0]]
    outside = {*range(len(plan.program.inputs)), *plan.constants, *plan.outputs}
    place = _places_of_sums(plan, outside)
    last_use: dict[int, int] = {}
    for time, kernels in enumerate(times):
        for kernel in kernels:
            for buffer in (*read(kernel), *written(kernel)):
                last_use[place.get(buffer, buffer)] = time
    memory = Memory()
    live: list[tuple[int, int, int]] = []  # start, stop, buffer
    for time, kernels in enumerate(times):
        for buffer in dict.fromkeys(b for kernel in kernels for b in written(kernel)):
            buffer = place.get(buffer, buffer)
            if buffer in outside or buffer in memory.offsets:
                continue
            size = -(-max(bytes_of(plan, buffer), 1) // LINE) * LINE
            start = 0
            for taken, stop, _ in sorted(live):
                if taken - start >= size:
                    break
                start = max(start, stop)
            memory.offsets[buffer] = start
            memory.size = max(memory.size, start + size)
            live.append((start, start + size, buffer))
        live = [x for x in live if last_use[x[2]] > time]
    memory.offsets.update({b: memory.offsets[other] for b, other in place.items()})
    return memory


def _places_of_sums(plan: Plan, outside: set[int]) -> dict[int, int]:
    """Buffers that lie where another does: products that are added to something, in place."""
    readers = Counter(b for kernel in plan.kernels for b in set(read(kernel)))
    place: dict[int, int] = {}
    for kernel in plan.kernels:
        old = added_to(kernel)
        if not isinstance(kernel, Product) or old < 0 or outside & {old, kernel.value}:
            continue
        if readers[old] == 1 and bytes_of(plan, old) == bytes_of(plan, kernel.value):
            place[kernel.value] = place.get(old, old)
    return place
