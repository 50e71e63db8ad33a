"""One reading of a program, which writes another that computes the same.

From the first instruction to the last, each is handed to the rules with its operands replaced by
values of the new program. A rule may answer with a value of the new program that is equal, and may
write instructions to have one:

    old                              new
    %2 = negative %0                 %2 = negative %0
    %3 = subtract %1 %2              %3 = add %1 %0       # subtract's rule looked at %2

What a rule writes goes through the rules too, and operands come before what is made of them, so
nothing is left for a second reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from koubai.compiler.passes.sharing import newly_shared
from koubai.compiler.primitives import PRIMITIVES
from koubai.compiler.program import Instruction, Program, has_effect

Array = np.ndarray[Any, Any]


class Rewriter:
    """The new program while it is written.

    Attributes:
        program: what has been written so far.
        types: of all its values.
        sources: the instructions that compute them; None for inputs.
        constants: the numbers of the values that are known.
    """

    def __init__(self, old: Program, rules: Iterable[Rule]) -> None:
        self.program = Program(list(old.inputs))
        self.rules = tuple(rules)
        self.types = list(old.inputs)
        self.sources: list[Instruction | None] = [None] * len(old.inputs)
        self.constants: dict[int, Array] = {}
        self._singles: dict[int, Array | None] = {}

    def shape(self, value: int) -> tuple[int, ...]:
        return self.types[value].shape

    def source(self, value: int, op: str) -> Instruction | None:
        """The instruction that computes ``value``, if it is an ``op``."""
        source = self.sources[value]
        return source if source is not None and source.op == op else None

    def single(self, value: int) -> Array | None:
        """The number, 0-d, that all elements of a known value are, to the bit; None if they differ.

        None for what is not known, and for what has no elements.
        """
        x = self.constants.get(value)
        if x is None or not x.size:
            return None
        if not x.ndim:
            return x
        if value not in self._singles:
            first = x[(0,) * x.ndim]
            bits = x.tobytes()
            same = bits == bits[: x.itemsize] * x.size
            self._singles[value] = np.asarray(first) if same else None
        return self._singles[value]

    def emit(self, like: Instruction, op: str, *inputs: int, **params: Any) -> int:
        """The value of ``op``, in the place of the old instruction ``like``."""
        type_ = PRIMITIVES[op].infer(*[self.types[x] for x in inputs], **params)
        return self.add(Instruction(op, inputs, params, type_, like.location, like.origin))

    def constant(self, like: Instruction, value: Any, dtype: Any = None) -> int:
        """Known numbers."""
        x = np.array(value, dtype)
        x.flags.writeable = False  # it belongs to the program, and is used in every run
        return self.emit(like, "constant", value=x)

    def reshape(self, like: Instruction, x: int, shape: tuple[int, ...]) -> int:
        return x if self.shape(x) == shape else self.emit(like, "reshape", x, shape=shape)

    def broadcast_to(self, like: Instruction, x: int, shape: tuple[int, ...]) -> int:
        return x if self.shape(x) == shape else self.emit(like, "broadcast_to", x, shape=shape)

    def add(self, instruction: Instruction) -> int:
        """The value of ``instruction``, whose operands are of the new program, by the rules."""
        for rule in self.rules:
            value = rule(self, instruction)
            if value is not None:
                return value
        return self.append(instruction)

    def append(self, instruction: Instruction) -> int:
        """The value of ``instruction`` as it is."""
        number = len(self.types)
        self.program.instructions.append(instruction)
        self.types.append(instruction.type)
        self.sources.append(instruction)
        if instruction.op == "constant":
            self.constants[number] = instruction.params["value"]
        return number


Rule = Callable[[Rewriter, Instruction], "int | None"]


def rewrite(program: Program, rules: Iterable[Rule]) -> Program:
    """``program`` as the rules have it, without what nobody needs of the old one.

    An instruction that no rule knows stays. Results that have become one value are copied.
    """
    new = Rewriter(program, rules)
    needed, results = _needed(program), set(program.outputs)
    values = list(range(len(program.inputs)))
    for old in program.instructions:
        number = len(values)
        if number not in needed:
            values.append(-1)
            continue
        instruction = _with_inputs(old, tuple([values[v] for v in old.inputs]))
        # A result of x.copy() must lie in memory in the order of rows.
        if old.op == "copy" and number in results and old.params.get("order") == "C":
            values.append(new.append(instruction))
        else:
            values.append(new.add(instruction))
    new.program.outputs = [values[value] for value in program.outputs]
    for place in newly_shared(program, new.program):
        before, value = program.outputs[place], new.program.outputs[place]
        like = program.instructions[before - len(program.inputs)]
        copy = Instruction("copy", (value,), {}, like.type, like.location, like.origin)
        new.program.outputs[place] = new.append(copy)
    return new.program


def _needed(program: Program) -> set[int]:
    """The values that an output or an instruction with an effect is made of."""
    needed, number = set(program.outputs), len(program.inputs) + len(program.instructions)
    for instruction in reversed(program.instructions):
        number -= 1
        if number in needed or has_effect(instruction):
            needed.add(number)
            needed.update(instruction.inputs)
    return needed


def _with_inputs(instruction: Instruction, inputs: tuple[int, ...]) -> Instruction:
    """``instruction`` with other operands."""
    if inputs == instruction.inputs:
        return instruction
    # As dataclasses.replace, which takes five times as long; a program has thousands.
    new = object.__new__(Instruction)
    new.__dict__.update(instruction.__dict__, inputs=inputs)
    return new
