"""A program as machine code: compiled, and run on NumPy arrays."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from koubai.compiler.codegen.elementwise import is_elementwise
from koubai.compiler.codegen.lanes import ELEMENTS, MOVED
from koubai.compiler.codegen.module import ERROR, FIRST, WORKSPACE, module_of
from koubai.compiler.codegen.product import GEMM
from koubai.compiler.codegen.reductions import COMBINE
from koubai.compiler.interpret import interpret
from koubai.compiler.kernels import Fallback
from koubai.compiler.passes import optimize
from koubai.compiler.passes.fusion import ARGUMENTS, fuse
from koubai.compiler.passes.memory import LINE, plan_memory
from koubai.compiler.passes.state import replaceable
from koubai.compiler.primitives import PRIMITIVES, Type
from koubai.compiler.program import Instruction, Program
from koubai.compiler.runtime import blas
from koubai.compiler.runtime.entry import Output, entry
from koubai.compiler.runtime.jit import compile_text


def is_native(instruction: Instruction, types: Sequence[Type]) -> bool:
    """Whether there is code for an instruction other than a product, on these operands."""
    op, dtypes, result = instruction.op, [str(t.dtype) for t in types], str(instruction.type.dtype)
    if op in ("getitem", "setitem"):
        return True
    if MOVED & {*dtypes, result}:
        return False
    if op == "scatter_add":
        return True
    if op in COMBINE:
        return is_elementwise("cast", dtypes, result)
    if op in ARGUMENTS:
        return True
    return is_elementwise(op, dtypes, result)


def native_program(
    program: Program, state: Sequence[tuple[int, int]] = ()
) -> NativeProgram | None:
    """Machine code for ``program``; None if a dtype in it is unknown to the code generator.

    Args:
        state: inputs, and the numbers of the outputs that take their places.
    """
    types = [*program.inputs, *(x.type for x in program.instructions)]
    if any(str(t.dtype) not in ELEMENTS for t in types):
        return None
    return NativeProgram(optimize(program), state)


class NativeProgram:
    """Machine code for ``program``."""

    def __init__(self, program: Program, state: Sequence[tuple[int, int]] = ()) -> None:
        self.program = program
        self.plan = fuse(program, is_native)
        self.memory = plan_memory(self.plan)
        self.module = module_of(self.plan, self.memory)
        names = [x for x in self.module.segments if isinstance(x, str)]
        imports = {x: blas.address(x) for x in GEMM.values() if f"@{x}(ptr " in self.module.text}
        self.library = compile_text(self.module.text, names, imports)
        self.workspace = np.empty(self.memory.size + LINE, np.uint8)
        self.start = -self.workspace.ctypes.data % LINE
        self.error = np.zeros(1, np.int64)
        self.table = np.zeros(FIRST + len(self.module.slots), np.int64)
        self.table[ERROR] = self.error.ctypes.data
        self.table[WORKSPACE] = self.workspace.ctypes.data + self.start
        self.lock = threading.Lock()
        self.buffers: dict[int, Any] = {}
        for b, value in self.plan.constants.items():
            self._set(b, value)
        self.replaced = replaceable(self.plan, state)
        self.enter = self._entry(names) if len(self.module.segments) == 1 == len(names) else None

    def _entry(self, names: list[str]) -> Any:
        slots, outputs = self.module.slots, []
        for number, b in enumerate(self.plan.outputs):
            type_ = self.plan.types[b]
            replaces = self.replaced.get(number)
            outputs.append(Output(slots[b], replaces, type_.shape, type_.dtype))
        places = [slots.get(i, -1) for i in range(len(self.program.inputs))]
        return entry(self.table, self.library.addresses[names[0]], places, outputs, 2)

    def run(self, inputs: list[Any]) -> list[Any]:
        """The outputs for ``inputs``, arrays of the program's input types.

        An array in ``inputs`` that nobody holds but the list and one other place is overwritten by
        the output that replaces it.
        """
        if self.enter is not None:
            outputs: list[Any] | None = self.enter.call(inputs)
            if outputs is not None:
                return outputs
        return self._run_by_steps(inputs)

    def _run_by_steps(self, inputs: list[Any]) -> list[Any]:
        with self.lock:
            for i, x in enumerate(inputs):
                self._set(i, np.asarray(x, order="C"))
            for b in self.plan.outputs:
                type_ = self.plan.types[b]
                self._set(b, np.empty(type_.shape, type_.dtype))
            self.error[0] = 0
            for step in self.module.segments:
                if isinstance(step, Fallback):
                    self._run_by_numpy(step)
                else:
                    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.library.addresses[step])(self.table.ctypes.data)
                if self.error[0]:
                    return interpret(self.program, inputs)  # which says what is wrong
            return [self.buffers[b] for b in self.plan.outputs]

    def _set(self, buffer: int, x: Any) -> None:
        if buffer in self.module.slots:
            self.buffers[buffer] = x
            self.table[self.module.slots[buffer]] = x.ctypes.data

    def _run_by_numpy(self, step: Fallback) -> None:
        operands = []
        for x in step.operands:
            dtype = self.plan.types[x.buffer].dtype
            if x.buffer in self.module.slots:
                whole = self.buffers[x.buffer].reshape(-1)
            else:
                start = self.start + self.memory.offsets[x.buffer]
                whole = self.workspace[start:]
                whole = whole[: len(whole) // dtype.itemsize * dtype.itemsize].view(dtype)
            strides = [s * dtype.itemsize for s in x.strides]
            operands.append(np.lib.stride_tricks.as_strided(whole[x.offset :], x.shape, strides))
        result = PRIMITIVES[step.instruction.op].run(*operands, **step.instruction.params)
        result = np.asarray(result, order="C")
        if step.value in self.module.slots:
            shape = self.plan.types[step.value].shape  # a program may give it another as output
            self._set(step.value, result.copy().reshape(shape))
        else:
            start = self.start + self.memory.offsets[step.value]
            view = self.workspace[start : start + result.nbytes].view(result.dtype)
            view[:] = result.reshape(-1)
