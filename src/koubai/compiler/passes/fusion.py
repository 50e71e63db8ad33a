"""From instructions to kernels: what can be computed in one loop nest is.

In the order of the program, each instruction joins the nest that computes one of its operands, or
one that reads the same buffers, if the loops suit it; else it opens a new nest. It may join nest
k if its operands are computed by nests before k, or in k at the very point at which it needs them;
so nests run in their order, and no cycle can arise. Views are layouts, and no work at all.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from koubai.compiler import layout
from koubai.compiler.advanced import lookup
from koubai.compiler.kernels import (
    Access,
    Check,
    Fallback,
    Indirect,
    Kernel,
    Nest,
    Node,
    Product,
)
from koubai.compiler.layout import Layout, Shape
from koubai.compiler.primitives import OPERAND, Type
from koubai.compiler.program import Instruction, Program

MOST_NODES = 200
"""In one nest: more would not fit into registers, and take long to compile."""

REDUCTIONS = frozenset({"sum", "prod", "max", "min", "all", "any"})
ARGUMENTS = frozenset({"argmax", "argmin"})
CHEAP = frozenset(
    "abs add cast constant copy equal greater greater_equal isfinite isinf isnan less less_equal"
    " logical_and logical_not logical_or logical_xor maximum minimum multiply negative not_equal"
    " subtract where".split()
)
"""What is rather computed twice than kept in memory from one phase to the next."""


@dataclass
class Plan:
    """A program as kernels.

    Attributes:
        types: of each buffer: the values of the program, and copies that were added.
        constants: buffers with known contents.
        outputs: the buffers that are the program's outputs; each is one output alone.
    """

    program: Program
    kernels: list[Kernel] = field(default_factory=list)
    types: dict[int, Type] = field(default_factory=dict)
    constants: dict[int, np.ndarray] = field(default_factory=dict)
    outputs: list[int] = field(default_factory=list)

    def literal(self, buffer: int) -> np.ndarray | None:
        """The number that the buffer holds, if it is known and only one."""
        value = self.constants.get(buffer)
        return value if value is not None and value.size == 1 else None


def fuse(program: Program, is_native: Callable[[Instruction, Sequence[Type]], bool]) -> Plan:
    """The kernels of ``program``.

    Args:
        is_native: whether there is code for an elementwise instruction or a reduction, on
            operands of these types; what there is none for becomes a ``Fallback``.
    """
    return _Fusion(program, is_native).plan


class _Fusion:
    def __init__(
        self, program: Program, is_native: Callable[[Instruction, Sequence[Type]], bool]
    ) -> None:
        self.plan = Plan(program)
        self._extra = len(program.inputs) + len(program.instructions)  # numbers of added values
        self.is_native = is_native
        self.layouts: dict[int, Layout] = {}
        self.home: dict[int, int] = {}  # of buffers, the kernel that completes them
        self.readers: dict[int, list[int]] = defaultdict(list)  # of buffers, the nests
        for i, type_ in enumerate(program.inputs):
            self._buffer(i, type_)
        n = len(program.inputs)
        for i, instruction in enumerate(program.instructions):
            self._lower(n + i, instruction)
        self._finish_outputs()
        self._find_stored()

    # Buffers and what is computed into them.

    def _buffer(self, value: int, type_: Type, kernel: int = -1) -> Layout:
        self.plan.types[value] = type_
        self.home[value] = kernel
        self.layouts[value] = layout.whole(value, type_.shape)
        return self.layouts[value]

    def _append(self, kernel: Kernel) -> int:
        self.plan.kernels.append(kernel)
        return len(self.plan.kernels) - 1

    def _new_value(self) -> int:
        self._extra += 1
        return self._extra - 1

    def _lower(self, value: int, instruction: Instruction) -> None:
        op, params = instruction.op, instruction.params
        operands = [self.layouts[v] for v in instruction.inputs]
        if op == "constant":
            self.plan.constants[value] = np.asarray(params["value"], order="C")
            self._buffer(value, instruction.type)
        elif op == "copy":
            self.layouts[value] = operands[0]  # values never change
        elif (view := _view(instruction, operands)) is not None:
            self.layouts[value] = view
        elif op == "reshape":
            copied = self._copied(operands[0])
            reshaped = layout.reshaped(copied, params["shape"])
            assert reshaped is not None  # of what lies in order
            self.layouts[value] = reshaped
        elif op == "raise_unless":
            self._append(Check(value, operands[0], instruction))
            self.layouts[value] = operands[0]
        elif not self._native(value, instruction, operands):
            kernel = self._append(Fallback(value, operands, instruction))
            self._buffer(value, instruction.type, kernel)

    def _native(self, value: int, instruction: Instruction, operands: list[Layout]) -> bool:
        """Whether there is a kernel for it, which has been made then."""
        op, type_ = instruction.op, instruction.type
        types = [self.plan.types[x.buffer] for x in operands]
        if op == "matmul":
            return self._product(value, instruction, operands)
        if op == "concat":
            return self._concat(value, instruction, operands)
        if op == "getitem":
            return self._gather(value, instruction, operands)
        if op in ("setitem", "scatter_add"):
            return self._scatter(value, instruction, operands)
        if not self.is_native(instruction, types):
            return False
        if op in REDUCTIONS or op in ARGUMENTS:
            axis = instruction.params["axis"]
            axes = (axis,) if isinstance(axis, int) else axis
            self._reduction(value, instruction, operands[0], axes)
        else:
            reads = [layout.broadcast(x, type_.shape) for x in operands]
            self._pointwise(value, instruction, reads, layout.whole(value, type_.shape))
        return True

    def _copied(self, x: Layout) -> Layout:
        """The elements of ``x`` in a buffer of their own, in C order."""
        value = self._new_value()
        type_ = Type(self.plan.types[x.buffer].dtype, x.shape)
        copy = Instruction("copy", (x.buffer,), {}, type_)
        self._pointwise(value, copy, [x], layout.whole(value, x.shape))
        return self.layouts[value]

    # Instructions that compute one element at each point.

    def _pointwise(
        self,
        value: int,
        instruction: Instruction,
        reads: list[Layout],
        store: Layout,
        through: tuple[Layout, tuple[tuple[int, int], ...]] | None = None,
        alone: bool = False,
    ) -> Nest:
        """Put it into a nest. ``reads`` and ``store`` have the shape that is looped over."""
        shape = store.shape
        axes = [axis for axis, n in enumerate(shape) if n != 1]
        lengths = tuple(shape[axis] for axis in axes)
        accesses = [_access(x, axes) for x in reads]
        indirect = None if through is None else Indirect(_access(through[0], axes), through[1])
        node = Node(value, instruction, accesses, _access(store, axes), indirect)
        nest = None if alone else self._joined(node, lengths)
        if nest is None:
            nest = Nest(lengths)
            nest.nodes[value] = node
            self._register(node, self._append(nest))
        if through is None or instruction.op == "getitem":
            # Where a part of a buffer is written, the whole has been made before.
            self._buffer(value, instruction.type, self.home[value])
        return nest

    def _register(self, node: Node, kernel: int) -> None:
        self.home[node.value] = kernel
        indirect = [node.through.access] if node.through else []
        for x in [*node.reads, *indirect]:
            if kernel not in self.readers[x.buffer][-1:]:
                self.readers[x.buffer].append(kernel)

    def _candidates(self, node: Node) -> list[int]:
        """The nests that it may join: of an operand, or one after that with the same operands."""
        buffers = {x.buffer for x in node.reads if self.plan.literal(x.buffer) is None}
        if node.through:
            buffers.add(node.through.access.buffer)
        first = max((self.home[b] for b in buffers), default=-1)
        found = {first} if first >= 0 else set()
        for b in buffers:
            found.update(k for k in self.readers[b][-4:] if k >= first)
        last = len(self.plan.kernels) - 1
        if not node.store.strides and last >= max(first, 0):
            found.add(last)  # two scalars need no common operands
        return sorted(found)

    def _joined(self, node: Node, lengths: Shape) -> Nest | None:
        """The nest that it has joined, if there is one that suits."""
        if 0 in lengths:
            return None
        for k in self._candidates(node):
            nest = self.plan.kernels[k]
            if isinstance(nest, Nest) and self._join(nest, node, lengths):
                nest.nodes[node.value] = node
                self._register(node, k)
                return nest
        return None

    def _join(self, nest: Nest, node: Node, lengths: Shape) -> bool:
        """Whether it can; the node's accesses are by the nest's axes then."""
        if len(nest.nodes) >= MOST_NODES:
            return False
        is_row = lengths != nest.domain
        if is_row and (nest.split is None or lengths != nest.domain[: nest.split]):
            return False
        padding = (0,) * (len(nest.domain) - len(lengths))
        reads = [replace(x, strides=x.strides + padding) for x in node.reads]
        inside = []
        for x in reads:
            other = nest.nodes.get(x.buffer)
            if other is None:
                continue
            if other.is_total or other.is_scatter or x != replace(other.store, buffer=x.buffer):
                return False
            inside.append(other)
        if node.through and (node.through.access.buffer in nest.nodes or is_row):
            return False
        if is_row and not inside:
            return False
        node.reads, node.is_row = reads, is_row
        node.store = replace(node.store, strides=node.store.strides + padding)
        node.phase = max(
            (x.phase + (x.is_row and not is_row) for x in inside),
            default=0,
        )
        return True

    # Reductions.

    def _reduction(
        self, value: int, instruction: Instruction, x: Layout, axes: Sequence[int]
    ) -> None:
        if instruction.op in ARGUMENTS:  # one row after the other
            x = layout.permuted(x, [*(i for i in range(len(x.shape)) if i not in axes), *axes])
            axes = [len(x.shape) - 1]
        looped = [axis for axis, n in enumerate(x.shape) if n != 1]
        domain = tuple(x.shape[axis] for axis in looped)
        reduced = tuple(i for i, axis in enumerate(looped) if axis in axes)
        kept = [n for i, n in enumerate(domain) if i not in reduced]
        steps = iter(layout.contiguous(kept))
        store = Access(value, 0, tuple(0 if i in reduced else next(steps) for i in range(len(domain))))
        node = Node(value, instruction, [_access(x, looped)], store, reduced=reduced)
        if not reduced:
            nest = self._joined(node, domain)
        else:
            nest = self._joined_by_reduction(node, domain)
        if nest is None:
            nest = Nest(domain)
            self._settle(nest, node)
            nest.nodes[value] = node
            self._register(node, self._append(nest))
        self._buffer(value, instruction.type, self.home[value])

    def _joined_by_reduction(self, node: Node, domain: Shape) -> Nest | None:
        if 0 in domain:
            return None
        for k in self._candidates(node):
            nest = self.plan.kernels[k]
            if not isinstance(nest, Nest) or domain != nest.domain:
                continue
            if not self._suits(nest, node) or not self._join(nest, node, domain):
                continue
            self._settle(nest, node)
            nest.nodes[node.value] = node
            self._register(node, k)
            return nest
        return None

    @staticmethod
    def _suits(nest: Nest, node: Node) -> bool:
        """Whether a row reduction finds its split; others are complete after the nest."""
        if node.instruction.op not in ARGUMENTS:
            return True
        return nest.split in (None, len(nest.domain) - 1)

    @staticmethod
    def _settle(nest: Nest, node: Node) -> None:
        """Make it a reduction of rows, if the nest's loops are or can become such, else total."""
        if not node.reduced:
            return
        n, first = len(nest.domain), len(nest.domain) - len(node.reduced)
        is_last = node.reduced == tuple(range(first, n))
        must = node.instruction.op in ARGUMENTS
        if is_last and (first > 0 or must) and nest.split in (None, first):
            nest.split, node.is_row = first, True
        else:
            node.is_total = True

    # Products, joins, gathers and scatters.

    def _product(self, value: int, instruction: Instruction, operands: list[Layout]) -> bool:
        if instruction.type.dtype not in (np.float32, np.float64):
            return False
        a, b = operands
        if len(a.shape) == 1:
            a = replace(a, shape=(1, *a.shape), strides=(0, *a.strides))
        if len(b.shape) == 1:
            b = replace(b, shape=(*b.shape, 1), strides=(*b.strides, 0))
        a, b = self._for_blas(a), self._for_blas(b)
        stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a = layout.broadcast(a, (*stack, *a.shape[-2:]))
        b = layout.broadcast(b, (*stack, *b.shape[-2:]))
        out = layout.whole(value, (*stack, a.shape[-2], b.shape[-1]))
        kernel = self._append(Product(value, a, b, out, instruction))
        self._buffer(value, instruction.type, kernel)
        return True

    def _for_blas(self, x: Layout) -> Layout:
        """``x``, copied if its rows or columns do not lie side by side."""
        m, n = x.shape[-2:]
        rows, columns = x.strides[-2:]
        by_row = (columns == 1 or n == 1) and (rows >= n or m == 1)
        by_column = (rows == 1 or m == 1) and (columns >= m or n == 1)
        return x if by_row or by_column else self._copied(x)

    def _concat(self, value: int, instruction: Instruction, operands: list[Layout]) -> bool:
        axis, type_, start = instruction.params["axis"], instruction.type, 0
        whole = layout.whole(value, type_.shape)
        for i, x in enumerate(operands):
            stop = start + x.shape[axis]
            part = layout.indexed(whole, (*[slice(None)] * axis, slice(start, stop)))
            self._write(value, instruction, [x], part, instruction.inputs[i])
            start = stop
        self._buffer(value, type_, len(self.plan.kernels) - 1)
        return True

    def _write(
        self,
        value: int,
        instruction: Instruction,
        reads: list[Layout],
        store: Layout,
        source: int,
        through: tuple[Layout, tuple[tuple[int, int], ...]] | None = None,
    ) -> None:
        """A nest of its own that writes into a part of a buffer."""
        copy = replace(instruction, op="copy", params={}, inputs=(source,))
        self.plan.types[value] = instruction.type
        nest = self._pointwise(value, copy, reads, store, through, alone=True)
        nest.stored.add(value)

    def _gather(self, value: int, instruction: Instruction, operands: list[Layout]) -> bool:
        x, *indices = operands
        if not self.is_native(instruction, [self.plan.types[v.buffer] for v in operands]):
            return False
        found = lookup(x, instruction.params["index"], [i.shape for i in indices])
        if found is None:
            return False
        reads = [self._over(i, found.first, found.ndim, found.base.shape) for i in indices]
        store = layout.whole(value, instruction.type.shape)
        self._pointwise(value, instruction, reads, store, (found.base, found.steps))
        return True

    @staticmethod
    def _over(i: Layout, first: int, ndim: int, shape: Shape) -> Layout:
        """An array of indices over the axes of the result."""
        joint = layout.broadcast(i, shape[first : first + ndim])
        before, after = first, len(shape) - first - ndim
        return replace(i, shape=shape, strides=(*[0] * before, *joint.strides, *[0] * after))

    def _scatter(self, value: int, instruction: Instruction, operands: list[Layout]) -> bool:
        op, index, type_ = instruction.op, instruction.params["index"], instruction.type
        source, indices = (operands[0], operands[1:])
        if op == "setitem":
            source, indices = operands[1], operands[2:]
        if not self.is_native(instruction, [self.plan.types[v.buffer] for v in operands]):
            return False
        whole = layout.whole(value, type_.shape)
        through = None
        if OPERAND in index:
            found = lookup(whole, index, [i.shape for i in indices])
            if found is None:
                return False
            through = (found.base, found.steps)
            shape = found.base.shape
            indices = [self._over(i, found.first, found.ndim, shape) for i in indices]
            part = layout.whole(value, shape)
        else:
            part = layout.indexed(whole, index)
        while len(source.shape) > len(part.shape):
            source = replace(source, shape=source.shape[1:], strides=source.strides[1:])
        source = layout.broadcast(source, part.shape)

        self.plan.types[value] = type_
        first = self._filled(value, instruction, operands)
        written = instruction if through else replace(instruction, op="copy", params={})
        nest = self._pointwise(value, written, [source, *indices], part, through, alone=True)
        nest.stored.add(value)
        first.stored.add(value)
        self._buffer(value, type_, len(self.plan.kernels) - 1)
        return True

    def _filled(self, value: int, instruction: Instruction, operands: list[Layout]) -> Nest:
        """A nest that makes the buffer what it is before the write: a copy, or zero."""
        type_ = instruction.type
        if instruction.op == "setitem":
            x, source = operands[0], instruction.inputs[0]
        else:
            source = self._new_value()
            self.plan.constants[source] = np.zeros((), type_.dtype)
            zero = self._buffer(source, Type(type_.dtype, ()))
            x = layout.broadcast(zero, type_.shape)
        copy = replace(instruction, op="copy", params={}, inputs=(source,))
        return self._pointwise(value, copy, [x], layout.whole(value, type_.shape), alone=True)

    # The end.

    def _finish_outputs(self) -> None:
        """Each output is a buffer of its own, in C order."""
        program, seen = self.plan.program, set()
        for v in program.outputs:
            x = self.layouts[v]
            type_ = program.type_of(v)
            size = math.prod(self.plan.types[x.buffer].shape)
            is_all = x.offset == 0 and x.is_contiguous and math.prod(x.shape) == size
            if not is_all or self.home[x.buffer] < 0 or x.buffer in seen:
                x = self._copied(x)
            self.plan.types[x.buffer] = type_  # it may be a reshape
            self.plan.outputs.append(x.buffer)
            seen.add(x.buffer)

    def _find_stored(self) -> None:
        """Mark what must be kept in memory."""
        kernels = self.plan.kernels
        needed = set(self.plan.outputs)
        for kernel in kernels:
            if isinstance(kernel, Nest):
                for node in kernel.nodes.values():
                    needed.update(x.buffer for x in node.reads if x.buffer not in kernel.nodes)
                    if node.through:
                        needed.add(node.through.access.buffer)
            elif isinstance(kernel, Product):
                needed.update((kernel.a.buffer, kernel.b.buffer))
            elif isinstance(kernel, Check):
                needed.add(kernel.condition.buffer)
            else:
                needed.update(x.buffer for x in kernel.operands)
        for kernel in kernels:
            if isinstance(kernel, Nest):
                for node in kernel.nodes.values():
                    if node.value in needed or node.is_total:
                        kernel.stored.add(node.value)
                    kernel.stored |= _dear(kernel, node)


def _access(x: Layout, axes: Sequence[int]) -> Access:
    return Access(x.buffer, x.offset, tuple(x.strides[axis] for axis in axes))


def _dear(nest: Nest, node: Node) -> set[int]:
    """What ``node`` needs of earlier phases that is rather kept than computed again."""
    found, stack = set(), list(node.reads)
    while stack:
        other = nest.nodes.get(stack.pop().buffer)
        if other is None or other.is_row or other.value in nest.stored:
            continue
        if other.phase < node.phase and other.instruction.op not in CHEAP:
            found.add(other.value)
        else:
            stack += other.reads
    return found


def _view(instruction: Instruction, operands: list[Layout]) -> Layout | None:
    """The layout of an instruction that only looks at its operand in another way."""
    op, params = instruction.op, instruction.params
    if op == "permute_dims":
        return layout.permuted(operands[0], params["axes"])
    if op == "broadcast_to":
        return layout.broadcast(operands[0], params["shape"])
    if op == "reshape":
        return layout.reshaped(operands[0], params["shape"])
    if op == "getitem" and OPERAND not in params["index"]:
        return layout.indexed(operands[0], params["index"])
    return None
