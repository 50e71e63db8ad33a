"""The body of a loop, taken out of the program into which it was written.

What depends on a *parameter*, a value that differs from step to step, is the body. All else was
computed of what the steps have in common: it is computed once, before the loop. Views and constants
are repeated in the body, for they are no work there.

    %3 = parameter                     the body:  inputs %0: W, %1: h
    %4 = permute_dims %0                          %2 = permute_dims %0
    %5 = exp %1              stays                %3 = matmul %1 %2
    %6 = matmul %3 %4                             outputs %3
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from koubai.compiler.primitives import Type
from koubai.compiler.program import Instruction, Program, is_view


def parameter(program: Program, type_: Type) -> int:
    """A new value of ``type_`` that differs from step to step."""
    program.instructions.append(Instruction("parameter", (), {}, type_))
    return len(program.inputs) + len(program.instructions) - 1


def taken_out(
    program: Program,
    first: int,
    parameters: Sequence[int],
    outputs: Sequence[int],
    gone: set[int],
) -> tuple[Program, list[int]]:
    """The body that begins with value ``first``, and the values that it takes as constants.

    Args:
        parameters: its other inputs.
        outputs: what it computes.
        gone: to be told which values are no longer in ``program``.
    """
    n = len(program.inputs)
    depends = set(parameters)
    for value in range(first, n + len(program.instructions)):
        if value not in gone and not depends.isdisjoint(program.instructions[value - n].inputs):
            depends.add(value)
    own = sorted(depends - set(parameters))

    def is_repeated(value: int) -> bool:
        if value < n or value in depends:
            return False
        instruction = program.instructions[value - n]
        return instruction.op == "constant" or is_view(instruction)

    constants: dict[int, None] = {}
    repeated: set[int] = set()
    stack = [v for value in own for v in program.instructions[value - n].inputs]
    stack += outputs
    for value in stack:
        if is_repeated(value):
            if value not in repeated:
                repeated.add(value)
                stack += program.instructions[value - n].inputs  # looked at as well
        elif value not in depends:
            constants[value] = None
    values = {value: i for i, value in enumerate((*constants, *parameters))}
    body = Program([program.type_of(value) for value in values])
    for value in sorted({*own, *repeated}):
        old = program.instructions[value - n]
        values[value] = len(body.inputs) + len(body.instructions)
        body.instructions.append(replace(old, inputs=tuple(values[v] for v in old.inputs)))
    body.outputs = [values[value] for value in outputs]
    gone |= depends
    return body, list(constants)


def without_gone(program: Program, gone: Collection[int]) -> Program:
    """``program`` without the values that have gone, which nothing in it needs any more."""
    if not gone:
        return program
    n = len(program.inputs)
    values = {i: i for i in range(n)}
    new = Program(list(program.inputs))
    for i, old in enumerate(program.instructions):
        if n + i not in gone:
            values[n + i] = n + len(new.instructions)
            new.instructions.append(replace(old, inputs=tuple(values[v] for v in old.inputs)))
    new.outputs = [values[value] for value in program.outputs]
    return new
