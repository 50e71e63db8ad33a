"""What NumPy runs in the middle of a program, on views of the program's memory.

Most views are of the workspace, and are made once; those of inputs and outputs are made in each
call, unless it is the whole array that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from koubai.compiler.kernels import Fallback, Loop
from koubai.compiler.layout import Layout, whole
from koubai.compiler.passes.fusion import Plan
from koubai.compiler.passes.memory import Memory
from koubai.compiler.primitives import PRIMITIVES

Run = Callable[[list[Any], list[Any]], None]
"""A part of a program, on the inputs and the outputs of a call, whose addresses are known."""
View = Callable[[list[Any], list[Any]], Any]
"""An array, of those of a call."""


@dataclass
class Views:
    """Layouts as arrays.

    Attributes:
        workspace: bytes, from the first that ``memory`` speaks of.
        scalars: inputs that are Python floats or NumPy's scalars.
    """

    plan: Plan
    memory: Memory
    workspace: Any
    scalars: Collection[int]

    def of(self, x: Layout) -> View:
        b, type_ = x.buffer, self.plan.types[x.buffer]
        if b in self.memory.offsets:
            fixed = self._made(x, self.workspace, self.memory.offsets[b])
            return lambda inputs, outputs: fixed
        if b in self.plan.constants:
            known = self._made(x, self.plan.constants[b])
            return lambda inputs, outputs: known
        is_whole = x == whole(b, type_.shape)
        if b in self.plan.outputs:
            k = self.plan.outputs.index(b)
            return lambda inputs, outputs: outputs[k] if is_whole else self._made(x, outputs[k])
        if b in self.scalars:
            return lambda inputs, outputs: self._made(x, np.asarray(inputs[b], type_.dtype))
        return lambda inputs, outputs: inputs[b] if is_whole else self._made(x, inputs[b])

    def _made(self, x: Layout, memory: Any, start: int = 0) -> Any:
        dtype = self.plan.types[x.buffer].dtype
        if 0 in x.shape:  # it may begin after the end
            return np.empty(x.shape, dtype)
        strides = [step * dtype.itemsize for step in x.strides]
        return np.ndarray(x.shape, dtype, memory, start + x.offset * dtype.itemsize, strides)


def by_numpy(step: Fallback | Loop, views: Views) -> Run:
    """``step`` with what it needs in a call looked up before."""
    function, params = PRIMITIVES[step.instruction.op].run, step.instruction.params
    operands = [views.of(x) for x in step.operands]
    # Of the instruction's shape: a program may give an output another.
    made = {step.value: step.instruction.type}
    if isinstance(step, Loop):
        made = {b: views.plan.types[b] for b in step.results}
    results = [views.of(whole(b, type_.shape)) for b, type_ in made.items()]

    def run(inputs: list[Any], outputs: list[Any]) -> None:
        arrays = [view(inputs, outputs) for view in operands]
        values = function(*arrays, **params)
        all_values = values if isinstance(step, Loop) else (values,)
        for result, value in zip(results, all_values, strict=True):
            result(inputs, outputs)[...] = value

    return run
