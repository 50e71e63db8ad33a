"""A whole program as one LLVM module.

Each run of native kernels is a function ``run0``, ``run1``, ...; between two of them NumPy runs an
instruction that there is no code for. They find everything through a table of pointers:

    error flag | workspace | buffers that come from outside: inputs, outputs, constants, ...

Kernels that differ only in what they work on are emitted once.
"""

from __future__ import annotations

from dataclasses import dataclass

from koubai.compiler.codegen.elementwise import elementwise
from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.codegen.lanes import Lanes
from koubai.compiler.codegen.memory import in_memory, load
from koubai.compiler.codegen.nest import nest_code
from koubai.compiler.codegen.product import DECLARATIONS, emit_product
from koubai.compiler.kernels import Check, Fallback, Kernel, Nest, Product
from koubai.compiler.passes.fusion import Plan
from koubai.compiler.passes.memory import Memory, read, written

ERROR, WORKSPACE, FIRST = 0, 1, 2
"""Places in the table: the error flag, the workspace, the first buffer."""

ATTRIBUTES = 'attributes #0 = { nounwind "no-builtins" "prefer-vector-width"="256" }'


@dataclass
class Module:
    """Attributes:
    text: LLVM IR.
    slots: places in the table, by buffer.
    segments: names of functions, and the instructions for NumPy between them.
    kernels: the text of each kernel function, by name.
    """

    text: str
    slots: dict[int, int]
    segments: list[str | Fallback]
    kernels: dict[str, str]


def module_of(plan: Plan, memory: Memory) -> Module:
    return _Module(plan, memory).module()


class _Module:
    def __init__(self, plan: Plan, memory: Memory) -> None:
        self.plan, self.memory = plan, memory
        self.kernels: dict[str, str] = {}  # names by text
        self.constants: dict[tuple[str, str], str] = {}
        self.functions: list[str] = []
        touched = {b for k in plan.kernels for b in (*read(k), *written(k))}
        outside = [b for b in plan.types if b in touched and b not in memory.offsets]
        self.slots = {b: FIRST + i for i, b in enumerate(outside)}

    def module(self) -> Module:
        segments: list[str | Fallback] = []
        run: list[Kernel] = []
        for kernel in self.plan.kernels:
            if isinstance(kernel, Fallback):
                segments += [*self._segment(run), kernel]
                run = []
            else:
                run.append(kernel)
        segments += self._segment(run)
        constants = [
            f"{name} = internal constant {type_} {value}"
            for (type_, value), name in self.constants.items()
        ]
        kernels = {
            name: text.replace("@NAME(", f"@{name}(", 1) for text, name in self.kernels.items()
        }
        parts = [*constants, DECLARATIONS, *kernels.values(), *self.functions, ATTRIBUTES]
        return Module("\n".join(parts), self.slots, segments, kernels)

    def _segment(self, kernels: list[Kernel]) -> list[str]:
        if not kernels:
            return []
        name = f"run{len(self.functions)}"
        f = Emitter(name, ["ptr %table"])
        pointers = _Pointers(f, self)
        error = pointers.slot(ERROR)
        for kernel in kernels:
            if isinstance(kernel, Nest):
                code = nest_code(kernel, self.plan)
                callee = self.kernels.setdefault(code.text, f"k{len(self.kernels)}")
                arguments = [f"ptr {pointers.at(*key)}" for key in code.pointers]
                arguments += [f"ptr {error}"] * code.may_fail
                f.do(f"call void @{callee}({', '.join(arguments)})")
                if code.may_fail:
                    _stop_unless_zero(f, f.op(f"load i64, ptr {error}"))
            elif isinstance(kernel, Product):
                dtype = str(self.plan.types[kernel.value].dtype)
                emit_product(f, kernel, dtype, pointers.at, self._constant)
            elif isinstance(kernel, Check):
                place = pointers.at(kernel.condition.buffer, kernel.condition.offset)
                t = Lanes(str(self.plan.types[kernel.condition.buffer].dtype), 1)
                fails = elementwise(f, "equal", t, [load(f, t, place), t.constant(0)], "bool")
                with f.when(fails):
                    f.do(f"store i64 1, ptr {error}")
                _stop_unless_zero(f, f.op(f"load i64, ptr {error}"))
        f.do("br label %stop")
        f.label("stop")
        self.functions.append(f.text())
        return [name]

    def _constant(self, type_: str, value: str) -> str:
        return self.constants.setdefault((type_, value), f"@c{len(self.constants)}")


class _Pointers:
    """Addresses of buffers, each computed once in a function."""

    def __init__(self, f: Emitter, module: _Module) -> None:
        self.f, self.module = f, module
        self.known: dict[tuple[int, int], str] = {}
        self.slots: dict[int, str] = {}

    def slot(self, place: int) -> str:
        if place not in self.slots:
            self.slots[place] = self._first(
                f"getelementptr ptr, ptr %table, i64 {place}", "load ptr, ptr {}"
            )
        return self.slots[place]

    def _first(self, *instructions: str) -> str:
        """Emitted at the entry, so that it is known everywhere."""
        name = ""
        for instruction in instructions:
            name = self.f.at_entry(instruction.format(name))
        return name

    def at(self, buffer: int, offset: int) -> str:
        if (buffer, offset) not in self.known:
            plan, memory = self.module.plan, self.module.memory
            element = in_memory(Lanes(str(plan.types[buffer].dtype), 1)).element
            if buffer in memory.offsets:
                base = self._first(
                    f"getelementptr i8, ptr {self.slot(WORKSPACE)}, i64 {memory.offsets[buffer]}"
                )
            else:
                base = self.slot(self.module.slots[buffer])
            if offset:
                base = self._first(f"getelementptr {element}, ptr {base}, i64 {offset}")
            self.known[buffer, offset] = base
        return self.known[buffer, offset]


def _stop_unless_zero(f: Emitter, error: str) -> None:
    failed, goon = f.op(f"icmp ne i64 {error}, 0"), f.fresh("goon")
    f.do(f"br i1 {failed}, label %stop, label %{goon}")
    f.label(goon)
