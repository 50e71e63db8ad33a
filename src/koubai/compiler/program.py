"""The array program: what a compiled function does, as a list of primitive operations.

Typed, with static shapes, in single-assignment form: value 0 to n-1 are the inputs, and each
instruction computes one value more. It prints as text, one line an instruction:

    inputs %0: float32[2, 3], %1: float32[3]
    %2 = add %0 %1 : float32[2, 3]                  # net.py:7
    %3 = sum %2 axis=(0, 1) : float32[]             # net.py:8
    outputs %3

A loop is one instruction, with a program of its own for each step, its body: constants, which are
the same in each step, then what is carried from step to step, then one element of each stack. The
body's outputs are what is carried on, and one element of each stack that the loop makes.

    %2 = loop %0 %1 body=below constants=0 carries=1 length=5 ... : (float32[], float32[5])
        inputs %0: float32[], %1: float32[]         # running sums of %1
        %2 = add %0 %1 : float32[]
        outputs %2 %2
    %3 = part %2 index=1 : float32[5]

``verify`` holds a program against the primitives' own rules, after every pass that changes one.
"""

from __future__ import annotations

import hashlib
import textwrap
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from koubai.compiler.primitives import OPERAND, PRIMITIVES, Type
from koubai.location import Location, describe_location


@dataclass(frozen=True)
class Instruction:
    """One primitive applied to earlier values.

    Attributes:
        op: its name in ``PRIMITIVES``.
        inputs: the numbers of the values it is applied to.
        params: what else it needs, known when the program is made.
        type: dtype and shape of the value it computes.
        location: the user's line, for messages.
        origin: the function that it is a part of, for messages too: what to call it, and the line
            that called it, if it is another.
    """

    op: str
    inputs: tuple[int, ...]
    params: dict[str, Any]
    type: Type
    location: Location | None = field(default=None, compare=False)
    origin: tuple[str, Location | None] | None = field(default=None, compare=False)


@dataclass
class Program:
    """Inputs, instructions, and which values are the results."""

    inputs: list[Type]
    instructions: list[Instruction] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)

    def type_of(self, value: int) -> Type:
        n = len(self.inputs)
        return self.inputs[value] if value < n else self.instructions[value - n].type

    def lines(self, locations: bool = False) -> list[str]:
        """The text of each instruction, with the user's line on request."""
        return [
            _line(len(self.inputs) + i, instruction, locations)
            for i, instruction in enumerate(self.instructions)
        ]

    def text(self, locations: bool = False) -> str:
        """The whole program; two programs with equal texts compute the same."""
        inputs = ", ".join(f"%{i}: {type_}" for i, type_ in enumerate(self.inputs))
        outputs = " ".join(f"%{value}" for value in self.outputs)
        return "\n".join([f"inputs {inputs}", *self.lines(locations), f"outputs {outputs}"])

    def __str__(self) -> str:
        return self.text()


def _line(value: int, instruction: Instruction, location: bool) -> str:
    words = [instruction.op, *(f"%{i}" for i in instruction.inputs)]
    words += [f"{name}={_param(param)}" for name, param in instruction.params.items()]
    line = f"%{value} = {' '.join(words)} : {instruction.type}"
    if location and instruction.location is not None:
        line = f"{line:60}  # {describe_location(instruction.location)}"
    if (body := instruction.params.get("body")) is not None:
        inside = textwrap.indent(body.text(location), "    ")
        line = f"{line}\n{inside}"
    return line


def _param(param: Any) -> str:
    if isinstance(param, Program):
        return "below"
    if isinstance(param, np.ndarray):
        if param.size == 1:
            return repr(param.item())
        return digest(param)
    return repr(param) if isinstance(param, str) else str(param)


def digest(array: np.ndarray[Any, Any]) -> str:
    """A short text for the numbers in ``array``: equal texts are equal numbers."""
    return f"<{hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]}>"


def is_view(instruction: Instruction) -> bool:
    """Whether it only looks at its operand in another way."""
    if instruction.op == "getitem":
        return OPERAND not in instruction.params["index"]
    return instruction.op in ("permute_dims", "broadcast_to", "reshape")


def has_effect(instruction: Instruction) -> bool:
    """Whether it may stop the program, and so is needed though nobody uses its value."""
    if instruction.op == "loop":
        return any(has_effect(x) for x in instruction.params["body"].instructions)
    return instruction.op == "raise_unless"


def verify(program: Program) -> None:
    """Check that every value is defined before its use, and has the type that its primitive gives.

    Raises:
        ValueError: naming the first instruction that is wrong.
    """
    n = len(program.inputs)
    for i, instruction in enumerate(program.instructions):
        if wrong := _fault(program, n + i, instruction):
            raise ValueError(f"{wrong}: {_line(n + i, instruction, location=True)}")
    for value in program.outputs:
        if not 0 <= value < n + len(program.instructions):
            raise ValueError(f"no such value among the outputs: %{value}")


def _fault(program: Program, number: int, instruction: Instruction) -> str:
    """What is wrong with the instruction that computes value ``number``; empty if nothing is."""
    if instruction.op not in PRIMITIVES:
        return "no such primitive"
    if any(not 0 <= value < number for value in instruction.inputs):
        return "a value is used before it is computed"
    types = [program.type_of(value) for value in instruction.inputs]
    try:
        if (body := instruction.params.get("body")) is not None:
            verify(body)
        expected = PRIMITIVES[instruction.op].infer(*types, **instruction.params)
    except (ValueError, TypeError, IndexError) as error:
        return str(error)
    return "" if expected == instruction.type else f"the type should be {expected}"
