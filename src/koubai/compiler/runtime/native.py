"""A program as machine code: compiled, and run on NumPy arrays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from koubai.compiler.codegen.draw import BITS
from koubai.compiler.codegen.elementwise import is_elementwise
from koubai.compiler.codegen.kernel import ERROR, FIRST, WORKSPACE
from koubai.compiler.codegen.lanes import ELEMENTS, MOVED
from koubai.compiler.codegen.reductions import COMBINE
from koubai.compiler.codegen.scan import COMBINE as SCANS
from koubai.compiler.codegen.schedule import Step, schedule
from koubai.compiler.interpret import interpret
from koubai.compiler.kernels import Fallback
from koubai.compiler.layout import Layout, whole
from koubai.compiler.passes import optimize
from koubai.compiler.passes.fusion import ARGUMENTS, fuse
from koubai.compiler.passes.memory import LINE, plan_memory
from koubai.compiler.passes.state import replaceable
from koubai.compiler.primitives import PRIMITIVES, Type
from koubai.compiler.program import Instruction, Program
from koubai.compiler.runtime.driver import Entry, Output, prepared
from koubai.compiler.runtime.functions import addresses


def is_native(instruction: Instruction, types: Sequence[Type]) -> bool:
    """Whether there is code for an instruction other than a product, on these operands."""
    op, dtypes, result = instruction.op, [str(t.dtype) for t in types], str(instruction.type.dtype)
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


def native_program(program: Program, state: Sequence[tuple[int, int]] = ()) -> NativeProgram | None:
    """Machine code for ``program``; None if a dtype in it is unknown to the code generator.

    Args:
        state: inputs, and the numbers of the outputs that take their places.
    """
    types = [*program.inputs, *(x.type for x in program.instructions)]
    if any(str(t.dtype) not in ELEMENTS for t in types):
        return None
    return NativeProgram(optimize(program), state)


Run = Callable[[list[Any], list[Any]], None]
"""A part of a program, on the arrays of its inputs and its outputs."""
View = Callable[[list[Any], list[Any]], Any]
"""An array for a layout, of those of a call or of the program's own memory."""


class NativeProgram:
    """Machine code for ``program``.

    The first steps are run by ``entry``, which also makes the outputs; mostly there are no others.
    ``later`` are what NumPy runs, and the steps after that.
    """

    def __init__(self, program: Program, state: Sequence[tuple[int, int]] = ()) -> None:
        self.program = program
        self.plan = fuse(program, is_native)
        self.memory = plan_memory(self.plan)
        self.schedule = schedule(self.plan, self.memory)
        self.workspace = np.empty(self.memory.size + LINE, np.uint8)
        self.start = -self.workspace.ctypes.data % LINE
        self.error = np.zeros(1, np.int64)
        self.table = np.zeros(FIRST + len(self.schedule.slots), np.int64)
        self.table[ERROR] = self.error.ctypes.data
        self.table[WORKSPACE] = self.workspace.ctypes.data + self.start
        for b, slot in self.schedule.slots.items():
            if b in self.plan.constants:
                self.table[slot] = self.plan.constants[b].ctypes.data
        self.lock = threading.Lock()
        self.replaced = replaceable(self.plan, state)
        self.parts = self._parts()
        self.entry = self._entry(self.parts[0])
        self.later = [
            self._by_numpy(x) if isinstance(x, Fallback) else self._driven(x)
            for x in self.parts[1:]
        ]

    def _parts(self) -> list[Any]:
        """The steps, as words for ``drive``, between those that NumPy runs; the first may be none.

        >>> native._parts()
        [array([[140192, 5680, 0]]), Fallback(...), array([[141376, 5712, 0], [140192, 5768, 0]])]
        """
        steps = [step for step in self.schedule.steps if isinstance(step, Step)]
        functions = addresses(step.code for step in steps)
        self.operands = np.array([word for step in steps for word in step.operands], np.int64)
        parts: list[Any] = [[]]
        at = self.operands.ctypes.data
        for step in self.schedule.steps:
            if isinstance(step, Fallback):
                parts += [step, []]
            else:
                parts[-1].append((functions[step.code], at, step.may_fail))
                at += 8 * len(step.operands)
        return [
            np.array(part, np.int64) if isinstance(part, list) else part
            for i, part in enumerate(parts)
            if i == 0 or part
        ]

    def _entry(self, steps: Any) -> Entry:
        slots, outputs = self.schedule.slots, []
        for number, b in enumerate(self.plan.outputs):
            type_ = self.plan.types[b]
            replaces = self.replaced.get(number)
            outputs.append(Output(slots[b], replaces, type_.shape, type_.dtype))
        places = [slots.get(i, -1) for i in range(len(self.program.inputs))]
        return Entry(self.table, steps, places, outputs)

    def run(self, inputs: list[Any]) -> list[Any]:
        """The outputs for ``inputs``, arrays of the program's input types.

        An array in ``inputs`` that nobody holds but the list and one other place is overwritten by
        the output that replaces it.
        """
        outputs = self._run(inputs)
        if outputs is None:
            outputs = self._run([np.require(x, requirements=["C", "A", "E"]) for x in inputs])
        if outputs is None:
            return interpret(self.program, inputs)  # which says what is wrong
        return outputs

    def _run(self, inputs: list[Any]) -> list[Any] | None:
        """The outputs; None if an array is not in C order, or the program has stopped."""
        outputs: list[Any] | None
        if not self.later:
            outputs = self.entry.call(inputs)
            return outputs
        with self.lock:
            outputs = self.entry.call(inputs)
            if outputs is None:
                return None
            for part in self.later:
                part(inputs, outputs)
                if self.error[0]:
                    return None
            return outputs

    def _driven(self, steps: Any) -> Run:
        run = prepared(self.table, steps)
        return lambda inputs, outputs: run()

    def _by_numpy(self, step: Fallback) -> Run:
        function, params = PRIMITIVES[step.instruction.op].run, step.instruction.params
        operands = [self._view(x) for x in step.operands]
        result = self._view(whole(step.value, step.instruction.type.shape))

        def run(inputs: list[Any], outputs: list[Any]) -> None:
            arrays = [view(inputs, outputs) for view in operands]
            result(inputs, outputs)[...] = function(*arrays, **params)

        return run

    def _view(self, x: Layout) -> View:
        """A layout of a buffer as an array: made now, if the buffer is the same in all calls."""
        type_, b = self.plan.types[x.buffer], x.buffer
        size = type_.dtype.itemsize
        offset, strides = x.offset * size, tuple(step * size for step in x.strides)

        def made(memory: Any, start: int = 0) -> Any:
            if 0 in x.shape:  # it may begin after the end
                return np.empty(x.shape, type_.dtype)
            return np.ndarray(x.shape, type_.dtype, memory, start + offset, strides)

        if b in self.memory.offsets or b in self.plan.constants:
            if b in self.plan.constants:
                fixed = made(self.plan.constants[b])
            else:
                fixed = made(self.workspace, self.start + self.memory.offsets[b])
            return lambda inputs, outputs: fixed
        is_whole = x == whole(b, type_.shape)
        if b in self.plan.outputs:
            number = self.plan.outputs.index(b)
            return lambda inputs, outputs: outputs[number] if is_whole else made(outputs[number])
        return lambda inputs, outputs: inputs[b] if is_whole else made(inputs[b])
