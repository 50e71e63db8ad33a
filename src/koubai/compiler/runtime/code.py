"""The machine code of a program, and the memory that it works on, without its arrays.

A program with arrays from Python (native.py) has one, and so has the body of each loop in it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from koubai.compiler.codegen.kernel import ERROR, FIRST, WORKSPACE
from koubai.compiler.codegen.looping import LOOP, STEPS
from koubai.compiler.codegen.schedule import LoopStep, Step, schedule
from koubai.compiler.codegen.sharing import MARK_WORDS
from koubai.compiler.kernels import Fallback, Kernel, Loop
from koubai.compiler.passes.fusion import fuse
from koubai.compiler.passes.memory import LINE, Phases, bytes_of, plan_memory
from koubai.compiler.passes.partition import chunks_of, cost, partition
from koubai.compiler.passes.state import replaceable
from koubai.compiler.program import Program
from koubai.compiler.runtime import jit
from koubai.compiler.runtime.coverage import is_native
from koubai.compiler.runtime.driver import Shared, head, sequence_function
from koubai.compiler.runtime.functions import addresses, uses_blas
from koubai.compiler.runtime.threads import PROCESSORS, pool

PACE = 5000.0
"""Microseconds: a longer loop lets other threads run, and asks for signals, as often as this."""


@dataclass(frozen=True)
class Rows:
    """A row of steps: three words each, see driver.py; and how threads share it, if they do."""

    steps: Any
    shared: Shared | None = None

    @classmethod
    def none(cls) -> Rows:
        return cls(np.empty((0, 3), np.int64))


Part = Rows | LoopStep | Fallback


class Code:
    """Machine code for ``program``, cut for so many ``processors`` where that is worth it.

    Args:
        state: inputs, and the numbers of the outputs that take their places.
        is_kept: whether a program that stops must leave its inputs as they were.
        times: how often it runs in a row.

    Attributes:
        replaced: of outputs, the inputs into whose memory they may be written.
        table: of pointers, see kernel.py.
        error: not 0 when the program has stopped.
        parts: what is run, in order.
    """

    def __init__(
        self,
        program: Program,
        state: Sequence[tuple[int, int]] = (),
        processors: int | None = None,
        is_kept: bool = True,
        times: int = 1,
    ) -> None:
        self.program, self._times = program, times
        self.processors = PROCESSORS if processors is None else processors
        self.plan = fuse(program, is_native, jit.registers())
        self.bodies = {
            kernel.value: self._body(kernel)
            for kernel in self.plan.kernels
            if isinstance(kernel, Loop)
        }
        self.replaced = replaceable(self.plan, state, is_kept)
        if is_kept and any(self.pace(kernel) for kernel in self.plan.kernels):
            self.replaced = {}  # others who run in between may come to hold an array
        phases = self._phases()
        self.memory = plan_memory(self.plan, phases)
        width, registers = jit.backend().width, jit.registers()
        self.schedule = schedule(self.plan, phases, self.memory, width, registers)
        self._memory = np.empty(self.memory.size + LINE, np.uint8)
        self.workspace = self._memory[-self._memory.ctypes.data % LINE :]
        self.error = np.zeros(1, np.int64)
        self.table = np.zeros(FIRST + len(self.schedule.slots), np.int64)
        self.table[ERROR] = self.error.ctypes.data
        self.table[WORKSPACE] = self.workspace.ctypes.data
        for b, value in self.plan.constants.items():
            if b in self.schedule.slots:
                self.table[self.schedule.slots[b]] = value.ctypes.data
        self.parts = self._parts()

    @functools.cached_property
    def is_native(self) -> bool:
        """Whether no part of it is run by NumPy."""
        return not any(isinstance(kernel, Fallback) for kernel in self.plan.kernels) and all(
            body.is_native for body in self.bodies.values()
        )

    @functools.cached_property
    def microseconds(self) -> float:
        """About how long it takes one thread."""
        return sum(map(self._microseconds, self.plan.kernels))

    def _microseconds(self, kernel: Kernel) -> float:
        if isinstance(kernel, Loop):
            length: int = kernel.instruction.params["length"]
            return length * self.bodies[kernel.value].microseconds
        return cost(kernel)

    def pace(self, kernel: Kernel) -> int:
        """After how many steps of a long loop others get a turn; 0 if it is none."""
        if not isinstance(kernel, Loop) or self._microseconds(kernel) < PACE:
            return 0
        return max(1, int(PACE / self.bodies[kernel.value].microseconds))

    def _body(self, loop: Loop) -> Code:
        params = loop.instruction.params
        first, n = params["constants"], params["carries"]
        state = [(first + i, i) for i in range(n)]
        times = self._times * params["length"]
        return Code(loop.body, state, self.processors, is_kept=False, times=times)

    # Threads share what lies between loops.

    def _phases(self) -> Phases:
        phases: Phases = []
        stretch: list[Kernel] = []
        for kernel in self.plan.kernels:
            if isinstance(kernel, Loop):
                phases += [*self._cut(stretch), [[kernel]]]
                stretch = []
            else:
                stretch.append(kernel)
        return phases + self._cut(stretch)

    def _cut(self, kernels: list[Kernel]) -> Phases:
        if not kernels:
            return []
        plan = replace(self.plan, kernels=kernels)
        chunks = chunks_of(plan, self.processors, self._times)
        if chunks > 1:
            # A counter that may be overwritten only at the end would hold up what needs it.
            self.replaced = {
                number: i
                for number, i in self.replaced.items()
                if math.prod(self.program.inputs[i].shape) > LINE
            }
        outputs = {self.plan.outputs[number]: i for number, i in self.replaced.items()}
        return partition(plan, chunks, outputs)

    # Parts.

    def _parts(self) -> list[Part]:
        """The steps, as words for ``drive``, between loops and what NumPy runs."""
        steps = self.schedule.steps
        functions = addresses(step.code for step in steps if isinstance(step, Step))
        words = [word for step in steps if isinstance(step, Step) for word in step.operands]
        self._operands = np.array(words, np.int64)
        parts: list[Part] = []
        rows: list[tuple[int, int, int]] = []
        at, first = self._operands.ctypes.data, 0
        for i, step in enumerate([*steps, None]):
            if isinstance(step, Step):
                rows.append((functions[step.code], at, step.may_fail))
                at += 8 * len(step.operands)
                continue
            if rows:
                parts.append(Rows(np.array(rows, np.int64), self._shared(first, i)))
                rows = []
            if step is not None:
                parts.append(step)
            first = i + 1
        return parts

    def _shared(self, first: int, stop: int) -> Shared | None:
        """How threads share these steps; None if they are all one chunk."""
        by_phase = [
            [(start - first, end - first) for start, end in chunks]
            for chunks in self.schedule.phases
            if first <= chunks[0][0] and chunks[-1][1] <= stop and chunks[0][0] < stop
        ]
        if sum(map(len, by_phase)) <= 1:
            return None
        pool.start()
        counts = [len(chunks) for chunks in by_phase]
        begins = [sum(counts[:i]) for i in range(len(counts))]
        chunks = np.array([chunk for chunks in by_phase for chunk in chunks], np.int64)
        phases = np.array(list(zip(begins, counts, strict=True)), np.int64)
        marks = np.zeros(len(phases) * MARK_WORDS, np.int64)
        return Shared(chunks, phases, marks)

    def pool_words(self, rows: Rows) -> Any:
        """The words of the pool, if the rows are shared or call BLAS; else None."""
        has_blas = any(isinstance(x, Step) and uses_blas(x.code) for x in self.schedule.steps)
        if has_blas:
            pool.limit_blas()
        return pool.words if rows.shared or has_blas else None

    # Sequences: parts that native code runs one after the other.

    def runner(self, parts: Sequence[Rows | LoopStep]) -> Callable[[], None]:
        """A function that runs ``parts``, all of them native."""
        run, described = sequence_function(), self._described(parts)
        words = (self.table.ctypes.data, described.words.ctypes.data, len(parts))

        def call(code: Code = self, described: _Described = described) -> None:  # which are so kept
            run(*words)

        return call

    def _described(self, parts: Sequence[Part]) -> _Described:
        found = _Described(np.zeros((len(parts), 2), np.int64), [])
        for i, part in enumerate(parts):
            assert not isinstance(part, Fallback)
            if isinstance(part, Rows):
                words = head(self.table, part.steps, self.pool_words(part), part.shared)
                found.words[i] = STEPS, words.ctypes.data
            else:
                words = self._loop(part, found.kept)
                found.words[i] = LOOP, words.ctypes.data
            found.kept += [part, words]
        return found

    def _loop(self, step: LoopStep, kept: list[Any]) -> Any:
        """The words that describe a loop, see looping.py."""
        params, body = step.loop.instruction.params, self.bodies[step.loop.value]
        length, reverse = params["length"], params["reverse"]
        n_constants, n_carries = params["constants"], params["carries"]
        slots, plan = body.schedule.slots, body.plan
        inside = [slots.get(i, -1) for i in range(len(step.operands))]
        made = [slots[b] for b in plan.outputs]
        constants = [(slot, *place) for slot, place in zip(inside, step.operands, strict=True)][
            :n_constants
        ]
        carries = []
        for i in range(n_carries):
            value = n_constants + i
            size = bytes_of(plan, value)
            second = 0
            if inside[value] >= 0 and i not in body.replaced:
                buffer = np.empty(size + LINE, np.uint8)
                kept.append(buffer)
                second = buffer.ctypes.data + -buffer.ctypes.data % LINE
            first, result = step.operands[value], step.results[i]
            carries.append((inside[value], made[i], *first, *result, size, second))
        stacks = []
        for value in range(n_constants + n_carries, len(step.operands)):
            size = bytes_of(plan, value)
            stacks.append((inside[value], step.operands[value], size))
        for i in range(n_carries, len(made)):
            size = bytes_of(plan, plan.outputs[i])
            stacks.append((made[i], step.results[i], size))
        start = length - 1 if reverse else 0
        moving = [
            (slot, place, offset + start * size, -size if reverse else size)
            for slot, (place, offset), size in stacks
        ]
        described = body._described(body.parts)
        rows = [np.array(rows, np.int64).reshape(-1) for rows in (constants, moving, carries)]
        kept += [body, described, *rows]
        words = [length, self.table.ctypes.data, body.table.ctypes.data]
        words += [described.words.ctypes.data, len(body.parts)]
        for row, width in zip(rows, (3, 4, 8), strict=True):
            words += [row.ctypes.data, len(row) // width]
        return np.array([*words, self.pace(step.loop)], np.int64)


@dataclass
class _Described:
    """Two words for each part, and what is kept alive for them."""

    words: Any
    kept: list[Any]
