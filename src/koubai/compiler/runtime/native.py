"""A program as machine code: compiled, and run on NumPy arrays."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from koubai.compiler.codegen.elementwise import is_elementwise
from koubai.compiler.codegen.lanes import ELEMENTS, MOVED
from koubai.compiler.codegen.module import ERROR, WORKSPACE, module_of
from koubai.compiler.codegen.reductions import COMBINE
from koubai.compiler.interpret import interpret
from koubai.compiler.kernels import Fallback
from koubai.compiler.passes import optimize
from koubai.compiler.passes.fusion import ARGUMENTS, fuse
from koubai.compiler.passes.memory import LINE, plan_memory
from koubai.compiler.primitives import PRIMITIVES, Type
from koubai.compiler.program import Instruction, Program
from koubai.compiler.runtime import blas
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


def native_program(program: Program) -> NativeProgram | None:
    """Machine code for ``program``; None if a dtype in it is unknown to the code generator."""
    types = [*program.inputs, *(x.type for x in program.instructions)]
    if any(str(t.dtype) not in ELEMENTS for t in types):
        return None
    return NativeProgram(optimize(program))


class NativeProgram:
    """Machine code for ``program``."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.plan = fuse(program, is_native)
        self.memory = plan_memory(self.plan)
        self.module = module_of(self.plan, self.memory)
        names = [x for x in self.module.segments if isinstance(x, str)]
        imports = {
            name: blas.address(name)
            for name in ("sgemm", "dgemm")
            if f"call void @{name}(" in self.module.text
        }
        library = compile_text(self.module.text, names, imports)
        self.steps = [
            library.function(x, ctypes.c_void_p) if isinstance(x, str) else x
            for x in self.module.segments
        ]
        self.workspace = np.empty(self.memory.size + LINE, np.uint8)
        base = self.workspace.ctypes.data
        self.aligned = -base % LINE
        self.error = np.zeros(1, np.int64)
        self.table = np.zeros(2 + len(self.module.slots), np.intp)
        self.table[ERROR] = self.error.ctypes.data
        self.table[WORKSPACE] = base + self.aligned
        self.lock = threading.Lock()
        self.buffers: dict[int, Any] = {}
        for b, value in self.plan.constants.items():
            self._set(b, value)

    def _set(self, buffer: int, x: Any) -> None:
        if buffer in self.module.slots:
            self.buffers[buffer] = x
            self.table[self.module.slots[buffer]] = x.ctypes.data

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        """The outputs for ``inputs``, arrays of the program's input types."""
        with self.lock:
            for i, x in enumerate(inputs):
                self._set(i, np.asarray(x, order="C"))
            for b in self.plan.outputs:
                type_ = self.plan.types[b]
                self._set(b, np.empty(type_.shape, type_.dtype))
            self.error[0] = 0
            for step in self.steps:
                if isinstance(step, Fallback):
                    self._run_by_numpy(step)
                else:
                    step(self.table.ctypes.data)
                if self.error[0]:
                    return interpret(self.program, inputs)  # which says what is wrong
            return [self.buffers[b] for b in self.plan.outputs]

    def _run_by_numpy(self, step: Fallback) -> None:
        operands = []
        for x in step.operands:
            dtype = self.plan.types[x.buffer].dtype
            if x.buffer in self.module.slots:
                whole = self.buffers[x.buffer].reshape(-1)
            else:
                start = self.aligned + self.memory.offsets[x.buffer]
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
            start = self.aligned + self.memory.offsets[step.value]
            view = self.workspace[start : start + result.nbytes].view(result.dtype)
            view[:] = result.reshape(-1)
