"""A whole program as steps: which function is called, with which operands, one after the other.

Functions are texts here, and equal texts are one function: a recurrence of fifty steps has as many
functions as one of two.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from koubai.compiler.codegen.check import check_code
from koubai.compiler.codegen.draw import draw_code
from koubai.compiler.codegen.kernel import FIRST, WORKSPACE
from koubai.compiler.codegen.lanes import Lanes
from koubai.compiler.codegen.memory import in_memory
from koubai.compiler.codegen.nest import NestCodes
from koubai.compiler.codegen.product import product_calls
from koubai.compiler.codegen.scan import scan_code
from koubai.compiler.codegen.sort import sort_code
from koubai.compiler.kernels import (
    Check,
    Draw,
    Fallback,
    Kernel,
    Loop,
    Nest,
    Product,
    Scan,
    Sort,
    read,
    written,
)
from koubai.compiler.passes.fusion import Plan
from koubai.compiler.passes.memory import Memory, Phases
from koubai.compiler.primitives import dtype_name
from koubai.compiler.registers import Registers


@dataclass
class Step:
    """One call.

    Attributes:
        code: the text of the function, in which it is called NAME.
        operands: words of 64 bits, see kernel.py.
        may_fail: whether the error flag must be looked at after it.
        kernel: what it is a part of.
    """

    code: str
    operands: list[int]
    may_fail: bool
    kernel: Kernel


@dataclass
class LoopStep:
    """A loop, with the places of its operands and of its results: two words each, see kernel.py."""

    loop: Loop
    operands: list[list[int]]
    results: list[list[int]]


@dataclass
class Schedule:
    """Attributes:
    steps: what is run, in order; a ``Fallback`` by NumPy.
    slots: places in the table, of the buffers that come from outside.
    phases: of the steps, where each chunk of each phase begins and ends.
    """

    steps: list[Step | LoopStep | Fallback]
    slots: dict[int, int]
    phases: list[list[tuple[int, int]]]


def schedule(
    plan: Plan, phases: Phases, memory: Memory, width: int, registers: Registers | None
) -> Schedule:
    """The steps of ``phases``, with intermediate buffers where ``memory`` has them.

    Args:
        width: the lanes of a register, for nests.
        registers: of the processor, for products by tiles.
    """
    kernels = [kernel for phase in phases for chunk in phase for kernel in chunk]
    touched = {b for kernel in kernels for b in (*read(kernel), *written(kernel))}
    outside = [b for b in plan.types if b in touched and b not in memory.offsets]
    slots = {b: FIRST + i for i, b in enumerate(outside)}

    def dtype(buffer: int) -> str:
        return dtype_name(plan.types[buffer].dtype)

    def place(buffer: int, offset: int) -> list[int]:
        offset *= in_memory(Lanes(dtype(buffer), 1)).itemsize
        if buffer in memory.offsets:
            return [WORKSPACE, memory.offsets[buffer] + offset]
        return [slots[buffer], offset]

    nests = NestCodes(plan, width)

    def steps_of(kernel: Kernel) -> Iterator[Step | LoopStep | Fallback]:
        if isinstance(kernel, Fallback):
            yield kernel
        elif isinstance(kernel, Loop):
            operands_at = [place(x.buffer, x.offset) for x in kernel.operands]
            yield LoopStep(kernel, operands_at, [place(b, 0) for b in kernel.results])
        elif isinstance(kernel, Nest):
            code = nests.of(kernel)
            operands = [word for key in code.pointers for word in place(*key)]
            yield Step(code.text, operands, code.may_fail, kernel)
        elif isinstance(kernel, Product):
            for call in product_calls(kernel, dtype(kernel.value), registers):
                operands = [word for x in call.begins for word in place(x.buffer, x.offset)]
                yield Step(call.text, [*operands, *call.words], False, kernel)
        elif isinstance(kernel, Scan):
            (x,) = kernel.operands
            operands = [*place(x.buffer, x.offset), *place(kernel.value, 0)]
            text = scan_code(kernel, dtype(x.buffer), dtype(kernel.value))
            yield Step(text, operands, False, kernel)
        elif isinstance(kernel, Draw):
            key, counter = kernel.operands
            words = [place(key.buffer, key.offset + i * key.strides[0]) for i in range(2)]
            operands = [*words[0], *words[1], *place(counter.buffer, counter.offset)]
            operands += [*place(kernel.value, 0), math.prod(kernel.instruction.type.shape)]
            yield Step(draw_code(dtype(kernel.value)), operands, False, kernel)
        elif isinstance(kernel, Sort):
            (x,) = kernel.operands
            operands = [*place(x.buffer, x.offset), *place(kernel.value, 0)]
            operands += place(kernel.scratch, 0)
            yield Step(sort_code(kernel, dtype(x.buffer)), operands, False, kernel)
        elif isinstance(kernel, Check):
            x = kernel.condition
            yield Step(check_code(dtype(x.buffer)), place(x.buffer, x.offset), True, kernel)

    result = Schedule([], slots, [])
    for phase in phases:
        result.phases.append([])
        for chunk in phase:
            start = len(result.steps)
            for kernel in chunk:
                result.steps += steps_of(kernel)
            result.phases[-1].append((start, len(result.steps)))
    return result
