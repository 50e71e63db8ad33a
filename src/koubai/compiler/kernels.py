"""Kernels: the pieces of native code that a program is made of.

A ``Nest`` is a loop nest that computes several instructions at once, so that what lies between
them never goes through memory. Its *domain* is the box of points that its loops visit. Softmax of
rows, over the domain (100, 10), *split* after the first axis:

    for i in range(100):                      the outer loops, over rows
        for j in range(10):                   phase 0
            m = max(m, x[i, j])
        for j in range(10):                   phase 1, for it needs the m of the whole row
            s = s + exp(x[i, j] - m)
        r = 1 / s                             a row value
        for j in range(10):                   phase 2
            y[i, j] = exp(x[i, j] - m) * r
            total[j] = total[j] + y[i, j]     a reduction over rows: complete after the nest

A ``Product`` is a matrix product. A ``Scan`` computes running sums, a ``Draw`` random numbers, a
``Sort`` the order of elements. A ``Loop`` has a program of its own for each step. A ``Check`` stops
the program. A ``Fallback`` is an instruction that NumPy runs, for there is no code for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from koubai.compiler.layout import Layout, Shape
from koubai.compiler.program import Instruction, Program


@dataclass(frozen=True)
class Access:
    """One element of a buffer for each point of a nest's domain; strides are by domain axis."""

    buffer: int
    offset: int
    strides: Shape


@dataclass(frozen=True)
class Indirect:
    """An access that goes through arrays of indices.

    Attributes:
        access: where the element would be if all indices were 0.
        steps: of each index array, its stride in the buffer and the length of the axis.
    """

    access: Access
    steps: tuple[tuple[int, int], ...]


@dataclass
class Node:
    """One instruction within a nest.

    Attributes:
        value: its number in the program.
        reads: its operands.
        through: for a gather, what is read through the operands; for a scatter, written.
        store: where its value goes, if it is kept.
        phase: the phase that computes it; of a row value, the phase after which it is known.
        is_row: whether it has one value for each row, not for each point of the domain.
        reduced: of a reduction, the axes of the domain that it goes over.
        is_total: whether it is complete only after the whole nest.
    """

    value: int
    instruction: Instruction
    reads: list[Access]
    store: Access
    through: Indirect | None = None
    phase: int = 0
    is_row: bool = False
    reduced: Shape | None = None
    is_total: bool = False

    @property
    def is_row_value(self) -> bool:
        """Whether it is computed of row values, or is a total of one."""
        return self.is_row and (self.is_total or not self.reduced)

    @property
    def may_fail(self) -> bool:
        """Whether it may stop the program: an index too large, an integer's negative power."""
        is_power = self.instruction.op == "pow" and self.instruction.type.dtype.kind == "i"
        return self.through is not None or is_power

    @property
    def is_scatter(self) -> bool:
        """Whether it writes through indices, into a buffer that was made before."""
        return self.through is not None and self.instruction.op != "getitem"


@dataclass
class Nest:
    """Several instructions over one domain; see above.

    Attributes:
        split: how many axes the outer loops go over; None while nothing demands one.
        nodes: by the number of their values, in the order of the program.
        stored: the values that are kept in memory.
        kept: of these, those that only later phases of this nest read.
    """

    domain: Shape
    split: int | None = None
    nodes: dict[int, Node] = field(default_factory=dict)
    stored: set[int] = field(default_factory=set)
    kept: set[int] = field(default_factory=set)


@dataclass
class Product:
    """``out = alpha * a @ b + addend`` for stacks of matrices, which are the last two axes.

    So the sum of two products is one kernel after the other, and the update of a weight by its
    gradient none at all.

    Attributes:
        before: the values that were computed on the way: ``a @ b``, and that times ``alpha``.
    """

    value: int
    a: Layout
    b: Layout
    out: Layout
    instruction: Instruction
    alpha: float = 1.0
    addend: Layout | None = None
    before: tuple[int, ...] = ()


@dataclass
class Scan:
    """Running sums or products of an operand; the result is in C order."""

    value: int
    operands: list[Layout]
    axis: int
    instruction: Instruction


@dataclass
class Draw:
    """Random uniforms, in C order; the operands are the key and the counter."""

    value: int
    operands: list[Layout]
    instruction: Instruction


@dataclass
class Sort:
    """The order of the elements of an operand along an axis, in C order.

    Attributes:
        bits: how many an element and its index take together.
        scratch: a buffer for two rows of such numbers, each with one more.
    """

    value: int
    operands: list[Layout]
    axis: int
    bits: int
    scratch: int
    instruction: Instruction


@dataclass
class Loop:
    """A program that runs once for each step; see program.py.

    Attributes:
        operands: constants, what is carried first, and stacks; each lies in C order.
        results: buffers: what is carried in the end, and the stacks that are made.
    """

    value: int
    operands: list[Layout]
    results: list[int]
    instruction: Instruction

    @property
    def body(self) -> Program:
        body: Program = self.instruction.params["body"]
        return body


@dataclass
class Check:
    """Stop unless the boolean in ``condition`` is true."""

    value: int
    condition: Layout
    instruction: Instruction


@dataclass
class Fallback:
    """An instruction that NumPy runs on these operands."""

    value: int
    operands: list[Layout]
    instruction: Instruction


Kernel = Nest | Product | Scan | Draw | Sort | Loop | Check | Fallback


def written(kernel: Kernel) -> Iterator[int]:
    """The buffers that a kernel writes."""
    if isinstance(kernel, Nest):
        yield from {kernel.nodes[value].store.buffer for value in kernel.stored}
    elif isinstance(kernel, Loop):
        yield from kernel.results
    elif not isinstance(kernel, Check):
        yield kernel.value
        if isinstance(kernel, Sort):
            yield kernel.scratch


def read(kernel: Kernel) -> Iterator[int]:
    """The buffers that a kernel reads."""
    if isinstance(kernel, Nest):
        for node in kernel.nodes.values():
            yield from (x.buffer for x in node.reads)
            if node.through:
                yield node.through.access.buffer
    elif isinstance(kernel, Product):
        yield from (kernel.a.buffer, kernel.b.buffer)
        if kernel.addend is not None:
            yield kernel.addend.buffer
    elif isinstance(kernel, Check):
        yield kernel.condition.buffer
    else:
        yield from (x.buffer for x in kernel.operands)
