"""The interpreter: runs an array program with NumPy, one instruction after the other.

It is the meaning of a program: what generated code is held against, and what runs where native code
can't (a dtype that it has none for, ``koubai.watch``) or has stopped, to say what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from koubai.compiler.primitives import PRIMITIVES
from koubai.compiler.program import Instruction, Program
from koubai.location import describe_location

Observer = Callable[[Program, Sequence[Any]], Callable[[int, Sequence[Any], Any], None]]
observer: ContextVar[Observer | None] = ContextVar("observer", default=None)
"""Given a program and its inputs: what to call with the number, the inputs and the result of each
instruction. While there is one, programs must run here, whatever else could run them."""


def interpret(program: Program, inputs: Sequence[Any]) -> list[Any]:
    """The outputs of ``program`` for ``inputs``, NumPy arrays of the program's input types.

    A Python float stands for a 0-d float64 array.
    A value is dropped after its last use, so memory peaks where eager execution's does.

    Raises:
        ValueError: an input of the wrong type, or what the program itself demands
            (``raise_unless``); what else NumPy raises, an IndexError for instance. All with the
            user's line.
    """
    inputs = [np.float64(x) if type(x) is float else x for x in inputs]
    for i, (array, type_) in enumerate(zip(inputs, program.inputs, strict=True)):
        if array.dtype != type_.dtype or array.shape != type_.shape:
            raise ValueError(f"input %{i} must be {type_}, not {array.dtype}{list(array.shape)}")
    last_use: dict[int, int] = {}
    for i, instruction in enumerate(program.instructions):
        last_use.update(dict.fromkeys(instruction.inputs, i))
    for value in program.outputs:
        last_use[value] = len(program.instructions)

    observe = observer.get()
    look = None if observe is None else observe(program, inputs)
    values: dict[int, Any] = {i: np.asarray(x) for i, x in enumerate(inputs)}
    for i, instruction in enumerate(program.instructions):
        run = PRIMITIVES[instruction.op].run
        try:
            # The same warnings as eager execution would give, of overflow for instance.
            result = run(*[values[v] for v in instruction.inputs], **instruction.params)
        except (ValueError, TypeError, IndexError) as error:
            raise _at_users_line(error, instruction) from error
        if look is not None and not isinstance(result, tuple):
            look(i, [values[v] for v in instruction.inputs], result)
        values[len(inputs) + i] = result if isinstance(result, tuple) else np.asarray(result)
        for v in (*instruction.inputs, len(inputs) + i):
            if last_use.get(v, i) <= i:
                values.pop(v, None)
    return [values[v] for v in program.outputs]


def _at_users_line(error: Exception, instruction: Instruction) -> Exception:
    """``error``, of the same built-in kind, with the line that the instruction comes from."""
    kind = next(k for k in (ValueError, TypeError, IndexError) if isinstance(error, k))
    if instruction.op == "loop" or not instruction.location:  # a line in its body is told already
        return kind(str(error))
    return kind(f"{error}\n  at {describe_location(instruction.location)}")
