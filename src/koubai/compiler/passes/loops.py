"""Loops: what a step need not do is not done there.

Three rewritings, in this order:

- What nobody needs goes: results, what is carried for them, operands.
- What two loops over the same steps compute is computed by the first, and kept in a stack. A loop
  and its derivative are such: the latter begins with the forward of a step, of the same numbers.
- A sum of products, one of each step, is one product of stacks, after the loop: the gradient of a
  recurrence's weights.

      loop: %5 = permute_dims %h           after it: one product of (length * rows) terms
            %6 = matmul %5 %gz             instead of a product of few rows in each step
            %7 = add %total %6
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from koubai.compiler.passes.common import key_of
from koubai.compiler.passes.dead import remove_dead
from koubai.compiler.passes.fusion import CHEAP
from koubai.compiler.primitives import PRIMITIVES, Type
from koubai.compiler.program import Instruction, Program, has_effect, is_view


def lighten(program: Program, optimize: Callable[[Program], Program]) -> Program:
    """``program`` with its loops rewritten, and their bodies by ``optimize``."""
    if not any(x.op == "loop" for x in program.instructions):
        return program
    program = _shared(trim(program))
    program = trim(_without_sums(trim(program)))
    new = Program(list(program.inputs), outputs=list(program.outputs))
    for old in program.instructions:
        if old.op == "loop":
            body = optimize(old.params["body"])
            new.instructions.append(replace(old, params={**old.params, "body": body}))
        else:
            new.instructions.append(old)
    return new


@dataclass
class _Loop:
    """A loop, taken apart: what is outside belongs to what is inside.

    Attributes:
        constants, carries, stacks: values outside, each with the body's input.
        carried, made: the body's outputs; of the first, those that are carried on.
    """

    value: int
    instruction: Instruction
    constants: list[tuple[int, int]] = field(default_factory=list)
    carries: list[tuple[int, int]] = field(default_factory=list)
    stacks: list[tuple[int, int]] = field(default_factory=list)
    carried: list[int] = field(default_factory=list)
    made: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, value: int, i: Instruction) -> _Loop:
        a, b = i.params["constants"], i.params["constants"] + i.params["carries"]
        pairs = list(zip(i.inputs, range(len(i.inputs)), strict=True))
        outputs = i.params["body"].outputs
        n = b - a
        return cls(value, i, pairs[:a], pairs[a:b], pairs[b:], outputs[:n], outputs[n:])

    @property
    def body(self) -> Program:
        body: Program = self.instruction.params["body"]
        return body

    @property
    def length(self) -> int:
        length: int = self.instruction.params["length"]
        return length

    def append(self, instruction: Instruction) -> int:
        """Let the body compute one more value."""
        body = replace(self.body, instructions=[*self.body.instructions, instruction])
        params = {**self.instruction.params, "body": body}
        self.instruction = replace(self.instruction, params=params)
        return len(body.inputs) + len(body.instructions) - 1

    def source(self, value: int) -> Instruction | None:
        """The instruction of the body that computes ``value``."""
        n = len(self.body.inputs)
        return self.body.instructions[value - n] if value >= n else None


def _loops(program: Program) -> dict[int, _Loop]:
    n = len(program.inputs)
    return {n + i: _Loop.of(n + i, x) for i, x in enumerate(program.instructions) if x.op == "loop"}


def _written(loop: _Loop, values: Callable[[int], int], more: Iterable[Type] = ()) -> Instruction:
    """The instruction of ``loop`` with the operands that it has now, of the new program.

    Args:
        values: from values of the old program to values of the new one.
        more: types of inputs of the body that are new: they have numbers after all others.
    """
    pairs = [*loop.constants, *loop.carries, *loop.stacks]
    body = _renumbered(loop.body, [y for _, y in pairs], [*loop.carried, *loop.made], more)
    params = {
        **loop.instruction.params,
        "body": body,
        "constants": len(loop.constants),
        "carries": len(loop.carries),
    }
    return replace(loop.instruction, inputs=tuple(values(x) for x, _ in pairs), params=params)


def _renumbered(
    body: Program, inputs: list[int], outputs: list[int], more: Iterable[Type]
) -> Program:
    """``body`` with these inputs and outputs, and what they need."""
    n = len(body.inputs)
    types = dict(enumerate(body.inputs))
    types |= {n + len(body.instructions) + i: t for i, t in enumerate(more)}
    values = {old: new for new, old in enumerate(inputs)}
    new = Program([types[old] for old in inputs])
    needed = _cone(body, outputs)
    for i, old in enumerate(body.instructions):
        if n + i in needed and n + i not in values:
            values[n + i] = len(new.inputs) + len(new.instructions)
            moved = replace(old, inputs=tuple(values[v] for v in old.inputs))
            new.instructions.append(moved)
    new.outputs = [values[v] for v in outputs]
    return new


def _cone(body: Program, outputs: Iterable[int], known: Iterable[int] = ()) -> set[int]:
    """What ``outputs``, and checks, are computed from; no further than what is ``known``."""
    n, known = len(body.inputs), set(known)
    needed = set(outputs)
    for i in reversed(range(len(body.instructions))):
        instruction = body.instructions[i]
        if n + i in known:
            continue
        if n + i in needed or has_effect(instruction):
            needed.add(n + i)
            needed.update(instruction.inputs)
    return needed


# What nobody needs.


def trim(program: Program, inside: bool = False) -> Program:
    """``program`` without what nobody needs of its loops; ``inside`` of them, too, if wanted."""
    n, loops = len(program.inputs), _loops(program)
    needed = set(program.outputs)
    parts: dict[int, set[int]] = {value: set() for value in loops}
    for i in reversed(range(len(program.instructions))):
        value, instruction = n + i, program.instructions[i]
        if value in loops:
            if parts[value] or has_effect(instruction):
                parts[value] = _keep(loops[value], parts[value])
                loop = loops[value]
                needed.update(x for x, _ in (*loop.constants, *loop.carries, *loop.stacks))
                needed.add(value)
        elif value in needed or has_effect(instruction):
            needed.update(instruction.inputs)
            if instruction.op == "part":
                parts[instruction.inputs[0]].add(instruction.params["index"])
    new = Program(list(program.inputs), outputs=list(program.outputs))
    for i, old in enumerate(program.instructions):
        if n + i in loops and n + i in needed:
            old = _typed(new, _written(loops[n + i], lambda x: x))
            if inside:
                body = trim(old.params["body"], inside)
                old = replace(old, params={**old.params, "body": body})
        elif old.op == "part" and n + i in needed:
            kept = sorted(parts[old.inputs[0]])
            old = replace(old, params={"index": kept.index(old.params["index"])})
        new.instructions.append(old)
    return remove_dead(new)


def _keep(loop: _Loop, wanted: set[int]) -> set[int]:
    """Drop from ``loop`` what the ``wanted`` parts do not need; the parts that remain."""
    outputs, n = [*loop.carried, *loop.made], len(loop.carried)
    kept = set(wanted)
    while True:
        needed = _cone(loop.body, [outputs[i] for i in kept])
        carries = {i for i, (_, y) in enumerate(loop.carries) if y in needed}
        if carries <= kept:
            break
        kept |= carries
    loop.constants = [(x, y) for x, y in loop.constants if y in needed]
    loop.stacks = [(x, y) for x, y in loop.stacks if y in needed]
    loop.carries = [pair for i, pair in enumerate(loop.carries) if i in kept]
    loop.carried = [y for i, y in enumerate(loop.carried) if i in kept]
    loop.made = [y for i, y in enumerate(loop.made) if n + i in kept]
    return kept


def _typed(program: Program, instruction: Instruction) -> Instruction:
    types = [program.type_of(x) for x in instruction.inputs]
    type_ = PRIMITIVES[instruction.op].infer(*types, **instruction.params)
    return replace(instruction, type=type_)


class _Writer:
    """A new program, written in the order of an old one."""

    def __init__(self, old: Program) -> None:
        self.old, self.new = old, Program(list(old.inputs))
        self.values = {i: i for i in range(len(old.inputs))}

    def emit(self, like: Instruction, op: str, *inputs: int, **params: Any) -> int:
        """Append an instruction on values of the new program."""
        return self.append(replace(like, op=op, inputs=inputs, params=params))

    def append(self, instruction: Instruction) -> int:
        self.new.instructions.append(_typed(self.new, instruction))
        return len(self.new.inputs) + len(self.new.instructions) - 1

    def copy(self, value: int) -> None:
        """Append the instruction of the old program that computes ``value``."""
        old = self.old.instructions[value - len(self.old.inputs)]
        self.values[value] = self.append(
            replace(old, inputs=tuple(self.values[x] for x in old.inputs))
        )

    def finish(self) -> Program:
        self.new.outputs = [self.values[x] for x in self.old.outputs]
        return self.new


# What two loops compute.


def _shared(program: Program) -> Program:
    """Let each loop keep what one after it would compute again."""
    loops = _loops(program)
    stacked: dict[int, dict[int, int]] = {}  # of loops and values in them, which result
    taken: dict[int, list[tuple[int, int, int]]] = {}  # of loops: their value, whose, which there
    for later in loops.values():
        for earlier in loops.values():
            if earlier.value >= later.value or earlier.length != later.length:
                continue
            same = _same(program, earlier, later)
            frontier = _frontier(later, same)
            if later.value in taken or not frontier:
                continue
            results = stacked.setdefault(
                earlier.value, {y: i for i, y in reversed(list(enumerate(earlier.made)))}
            )
            for value in frontier:
                if same[value] not in results:
                    results[same[value]] = len(earlier.made)
                    earlier.made.append(same[value])
            taken[later.value] = [(v, earlier.value, same[v]) for v in frontier]
    if not taken:
        return program
    writer = _Writer(program)
    for i, old in enumerate(program.instructions):
        value = len(program.inputs) + i
        if value not in loops:
            writer.copy(value)
            continue
        loop, more = loops[value], list[Type]()
        end = len(loop.body.inputs) + len(loop.body.instructions)
        for own, other, there in taken.get(value, ()):
            index = len(loops[other].carried) + stacked[other][there]
            stack = writer.emit(old, "part", writer.values[other], index=index)
            # Below 0, for it is a value of the new program, and all others are of the old one.
            loop.stacks.append((-1 - stack, end + len(more)))
            more.append(loop.body.type_of(own))
        mine = {own: end + k for k, (own, _, _) in enumerate(taken.get(value, ()))}
        if mine:
            loop = _reading(loop, mine)
        instruction = _written(loop, lambda x: -1 - x if x < 0 else writer.values[x], more)
        writer.values[value] = writer.append(instruction)
    return writer.finish()


def _reading(loop: _Loop, inputs: dict[int, int]) -> _Loop:
    """``loop``, whose body reads new inputs instead of computing some of its values."""
    body = loop.body
    moved = Program(
        body.inputs,
        [replace(x, inputs=tuple(inputs.get(v, v) for v in x.inputs)) for x in body.instructions],
    )
    instruction = replace(loop.instruction, params={**loop.instruction.params, "body": moved})
    return replace(
        loop,
        instruction=instruction,
        carried=[inputs.get(y, y) for y in loop.carried],
        made=[inputs.get(y, y) for y in loop.made],
    )


def _same(program: Program, earlier: _Loop, later: _Loop) -> dict[int, int]:
    """Of the later loop's values, those of the earlier one that are equal in each step."""
    n = len(program.inputs)
    outside = dict(earlier.constants)
    elements = dict(earlier.stacks)
    same = {y: outside[x] for x, y in later.constants if x in outside}
    for x, y in later.stacks:
        source = program.instructions[x - n] if x >= n else None
        if x in elements:
            same[y] = elements[x]
        elif source is not None and source.op == "part" and source.inputs == (earlier.value,):
            index = source.params["index"] - len(earlier.carried)
            if index >= 0:
                same[y] = earlier.made[index]
    known: dict[Any, int] = {}
    for i, instruction in enumerate(earlier.body.instructions):
        known.setdefault(key_of(instruction), len(earlier.body.inputs) + i)
    for i, instruction in enumerate(later.body.instructions):
        if all(v in same for v in instruction.inputs):
            moved = replace(instruction, inputs=tuple(same[v] for v in instruction.inputs))
            found = known.get(key_of(moved))
            if found is None and moved.op == "part":  # of an inner loop, which both have
                found = known[key_of(moved)] = earlier.append(moved)
            if found is not None:
                same[len(later.body.inputs) + i] = found
    return same


def _frontier(loop: _Loop, same: dict[int, int]) -> list[int]:
    """The values in ``same`` that the rest of ``loop`` needs, if it is worth to keep them."""
    n, body = len(loop.body.inputs), loop.body
    needed, found = set(loop.carried) | set(loop.made), set[int]()
    for i in reversed(range(len(body.instructions))):
        value, instruction = n + i, body.instructions[i]
        if value not in needed and not has_effect(instruction):
            continue
        is_kept = instruction.op not in ("constant", "copy", "loop") and not is_view(instruction)
        if value in same and is_kept:
            found.add(value)
        else:
            needed.update(instruction.inputs)
    # Is anything dear among what need not be computed then?
    spared, is_dear = set(found), False
    for i in reversed(range(len(body.instructions))):
        if n + i in spared:
            is_dear = is_dear or body.instructions[i].op not in CHEAP
            spared.update(body.instructions[i].inputs)
    return sorted(found) if is_dear else []


# Sums of products.


@dataclass(frozen=True)
class _Sum:
    """What carry number ``carry`` adds up: the products x.T @ y of each step."""

    carry: int
    x: int
    y: int


def _without_sums(program: Program) -> Program:
    """Sums of the products of all steps as one product."""
    loops = _loops(program)
    sums = {value: _sums(loop) for value, loop in loops.items()}
    if not any(sums.values()):
        return program
    n, writer = len(program.inputs), _Writer(program)
    totals: dict[tuple[int, int], int] = {}  # of a loop and a part, the value in its place
    indices: dict[tuple[int, int], int] = {}
    for i, old in enumerate(program.instructions):
        value = n + i
        if value in loops:
            _write_sums(writer, loops[value], sums[value], totals, indices)
        elif old.op == "part" and old.inputs[0] in loops:
            part = old.inputs[0], old.params["index"]
            if part in totals:
                writer.values[value] = totals[part]
            else:
                bundle = writer.values[old.inputs[0]]
                writer.values[value] = writer.emit(old, "part", bundle, index=indices[part])
        else:
            writer.copy(value)
    return writer.finish()


def _sums(loop: _Loop) -> list[_Sum]:
    found = []
    uses: dict[int, int] = {}
    for v in (*(v for x in loop.body.instructions for v in x.inputs), *loop.body.outputs):
        uses[v] = uses.get(v, 0) + 1
    for k, (_, own) in enumerate(loop.carries):
        at = _behind(loop, loop.carried[k], uses)
        total = loop.source(at)
        if uses.get(own) != 1 or total is None or total.op != "add" or own not in total.inputs:
            continue
        if uses[at] != 1:
            continue
        (other,) = [v for v in total.inputs if v != own] or [own]
        product = loop.source(_behind(loop, other, uses))
        if product is None or product.op != "matmul" or product.type != total.type:
            continue
        x, y = product.inputs
        turned = loop.source(x)
        if turned is None or turned.op != "permute_dims" or turned.params["axes"] != (1, 0):
            continue
        if product.type.dtype.kind == "f" and len(loop.body.type_of(y).shape) == 2:
            found.append(_Sum(k, turned.inputs[0], y))
    return found


def _behind(loop: _Loop, value: int, uses: Mapping[int, int]) -> int:
    """What ``value`` is a copy of, in the same shape, and what nobody else uses."""
    while uses[value] == 1 and (x := loop.source(value)) is not None:
        is_same = x.op in ("copy", "reshape") or (x.op == "sum" and not x.params["axis"])
        if not is_same or x.type != loop.body.type_of(x.inputs[0]):
            break
        value = x.inputs[0]
    return value


def _write_sums(
    writer: _Writer,
    loop: _Loop,
    sums: list[_Sum],
    totals: dict[tuple[int, int], int],
    indices: dict[tuple[int, int], int],
) -> None:
    """The loop without ``sums``, and these after it."""
    old, n = loop.instruction, len(loop.carried)
    dropped = {s.carry for s in sums}
    firsts = {s.carry: loop.carries[s.carry][0] for s in sums}
    elements = {y: x for x, y in loop.stacks}
    made = list(loop.made)
    for v in (v for s in sums for v in (s.x, s.y)):
        if v not in elements and v not in made:
            made.append(v)
    kept = [k for k in range(n) if k not in dropped]
    indices |= {(loop.value, k): i for i, k in enumerate(kept)}
    indices |= {(loop.value, n + i): len(kept) + i for i in range(len(loop.made))}
    new = replace(
        loop,
        carries=[loop.carries[k] for k in kept],
        carried=[loop.carried[k] for k in kept],
        made=made,
    )
    bundle = writer.append(_written(new, writer.values.__getitem__))
    writer.values[loop.value] = bundle

    def rows(v: int) -> int:
        """The stack of the body's value ``v``, as one matrix."""
        if v in elements:
            stack = writer.values[elements[v]]
        else:
            stack = writer.emit(old, "part", bundle, index=len(kept) + made.index(v))
        m, *rest = loop.body.type_of(v).shape
        return writer.emit(old, "reshape", stack, shape=(loop.length * m, *rest))

    for s in sums:
        turned = writer.emit(old, "permute_dims", rows(s.x), axes=(1, 0))
        product = writer.emit(old, "matmul", turned, rows(s.y))
        first = writer.values[firsts[s.carry]]
        totals[loop.value, s.carry] = writer.emit(old, "add", _uniform(writer, first), product)


def _uniform(writer: _Writer, value: int) -> int:
    """``value``, or the one number that it consists of."""
    i = value - len(writer.new.inputs)
    source = writer.new.instructions[i] if i >= 0 else None
    if source is not None and source.op == "constant":
        x = source.params["value"]
        if x.size and x.tobytes() == x.flat[0].tobytes() * x.size:
            number = np.array(x.flat[0])
            number.flags.writeable = False
            return writer.emit(source, "constant", value=number)
    return value
