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

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from koubai.compiler.primitives import PRIMITIVES, Type
from koubai.compiler.program import Instruction, Program

Array = np.ndarray[Any, Any]

VIEWS = ("reshape", "permute_dims", "broadcast_to", "getitem", "raise_unless")
"""What may share memory with the first operand, where NumPy runs it."""


class Rewriter:
    """The new program while it is written.

    Attributes:
        program: what has been written so far.
        constants: the numbers of the values that are known.
        kept: the instructions of the old program that must keep an array of their own: copies in
            the order of rows that are results.
    """

    def __init__(self, old: Program, rules: Iterable[Rule]) -> None:
        self.program = Program(list(old.inputs))
        self.rules = tuple(rules)
        self.constants: dict[int, Array] = {}
        self._singles: dict[int, Array | None] = {}

    def type_of(self, value: int) -> Type:
        return self.program.type_of(value)

    def shape(self, value: int) -> tuple[int, ...]:
        return self.program.type_of(value).shape

    def source(self, value: int, op: str) -> Instruction | None:
        """The instruction that computes ``value``, if it is an ``op``."""
        i = value - len(self.program.inputs)
        if i < 0 or self.program.instructions[i].op != op:
            return None
        return self.program.instructions[i]

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
        type_ = PRIMITIVES[op].infer(*map(self.type_of, inputs), **params)
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
        number = len(self.program.inputs) + len(self.program.instructions)
        self.program.instructions.append(instruction)
        if instruction.op == "constant":
            self.constants[number] = instruction.params["value"]
        return number


Rule = Callable[[Rewriter, Instruction], "int | None"]


def rewrite(program: Program, rules: Iterable[Rule]) -> Program:
    """``program`` as the rules have it; of an instruction that none knows, the same."""
    new = Rewriter(program, rules)
    results = {value for value in program.outputs}
    values = list(range(len(program.inputs)))
    for instruction in program.instructions:
        in_rows = instruction.op == "copy" and instruction.params.get("order") == "C"
        instruction = with_inputs(instruction, values)
        # A result of x.copy() must lie in memory in the order of rows.
        stays = in_rows and len(values) in results
        values.append((new.append if stays else new.add)(instruction))
    new.program.outputs = [values[value] for value in program.outputs]
    _own_outputs(program, new)
    return new.program


def with_inputs(instruction: Instruction, values: Sequence[int]) -> Instruction:
    """``instruction`` with values[v] for each operand v; itself, where that is v."""
    inputs = tuple([values[v] for v in instruction.inputs])
    if inputs == instruction.inputs:
        return instruction
    i = instruction
    return Instruction(i.op, inputs, i.params, i.type, i.location, i.origin)


def _own_outputs(old: Program, new: Rewriter) -> None:
    """Results that were different arrays stay so: copies where they have become one value.

    ``return y, y.copy()`` returns two arrays, and the user may write into one.
    """
    outputs = new.program.outputs
    owners: dict[int, int] = {}  # by the root, which output it is
    for place, (before, value) in enumerate(zip(old.outputs, outputs, strict=True)):
        root = _root(new.program, value)
        first = owners.setdefault(root, place)
        is_input = root < len(old.inputs)
        if first == place and not is_input:
            continue
        # It may have been so in the old program.
        if _root(old, before) == (root if is_input else _root(old, old.outputs[first])):
            continue
        like = old.instructions[before - len(old.inputs)]
        type_ = new.type_of(value)
        copy = Instruction("copy", (value,), {}, type_, like.location, like.origin)
        outputs[place] = new.append(copy)


def _root(program: Program, value: int) -> int:
    """The value whose memory ``value`` may share."""
    n = len(program.inputs)
    while value >= n and program.instructions[value - n].op in VIEWS:
        value = program.instructions[value - n].inputs[0]
    return value
