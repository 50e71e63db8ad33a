"""The interpreter: runs an array program with NumPy, one instruction after the other.

It is the meaning of a program: what generated code is held against, and what runs where there is
no code generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from koubai.compiler.primitives import PRIMITIVES
from koubai.compiler.program import Program


def interpret(program: Program, inputs: Sequence[Any]) -> list[Any]:
    """The outputs of ``program`` for ``inputs``, NumPy arrays of the program's input types.

    A value is dropped after its last use, so memory peaks where eager execution's does.

    Raises:
        ValueError: an input of the wrong type, or what the program itself demands
            (``raise_unless``).
    """
    for i, (array, type_) in enumerate(zip(inputs, program.inputs, strict=True)):
        if array.dtype != type_.dtype or array.shape != type_.shape:
            raise ValueError(f"input %{i} must be {type_}, not {array.dtype}{list(array.shape)}")
    last_use: dict[int, int] = {}
    for i, instruction in enumerate(program.instructions):
        last_use.update(dict.fromkeys(instruction.inputs, i))
    for value in program.outputs:
        last_use[value] = len(program.instructions)

    values = dict(enumerate(inputs))
    for i, instruction in enumerate(program.instructions):
        run = PRIMITIVES[instruction.op].run
        # The same warnings as eager execution would give, of overflow for instance.
        result = run(*[values[v] for v in instruction.inputs], **instruction.params)
        values[len(inputs) + i] = np.asarray(result)
        for v in (*instruction.inputs, len(inputs) + i):
            if last_use.get(v, i) <= i:
                values.pop(v, None)
    return [values[v] for v in program.outputs]
