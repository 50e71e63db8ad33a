"""A nest whose lanes lie along the last axis.

totals = identity
for outer axes:
  for each phase:
    for inner axes but the last:
      for the last axis: loads, arithmetic, stores, partial reductions
    row values
"""

from __future__ import annotations

from koubai.compiler.codegen.phases import needed, row_values, sinks
from koubai.compiler.codegen.pieces import Piece, is_unrolled, pieces, variants, walk
from koubai.compiler.codegen.points import Points
from koubai.compiler.codegen.reductions import Partial, across, combine, identity
from koubai.compiler.kernels import Nest, Node
from koubai.compiler.passes.fusion import ARGUMENTS, Plan

UNROLLED = 4
"""Registers of partial results in a long reduction, so that no addition waits for the last."""

SIDE_BY_SIDE = 4
"""Short rows that are computed together."""

SHORT = 40
"""Instructions for a row without a loop: sums over rows are kept in registers for all rows then."""


class Along(Points):
    """The emitter of one nest, as above."""

    def __init__(self, nest: Nest, plan: Plan, width: int) -> None:
        n = len(nest.domain)
        super().__init__(nest, plan, width, n - 1, range(n)[-1:])
        self.inner = range(self.split, n - 1)
        self.pieces: dict[int, list[Piece]] = {}  # by the phase
        for phase in self.phases:
            self.pieces[phase] = self._pieces(sinks(nest, phase))
        self.partials: dict[tuple[int, int, int], Partial] = {}  # by value, lanes and slot

    def emit(self) -> None:
        domain = self.nest.domain
        self.fill_totals()
        if 0 in domain[: self.split]:
            return
        with self.loops(range(self.split - 1), self.fixed):
            of_all = [node for node in self.nest.nodes.values() if self._is_of_all_rows(node)]
            self._begin(of_all)
            self._rows(domain[self.split - 1] if self.split else 1)
            self._end(of_all)

    def _rows(self, n: int) -> None:
        """All phases of ``n`` rows; of several short ones side by side, each phase in turn.

        The phases of one row wait for each other, and a processor looks ahead only so far.
        """
        start = 0
        for count in dict.fromkeys((self._side_by_side(), 1)):
            stop = start + (n - start) // count * count
            if start == stop:
                continue
            with self.f.loop(str(start), str(stop), count) as i:
                rows = [i, *(self.f.op(f"add nsw i64 {i}, {k}") for k in range(1, count))]
                known: list[dict[int, str]] = [{} for _ in rows]
                for phase in self.phases:
                    self.phase = phase
                    for row, self.rows in zip(rows, known, strict=True):
                        if self.split:
                            self.fixed[self.split - 1] = row
                        self._phase()
            start = stop
        self.fixed.pop(self.split - 1, None)

    def _side_by_side(self) -> int:
        """How many rows: one, unless they are so short that there is no loop within."""
        is_short = not self.inner and all(
            is_unrolled(parts) and len(variants(parts)) <= 2 for parts in self.pieces.values()
        )
        return SIDE_BY_SIDE if self.split and is_short and len(self.phases) > 1 else 1

    def _phase(self) -> None:
        kept = sinks(self.nest, self.phase)
        of_row = [
            node for node in kept if self._reduces_row(node) and not self._is_of_all_rows(node)
        ]
        self._begin(of_row)
        if kept and 0 not in self.nest.domain[self.split :]:
            with self.loops(self.inner, self.fixed):
                self._run(kept)
        self._end(of_row)
        for node in row_values(self.nest, self.phase):
            self.row_value(node)

    def _run(self, kept: list[Node]) -> None:
        """Walk the last axis."""
        last = [
            node
            for node in kept
            if node.reduced and self.axis in node.reduced
            if not self._reduces_row(node) and not self._is_of_all_rows(node)
        ]
        self.lanes = 1
        self.begin_run(kept)
        self._begin(last)

        def body(lanes: int, i: str, slot: int) -> None:
            self.lanes, self.at = lanes, {self.axis: i}
            self.begin_point()
            values = [self.sink_value(node) for node in kept]
            for node, x in zip(kept, values, strict=True):
                partial = self.partials.get((node.value, lanes, slot))
                if partial:
                    partial.add(x, i)
                else:
                    self.sink(node, x)

        walk(self.f, self.pieces[self.phase], body)
        self.lanes, self.at = 1, {}
        self._end(last)

    def row_value(self, node: Node) -> None:
        partial = self.partials.get((node.value, 1, 0))
        if partial:
            partial.add(self.sink_value(node), "")
            self.end_run()
        else:
            super().row_value(node)

    def _pieces(self, kept: list[Node]) -> list[Piece]:
        n = self.nest.domain[-1] if self.nest.domain else 1
        if any(node.instruction.op in ARGUMENTS for node in kept):
            return pieces(n, 1)
        reductions = [node for node in kept if node.reduced]
        instructions, registers = len(needed(self.nest, kept)), n // self.width
        over_rows = [node for node in reductions if self.axis not in (node.reduced or ())]
        if over_rows and registers * instructions <= SHORT:
            return pieces(n, self.width, max(registers, 1))
        is_long = registers >= 4 * UNROLLED and instructions <= 8
        along = len(reductions) > len(over_rows)
        return pieces(n, self.width, UNROLLED if along and is_long else 1)

    # Partial results: of a row, of a part of it, of all rows.

    def _reduces_row(self, node: Node) -> bool:
        """Whether it is a reduction over all axes of a row, and perhaps more."""
        axes = range(self.split, len(self.nest.domain))
        return bool(node.reduced) and set(axes) <= set(node.reduced or ())

    def _is_of_all_rows(self, node: Node) -> bool:
        """Whether it is a total that stays in registers while the last outer axis is walked."""
        reduced = node.reduced or ()
        if not self.split or self.split - 1 not in reduced:
            return False
        if node.is_row:
            return True
        return {*self.inner} <= {*reduced} and (
            self.axis in reduced or is_unrolled(self.pieces[node.phase])
        )

    def _variants(self, node: Node) -> dict[tuple[int, int], int]:
        return {(1, 0): 0} if node.is_row_value else variants(self.pieces[node.phase])

    def _begin(self, nodes: list[Node]) -> None:
        for node in nodes:
            for lanes, slot in self._variants(node):
                key = node.value, lanes, slot
                if key not in self.partials:
                    t = self.partial_type(node, lanes)
                    self.partials[key] = Partial(self.f, node.instruction.op, t)
                self.partials[key].clear()

    def _end(self, nodes: list[Node]) -> None:
        """From partial results to the result, which is a row value or a part of a total."""
        for node in nodes:
            found = {
                start: self.partials[node.value, lanes, slot]
                for (lanes, slot), start in self._variants(node).items()
            }
            if node.is_row_value or self.axis in (node.reduced or ()):
                x = self._reduced(node, list(found.values()))
                if node.is_total:
                    self.add_to_total(node, x, 1)
                else:
                    self.set_row(node, x)
                continue
            for start, partial in found.items():
                self.at = {self.axis: str(start)}
                self.add_to_total(node, partial.value(), partial.t.count)
            self.at = {}
        self.end_run()

    def _reduced(self, node: Node, partials: list[Partial]) -> str:
        """All lanes of all partial results as one number."""
        f, op, one = self.f, node.instruction.op, self.partial_type(node, 1)
        result = ""
        for partial in partials:
            if partial.index:
                return partial.value()
            x = across(f, op, partial.t, partial.value())
            result = combine(f, op, one, result, x) if result else x
        return result or one.constant(identity(op, one.dtype))
