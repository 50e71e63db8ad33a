"""Where each intermediate buffer lies in one workspace; what is dead makes room for others."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from koubai.compiler.kernels import Check, Kernel, Nest, Product, Sort
from koubai.compiler.passes.fusion import Plan

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


def written(kernel: Kernel) -> Iterator[int]:
    """The buffers that a kernel writes."""
    if isinstance(kernel, Nest):
        yield from kernel.stored
    elif not isinstance(kernel, Check):
        yield kernel.value
        if isinstance(kernel, Sort):
            yield kernel.scratch


def read(kernel: Kernel) -> Iterator[int]:
    """The buffers that a kernel reads."""
    if isinstance(kernel, Nest):
        for node in kernel.nodes.values():
            yield from (x.buffer for x in node.reads)
            if node.through:
                yield node.through.access.buffer
    elif isinstance(kernel, Product):
        yield from (kernel.a.buffer, kernel.b.buffer)
        if kernel.addend is not None:
            yield kernel.addend.buffer
    elif isinstance(kernel, Check):
        yield kernel.condition.buffer
    else:
        yield from (x.buffer for x in kernel.operands)


def _addend(kernel: Kernel) -> int:
    """The buffer of what a product is added to; -1 if there is none."""
    if not isinstance(kernel, Product) or kernel.addend is None:
        return -1
    return kernel.addend.buffer


def bytes_of(plan: Plan, buffer: int) -> int:
    type_ = plan.types[buffer]
    return math.prod(type_.shape) * type_.dtype.itemsize


def plan_memory(plan: Plan) -> Memory:
    """First fit, in the order of the program."""
    outside = {*range(len(plan.program.inputs)), *plan.constants, *plan.outputs}
    last_use: dict[int, int] = {}
    for i, kernel in enumerate(plan.kernels):
        for buffer in (*read(kernel), *written(kernel)):
            last_use[buffer] = i
    memory = Memory()
    live: list[tuple[int, int, int]] = []  # start, stop, buffer
    for i, kernel in enumerate(plan.kernels):
        for buffer in written(kernel):
            if buffer in outside or buffer in memory.offsets:
                continue
            size = -(-max(bytes_of(plan, buffer), 1) // LINE) * LINE
            if (old := _addend(kernel)) in memory.offsets and last_use[old] == i:
                memory.offsets[buffer] = memory.offsets[old]  # it is added to in place
                live = [(first, end, buffer if b == old else b) for first, end, b in live]
                continue
            start = 0
            for taken, stop, _ in sorted(live):
                if taken - start >= size:
                    break
                start = max(start, stop)
            memory.offsets[buffer] = start
            memory.size = max(memory.size, start + size)
            live.append((start, start + size, buffer))
        live = [x for x in live if last_use[x[2]] > i]
    return memory
