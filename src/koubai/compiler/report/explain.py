"""What a compiled program consists of, and why: the facts, for programs; text.py writes them down.

step.explain(x, t)
├─ inputs    where each was found, and whether the program puts a new array in its place
├─ kernels   in order: loops, the instructions in each by user line, what is stored, why apart
└─ memory    of what lies between kernels, and of what never does
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from koubai.compiler.codegen.lanes import ELEMENTS
from koubai.compiler.compiled import Compiled
from koubai.compiler.kernels import (
    Access,
    Check,
    Draw,
    Fallback,
    Kernel,
    Loop,
    Nest,
    Product,
    Scan,
    Sort,
    read,
    written,
)
from koubai.compiler.passes.fusion import Plan
from koubai.compiler.passes.memory import LINE, bytes_of
from koubai.compiler.primitives import Type
from koubai.compiler.program import Instruction, Program
from koubai.compiler.report.plan import loops
from koubai.compiler.runtime.code import Code
from koubai.compiler.trace.results import Constant, Output
from koubai.location import file_and_line

PARTS = ("concat", "setitem", "scatter_add")
"""What is written by several nests, each into a part of one buffer."""

KINDS: dict[type[Kernel], tuple[str, str]] = {
    Nest: ("nest", "a loop nest"),
    Product: ("product", "a product"),
    Scan: ("scan", "a running sum"),
    Draw: ("draw", "random numbers"),
    Loop: ("loop", "a loop"),
    Sort: ("sort", "a sort"),
    Check: ("check", "a check"),
    Fallback: ("numpy", "what NumPy runs"),
}


@dataclass(frozen=True)
class Input:
    """An array that the program reads.

    Attributes:
        number: of its value in the program.
        path: a place where it was found: ``model.W1.data``.
        type: its dtype and shape.
        state: what becomes of it: "in place", the program writes its new numbers into the array
            where nobody else holds that; "replaced", by a new array; "written", the function
            writes into the array itself, and so does each call; "" if it stays.
    """

    number: int
    path: str
    type: Type
    state: str


@dataclass(frozen=True)
class Line:
    """The instructions of a kernel that come from one line of your code.

    Attributes:
        place: ``net.py:12``; empty if it is not known.
        function: the function of the graph that they are a part of: "Relu", "the backward of Relu".
        ops: what they are, in order.
    """

    place: str
    function: str
    ops: tuple[str, ...]


@dataclass(frozen=True)
class Stored:
    """A value that a kernel writes to memory.

    Attributes:
        value: its number in the program; copies that were added have higher ones.
        type: its dtype and shape.
        bytes: the size of what the kernel writes; a part, where several write one value.
        to: where it goes: "workspace"; the path of the input whose place it takes; what else the
            function assigns, "assigned as grad"; "result", what it returns.
    """

    value: int
    type: Type
    bytes: int
    to: str


@dataclass
class KernelInfo:
    """One kernel.

    Attributes:
        number: its place in the order.
        kind: "nest", "product", "scan" (running sums), "draw" (random numbers), "sort", "check",
            "loop", "numpy".
        loops: what it goes over: "100 x 10", "(100, 784) @ (784, 50)".
        domain: of a nest, the lengths of its loops.
        split: of a nest, how many of them go over rows; None if rows are no unit to it.
        instructions: what it computes, by value.
        lines: the same, by the lines of your code.
        stored: what it writes to memory.
        why: why it is a kernel of its own, in sentences.
        flops: of a product.
        moved: bytes that it reads from memory and writes to it, each once.
        seconds: the time that it takes, after a profile.
        inside: of a loop, the kernels of a step.
    """

    number: int
    kind: str
    loops: str
    domain: tuple[int, ...]
    split: int | None
    instructions: dict[int, Instruction]
    lines: list[Line]
    stored: list[Stored]
    why: list[str]
    flops: int
    moved: int
    seconds: float | None = None
    inside: list[KernelInfo] = field(default_factory=list)


@dataclass
class Memory:
    """Bytes.

    Attributes:
        workspace: for all that lies between kernels; it is made once, and used by every call.
        unshared: what that would take if no value made room for another.
        never: of values that are computed and used within a kernel, and never reach memory.
    """

    workspace: int = 0
    unshared: int = 0
    never: int = 0


@dataclass(repr=False)
class Explanation:
    """What ``step.explain()`` gives; ``print`` shows it as text, ``text(width)`` returns it.

    Attributes:
        name: of the function.
        inputs: the arrays in its world that it reads.
        traced: how many instructions the function's run gave.
        live: how many the passes left.
        free: of these, the values that take no work: views, and constants.
        kernels: in the order in which they run.
        memory: what lies between them.
        interpreted: why NumPy runs the whole program; "" if it does not.
        phases: how many times threads must wait for each other, if they share the work.
        chunks: into how many pieces kernels are cut for them; 1 if that is not worth it.
        one_call: whether Python calls native code once, which runs all kernels.
        seconds: the time of all kernels, one after the other, after a profile.
    """

    name: str
    inputs: list[Input]
    traced: int
    live: int
    free: list[int] = field(default_factory=list)
    kernels: list[KernelInfo] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)
    interpreted: str = ""
    phases: int = 1
    chunks: int = 1
    one_call: bool = False
    seconds: float | None = None

    def text(self, width: int | None = None) -> str:
        """The explanation, in lines of at most ``width``; by default, the terminal's."""
        from koubai.compiler.report.text import explanation_text

        return explanation_text(self, width)

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def __rich__(self) -> Any:
        from koubai.compiler.report.text import rendered

        return rendered(self)


def explanation(compiled: Compiled, name: str) -> Explanation:
    """The facts about ``compiled``, the program of the function ``name``."""
    native = compiled.native
    if native is None:
        return Explanation(
            name,
            _inputs(compiled, compiled.program, {}),
            len(compiled.program.instructions),
            len(compiled.program.instructions),
            interpreted=f"there is no native code for {', '.join(_unknown(compiled.program))}",
        )
    plan, program = native.plan, native.program
    places = dict.fromkeys(plan.outputs, "result")
    for _, key, recipe in compiled.results.assigned:
        if isinstance(recipe, Output) and isinstance(key, Constant):
            places[plan.outputs[recipe.number]] = f"assigned as {str(key.value).strip('_')}"
    for i, number in (*compiled.results.state, *compiled.results.written):
        places[plan.outputs[number]] = compiled.paths[i]
    kernels = [_kernel(native.code, k, places) for k in range(len(plan.kernels))]
    computed = {value for kernel in kernels for value in kernel.instructions}
    n = len(program.inputs)
    values = range(n, n + len(program.instructions))
    return Explanation(
        name,
        _inputs(compiled, program, native.replaced),
        len(compiled.program.instructions),
        len(program.instructions),
        [value for value in values if value not in computed],
        kernels,
        _memory(native.code),
        phases=len(native.schedule.phases),
        chunks=max(map(len, native.schedule.phases), default=1),
        one_call=not native.later,
    )


def _unknown(program: Program) -> list[str]:
    types = [*program.inputs, *(x.type for x in program.instructions)]
    return sorted({str(t.dtype) for t in types} - set(ELEMENTS))


def _inputs(compiled: Compiled, program: Program, replaced: dict[int, int]) -> list[Input]:
    results = compiled.results
    used = {v for instruction in program.instructions for v in instruction.inputs}
    used |= {*program.outputs, *(i for i, _ in results.state)}
    states = {i: "in place" if number in replaced else "replaced" for i, number in results.state}
    states |= {i: "written" for i, _ in results.written}
    return [
        Input(i, compiled.paths[i], type_, states.get(i, ""))
        for i, type_ in enumerate(program.inputs)
        if i in used or i in states
    ]


def _kernel(code: Code, k: int, places: dict[int, str]) -> KernelInfo:
    plan = code.plan
    kernel = plan.kernels[k]
    domain, split = (kernel.domain, kernel.split) if isinstance(kernel, Nest) else ((), None)
    instructions = dict(_instructions(plan, kernel))
    return KernelInfo(
        number=k,
        kind=KINDS[type(kernel)][0],
        loops=loops(kernel),
        domain=domain,
        split=split,
        instructions=instructions,
        lines=_lines(instructions),
        stored=_stored(plan, kernel, places),
        why=_why(plan, k),
        flops=2 * math.prod((*kernel.out.shape, kernel.a.shape[-1]))
        if isinstance(kernel, Product)
        else 0,
        moved=_moved(plan, kernel),
        inside=_inside(code.bodies[kernel.value]) if isinstance(kernel, Loop) else [],
    )


def _inside(body: Code) -> list[KernelInfo]:
    """The kernels of a step of a loop."""
    places = dict.fromkeys(body.plan.outputs, "next step, or result")
    return [_kernel(body, k, places) for k in range(len(body.plan.kernels))]


def _instructions(plan: Plan, kernel: Kernel) -> Iterator[tuple[int, Instruction]]:
    """The program's own instructions where it has them: a part that is written is a copy here."""
    n, program = len(plan.program.inputs), plan.program
    if isinstance(kernel, Product):
        yield from ((value, program.instructions[value - n]) for value in kernel.before)
    if not isinstance(kernel, Nest):
        yield kernel.value, kernel.instruction
        return
    for value, node in kernel.nodes.items():
        own = n <= value < n + len(program.instructions)
        yield value, program.instructions[value - n] if own else node.instruction


def _lines(instructions: dict[int, Instruction]) -> list[Line]:
    found: dict[tuple[str, str], list[str]] = {}
    for instruction in instructions.values():
        function, called = instruction.origin or ("", None)
        location = called or instruction.location
        place = file_and_line(location) if location else ""
        found.setdefault((place, function), []).append(instruction.op)
    return [Line(place, function, tuple(ops)) for (place, function), ops in found.items()]


def _stored(plan: Plan, kernel: Kernel, places: dict[int, str]) -> list[Stored]:
    if isinstance(kernel, Check):
        return []
    if isinstance(kernel, Loop):
        values = kernel.results
    else:
        values = sorted(kernel.stored) if isinstance(kernel, Nest) else [kernel.value]
    found = []
    for value in values:
        type_, size = plan.types[value], bytes_of(plan, value)
        if isinstance(kernel, Nest) and kernel.nodes[value].through is None:  # it may be a part
            size = type_.dtype.itemsize * _elements(kernel, kernel.nodes[value].store)
        found.append(Stored(value, type_, size, places.get(value, "workspace")))
    return found


def _why(plan: Plan, k: int) -> list[str]:
    """Why kernel ``k`` is none with those before it."""
    kernel = plan.kernels[k]
    if isinstance(kernel, Product):
        return ["a product is a function of its own"]
    if isinstance(kernel, Scan):
        return ["in a running sum each element needs the one before it"]
    if isinstance(kernel, Draw):
        return ["random numbers are drawn by a function of their own"]
    if isinstance(kernel, Loop):
        return ["a loop has a program of its own for each step"]
    if isinstance(kernel, Check):
        return ["the program may stop here"]
    if isinstance(kernel, Fallback):
        return [_no_code(plan, kernel)]
    if not isinstance(kernel, Nest):
        return [f"{kernel.instruction.op} goes from one element to the next, in loops of its own"]
    parts = [op for _, x in _instructions(plan, kernel) if (op := x.op) in PARTS]
    if parts:
        return [f"{parts[0]} fills an array part by part"]
    apart = plan.apart.get(k, {})
    return [_apart(plan, kernel, other, why) for other, why in apart.items()] or [
        "no kernel before it computes its operands, and no nest reads them"
    ]


def _apart(plan: Plan, nest: Nest, k: int, why: str) -> str:
    """Why ``nest`` is no part of kernel ``k``."""
    other = plan.kernels[k]
    if not isinstance(other, Nest):
        return f"it comes after {KINDS[type(other)][1]}, where no nest goes on"
    reads = [x.buffer for node in nest.nodes.values() for x in node.reads]
    for b in reads:
        if b in other.nodes and other.nodes[b].is_total:  # the best reason, if there are several
            why = f"it needs %{b}, a total, which is known only after those loops"
    return f"not in kernel {k}, over {loops(other)}: {why}"


def _no_code(plan: Plan, kernel: Fallback) -> str:
    types = sorted({str(plan.types[x.buffer].dtype) for x in kernel.operands})
    op = kernel.instruction.op
    return f"there is no native code for {op}" + (f" of {', '.join(types)}" if types else "")


def _moved(plan: Plan, kernel: Kernel) -> int:
    """Bytes of the elements that a kernel reads from buffers and writes to them, each once."""
    if not isinstance(kernel, Nest):
        return sum(bytes_of(plan, b) for b in {*read(kernel), *written(kernel)})
    accesses: set[Access] = set()
    for node in kernel.nodes.values():
        accesses.update(x for x in node.reads if x.buffer not in kernel.nodes)
        if node.through:  # as many elements as there are points, at most
            through = node.through.access
            accesses.add(Access(through.buffer, -1, (1,) * len(kernel.domain)))
        elif node.value in kernel.stored:
            accesses.add(node.store)
    elements: dict[int, int] = {}
    for x in accesses:
        if plan.literal(x.buffer) is None:
            elements[x.buffer] = elements.get(x.buffer, 0) + _elements(kernel, x)
    types = plan.types
    return sum(
        min(n, math.prod(types[b].shape)) * types[b].dtype.itemsize for b, n in elements.items()
    )


def _elements(nest: Nest, x: Access) -> int:
    """How many different ones the loops come to."""
    return math.prod(n for n, step in zip(nest.domain, x.strides, strict=True) if step)


def _memory(code: Code) -> Memory:
    """Of a program, and of the steps of its loops, which have a workspace each."""
    plan, memory = code.plan, code.memory
    unshared = sum(-(-max(bytes_of(plan, b), 1) // LINE) * LINE for b in memory.offsets)
    nests = [kernel for kernel in plan.kernels if isinstance(kernel, Nest)]
    fused = {value for nest in nests for value in nest.nodes if value not in nest.stored}
    own = Memory(memory.size, unshared, sum(bytes_of(plan, value) for value in fused))
    all_of_them = [own, *map(_memory, code.bodies.values())]
    return Memory(
        sum(m.workspace for m in all_of_them),
        sum(m.unshared for m in all_of_them),
        sum(m.never for m in all_of_them),
    )
