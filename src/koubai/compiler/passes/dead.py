"""Dead code: instructions whose values nobody uses go.

A step computes much of that kind: gradients for inputs that are not asked for, what a second
derivative would need.

``raise_unless`` stays, for it is there for its effect. What a primitive may raise besides, an index
out of bounds say, is no effect: where nobody uses the result, nobody hears of it.
"""

from __future__ import annotations

from koubai.compiler.passes.rewrite import with_inputs
from koubai.compiler.program import Program


def remove_dead(program: Program) -> Program:
    """``program`` without the instructions that no output and no ``raise_unless`` needs."""
    n = len(program.inputs)
    used = set(program.outputs)
    for i in range(len(program.instructions) - 1, -1, -1):
        instruction = program.instructions[i]
        if n + i in used or instruction.op == "raise_unless":
            used.add(n + i)
            used.update(instruction.inputs)
    new = Program(list(program.inputs))
    values = list(range(n))
    for instruction in program.instructions:
        value = len(values)
        values.append(n + len(new.instructions))
        if value in used:
            new.instructions.append(with_inputs(instruction, values))
    new.outputs = [values[value] for value in program.outputs]
    return new
