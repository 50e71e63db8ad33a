"""A nest whose lanes lie across rows, which are short.

    totals = identity
    for outer axes but the last:
      for strips of rows:
        for each phase:
          for blocks of the strip, of as many rows as there are lanes:
            for inner axes: loads, arithmetic, stores, partial reductions
            row values

A reduction of rows is so a sum of registers, and what is computed for each row, for many at once.
A phase waits for the one before it: a strip is as many blocks as there is room for in the cache
next to the processor, so that there are always others to go on with.
"""

from __future__ import annotations

import math

from koubai.compiler.codegen.lanes import Lanes
from koubai.compiler.codegen.memory import element_pointer, in_memory, load, store
from koubai.compiler.codegen.phases import needed, row_values, sinks
from koubai.compiler.codegen.pieces import pieces, walk
from koubai.compiler.codegen.points import Points
from koubai.compiler.codegen.reductions import Partial, across, widened
from koubai.compiler.kernels import Access, Nest, Node
from koubai.compiler.layout import contiguous
from koubai.compiler.passes.fusion import Plan

STRIP = 8192
"""Bytes of what is kept for a strip from one phase to the next."""


class Across(Points):
    """The emitter of one nest, as above."""

    def __init__(self, nest: Nest, plan: Plan, width: int) -> None:
        split = nest.split or 0
        super().__init__(nest, plan, width, split - 1, range(split, len(nest.domain)))
        self.partials: dict[tuple[int, int], Partial] = {}  # of rows, by value and lanes
        self.totals: dict[int, Partial] = {}  # over all blocks
        self.earlier = [self._earlier(phase) for phase in self.phases]
        self.strip = self._strip_length(nest.domain[self.axis])
        self.kept_rows = {  # for a strip
            value: self.f.stack(f"[{self.strip} x {in_memory(Lanes(self.dtype(value), 1))}]")
            for value in sorted(set().union(*self.earlier))
        }

    def emit(self) -> None:
        self.fill_totals()
        n, strip = self.nest.domain[self.axis], self.strip
        of_all = [node for node in self.nest.nodes.values() if self._is_over_blocks(node)]
        with self.loops(range(self.axis), self.fixed):
            for node in of_all:
                self._total(node, min(n, self.width)).clear()
            whole = n // strip * strip
            if whole > strip:
                with self.f.loop("0", str(whole), strip) as start:
                    self._strip(start, strip)
            elif whole:
                self._strip("0", strip)
            if n > whole:
                self._strip(str(whole), n - whole)
            for node in of_all:
                self._end_total(node)

    def _strip_length(self, n: int) -> int:
        """Rows; strips are of about the same length."""
        if len(self.phases) == 1:
            return self.width
        row = math.prod(self.nest.domain[self.axis + 1 :])
        sizes = [row * self.plan.types[value].dtype.itemsize for value in self.nest.kept]
        sizes += [self.plan.types[value].dtype.itemsize for value in set().union(*self.earlier)]
        most = max(STRIP // sum(sizes), 1)
        return -(-n // -(-n // most) // self.width) * self.width

    def _earlier(self, phase: int) -> set[int]:
        """The row values of earlier phases that are used in this one."""
        nest, nodes = self.nest, self.nest.nodes
        computed = [*needed(nest, sinks(nest, phase)), *row_values(nest, phase)]
        reads = {x.buffer for node in computed for x in node.reads}
        return {b for b in reads if b in nodes and nodes[b].is_row and nodes[b].phase < phase}

    def _strip(self, start: str, n: int) -> None:
        """All phases of ``n`` rows."""

        def block(lanes: int, i: str, slot: int) -> None:
            self.lanes, self.rows = lanes, {}
            self.fixed[self.axis] = i if start == "0" else self.f.op(f"add nsw i64 {start}, {i}")
            for value in sorted(self.earlier[self.phase]):
                t, place = self._kept_row(value, i)
                self.rows[value] = load(self.f, t, place)
            self._block()
            for value in sorted(self.kept_rows):
                if self.nest.nodes[value].phase == self.phase:
                    t, place = self._kept_row(value, i)
                    store(self.f, t, self.rows[value], place)

        for phase in self.phases:
            self.phase = phase
            walk(self.f, pieces(n, self.width), block)
        self.fixed.pop(self.axis)

    def _kept_row(self, value: int, i: str) -> tuple[Lanes, str]:
        """Where a row value is kept, for the rows from ``i`` on."""
        t = Lanes(self.dtype(value), self.lanes)
        return t, element_pointer(self.f, t.dtype, self.kept_rows[value], i)

    def _block(self) -> None:
        """One phase of as many rows as there are lanes."""
        kept = sinks(self.nest, self.phase)
        of_row = {node.value: self._partial(node) for node in kept if node.is_row}
        for partial in of_row.values():
            partial.clear()
        if kept:
            self.begin_run(kept)
            with self.loops(self.moving, self.at):
                self._point(kept)
            self.end_run()
        for value, partial in of_row.items():
            self.set_row(self.nest.nodes[value], partial.value())
        self.end_run()
        for node in row_values(self.nest, self.phase):
            self.row_value(node)

    def _point(self, kept: list[Node]) -> None:
        self.begin_point()
        values = [self.sink_value(node) for node in kept]
        for node, x in zip(kept, values, strict=True):
            if node.is_row:
                self._partial(node).add(x, self.at[self.moving[-1]])
            else:
                self.sink(node, x)

    def sink(self, node: Node, x: str) -> None:
        if node.value not in self.totals:
            super().sink(node, x)
            return
        total = self.totals[node.value]
        t = self.partial_type(node, self.lanes)
        total.add(widened(self.f, total.op, t, x, total.t.count), "", self._number(node))

    # Partial results.

    def _partial(self, node: Node) -> Partial:
        """Of the reduction of these rows."""
        key = node.value, self.lanes
        if key not in self.partials:
            t = self.partial_type(node, self.lanes)
            self.partials[key] = Partial(self.f, node.instruction.op, t)
        return self.partials[key]

    def _is_over_blocks(self, node: Node) -> bool:
        """Whether it is a total whose lanes are kept apart until all rows are done."""
        return node.is_total and self.axis in (node.reduced or ())

    def _kept(self, node: Node) -> list[int]:
        """The axes of a row that are not reduced."""
        return [] if node.is_row else [i for i in self.moving if i not in (node.reduced or ())]

    def _total(self, node: Node, lanes: int) -> Partial:
        if node.value not in self.totals:
            count = math.prod(self.nest.domain[axis] for axis in self._kept(node))
            t = self.partial_type(node, lanes)
            self.totals[node.value] = Partial(self.f, node.instruction.op, t, count)
        return self.totals[node.value]

    def _number(self, node: Node) -> str:
        """Which one of an array of totals belongs to this point."""
        kept, place = self._kept(node), ""
        if self.totals[node.value].count == 1:
            return ""
        for axis, stride in zip(kept, contiguous([self.nest.domain[i] for i in kept]), strict=True):
            term = self.f.op(f"mul nsw i64 {self.at[axis]}, {stride}")
            place = self.f.op(f"add nsw i64 {place}, {term}") if place else term
        return place

    def _end_total(self, node: Node) -> None:
        total = self.totals[node.value]
        with self.loops(self._kept(node), self.at):
            x = across(self.f, total.op, total.t, total.value(self._number(node)))
            self.add_to_total(node, x, 1)
            self.end_run()

    # What is kept for later phases alone lies block by block.

    def _is_private(self, x: Access) -> bool:
        return x.buffer in self.nest.kept

    def _step(self, x: Access) -> int:
        return 1 if self._is_private(x) else super()._step(x)

    def _stride(self, x: Access, axis: int) -> int:
        scale = self.lanes if self._is_private(x) and axis in self.moving else 1
        return scale * super()._stride(x, axis)
