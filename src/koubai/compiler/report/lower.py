"""A compiled program in all its stages, as texts."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from koubai.compiler.codegen.schedule import LoopStep, Step
from koubai.compiler.compiled import Compiled
from koubai.compiler.kernels import Kernel, Nest, read
from koubai.compiler.passes import optimize
from koubai.compiler.passes.fusion import Plan
from koubai.compiler.report.plan import plan_text
from koubai.compiler.runtime.code import Code
from koubai.compiler.runtime.functions import module_text
from koubai.compiler.runtime.jit import backend
from koubai.compiler.runtime.jit import optimized as optimized_module


@dataclass(frozen=True)
class Lowered:
    """The stages of a program; ``str()`` is a table of contents.

    Attributes:
        name: of the function.
        program: the array program as it was traced, with your lines.
        optimized: what the passes make of it.
        kernels: its kernels: loops, the instructions in each, what is read and stored; see
            plan.py. Empty if NumPy runs the program.
        functions: the texts of the functions that the kernels call, each once.
        users: of each function, the kernels that call it.
    """

    name: str
    program: str
    optimized: str
    kernels: str
    functions: tuple[str, ...]
    users: tuple[tuple[int, ...], ...]

    @functools.cached_property
    def llvm(self) -> str:
        """These functions as LLVM's intermediate representation, as it is turned into code."""
        return f"{self._heads(';')}{optimized_module(module_text(self.functions))}"

    @functools.cached_property
    def assembly(self) -> str:
        """These functions as assembly for this processor."""
        module = optimized_module(module_text(self.functions))
        return f"{self._heads('#')}{backend().machine.emit_assembly(module)}"

    def _heads(self, comment: str) -> str:
        """Which kernels call which function."""
        lines = [
            f"{comment} k{i}: kernel{'s' * (len(users) > 1)} {', '.join(map(str, users))}"
            for i, users in enumerate(self.users)
        ]
        return "\n".join([*lines, "", ""])

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        rows = [
            (".program", f"{_count(self.program) - 2} instructions, as traced"),
            (".optimized", f"{_count(self.optimized) - 2} instructions, after the passes"),
            (".kernels", f"{_numbered(self.kernels)} kernels"),
            (".llvm", f"{len(self.functions)} functions, {_count(self.llvm)} lines"),
            (".assembly", f"{_count(self.assembly)} lines"),
        ]
        return "\n".join([f"{self.name}, lowered", *(f"  {a:12}{b}" for a, b in rows)])


def lowered(compiled: Compiled, name: str) -> Lowered:
    """The stages of ``compiled``."""
    native = compiled.native
    program = native.program if native else optimize(compiled.program)
    users: dict[str, dict[int, None]] = {}
    if native:
        for number, code in _functions(native.code):
            users.setdefault(code, {})[number] = None
    return Lowered(
        name,
        compiled.program.text(locations=True),
        program.text(locations=True),
        plan_text(native.plan, native.code.bodies) if native else "",
        tuple(users),
        tuple(tuple(x) for x in users.values()),
    )


def _functions(code: Code) -> Iterator[tuple[int, str]]:
    """The kernels, by number, and the functions that they call; of a loop, all in it."""
    for step in code.schedule.steps:
        if isinstance(step, Step):
            yield _number(code.plan, step.kernel), step.code
        elif isinstance(step, LoopStep):
            number = code.plan.kernels.index(step.loop)
            yield from ((number, text) for _, text in _functions(code.bodies[step.loop.value]))


def _number(plan: Plan, part: Kernel) -> int:
    """Of the kernel that ``part`` was cut from; it may be the sum of what its chunks added up."""
    values = _values(part)
    found = [k for k, kernel in enumerate(plan.kernels) if values <= _values(kernel)]
    same = [k for k in found if {*read(plan.kernels[k])} == {*read(part)}]
    return (same or found)[0]


def _values(kernel: Kernel) -> set[int]:
    return set(kernel.nodes) if isinstance(kernel, Nest) else {kernel.value}


def _numbered(text: str) -> int:
    """How many lines begin with a number."""
    return sum(line.lstrip()[:1].isdigit() for line in text.splitlines())


def _count(text: str) -> int:
    return len(text.splitlines())
