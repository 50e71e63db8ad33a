"""A program as machine code: compiled, and run on NumPy arrays."""

from __future__ import annotations

import math
import threading
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from koubai.compiler.codegen.draw import BITS
from koubai.compiler.codegen.elementwise import is_elementwise
from koubai.compiler.codegen.kernel import ERROR, FIRST, WORKSPACE
from koubai.compiler.codegen.lanes import ELEMENTS, MOVED
from koubai.compiler.codegen.reductions import COMBINE
from koubai.compiler.codegen.scan import COMBINE as SCANS
from koubai.compiler.codegen.schedule import Step, schedule
from koubai.compiler.codegen.sharing import MARK_WORDS
from koubai.compiler.interpret import interpret
from koubai.compiler.kernels import Fallback
from koubai.compiler.passes import optimize
from koubai.compiler.passes.fusion import ARGUMENTS, fuse
from koubai.compiler.passes.memory import LINE, plan_memory
from koubai.compiler.passes.partition import chunks_of, partition
from koubai.compiler.passes.state import replaceable
from koubai.compiler.primitives import Type, dtype_name
from koubai.compiler.program import Instruction, Program
from koubai.compiler.runtime import jit
from koubai.compiler.runtime.by_numpy import Run, Views, by_numpy
from koubai.compiler.runtime.driver import Entry, Output, Shared, driver
from koubai.compiler.runtime.functions import addresses, uses_blas
from koubai.compiler.runtime.threads import PROCESSORS, pool


def is_native(instruction: Instruction, types: Sequence[Type]) -> bool:
    """Whether there is code for an instruction other than a product, on these operands."""
    op, result = instruction.op, dtype_name(instruction.type.dtype)
    dtypes = [dtype_name(t.dtype) for t in types]
    if op in ("getitem", "setitem"):
        return True
    if MOVED & {*dtypes, result}:
        return False
    if op in ("scatter_add", "argsort") or op in SCANS:
        return True
    if op == "random_uniform":
        return result in BITS
    if op in COMBINE:
        return is_elementwise("cast", dtypes, result)
    if op in ARGUMENTS:
        return True
    return is_elementwise(op, dtypes, result)


def native_program(
    program: Program, state: Sequence[tuple[int, int]] = (), scalars: Collection[int] = ()
) -> NativeProgram | None:
    """Machine code for ``program``; None if a dtype in it is unknown to the code generator, or
    there is no LLVM.

    Args:
        state: inputs, and the numbers of the outputs that take their places.
        scalars: inputs that come as Python floats, or as scalars of NumPy's.
    """
    types = [*program.inputs, *(x.type for x in program.instructions)]
    if not jit.IS_THERE or any(dtype_name(t.dtype) not in ELEMENTS for t in types):
        return None
    return NativeProgram(optimize(program), state, scalars)


class NativeProgram:
    """Machine code for ``program``, cut for so many ``processors`` where that is worth it.

    Its parts are rows of steps, between those that NumPy runs. The first row is run by ``entry``,
    which also makes the outputs; ``later`` are the others, mostly none.
    """

    def __init__(
        self,
        program: Program,
        state: Sequence[tuple[int, int]] = (),
        scalars: Collection[int] = (),
        processors: int | None = None,
    ) -> None:
        self.program, self.scalars = program, scalars
        self.plan = fuse(program, is_native, jit.registers())
        self.replaced = replaceable(self.plan, state)
        chunks = chunks_of(self.plan, PROCESSORS if processors is None else processors)
        if chunks > 1:
            # A counter that may be overwritten only at the end would hold up what needs it.
            self.replaced = {
                number: i
                for number, i in self.replaced.items()
                if math.prod(program.inputs[i].shape) > LINE
            }
        outputs = {self.plan.outputs[number]: i for number, i in self.replaced.items()}
        phases = partition(self.plan, chunks, outputs)
        self.memory = plan_memory(self.plan, phases)
        self.schedule = schedule(self.plan, phases, self.memory, jit.registers())
        self.workspace = np.empty(self.memory.size + LINE, np.uint8)
        self.start = -self.workspace.ctypes.data % LINE
        self.error = np.zeros(1, np.int64)
        self.table = np.zeros(FIRST + len(self.schedule.slots), np.int64)
        self.table[ERROR] = self.error.ctypes.data
        self.table[WORKSPACE] = self.workspace.ctypes.data + self.start
        for b, value in self.plan.constants.items():
            if b in self.schedule.slots:
                self.table[self.schedule.slots[b]] = value.ctypes.data
        self.lock = threading.Lock()
        self.views = Views(self.plan, self.memory, self.workspace[self.start :], scalars)
        self.parts = self._parts()
        no_steps = np.empty((0, 3), np.int64)
        is_native_first = bool(self.parts) and not isinstance(self.parts[0], Fallback)
        self.entry = self._entry(self.parts[0] if is_native_first else no_steps)
        self.later = [self.prepared(part) for part in self.parts[is_native_first:]]

    def _parts(self) -> list[Any]:
        """The steps, as words for ``drive``, between those that NumPy runs."""
        steps = [step for step in self.schedule.steps if isinstance(step, Step)]
        functions = addresses(step.code for step in steps)
        self.operands = np.array([word for step in steps for word in step.operands], np.int64)
        parts: list[Any] = []
        rows: list[tuple[int, int, int]] = []
        at = self.operands.ctypes.data
        for step in self.schedule.steps:
            if isinstance(step, Fallback):
                parts += [np.array(rows, np.int64), step] if rows else [step]
                rows = []
            else:
                rows.append((functions[step.code], at, step.may_fail))
                at += 8 * len(step.operands)
        return [*parts, np.array(rows, np.int64)] if rows else parts

    def _entry(self, steps: Any) -> Entry:
        slots, outputs = self.schedule.slots, []
        for number, b in enumerate(self.plan.outputs):
            type_ = self.plan.types[b]
            replaces = self.replaced.get(number)
            outputs.append(Output(slots[b], replaces, type_.shape, type_.dtype))
        places = [slots.get(i, -1) for i in range(len(self.program.inputs))]
        shared = self._shared()
        has_blas = any(isinstance(x, Step) and uses_blas(x.code) for x in self.schedule.steps)
        if has_blas:
            pool.limit_blas()
        used = pool.words if shared or has_blas else None
        return Entry(self.table, steps, places, self.scalars, outputs, used, shared)

    def _shared(self) -> Shared | None:
        """How threads share the program; None if it is all one chunk."""
        by_phase = self.schedule.phases
        if len(by_phase) == 1 == len(by_phase[0]):
            return None
        pool.start()
        counts = [len(chunks) for chunks in by_phase]
        first = [sum(counts[:i]) for i in range(len(counts))]
        chunks = np.array([chunk for chunks in by_phase for chunk in chunks], np.int64)
        phases = np.array(list(zip(first, counts, strict=True)), np.int64)
        marks = np.zeros(len(phases) * MARK_WORDS, np.int64)
        return Shared(chunks, phases, marks)

    def run(self, inputs: list[Any]) -> list[Any]:
        """The outputs for ``inputs``, arrays of the program's input types.

        An array in ``inputs`` that nobody holds but the list and one other place is overwritten by
        the output that replaces it.
        """
        outputs = self._run(inputs)
        if outputs is None:  # among the inputs is a view, for instance; or it has stopped
            outputs = self._run(self._in_order(inputs))
        return interpret(self.program, inputs) if outputs is None else outputs

    def _run(self, inputs: list[Any]) -> list[Any] | None:
        """The outputs; None if an array does not lie in order, or the program has stopped."""
        outputs: list[Any] | None
        if not self.later:
            outputs = self.entry.call(inputs)
            return outputs
        with self.lock:  # NumPy lets other threads run
            outputs = self.entry.call(inputs)
            if outputs is None:
                return None
            for part in self.later:
                part(inputs, outputs)
                if self.error[0]:
                    return None
            return outputs

    def _in_order(self, inputs: Sequence[Any]) -> list[Any]:
        """Arrays as machine code can read them."""
        return [
            # Numbers stay as they are: native code reads them in the object itself.
            x if i in self.scalars else np.require(x, requirements=["C", "A", "E"])
            for i, x in enumerate(inputs)
        ]

    def load(self, inputs: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Run nothing yet: inputs and outputs for the parts, whose addresses are in the table."""
        arrays = self._in_order(inputs)
        entry = self._entry(np.empty((0, 3), np.int64))  # its memory is in use during the call
        return arrays, entry.call(arrays)

    def prepared(self, part: Any) -> Run:
        """A row of steps, or what NumPy runs, to be called after ``load``."""
        if isinstance(part, Fallback):
            return by_numpy(part, self.views)
        drive = driver(self.table, part)
        return lambda inputs, outputs: drive()
