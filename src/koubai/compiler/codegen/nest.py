"""A loop nest as an LLVM function.

The last axis is walked eight elements at a time, and what is left over in one shorter piece: a
last axis of 50 is six steps of eight lanes and one of two. Axes that lie in memory as one are
walked as one. In each phase a value is computed where something that is kept needs it, so what
nobody needs costs nothing.

    define void @k(ptr %table, ptr %operands)
      totals = identity
      for outer axes:
        for each phase:
          for inner axes but the last:
            for the last axis: loads, arithmetic, stores, partial reductions
          row values
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from koubai.compiler.codegen.elementwise import cast, elementwise, kind
from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.codegen.kernel import Pointers, fail
from koubai.compiler.codegen.lanes import Lanes
from koubai.compiler.codegen.memory import element_pointer, lane, load, splat, store
from koubai.compiler.codegen.reductions import across, combine, identity
from koubai.compiler.kernels import Access, Indirect, Nest, Node
from koubai.compiler.layout import Shape
from koubai.compiler.passes.fusion import ARGUMENTS, Plan
from koubai.compiler.primitives import dtype_name

WIDTH = 8
"""Lanes: a register of AVX2 holds eight float32."""

UNROLLED = 4
"""Partial results side by side in a long reduction, so that no addition waits for the last."""

SIDE_BY_SIDE = 4
"""Short rows that are computed together."""

Pointer = tuple[int, int]


@dataclass
class NestCode:
    """The function's text, in which it is called NAME, and its operands.

    Attributes:
        pointers: buffers and offsets in elements.
        may_fail: whether it sets the error flag, if an index is too large.
    """

    text: str
    pointers: list[Pointer]
    may_fail: bool


class NestCodes:
    """The code of a program's nests. Those that differ only in what they work on are written once:
    a recurrence of fifty steps has as many as one of two.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._known: dict[Any, tuple[str, list[int], bool]] = {}

    def of(self, nest: Nest) -> NestCode:
        kind, pointers = self._kind(nest)
        if kind not in self._known:
            code = nest_code(nest, self.plan)
            self._known[kind] = code.text, [pointers[p] for p in code.pointers], code.may_fail
        text, numbers, may_fail = self._known[kind]
        given = list(pointers)
        return NestCode(text, [given[i] for i in numbers], may_fail)

    def _kind(self, nest: Nest) -> tuple[Any, dict[Pointer, int]]:
        """All that the text depends on, and the pointers in the order in which they appear.

        Buffers and pointers are numbers in that order too: which ones they are does not matter.
        """
        buffers: dict[int, int] = {}
        pointers: dict[Pointer, int] = {}

        def access(x: Access) -> tuple[int, int, Shape]:
            buffer = buffers.setdefault(x.buffer, len(buffers))
            return buffer, pointers.setdefault((x.buffer, x.offset), len(pointers)), x.strides

        nodes = tuple(
            [
                (
                    buffers.setdefault(node.value, len(buffers)),
                    node.instruction.op,
                    *map(access, (*node.reads, node.store)),
                    node.through and (access(node.through.access), node.through.steps),
                    (node.phase, node.is_row, node.reduced, node.is_total),
                    node.value in nest.stored,
                )
                for node in nest.nodes.values()
            ]
        )
        facts = tuple([self._facts(buffer) for buffer in buffers])
        return (nest.domain, nest.split, nodes, facts), pointers

    def _facts(self, buffer: int) -> tuple[str, bytes | None]:
        dtype, literal = self.plan.types[buffer].dtype, self.plan.literal(buffer)
        number = None if literal is None else literal.tobytes()  # not as a float: 0.0 == -0.0
        return dtype_name(dtype), number


def nest_code(nest: Nest, plan: Plan) -> NestCode:
    return _NestEmitter(collapsed(nest), plan).code()


def collapsed(nest: Nest) -> Nest:
    """The same nest over fewer axes: neighbours that every access walks as one become one."""
    n, split = len(nest.domain), nest.split or 0
    strides = []
    for node in nest.nodes.values():
        accesses = [*node.reads, node.store, *([node.through.access] if node.through else [])]
        strides += [x.strides for x in accesses]
        if node.reduced is not None:
            strides.append(tuple(int(axis in node.reduced) << 60 for axis in range(n)))
    groups: list[list[int]] = []
    for axis in range(n):
        joins = axis not in (0, split) and all(
            _as_one(s[axis - 1], s[axis], nest.domain[axis]) for s in strides
        )
        if joins:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    if len(groups) == n:
        return replace(nest, split=split)

    def merged(x: Access) -> Access:
        return replace(x, strides=tuple(x.strides[group[-1]] for group in groups))

    nodes = {}
    for value, node in nest.nodes.items():
        reduced, through = node.reduced, node.through
        if reduced is not None:
            reduced = tuple(i for i, group in enumerate(groups) if group[0] in reduced)
        if through is not None:
            through = Indirect(merged(through.access), through.steps)
        nodes[value] = replace(
            node,
            reads=[merged(x) for x in node.reads],
            store=merged(node.store),
            through=through,
            reduced=reduced,
        )
    domain = tuple(math.prod(nest.domain[axis] for axis in group) for group in groups)
    split = sum(group[0] < split for group in groups)
    return Nest(domain, split, nodes, nest.stored)


def _as_one(outer: int, inner: int, length: int) -> bool:
    if outer >= 1 << 60 or inner >= 1 << 60:  # reduced axes: both or none
        return outer == inner
    return outer == inner * length


@dataclass(frozen=True)
class _Piece:
    """A part of the last axis: ``steps`` times ``slots`` times ``lanes`` elements."""

    start: int
    steps: int
    slots: int
    lanes: int


def _pieces(n: int, width: int, slots: int) -> list[_Piece]:
    """How ``n`` elements are walked: in steps of several registers, of one, and what is left."""
    pieces, start = [], 0
    for count in dict.fromkeys((slots, 1)):
        steps = (n - start) // (width * count)
        if steps:
            pieces.append(_Piece(start, steps, count, width))
            start += steps * width * count
    if n > start:
        pieces.append(_Piece(start, 1, 1, n - start))
    return pieces


Body = Callable[[int, str, int], None]
"""Emits the code for so many lanes, from this index on, in this slot."""


class _NestEmitter:
    def __init__(self, nest: Nest, plan: Plan) -> None:
        self.nest, self.plan = nest, plan
        self.split = nest.split or 0
        self.f = Emitter("NAME", ["ptr %table", "ptr %operands"])
        self.given = Pointers(self.f)
        self.pointers: dict[Pointer, str] = {}
        self.may_fail = False
        self.indices: list[str] = []  # of the axes that are being looped over
        self.rows: dict[int, str] = {}  # row values, as numbers
        self.bases: dict[Access, str] = {}  # where this run along the last axis begins
        self.hoisted: dict[Access, str] = {}  # what is the same all along it
        self.offsets: dict[int, str] = {}  # of lookups that are
        self.memo: dict[int, str] = {}  # values at this point
        self.partials: dict[tuple[int, int, int], list[str]] = {}  # by value, lanes and slot

    def code(self) -> NestCode:
        nest, f = self.nest, self.f
        nodes = nest.nodes.values()
        for node in nodes:
            if node.is_total:
                self._fill(node)
        outer = nest.domain[: self.split]
        if 0 not in outer:
            with ExitStack() as loops:
                for n in outer[:-1]:
                    self.indices.append(loops.enter_context(f.loop("0", str(n))))
                self._rows(*outer[-1:])
        return NestCode(f.text(), list(self.pointers), self.may_fail)

    def _rows(self, n: int = 1) -> None:
        """All phases of ``n`` rows; of several short ones side by side, each phase in turn.

        The phases of one row wait for each other, and a processor looks ahead only so far.
        """
        above, start = self.indices, 0
        phases = range(max(node.phase for node in self.nest.nodes.values()) + 1)
        for count in dict.fromkeys((self._side_by_side(), 1)):
            stop = start + (n - start) // count * count
            if start == stop:
                continue
            with self.f.loop(str(start), str(stop), count) as i:
                rows = [i, *(self.f.op(f"add nsw i64 {i}, {k}") for k in range(1, count))]
                known: list[dict[int, str]] = [{} for _ in rows]
                for phase in phases:
                    for row, self.rows in zip(rows, known, strict=True):
                        self.indices = [*above, row] if self.split else above
                        self._phase(phase)
            start = stop
        self.indices = above

    def _side_by_side(self) -> int:
        """How many rows: one, unless they are so short that there is no loop within."""
        inner = self.nest.domain[self.split :]
        is_short = len(inner) == 1 and all(p.steps == 1 for p in _pieces(inner[0], WIDTH, 1))
        has_phases = any(node.phase for node in self.nest.nodes.values())
        return SIDE_BY_SIDE if self.split and is_short and has_phases else 1

    def _fill(self, node: Node) -> None:
        """A total begins as what its reduction begins with."""
        start, pointer = self._identity(node), self._pointer(node.store)
        domain = self.nest.domain[: self.split] if node.is_row else self.nest.domain
        kept = [n for i, n in enumerate(domain) if i not in (node.reduced or ())]

        def fill(lanes: int, i: str, slot: int) -> None:
            t = Lanes(self._dtype(node.value), lanes)
            place = element_pointer(self.f, t.dtype, pointer, i)
            store(self.f, t, t.constant(start), place)

        self._walk(_pieces(math.prod(kept), WIDTH, 1), fill)

    def _identity(self, node: Node) -> object:
        return identity(node.instruction.op, self._partial_type(node, 1).dtype)

    def _walk(self, pieces: list[_Piece], body: Body) -> None:
        f = self.f
        for piece in pieces:
            step = piece.slots * piece.lanes
            if piece.steps == 1:
                for slot in range(piece.slots):
                    body(piece.lanes, str(piece.start + slot * piece.lanes), slot)
                continue
            with f.loop(str(piece.start), str(piece.start + piece.steps * step), step) as i:
                for slot in range(piece.slots):
                    at = i if slot == 0 else f.op(f"add nsw i64 {i}, {slot * piece.lanes}")
                    body(piece.lanes, at, slot)

    # One phase.

    def _phase(self, phase: int) -> None:
        nodes = [node for node in self.nest.nodes.values() if node.phase == phase]
        sinks = [
            node
            for node in nodes
            if not node.is_row_value and (node.reduced or node.value in self.nest.stored)
        ]
        inner = self.nest.domain[self.split :]
        rows = [node for node in sinks if self._reduces_all_of(node, self.split)]
        pieces = self._pieces_for(sinks)
        self._begin(rows, pieces)
        if sinks and 0 not in inner:
            with ExitStack() as loops:
                for n in inner[:-1]:
                    self.indices.append(loops.enter_context(self.f.loop("0", str(n))))
                self._run(sinks, rows, pieces)
            del self.indices[self.split :]
        self._end(rows, pieces)
        for node in nodes:
            if node.is_row_value:
                self._row_value(node)

    def _reduces_all_of(self, node: Node, first: int) -> bool:
        """Whether it is a reduction over all axes from ``first`` on."""
        axes = range(first, len(self.nest.domain))
        return bool(node.reduced) and set(axes) <= set(node.reduced or ())

    def _pieces_for(self, sinks: list[Node]) -> list[_Piece]:
        n = self.nest.domain[-1] if len(self.nest.domain) > self.split else 1
        if any(node.instruction.op in ARGUMENTS for node in sinks):
            return _pieces(n, 1, 1)
        sums = [
            node for node in sinks if node.reduced and len(self.nest.domain) - 1 in node.reduced
        ]
        is_long = n >= 4 * UNROLLED * WIDTH and len(self._needed(sinks)) <= 8
        return _pieces(n, WIDTH, UNROLLED if sums and is_long else 1)

    def _run(self, sinks: list[Node], rows: list[Node], pieces: list[_Piece]) -> None:
        """Walk the last axis."""
        last = len(self.nest.domain) - 1
        partial = [x for x in sinks if x not in rows and x.reduced and last in x.reduced]
        self._prepare(sinks)
        self._begin(partial, pieces)

        def body(lanes: int, i: str, slot: int) -> None:
            self.memo = {}
            values = [self._sink_value(node, lanes, i) for node in sinks]
            for node, x in zip(sinks, values, strict=True):
                self._sink(node, lanes, i, slot, x)

        self._walk(pieces, body)
        self._end(partial, pieces)
        self.bases, self.hoisted, self.offsets = {}, {}, {}

    def _needed(self, sinks: list[Node]) -> list[Node]:
        """The nodes that are computed for the sinks: not those that are known or in memory."""
        found, stack = {}, [node.value for node in sinks]
        phase = sinks[0].phase if sinks else 0
        while stack:
            value = stack.pop()
            if value not in found:
                found[value] = self.nest.nodes[value]
                stack += [x.buffer for x in found[value].reads if self._is_computed(x, phase)]
        return list(found.values())

    def _is_computed(self, x: Access, phase: int) -> bool:
        """Whether it is computed here, in this phase; else it is a row value, or in memory."""
        node = self.nest.nodes.get(x.buffer)
        if node is None or node.is_row:
            return False
        return node.phase == phase or node.value not in self.nest.stored

    def _prepare(self, sinks: list[Node]) -> None:
        """What is the same all along the last axis."""
        self.phase = sinks[0].phase
        needed = self._needed(sinks)
        for node in needed:
            for x in node.reads:
                if self.plan.literal(x.buffer) is None and not self._is_inside(x):
                    self._base(x)
                    if not _last(x):
                        t = Lanes(self._dtype(x.buffer), 1)
                        self.hoisted[x] = load(self.f, t, self.bases[x])
            if node.through:
                self._base(node.through.access)
                if all(self._is_constant(x) for x in self._indices(node)):
                    self.offsets[node.value] = self._offset(node, 1, "0")
        for node in sinks:
            if not node.is_scatter and (node.is_total or node.value in self.nest.stored):
                self._base(node.store)

    def _is_inside(self, x: Access) -> bool:
        node = self.nest.nodes.get(x.buffer)
        return node is not None and (node.is_row or self._is_computed(x, self.phase))

    def _is_constant(self, x: Access) -> bool:
        """Whether it is known to be the same all along the last axis."""
        if self.plan.literal(x.buffer) is not None or x in self.hoisted:
            return True
        return x.buffer in self.rows

    def _row_value(self, node: Node) -> None:
        """A value for each row, of others."""
        f, reads = self.f, []
        for x in node.reads:
            t, literal = Lanes(self._dtype(x.buffer), 1), self.plan.literal(x.buffer)
            if literal is not None:
                reads.append(t.constant(literal.item()))
            elif x.buffer in self.nest.nodes:
                reads.append(self.rows[x.buffer])
            else:
                reads.append(load(f, t, self._address(x)))
        if node.is_total:
            t = self._partial_type(node, 1)
            term = cast(f, Lanes(self._dtype(node.reads[0].buffer), 1), reads[0], t.dtype)
            self._add(node, t, term, self._address(node.store))
            return
        self.rows[node.value] = self._computed(node, 1, reads)
        self._store_row(node)

    def _store_row(self, node: Node) -> None:
        if node.value in self.nest.stored:
            t = Lanes(self._dtype(node.value), 1)
            store(self.f, t, self.rows[node.value], self._address(node.store))

    # Reductions.

    def _begin(self, nodes: list[Node], pieces: list[_Piece]) -> None:
        """Partial results on the stack, which LLVM keeps in registers."""
        for node in nodes:
            for lanes, slot in _variants(pieces):
                t = self._partial_type(node, lanes)
                key = (node.value, lanes, slot)
                if key not in self.partials:
                    self.partials[key] = [self.f.stack(str(t)), self.f.stack("i64")]
                best, index = self.partials[key]
                self.f.do(f"store {t} {t.constant(self._identity(node))}, ptr {best}")
                if node.instruction.op in ARGUMENTS:
                    self.f.do(f"store i64 0, ptr {index}")

    def _partial_type(self, node: Node, lanes: int) -> Lanes:
        is_argument = node.instruction.op in ARGUMENTS
        return Lanes(self._dtype(node.reads[0].buffer if is_argument else node.value), lanes)

    def _end(self, nodes: list[Node], pieces: list[_Piece]) -> None:
        """From partial results to the result, which is a row value or a part of a total."""
        f = self.f
        for node in nodes:
            op, result = node.instruction.op, None
            for lanes, slot in _variants(pieces):
                best, index = self.partials[node.value, lanes, slot]
                t = self._partial_type(node, lanes)
                if op in ARGUMENTS:
                    result = f.op(f"load i64, ptr {index}")
                    break
                x = across(f, op, t, f.op(f"load {t}, ptr {best}"))
                one = t.of(t.dtype, 1)
                result = x if result is None else combine(f, op, one, result, x)
            if result is None:  # of nothing
                t = self._partial_type(node, 1)
                result = t.constant(self._identity(node))
            if node.is_total:
                self._add(
                    node, Lanes(self._dtype(node.value), 1), result, self._address(node.store)
                )
            else:
                self.rows[node.value] = result
                self._store_row(node)

    def _add(self, node: Node, t: Lanes, x: str, pointer: str, stride: int = 1) -> None:
        """To a total in memory."""
        old = load(self.f, t, pointer, stride)
        store(self.f, t, combine(self.f, node.instruction.op, t, old, x), pointer, stride)

    def _accumulate(self, node: Node, lanes: int, i: str, slot: int, x: str) -> None:
        """To a partial result."""
        f, t, op = self.f, self._partial_type(node, lanes), node.instruction.op
        best, index = self.partials[node.value, lanes, slot]
        old = f.op(f"load {t}, ptr {best}")
        if op not in ARGUMENTS:
            f.do(f"store {t} {combine(f, op, t, old, x)}, ptr {best}")
            return
        better = elementwise(f, "greater" if op == "argmax" else "less", t, [x, old], "bool")
        if kind(t.dtype) == "f":  # the first NaN is the greatest and the least of all
            is_nan = elementwise(f, "isnan", t, [x], "bool")
            was_not = f.op(f"fcmp ord {t} {old}, {old}")
            better = f.op(f"or i1 {better}, {f.op(f'and i1 {is_nan}, {was_not}')}")
        f.do(f"store {t} {f.op(f'select i1 {better}, {t} {x}, {t} {old}')}, ptr {best}")
        before = f.op(f"load i64, ptr {index}")
        f.do(f"store i64 {f.op(f'select i1 {better}, i64 {i}, i64 {before}')}, ptr {index}")

    # Values at a point.

    def _sink_value(self, node: Node, lanes: int, i: str) -> str:
        if node.is_scatter:
            return self._read(node.reads[0], lanes, i)
        if node.reduced:
            x, t = (
                self._read(node.reads[0], lanes, i),
                Lanes(self._dtype(node.reads[0].buffer), lanes),
            )
            return cast(self.f, t, x, self._partial_type(node, lanes).dtype)
        return self._value(node, lanes, i)

    def _sink(self, node: Node, lanes: int, i: str, slot: int, x: str) -> None:
        """Keep ``x``."""
        t, stride = Lanes(self._dtype(node.value), lanes), _last(node.store)
        if node.is_scatter:
            self._scatter(node, t, i, x)
        elif (node.value, lanes, slot) in self.partials and node.reduced:
            self._accumulate(node, lanes, i, slot, x)
        elif node.reduced:
            self._add(node, t, x, self._at(node.store, i), stride)
        else:
            store(self.f, t, x, self._at(node.store, i), stride)

    def _value(self, node: Node, lanes: int, i: str) -> str:
        if node.value not in self.memo:
            if node.through:
                x = self._looked_up(node, lanes, i)
            else:
                x = self._computed(node, lanes, [self._read(r, lanes, i) for r in node.reads])
            self.memo[node.value] = x
        return self.memo[node.value]

    def _computed(self, node: Node, lanes: int, xs: list[str]) -> str:
        """The instruction, on these operands."""
        op, dtypes = node.instruction.op, [self._dtype(x.buffer) for x in node.reads]
        t, result = Lanes(dtypes[-1], lanes), self._dtype(node.value)
        self.may_fail |= node.may_fail
        if node.reduced is not None and not node.reduced:  # over axes of length 1
            return t.of(result).constant(0) if op in ARGUMENTS else cast(self.f, t, xs[0], result)
        return elementwise(self.f, op, t, xs, result)

    def _read(self, x: Access, lanes: int, i: str) -> str:
        t, literal = Lanes(self._dtype(x.buffer), lanes), self.plan.literal(x.buffer)
        if literal is not None:
            return t.constant(literal.item())
        if x.buffer in self.rows and x.buffer in self.nest.nodes:
            return splat(self.f, t, self.rows[x.buffer])
        if x in self.hoisted:
            return splat(self.f, t, self.hoisted[x])
        if self._is_inside(x):
            return self._value(self.nest.nodes[x.buffer], lanes, i)
        return load(self.f, t, self._at(x, i), _last(x))

    # Addresses.

    def _dtype(self, buffer: int) -> str:
        return dtype_name(self.plan.types[buffer].dtype)

    def _pointer(self, x: Access) -> str:
        key = (x.buffer, x.offset)
        if key not in self.pointers:
            self.pointers[key] = self.given.add()
        return self.pointers[key]

    def _address(self, x: Access) -> str:
        """Where its element is, for the axes that are looped over so far."""
        f, pointer = self.f, self._pointer(x)
        for index, stride in zip(self.indices, x.strides, strict=False):
            if stride:
                step = index if stride == 1 else f.op(f"mul nsw i64 {index}, {stride}")
                pointer = element_pointer(f, self._dtype(x.buffer), pointer, step)
        return pointer

    def _base(self, x: Access) -> None:
        if x not in self.bases:
            self.bases[x] = self._address(x)

    def _at(self, x: Access, i: str, pointer: str | None = None) -> str:
        """The address at index ``i`` of the last axis."""
        f, stride, pointer = self.f, _last(x), pointer or self.bases[x]
        if not stride:
            return pointer
        step = i if stride == 1 else f.op(f"mul nsw i64 {i}, {stride}")
        return element_pointer(f, self._dtype(x.buffer), pointer, step)

    # Lookups.

    @staticmethod
    def _indices(node: Node) -> list[Access]:
        return node.reads[1:] if node.is_scatter else node.reads

    def _offset(self, node: Node, lanes: int, i: str) -> str:
        """How far the indices lead, in elements; where one is too large, not at all."""
        f, t, total = self.f, Lanes("int64", lanes), ""
        assert node.through is not None
        bad = t.of("bool").constant(False)
        for x, (step, length) in zip(self._indices(node), node.through.steps, strict=True):
            dtype = self._dtype(x.buffer)
            index = cast(f, Lanes(dtype, lanes), self._read(x, lanes, i), "int64")
            below = f.op(f"icmp slt {t} {index}, {t.constant(0)}")
            wrapped = f.op(f"add {t} {index}, {t.constant(length)}")
            index = f.op(f"select {t.of('bool')} {below}, {t} {wrapped}, {t} {index}")
            too_large = f.op(f"icmp uge {t} {index}, {t.constant(length)}")
            bad = f.op(f"or {t.of('bool')} {bad}, {too_large}")
            index = f.op(f"mul {t} {index}, {t.constant(step)}")
            total = f.op(f"add {t} {total}, {index}") if total else index
        self.may_fail = True
        with f.when(across(f, "any", t.of("bool"), bad)):
            fail(f)
        return f.op(f"select {t.of('bool')} {bad}, {t} {t.constant(0)}, {t} {total}")

    def _places(self, node: Node, t: Lanes, i: str) -> list[str]:
        """The address of each lane."""
        assert node.through is not None
        x, f = node.through.access, self.f
        offset, of = self._offset(node, t.count, i), Lanes("int64", t.count)
        places = []
        for k in range(t.count):
            pointer = element_pointer(f, t.dtype, self.bases[x], lane(f, of, offset, k))
            step = f.op(f"add nsw i64 {i}, {k}") if _last(x) else i
            places.append(self._at(x, step, pointer))
        return places

    def _row_place(self, node: Node, t: Lanes, i: str) -> str:
        """The address of the first lane, where the lookup is the same for all."""
        assert node.through is not None
        x = node.through.access
        pointer = element_pointer(self.f, t.dtype, self.bases[x], self.offsets[node.value])
        return self._at(x, i, pointer)

    def _looked_up(self, node: Node, lanes: int, i: str) -> str:
        f, t = self.f, Lanes(self._dtype(node.value), lanes)
        assert node.through is not None
        if node.value in self.offsets:
            return load(f, t, self._row_place(node, t, i), _last(node.through.access))
        x, one = "poison", Lanes(t.dtype, 1)
        for k, place in enumerate(self._places(node, t, i)):
            y = load(f, one, place)
            x = y if lanes == 1 else f.op(f"insertelement {t} {x}, {t.element} {y}, i64 {k}")
        return x

    def _scatter(self, node: Node, t: Lanes, i: str, x: str) -> None:
        """One lane after the other, as two may go to the same place."""
        f, one = self.f, Lanes(t.dtype, 1)
        assert node.through is not None
        adds = node.instruction.op == "scatter_add"
        stride = _last(node.through.access)
        if node.value in self.offsets and stride:
            place = self._row_place(node, t, i)
            if adds:
                x = self._sum(t, load(f, t, place, stride), x)
            store(f, t, x, place, stride)
            return
        for k, place in enumerate(self._places(node, t, i)):
            y = lane(f, t, x, k)
            store(f, one, self._sum(one, load(f, one, place), y) if adds else y, place)

    def _sum(self, t: Lanes, x: str, y: str) -> str:
        return elementwise(self.f, "add", t, [x, y], t.dtype)


def _last(x: Access) -> int:
    return x.strides[-1] if x.strides else 0


def _variants(pieces: list[_Piece]) -> list[tuple[int, int]]:
    """The lanes and slots that occur."""
    return list(dict.fromkeys((p.lanes, slot) for p in pieces for slot in range(p.slots)))
