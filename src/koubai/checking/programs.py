"""NaN and Inf in the program of a compiled function: each instruction is looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from koubai.checking.finite import HINTS, NotFinite, culprit, explained, stops
from koubai.checking.numbers import is_finite
from koubai.compiler.primitives import ELEMENTWISE
from koubai.compiler.program import Program
from koubai.location import describe_location

Look = Callable[[int, Sequence[Any], Any], None]


def watched_program(program: Program, inputs: Sequence[Any]) -> Look:
    """What is to be called after each instruction, with its number, its inputs and its result."""
    needed = _needed(program)
    # Of each value that is not finite, where its NaN or Inf came in; NaN is never made here.
    origins = {i: f"input %{i} of the program" for i, x in enumerate(inputs) if not is_finite(x)}

    def look(number: int, given: Sequence[Any], result: Any) -> None:
        value = len(inputs) + number
        instruction = program.instructions[number]
        if value not in needed or is_finite(result):
            return
        if instruction.op == "constant":
            origins[value] = "a constant of the program"
            return
        source = culprit(result, given)
        origin = None if source is None else origins.get(instruction.inputs[source])
        if not stops(result, given):
            origins[value] = origin or "an Inf that was passed on"
            return
        labels = [f"%{v}" for v in instruction.inputs]
        *lines, _ = explained(
            instruction.op,
            result,
            list(zip(labels, given, strict=True)),
            instruction.op in ELEMENTWISE,
        )
        lines.append(f"in a compiled function: {program.lines()[number]}")
        if instruction.origin:
            name, called = instruction.origin
            lines.append(f"a part of {name}")
            if called is not None:
                lines[-1] += f", which was called at {describe_location(called)}"
        if instruction.location is not None:
            lines.append(f"at {describe_location(instruction.location)}")
        if origin is not None:
            lines.append(f"it came in with {origin}")
        name = instruction.op if instruction.origin is None else instruction.origin[0]
        if origin is None and (hint := HINTS.get(name.rpartition(" ")[2].lower())):
            lines.append(f"Try: {hint}")
        raise NotFinite("\n  ".join(lines))

    return look


def _needed(program: Program) -> set[int]:
    """The values that the outputs depend on: gradients of constants, for instance, are not."""
    needed = set(program.outputs)
    n = len(program.inputs)
    for i in range(len(program.instructions) - 1, -1, -1):
        if n + i in needed:
            needed.update(program.instructions[i].inputs)
    return needed
