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
from koubai.compiler.kernels import Fallback, Product
from koubai.compiler.layout import Layout, whole
from koubai.compiler.passes import optimize
from koubai.compiler.passes.fusion import ARGUMENTS, fuse
from koubai.compiler.passes.memory import LINE, plan_memory
from koubai.compiler.passes.partition import is_worth, partition
from koubai.compiler.passes.state import replaceable
from koubai.compiler.primitives import PRIMITIVES, Type, dtype_name
from koubai.compiler.program import Instruction, Program
from koubai.compiler.runtime.driver import Entry, Output, Shared, drive
from koubai.compiler.runtime.functions import addresses
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
    """Machine code for ``program``; None if a dtype in it is unknown to the code generator.

    Args:
        state: inputs, and the numbers of the outputs that take their places.
        scalars: inputs that come as Python floats, or as scalars of NumPy's.
    """
    types = [*program.inputs, *(x.type for x in program.instructions)]
    if any(dtype_name(t.dtype) not in ELEMENTS for t in types):
        return None
    return NativeProgram(optimize(program), state, scalars)


class NativeProgram:
    """Machine code for ``program``, cut into so many ``chunks`` where that is worth it."""

    def __init__(
        self,
        program: Program,
        state: Sequence[tuple[int, int]] = (),
        scalars: Collection[int] = (),
        chunks: int | None = None,
    ) -> None:
        self.program, self.scalars = program, scalars
        chunks = PROCESSORS if chunks is None else chunks
        self.plan = fuse(program, is_native)
        self.replaced = replaceable(self.plan, state)
        if is_worth(self.plan, chunks):
            # A counter that may be overwritten only at the end would hold up what needs it.
            self.replaced = {
                number: i
                for number, i in self.replaced.items()
                if math.prod(program.inputs[i].shape) > LINE
            }
        outputs = {self.plan.outputs[number]: i for number, i in self.replaced.items()}
        phases = partition(self.plan, chunks, outputs)
        self.memory = plan_memory(self.plan, phases)
        self.schedule = schedule(self.plan, phases, self.memory)
        self.workspace = np.empty(self.memory.size + LINE, np.uint8)
        self.start = -self.workspace.ctypes.data % LINE
        self.error = np.zeros(1, np.int64)
        self.table = np.zeros(FIRST + len(self.schedule.slots), np.int64)
        self.table[ERROR] = self.error.ctypes.data
        self.table[WORKSPACE] = self.workspace.ctypes.data + self.start
        self.lock = threading.Lock()
        self.buffers: dict[int, Any] = {}  # what comes from outside, during a call by steps
        for b, value in self.plan.constants.items():
            self._set(b, value)
        self.runs = self._runs()
        is_one_run = len(self.runs) == 1 and not isinstance(self.runs[0], Fallback)
        self.entry = self._entry(self.runs[0]) if is_one_run else None

    def _runs(self) -> list[Any]:
        """The steps, as words for ``drive``, between those that NumPy runs."""
        steps = [step for step in self.schedule.steps if isinstance(step, Step)]
        functions = addresses(step.code for step in steps)
        self.operands = np.array([word for step in steps for word in step.operands], np.int64)
        runs: list[Any] = []
        rows: list[tuple[int, int, int]] = []
        at = self.operands.ctypes.data
        for step in self.schedule.steps:
            if isinstance(step, Fallback):
                runs += [np.array(rows, np.int64), step] if rows else [step]
                rows = []
            else:
                rows.append((functions[step.code], at, step.may_fail))
                at += 8 * len(step.operands)
        return [*runs, np.array(rows, np.int64)] if rows else runs

    def _entry(self, steps: Any) -> Entry:
        slots, outputs = self.schedule.slots, []
        for number, b in enumerate(self.plan.outputs):
            type_ = self.plan.types[b]
            replaces = self.replaced.get(number)
            outputs.append(Output(slots[b], replaces, type_.shape, type_.dtype))
        places = [slots.get(i, -1) for i in range(len(self.program.inputs))]
        shared = self._shared()
        has_products = any(isinstance(kernel, Product) for kernel in self.plan.kernels)
        if has_products:
            pool.limit_blas()
        used = pool.words if shared or has_products else None
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
        if self.entry is None:
            return self._run_by_steps(inputs)
        outputs: list[Any] | None = self.entry.call(inputs)
        if outputs is None:  # among the inputs is a view, or it has stopped
            outputs = self.entry.call(
                [
                    # Numbers stay as they are: native code reads them in the object itself.
                    x if i in self.scalars else np.require(x, requirements=["C", "A"])
                    for i, x in enumerate(inputs)
                ]
            )
        return interpret(self.program, inputs) if outputs is None else outputs

    def _run_by_steps(self, inputs: list[Any]) -> list[Any]:
        with self.lock:
            try:
                self.load(inputs)
                for run in self.runs:
                    self.execute(run)
                    if self.error[0]:
                        return interpret(self.program, inputs)  # which says what is wrong
                return [self.buffers[b] for b in self.plan.outputs]
            finally:
                self.buffers = {}  # nothing is kept of a call

    def load(self, inputs: Sequence[Any]) -> None:
        """Put the inputs, and new arrays for the outputs, into the table."""
        self.buffers = dict(self.plan.constants)
        for i, x in enumerate(inputs):
            self._set(i, np.require(x, requirements=["C", "A"]))
        for b in self.plan.outputs:
            type_ = self.plan.types[b]
            self._set(b, np.empty(type_.shape, type_.dtype))
        self.error[0] = 0

    def execute(self, run: Any) -> None:
        """A run of steps, or one that NumPy runs; the table has been loaded."""
        if isinstance(run, Fallback):
            self._run_by_numpy(run)
        else:
            drive(self.table, run)

    def _set(self, buffer: int, x: Any) -> None:
        if buffer in self.schedule.slots:
            self.buffers[buffer] = x
            self.table[self.schedule.slots[buffer]] = x.ctypes.data

    def _run_by_numpy(self, step: Fallback) -> None:
        operands = [self.view(x) for x in step.operands]
        result = PRIMITIVES[step.instruction.op].run(*operands, **step.instruction.params)
        if step.value in self.schedule.slots:
            shape = self.plan.types[step.value].shape  # a program may give it another as output
            self._set(step.value, np.array(result, order="C").reshape(shape))
        else:
            self.view(whole(step.value, step.instruction.type.shape))[...] = result

    def view(self, x: Layout) -> Any:
        """A layout of a buffer as an array."""
        dtype = self.plan.types[x.buffer].dtype
        if x.buffer in self.schedule.slots:
            flat = self.buffers[x.buffer].reshape(-1)
        else:
            rest = self.workspace[self.start + self.memory.offsets[x.buffer] :]
            flat = rest[: len(rest) // dtype.itemsize * dtype.itemsize].view(dtype)
        strides = [step * dtype.itemsize for step in x.strides]
        return np.lib.stride_tricks.as_strided(flat[x.offset :], x.shape, strides)
