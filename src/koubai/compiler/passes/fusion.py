"""From instructions to kernels: what can be computed in one loop nest is.

One after the other (what needs no product first), each instruction joins the nest that computes
one of its operands, or one that reads the same buffers, if the loops suit it; else it opens a new
nest. It may join nest k if its operands are computed by nests before k, or in k at the very point
at which it needs them; so nests run in their order, and no cycle can arise. Views are layouts, and
no work at all. An instruction with a single use waits for it, to be computed there; a product, to
be added to.
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
    Draw,
    Fallback,
    Indirect,
    Kernel,
    Loop,
    Nest,
    Node,
    Product,
    Scan,
    Sort,
    read,
)
from koubai.compiler.layout import Layout, Shape
from koubai.compiler.primitives import OPERAND, Bundle, Type
from koubai.compiler.program import Instruction, Program, is_view
from koubai.compiler.registers import Registers

MOST_NODES = 200
"""In one nest: more would not fit into registers, and take long to compile."""

MOST_WAITING = MOST_NODES // 2
"""For their only use; a long chain of instructions is placed piece by piece."""

COPIED = 16
"""Rows: for a product of fewer, tiles do not gain what it takes to put the columns in order."""

REDUCTIONS = frozenset({"sum", "prod", "max", "min", "all", "any"})
ARGUMENTS = frozenset({"argmax", "argmin"})
CHEAP = frozenset(
    [
        "abs",
        "add",
        "cast",
        "constant",
        "copy",
        "equal",
        "greater",
        "greater_equal",
        "isfinite",
        "isinf",
        "isnan",
        "less",
        "less_equal",
        "logical_and",
        "logical_not",
        "logical_or",
        "logical_xor",
        "maximum",
        "minimum",
        "multiply",
        "negative",
        "not_equal",
        "subtract",
        "where",
    ]
)
"""What is rather computed twice than kept in memory from one phase to the next."""

# Why instructions can't be a part of a kernel before them.
IS_NOT_A_NEST = "that is no loop nest"
IS_FULL = "that has as many instructions as a nest may have"
OTHER_LOOPS = "its loops are others"
OTHER_ROWS = "it goes over rows, and the rows there are others"
OF_ROWS = "it is an argmax or argmin of what has one value for each row there"
NO_OPERAND = "it needs one value for each row, but nothing that is computed there"
TOTAL = "it needs a total, which is known only after those loops"
SCATTERED = "it needs what is scattered there, which is known only after those loops"
OTHER_ORDER = "it reads what is computed there in another order"
PICKED = "it picks by indices from what is computed there"
EMPTY = "it has no elements"


@dataclass
class Plan:
    """A program as kernels.

    Attributes:
        types: of each buffer: the values of the program, and copies that were added.
        constants: buffers with known contents.
        outputs: the buffers that are the program's outputs; each is one output alone.
        apart: of a nest, the kernels before it that it has operands in common with, and why it is
            no part of them; for people who ask.
    """

    program: Program
    kernels: list[Kernel] = field(default_factory=list)
    types: dict[int, Type] = field(default_factory=dict)
    constants: dict[int, np.ndarray] = field(default_factory=dict)
    outputs: list[int] = field(default_factory=list)
    apart: dict[int, dict[int, str]] = field(default_factory=dict)

    def literal(self, buffer: int) -> np.ndarray | None:
        """The number that the buffer holds, if it is known and only one."""
        value = self.constants.get(buffer)
        return value if value is not None and value.size == 1 else None


def fuse(
    program: Program,
    is_native: Callable[[Instruction, Sequence[Type]], bool],
    registers: Registers | None = None,
) -> Plan:
    """The kernels of ``program``.

    Args:
        is_native: whether there is code for an elementwise instruction or a reduction, on
            operands of these types; what there is none for becomes a ``Fallback``.
        registers: of the processor, for products by tiles; None if all are for BLAS.
    """
    return _Fusion(program, is_native, registers).plan


class _Fusion:
    def __init__(
        self,
        program: Program,
        is_native: Callable[[Instruction, Sequence[Type]], bool],
        registers: Registers | None,
    ) -> None:
        self.plan = Plan(program)
        self._extra = len(program.inputs) + len(program.instructions)  # numbers of added values
        self.is_native, self.registers = is_native, registers
        self.layouts: dict[int, Layout] = {}
        self.home: dict[int, int] = {}  # of buffers, the kernel that completes them
        self.readers: dict[int, list[int]] = defaultdict(list)  # of buffers, the nests
        for i, type_ in enumerate(program.inputs):
            self._buffer(i, type_)
        self.waiting: dict[int, tuple[Node, Shape]] = {}
        self.behind: dict[int, int] = {}  # of what waits, how many are to be computed with it
        self.products: dict[int, Product] = {}
        self.loops: dict[int, Loop] = {}
        self.in_rows: dict[Layout, Layout] = {}  # copies for products by tiles
        self.uses = _uses(program)
        n = len(program.inputs)
        for value in _in_stages(program):
            self._lower(value, program.instructions[value - n])
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

    def _lower(self, value: int, instruction: Instruction) -> None:
        op, params = instruction.op, instruction.params
        operands = [self.layouts[v] for v in instruction.inputs if op != "part"]
        if op == "constant":
            self.plan.constants[value] = np.asarray(params["value"], order="C")
            self._buffer(value, instruction.type)
        elif op == "copy":
            self.layouts[value] = operands[0]  # values never change
        elif op == "part":
            loop = instruction.inputs[0]
            result = self.loops[loop].results[params["index"]]
            self.layouts[value] = layout.whole(result, instruction.type.shape)
        elif (view := _view(instruction, operands)) is not None:
            self.layouts[value] = view
        elif op == "reshape":
            reshaped = layout.reshaped(self._copied(operands[0]), params["shape"])
            assert reshaped is not None  # of what lies in order
            self.layouts[value] = reshaped
        elif not self._absorbed(value, instruction, operands) and not self._looped(
            value, instruction, operands
        ):
            self._place_all(operands)
            if op == "raise_unless":
                self._append(Check(value, operands[0], instruction))
                self.layouts[value] = operands[0]
            elif not self._special(value, instruction, operands):
                kernel = self._append(Fallback(value, operands, instruction))
                self._buffer(value, instruction.type, kernel)

    def _special(self, value: int, instruction: Instruction, operands: list[Layout]) -> bool:
        """Whether it has become a kernel, or nests, of its own."""
        op = instruction.op
        if op not in _SPECIAL:
            return False
        if op not in _WITHOUT_CODE and not self.is_native(instruction, self._types(operands)):
            return False
        return _SPECIAL[op](self, value, instruction, operands)

    def _looped(self, value: int, instruction: Instruction, operands: list[Layout]) -> bool:
        """Whether it is elementwise or a reduction, and has been put into a nest."""
        op, shape = instruction.op, instruction.type.shape
        if op in _SPECIAL or not self.is_native(instruction, self._types(operands)):
            return False
        self._place_products(operands)
        if op in REDUCTIONS or op in ARGUMENTS:
            axis = instruction.params["axis"]
            axes = (axis,) if isinstance(axis, int) else axis
            self._reduction(value, instruction, operands[0], axes)
        else:
            reads = [layout.broadcast(x, shape) for x in operands]
            self._pointwise(value, instruction, reads, layout.whole(value, shape))
        return True

    def _types(self, xs: Sequence[Layout]) -> list[Type]:
        return [self.plan.types[x.buffer] for x in xs]

    def _copied(self, x: Layout) -> Layout:
        """The elements of ``x`` in a buffer of their own, in C order."""
        self._extra += 1
        value = self._extra
        type_ = Type(self.plan.types[x.buffer].dtype, x.shape)
        copy = Instruction("copy", (x.buffer,), {}, type_)
        self._pointwise(value, copy, [x], layout.whole(value, x.shape))
        return self.layouts[value]

    # Elementwise instructions.

    def _pointwise(
        self,
        value: int,
        instruction: Instruction,
        reads: list[Layout],
        store: Layout,
        through: tuple[Layout, tuple[tuple[int, int], ...]] | None = None,
        alone: bool = False,
    ) -> None:
        """Put it into a nest. ``reads`` and ``store`` have the shape that is looped over."""
        axes = [axis for axis, n in enumerate(store.shape) if n != 1]
        lengths = tuple(store.shape[axis] for axis in axes)
        indirect = None if through is None else Indirect(_access(through[0], axes), through[1])
        reading = [_access(x, axes) for x in reads]
        node = Node(value, instruction, reading, _access(store, axes), indirect)
        if not alone:
            self._buffer(value, instruction.type)
        behind = 1 + sum(self.behind[x.buffer] for x in reads if x.buffer in self.waiting)
        if alone or through or self.uses[value] != 1 or behind > MOST_WAITING:
            self._place(node, lengths, alone)
        else:
            self.waiting[value] = node, lengths
            self.behind[value] = behind

    def _reduction(
        self, value: int, instruction: Instruction, x: Layout, axes: Sequence[int]
    ) -> None:
        if instruction.op in ARGUMENTS:  # one row after the other
            x = layout.permuted(x, [*(i for i in range(len(x.shape)) if i not in axes), *axes])
            axes = [len(x.shape) - 1]
        looped = [axis for axis, n in enumerate(x.shape) if n != 1]
        domain = tuple(x.shape[axis] for axis in looped)
        reduced = tuple(i for i, axis in enumerate(looped) if axis in axes)
        steps = iter(layout.contiguous([n for i, n in enumerate(domain) if i not in reduced]))
        strides = tuple([0 if i in reduced else next(steps) for i in range(len(domain))])
        store = Access(value, 0, strides)
        self._buffer(value, instruction.type)
        self._place(Node(value, instruction, [_access(x, looped)], store, reduced=reduced), domain)

    # A node waits for its only use, to be computed where that is: in "0.9 * m + 0.1 * g", 0.9 * m
    # has no nest to go to, but the sum has. It does not wait where that would bring more to
    # memory: if it uses what some nest computes, it goes there.

    def _place(self, node: Node, lengths: Shape, alone: bool = False) -> None:
        """Put ``node``, and what has waited for it, into a nest that suits, or one of its own."""
        along = self._along(node, lengths)
        for other in along:
            del self.waiting[other.value]
        group = [*along, node]
        k, apart = (None, {}) if alone else self._joined(group, lengths)
        if k is None:
            nest = Nest(lengths, nodes={x.value: x for x in group})
            self._settle(nest, node)
            k = self._append(nest)
            self.plan.apart[k] = apart
        for x in group:
            self.home[x.value] = k
            for access in (*x.reads, *([x.through.access] if x.through else [])):
                if k not in self.readers[access.buffer][-1:]:
                    self.readers[access.buffer].append(k)

    def _place_all(self, xs: Sequence[Layout | Access]) -> None:
        """Place what has waited: what needs it now can't be joined."""
        self._place_products(xs)
        for x in xs:
            if x.buffer in self.waiting:
                self._place(*self.waiting.pop(x.buffer))

    def _along(self, node: Node, lengths: Shape) -> list[Node]:
        """What has waited for ``node`` and is computed with it; the rest of it is placed."""
        found: list[Node] = []
        for x in node.reads:
            if x.buffer not in self.waiting or x.buffer in [other.value for other in found]:
                continue
            other, its = self.waiting[x.buffer]
            along = self._along(other, its)
            known = {x.value for x in along}
            if (
                its != lengths
                or x != other.store
                or 0 in lengths
                or any(self._is_in_a_nest(r.buffer) for r in other.reads if r.buffer not in known)
            ):
                self._place_all([x])
            else:
                found += [*along, other]
        return found

    def _is_in_a_nest(self, buffer: int) -> bool:
        k = self.home[buffer]
        return k >= 0 and isinstance(self.plan.kernels[k], Nest)

    # Which nest.

    def _candidates(self, group: list[Node]) -> list[int]:
        """The nests that it may join: of an operand, or one after that with the same operands."""
        own = {node.value for node in group}
        accesses = [x for node in group for x in node.reads]
        accesses += [node.through.access for node in group if node.through]
        buffers = {x.buffer for x in accesses} - own
        buffers = {b for b in buffers if self.plan.literal(b) is None}
        first = max((self.home[b] for b in buffers), default=-1)
        found = {first} if first >= 0 else set()
        for b in buffers:
            found.update(k for k in self.readers[b][-4:] if k >= first)
        last = len(self.plan.kernels) - 1
        if not group[-1].store.strides and last >= max(first, 0):
            found.add(last)  # two scalars need no common operands
        return sorted(found)

    def _joined(self, group: list[Node], lengths: Shape) -> tuple[int | None, dict[int, str]]:
        """The nest that ``group`` has joined; if none suits, why."""
        apart = {}
        for k in self._candidates(group):
            why = self._join(self.plan.kernels[k], group, lengths)
            if not why:
                return k, {}
            apart[k] = why
        return None, apart

    def _join(self, nest: Kernel, group: list[Node], lengths: Shape) -> str:
        """Why the group does not suit the nest; empty if it does, and it is a part of it then."""
        if not isinstance(nest, Nest):
            return IS_NOT_A_NEST
        last = group[-1]
        is_row = lengths != nest.domain
        if 0 in lengths:
            return EMPTY
        if len(nest.nodes) + len(group) > MOST_NODES:
            return IS_FULL
        if is_row and (nest.split is None or lengths != nest.domain[: nest.split]):
            return OTHER_LOOPS
        if is_row and last.instruction.op in ARGUMENTS:
            return OF_ROWS
        if last.instruction.op in ARGUMENTS and nest.split not in (None, len(nest.domain) - 1):
            return OTHER_ROWS
        joined: dict[int, Node] = {}
        for node in group:
            new = _fitted(nest, joined, node, is_row)
            if isinstance(new, str):
                return new
            joined[node.value] = new
        reads = [x.buffer for node in group for x in node.reads]
        if is_row and not any(b in nest.nodes for b in reads):
            return NO_OPERAND
        nest.nodes.update(joined)
        self._settle(nest, joined[last.value])
        return ""

    @staticmethod
    def _settle(nest: Nest, node: Node) -> None:
        """Make it a reduction of rows, if the nest's loops are or can become such, else total."""
        if not node.reduced:
            return
        if node.is_row:  # a sum over rows, of a value that each has
            node.is_total = True
            return
        n, first = len(nest.domain), len(nest.domain) - len(node.reduced)
        is_last = node.reduced == tuple(range(first, n))
        must = node.instruction.op in ARGUMENTS
        if is_last and (first > 0 or must) and nest.split in (None, first):
            nest.split, node.is_row = first, True
        else:
            node.is_total = True

    # What is a kernel alone.

    def _scan(self, value: int, instruction: Instruction, operands: list[Layout]) -> bool:
        axis = instruction.params["axis"]
        kernel = self._append(Scan(value, operands, axis, instruction))
        self._buffer(value, instruction.type, kernel)
        return True

    def _draw(self, value: int, instruction: Instruction, operands: list[Layout]) -> bool:
        kernel = self._append(Draw(value, operands, instruction))
        self._buffer(value, instruction.type, kernel)
        return True

    def _sort(self, value: int, instruction: Instruction, operands: list[Layout]) -> bool:
        (x,), axis = operands, instruction.params["axis"]
        n, itemsize = x.shape[axis], self.plan.types[x.buffer].dtype.itemsize
        bits = 64 if itemsize <= 4 and n < 2**32 else 128
        self._extra += 1
        scratch = self._extra
        kernel = self._append(Sort(value, operands, axis, bits, scratch, instruction))
        self._buffer(scratch, Type(np.dtype(np.uint64), (2, n + 1, bits // 64)), kernel)
        self._buffer(value, instruction.type, kernel)
        return True

    # Products, joins, gathers and scatters.

    def _product(self, value: int, instruction: Instruction, operands: list[Layout]) -> bool:
        if instruction.type.dtype == np.float16:
            return False
        a, b = operands
        if len(a.shape) == 1:
            a = replace(a, shape=(1, *a.shape), strides=(0, *a.strides))
        if len(b.shape) == 1:
            b = replace(b, shape=(*b.shape, 1), strides=(*b.strides, 0))
        if instruction.type.dtype not in (np.float32, np.float64):
            self._sum_of_products(value, instruction, a, b)
            return True
        a, b = self._for_blas(a), self._for_tiles(self._for_blas(b), a.shape[-2])
        stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a = layout.broadcast(a, (*stack, *a.shape[-2:]))
        b = layout.broadcast(b, (*stack, *b.shape[-2:]))
        out = layout.whole(value, (*stack, a.shape[-2], b.shape[-1]))
        self._add_product(Product(value, a, b, out, instruction))
        return True

    def _sum_of_products(self, value: int, instruction: Instruction, a: Layout, b: Layout) -> None:
        """A product of integers, or booleans, over a domain (..., m, n, k)."""
        (m, k), n, dtype = a.shape[-2:], b.shape[-1], instruction.type.dtype
        stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        rows = replace(a, shape=(*a.shape[:-1], 1, k), strides=(*a.strides[:-1], 0, a.strides[-1]))
        columns = layout.permuted(b, [*range(len(b.shape) - 2), -1, -2])
        columns = replace(
            columns,
            shape=(*b.shape[:-2], 1, n, k),
            strides=(*b.strides[:-2], 0, *columns.strides[-2:]),
        )
        domain = (*stack, m, n, k)
        self._extra += 1
        each = self._extra
        type_ = Type(dtype, domain)
        multiply = Instruction("multiply", instruction.inputs, {}, type_)
        reads = [layout.broadcast(x, domain) for x in (rows, columns)]
        self._pointwise(each, multiply, reads, layout.whole(each, domain))
        op = "any" if dtype == np.bool_ else "sum"
        axes = (len(domain) - 1,)
        summed = Instruction(op, (each,), {"axis": axes}, instruction.type)
        self._reduction(value, summed, self.layouts[each], axes)

    # A product waits for its only use too: a sum that it can be added to, or a factor.

    def _add_product(self, product: Product) -> None:
        self._buffer(product.value, product.instruction.type)
        self.products[product.value] = product
        if self.uses[product.value] != 1:
            self._place_products([self.layouts[product.value]])

    def _place_products(self, xs: Sequence[Layout | Access]) -> None:
        for x in xs:
            if (product := self.products.pop(x.buffer, None)) is not None:
                self.home[x.buffer] = self._append(product)

    def _absorbed(self, value: int, instruction: Instruction, operands: list[Layout]) -> bool:
        """Whether it became a part of the product that it is applied to."""
        products = [self.products.get(x.buffer) for x in operands]
        if not any(products) or any(x.shape != instruction.type.shape for x in operands):
            return self._scaled(value, instruction, operands, products)
        if instruction.op not in ("add", "subtract"):
            return self._scaled(value, instruction, operands, products)
        for product, addend in ((products[1], operands[0]), (products[0], operands[1])):
            sign = -1.0 if instruction.op == "subtract" else 1.0
            if product is None or product.addend or (sign < 0 and product is not products[1]):
                continue
            if not self._can_be_added_to(addend) or not self._is_whole(operands, product):
                continue
            del self.products[product.value]
            self._place_products([addend])
            out = replace(product.out, buffer=value)
            addend = replace(addend, shape=out.shape, strides=out.strides)
            self._add_product(
                replace(
                    product,
                    value=value,
                    out=out,
                    instruction=instruction,
                    alpha=sign * product.alpha,
                    addend=addend,
                    before=(*product.before, product.value),
                )
            )
            return True
        return False

    def _can_be_added_to(self, x: Layout) -> bool:
        """An input, or another product, in order; what a nest computes is better used there."""
        if not x.is_contiguous or x.buffer in self.waiting or x.buffer in self.plan.constants:
            return False
        return not self._is_in_a_nest(x.buffer)

    def _is_whole(self, operands: list[Layout], product: Product) -> bool:
        mine = next(x for x in operands if x.buffer == product.value)
        return mine.is_contiguous and math.prod(mine.shape) == math.prod(product.out.shape)

    def _scaled(
        self,
        value: int,
        instruction: Instruction,
        operands: list[Layout],
        products: list[Product | None],
    ) -> bool:
        """Whether it is a product times a number.

        BLAS does not look at what is to be multiplied by zero, and loses a NaN.
        """
        if instruction.op != "multiply":
            return False
        for product, mine, other in zip(products, operands, reversed(operands), strict=True):
            factor = self.plan.literal(other.buffer)
            if product is None or factor is None or not factor.item():
                continue
            if product.addend or product.alpha != 1:  # two factors round twice
                continue
            if mine.shape != instruction.type.shape or not self._is_whole(operands, product):
                continue
            del self.products[product.value]
            self._add_product(
                replace(
                    product,
                    value=value,
                    out=replace(product.out, buffer=value),
                    instruction=instruction,
                    alpha=factor.item(),
                    before=(*product.before, product.value),
                )
            )
            return True
        return False

    def _for_blas(self, x: Layout) -> Layout:
        """``x``, copied if its rows or columns do not lie side by side."""
        m, n = x.shape[-2:]
        rows, columns = x.strides[-2:]
        by_row = (columns == 1 or n == 1) and (rows >= n or m == 1)
        by_column = (rows == 1 or m == 1) and (columns >= m or n == 1)
        if not by_row and not by_column:
            x = self._copied(x)
            self._place_all([x])
        return x

    def _loop(self, value: int, instruction: Instruction, operands: list[Layout]) -> bool:
        in_order = [x if x.is_contiguous else self._copied(x) for x in operands]
        self._place_all(in_order)
        assert isinstance(instruction.type, Bundle)
        first = self._extra + 1
        self._extra += len(instruction.type.parts)
        results = list(range(first, self._extra + 1))
        self.loops[value] = kernel = Loop(value, in_order, results, instruction)
        k = self._append(kernel)
        for buffer, type_ in zip(results, instruction.type.parts, strict=True):
            self._buffer(buffer, type_, k)
        return True

    def _for_tiles(self, x: Layout, m: int) -> Layout:
        """The second matrix of a product with ``m`` rows: copied if its columns lie in order, and
        tiles are to read it; once for all products."""
        k, n = x.shape[-2:]
        is_in_rows = x.strides[-1] == 1 or n == 1
        if is_in_rows or m < COPIED or not self.registers or not self.registers.pay(m, n, k):
            return x
        if x not in self.in_rows:
            self.in_rows[x] = self._copied(x)
            self._place_all([self.in_rows[x]])
        return self.in_rows[x]

    def _concat(self, value: int, instruction: Instruction, operands: list[Layout]) -> bool:
        axis, type_, start = instruction.params["axis"], instruction.type, 0
        whole = layout.whole(value, type_.shape)
        self.plan.types[value] = type_
        for i, x in enumerate(operands):
            stop = start + x.shape[axis]
            part = layout.indexed(whole, (*[slice(None)] * axis, slice(start, stop)))
            copy = replace(instruction, op="copy", params={}, inputs=(instruction.inputs[i],))
            self._pointwise(value, copy, [x], part, alone=True)
            start = stop
        self._buffer(value, type_, len(self.plan.kernels) - 1)
        return True

    def _gather(self, value: int, instruction: Instruction, operands: list[Layout]) -> bool:
        x, *indices = operands
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
        self._filled(value, instruction, operands)
        written = instruction if through else replace(instruction, op="copy", params={})
        self._pointwise(value, written, [source, *indices], part, through, alone=True)
        self._buffer(value, type_, len(self.plan.kernels) - 1)
        return True

    def _filled(self, value: int, instruction: Instruction, operands: list[Layout]) -> None:
        """A nest that makes the buffer what it is before the write: a copy, or zero."""
        type_ = instruction.type
        if instruction.op == "setitem":
            x, source = operands[0], instruction.inputs[0]
        else:
            self._extra += 1
            source = self._extra
            self.plan.constants[source] = np.zeros((), type_.dtype)
            zero = self._buffer(source, Type(type_.dtype, ()))
            x = layout.broadcast(zero, type_.shape)
        copy = replace(instruction, op="copy", params={}, inputs=(source,))
        self._pointwise(value, copy, [x], layout.whole(value, type_.shape), alone=True)

    # The end.

    def _finish_outputs(self) -> None:
        """Each output is a buffer of its own, in C order."""
        program, seen = self.plan.program, set()
        for v in program.outputs:
            x = self.layouts[v]
            type_ = program.type_of(v)
            size = math.prod(self.plan.types[x.buffer].shape)
            is_all = x.offset == 0 and x.is_contiguous and math.prod(x.shape) == size
            self._place_all([x])
            if not is_all or self.home[x.buffer] < 0 or x.buffer in seen:
                x = self._copied(x)
                self._place_all([x])
            self.plan.types[x.buffer] = type_  # it may be a reshape
            self.plan.outputs.append(x.buffer)
            seen.add(x.buffer)

    def _find_stored(self) -> None:
        """Mark what must be kept in memory."""
        kernels = self.plan.kernels
        needed = set(self.plan.outputs)
        for kernel in kernels:
            own = kernel.nodes if isinstance(kernel, Nest) else {}
            needed.update(b for b in read(kernel) if b not in own)
        for kernel in kernels:
            if isinstance(kernel, Nest):
                for node in kernel.nodes.values():
                    if node.value in needed or node.is_total:
                        kernel.stored.add(node.value)
                    kernel.kept |= _dear(kernel, node)
                kernel.kept -= kernel.stored
                kernel.stored |= kernel.kept


_SPECIAL: dict[str, Callable[[_Fusion, int, Instruction, list[Layout]], bool]] = {
    "matmul": _Fusion._product,
    "concat": _Fusion._concat,
    "getitem": _Fusion._gather,
    "setitem": _Fusion._scatter,
    "scatter_add": _Fusion._scatter,
    "cumulative_sum": _Fusion._scan,
    "cumulative_prod": _Fusion._scan,
    "random_uniform": _Fusion._draw,
    "argsort": _Fusion._sort,
    "loop": _Fusion._loop,
    "raise_unless": lambda *_: False,
}
"""What makes kernels of its own; whether it could."""

_WITHOUT_CODE = frozenset({"matmul", "concat", "loop", "raise_unless"})
"""Of these, what moves numbers or hands them over, and need not be asked for."""


def _fitted(nest: Nest, joined: dict[int, Node], node: Node, is_row: bool) -> Node | str:
    """``node`` by the axes and phases of ``nest``; or why it can't be computed there."""
    padding = (0,) * (len(nest.domain) - len(node.store.strides))
    reads = [replace(x, strides=x.strides + padding) for x in node.reads]
    phase = 0
    for x in reads:
        other = joined.get(x.buffer) or nest.nodes.get(x.buffer)
        if other is None:
            continue
        if other.is_total or other.is_scatter:
            return TOTAL if other.is_total else SCATTERED
        if x != other.store:
            return OTHER_ORDER
        phase = max(phase, other.phase + (other.is_row and not is_row))
    if node.through and (is_row or node.through.access.buffer in nest.nodes):
        return PICKED
    store = replace(node.store, strides=node.store.strides + padding)
    return replace(node, reads=reads, store=store, phase=phase, is_row=is_row)


def _uses(program: Program) -> dict[int, int]:
    """How often each value is read, also through views, and as an output."""
    n = len(program.inputs)
    roots, uses = list(range(n)), defaultdict[int, int](int)
    for i, instruction in enumerate(program.instructions):
        is_no_work = instruction.op == "copy" or is_view(instruction)
        roots.append(roots[instruction.inputs[0]] if is_no_work else n + i)
        if not is_no_work:
            for v in instruction.inputs:
                uses[roots[v]] += 1
    for v in program.outputs:
        uses[roots[v]] += 1
    return uses


def _in_stages(program: Program) -> list[int]:
    """The instructions' values by how many products lie before them, else as they come.

    So what does not wait for the first product, labels and their checks for instance, comes before
    it, and finds the nests that it belongs to still to be made.
    """
    n = len(program.inputs)
    stages = [0] * n
    for instruction in program.instructions:
        stage = max((stages[v] for v in instruction.inputs), default=0)
        stages.append(stage + (instruction.op in ("loop", "matmul")))
    return sorted(range(n, len(stages)), key=stages.__getitem__)


def _access(x: Layout, axes: Sequence[int]) -> Access:
    return Access(x.buffer, x.offset, tuple(x.strides[axis] for axis in axes))


def _dear(nest: Nest, node: Node) -> set[int]:
    """What ``node`` needs of earlier phases that is rather kept than computed again."""
    found, stack = set(), list(node.reads)
    while stack:
        other = nest.nodes.get(stack.pop().buffer)
        if other is None or other.is_row or other.value in nest.stored | nest.kept:
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
