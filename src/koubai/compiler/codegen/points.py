"""Values at the points of a nest: what is read, computed and stored there.

Lanes are points side by side along one axis. Which one that is, and in which order points are
visited, is said by the classes that inherit from this one (along.py, across.py).

The innermost loops, in which addresses move on, are a *run*; what is the same all along a run is
found before it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from koubai.compiler.codegen.elementwise import cast, elementwise
from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.codegen.kernel import Pointers, fail
from koubai.compiler.codegen.lanes import Lanes
from koubai.compiler.codegen.memory import element_pointer, lane, load, splat, store
from koubai.compiler.codegen.phases import is_computed, needed, phases
from koubai.compiler.codegen.pieces import pieces, walk
from koubai.compiler.codegen.reductions import across, combine, identity
from koubai.compiler.kernels import Access, Nest, Node
from koubai.compiler.passes.fusion import ARGUMENTS, Plan
from koubai.compiler.primitives import dtype_name

Pointer = tuple[int, int]
"""A buffer, and an offset in elements."""


class Points:
    """The emitter of one nest.

    Args:
        nest: collapsed.
        width: the lanes of a full register.
        axis: along which lanes lie; -1 if there is no axis.
        moving: the axes of a run.

    Attributes:
        pointers: those that it uses, by their names.
        may_fail: whether it sets the error flag.
        lanes: how many points there are side by side.
        fixed: the indices of the axes that are looped over outside of the run; of ``axis``, of the
            first lane.
        at: the indices of the run's axes.
        rows: the values of this row, or of these rows: one number, or lanes.
    """

    def __init__(
        self, nest: Nest, plan: Plan, width: int, axis: int, moving: Sequence[int]
    ) -> None:
        self.nest, self.plan, self.width = nest, plan, width
        self.split = nest.split or 0
        self.axis, self.moving = axis, moving
        self.rows_are_lanes = axis not in moving
        self.f = Emitter("NAME", ["ptr %table", "ptr %operands"])
        self.given = Pointers(self.f)
        self.pointers: dict[Pointer, str] = {}
        self.may_fail = False
        self.phases = phases(nest)
        self.phase = 0
        self.lanes = 1
        self.fixed: dict[int, str] = {}
        self.at: dict[int, str] = {}
        self.rows: dict[int, str] = {}
        self._bases: dict[Access, str] = {}  # where this run begins
        self._hoisted: dict[Access, str] = {}  # what is the same all along it
        self._offsets: dict[int, str] = {}  # of lookups that are
        self._memo: dict[int, str] = {}  # values at this point

    # Parts of the nest.

    def dtype(self, buffer: int) -> str:
        return dtype_name(self.plan.types[buffer].dtype)

    def partial_type(self, node: Node, lanes: int) -> Lanes:
        """Of what a reduction compares or adds up."""
        is_argument = node.instruction.op in ARGUMENTS
        return Lanes(self.dtype(node.reads[0].buffer if is_argument else node.value), lanes)

    @contextmanager
    def loops(self, axes: Sequence[int], indices: dict[int, str]) -> Iterator[None]:
        """Over these axes, with their indices in ``indices``."""
        if not axes:
            yield
            return
        axis, *rest = axes
        with self.f.loop("0", str(self.nest.domain[axis])) as i:
            indices[axis] = i
            with self.loops(rest, indices):
                yield
        del indices[axis]

    def fill_totals(self) -> None:
        """A total begins as what its reduction begins with."""
        for node in self.nest.nodes.values():
            if not node.is_total:
                continue
            start = identity(node.instruction.op, self.partial_type(node, 1).dtype)
            pointer = self._pointer(node.store)
            domain = self.nest.domain[: self.split] if node.is_row else self.nest.domain
            kept = [n for i, n in enumerate(domain) if i not in (node.reduced or ())]

            def fill(
                lanes: int,
                i: str,
                slot: int,
                value: int = node.value,
                start: object = start,
                pointer: str = pointer,
            ) -> None:
                t = Lanes(self.dtype(value), lanes)
                store(self.f, t, t.constant(start), element_pointer(self.f, t.dtype, pointer, i))

            walk(self.f, pieces(math.prod(kept), self.width), fill)

    # A run.

    def begin_run(self, sinks: list[Node]) -> None:
        """Find what is the same all along it."""
        for node in needed(self.nest, sinks):
            for x in node.reads:
                if self.plan.literal(x.buffer) is None and not self._is_inside(x):
                    self._base(x)
                    if not any(self._stride(x, axis) for axis in self.moving):
                        t = Lanes(self.dtype(x.buffer), self.lanes)
                        self._hoisted[x] = load(self.f, t, self._bases[x], self._step(x))
            if node.through:
                self._base(node.through.access)
                if all(self._is_constant(x) for x in self._indices(node)):
                    self._offsets[node.value] = self._offset(node)
        for node in sinks:
            if not node.is_scatter and (node.is_total or node.value in self.nest.stored):
                self._base(node.store)

    def begin_point(self) -> None:
        self._memo = {}

    def end_run(self) -> None:
        self._bases, self._hoisted, self._offsets = {}, {}, {}

    def _is_inside(self, x: Access) -> bool:
        return x.buffer in self.rows or is_computed(self.nest, x, self.phase)

    def _is_constant(self, x: Access) -> bool:
        """Whether it is known to be the same all along the run."""
        if self.plan.literal(x.buffer) is not None or x in self._hoisted:
            return True
        return x.buffer in self.rows

    # Values.

    def sink_value(self, node: Node) -> str:
        """What ``sink`` is given: of a reduction, its operand."""
        if node.is_scatter:
            return self._read(node.reads[0])
        if node.reduced:
            t = Lanes(self.dtype(node.reads[0].buffer), self.lanes)
            x = self._read(node.reads[0])
            return cast(self.f, t, x, self.partial_type(node, self.lanes).dtype)
        return self._value(node)

    def sink(self, node: Node, x: str) -> None:
        """Keep ``x`` in memory."""
        t = Lanes(self.dtype(node.value), self.lanes)
        if node.is_scatter:
            self._scatter(node, t, x)
        elif node.reduced:
            self.add_to_total(node, x, self.lanes)
        else:
            store(self.f, t, x, self._at(node.store), self._step(node.store))

    def add_to_total(self, node: Node, x: str, lanes: int) -> None:
        """In memory; of a total over the lanes' axis, ``x`` is one number."""
        t = Lanes(self.dtype(node.value), lanes)
        pointer, step = self._at(node.store), self._step(node.store)
        old = load(self.f, t, pointer, step)
        store(self.f, t, combine(self.f, node.instruction.op, t, old, x), pointer, step)

    def row_value(self, node: Node) -> None:
        """A value for each row, of others."""
        if node.is_total:
            self.sink(node, self.sink_value(node))
        else:
            self.set_row(node, self._computed(node))
        self.end_run()

    def set_row(self, node: Node, x: str) -> None:
        self.rows[node.value] = x
        if node.value in self.nest.stored:
            t = Lanes(self.dtype(node.value), self.lanes)
            store(self.f, t, x, self._at(node.store), self._step(node.store))

    def _value(self, node: Node) -> str:
        if node.value not in self._memo:
            x = self._looked_up(node) if node.through else self._computed(node)
            self._memo[node.value] = x
        return self._memo[node.value]

    def _computed(self, node: Node) -> str:
        op, dtypes = node.instruction.op, [self.dtype(x.buffer) for x in node.reads]
        t, result = Lanes(dtypes[-1], self.lanes), self.dtype(node.value)
        xs = [self._read(x) for x in node.reads]
        self.may_fail |= node.may_fail
        if node.reduced is not None and not node.reduced:  # over axes of length 1
            return t.of(result).constant(0) if op in ARGUMENTS else cast(self.f, t, xs[0], result)
        return elementwise(self.f, op, t, xs, result)

    def _read(self, x: Access) -> str:
        t, literal = Lanes(self.dtype(x.buffer), self.lanes), self.plan.literal(x.buffer)
        if literal is not None:
            return t.constant(literal.item())
        known = self.rows.get(x.buffer) or self._hoisted.get(x)
        if known:
            return known if self.rows_are_lanes else splat(self.f, t, known)
        if self._is_inside(x):
            return self._value(self.nest.nodes[x.buffer])
        return load(self.f, t, self._at(x), self._step(x))

    # Addresses.

    def _stride(self, x: Access, axis: int) -> int:
        return x.strides[axis] if x.strides else 0

    def _step(self, x: Access) -> int:
        """From lane to lane."""
        return self._stride(x, self.axis)

    def _pointer(self, x: Access) -> str:
        key = (x.buffer, x.offset)
        if key not in self.pointers:
            self.pointers[key] = self.given.add()
        return self.pointers[key]

    def _moved(self, x: Access, pointer: str, indices: dict[int, str]) -> str:
        f = self.f
        for axis, index in indices.items():
            if stride := self._stride(x, axis):
                step = index if stride == 1 else f.op(f"mul nsw i64 {index}, {stride}")
                pointer = element_pointer(f, self.dtype(x.buffer), pointer, step)
        return pointer

    def _base(self, x: Access) -> str:
        if x not in self._bases:
            self._bases[x] = self._moved(x, self._pointer(x), self.fixed)
        return self._bases[x]

    def _at(self, x: Access) -> str:
        """The address at this point, of the first lane."""
        return self._moved(x, self._base(x), self.at)

    # Lookups.

    @staticmethod
    def _indices(node: Node) -> list[Access]:
        return node.reads[1:] if node.is_scatter else node.reads

    def _offset(self, node: Node) -> str:
        """How far the indices lead, in elements; where one is too large, not at all."""
        f, t, total = self.f, Lanes("int64", self.lanes), ""
        assert node.through is not None
        bad = t.of("bool").constant(False)
        for x, (step, length) in zip(self._indices(node), node.through.steps, strict=True):
            index = cast(f, Lanes(self.dtype(x.buffer), self.lanes), self._read(x), "int64")
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

    def _is_one_place(self, node: Node) -> bool:
        """Whether all lanes are looked up by the same indices."""
        return node.value in self._offsets and not self.rows_are_lanes

    def _place(self, node: Node, t: Lanes, offset: str) -> str:
        assert node.through is not None
        return element_pointer(self.f, t.dtype, self._at(node.through.access), offset)

    def _places(self, node: Node, t: Lanes) -> list[str]:
        """The address of each lane."""
        f, of = self.f, Lanes("int64", self.lanes)
        assert node.through is not None
        offset, step = self._offsets.get(node.value) or self._offset(node), 0
        places = []
        for k in range(self.lanes):
            place = self._place(node, t, lane(f, of, offset, k))
            step = k * self._step(node.through.access)
            places.append(element_pointer(f, t.dtype, place, str(step)) if step else place)
        return places

    def _looked_up(self, node: Node) -> str:
        f, t = self.f, Lanes(self.dtype(node.value), self.lanes)
        assert node.through is not None
        if self._is_one_place(node):
            place = self._place(node, t, self._offsets[node.value])
            return load(f, t, place, self._step(node.through.access))
        x, one = "poison", t.of(t.dtype, 1)
        for k, place in enumerate(self._places(node, t)):
            y = load(f, one, place)
            x = y if t.count == 1 else f.op(f"insertelement {t} {x}, {t.element} {y}, i64 {k}")
        return x

    def _scatter(self, node: Node, t: Lanes, x: str) -> None:
        """One lane after the other, as two may go to the same place."""
        f, one = self.f, t.of(t.dtype, 1)
        assert node.through is not None
        adds = node.instruction.op == "scatter_add"
        step = self._step(node.through.access)
        if self._is_one_place(node) and step:
            place = self._place(node, t, self._offsets[node.value])
            if adds:
                x = self._sum(t, load(f, t, place, step), x)
            store(f, t, x, place, step)
            return
        for k, place in enumerate(self._places(node, t)):
            y = lane(f, t, x, k)
            store(f, one, self._sum(one, load(f, one, place), y) if adds else y, place)

    def _sum(self, t: Lanes, x: str, y: str) -> str:
        return elementwise(self.f, "add", t, [x, y], t.dtype)
