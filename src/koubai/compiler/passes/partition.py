"""Sharing a program between threads: phases of chunks.

A kernel is cut into chunks along its outermost axis, its rows. Chunk c of the next kernel often
needs just the rows that chunk c of this one made, so that the whole way of a batch through a
network and back is one list for each chunk:

    phase 0   chunk 0: gather rows 0-49,  x @ W1 of these, relu, h @ W2, softmax, dh, ...
              chunk 1: gather rows 50-99, ...
    phase 1   chunk 0: rows 0-391 of W1 -= lr * x.T @ dh,    b1 and b2
              chunk 1: rows 392-783,                         W2

A product of large matrices, which BLAS brings into another order first, is cut along the longer
axis, for then each chunk reorders less: with 256 rows and 1024 columns, half of the columns. All
that comes before and after it is in other phases.

Whoever is free takes a chunk; all wait for each other between phases only. How a program is cut
depends on the program and on the processors that there are, never on how many threads take part,
so the results do not either. What is summed over rows is summed by chunk, and the sums are added
in order.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from koubai.compiler.codegen.sharing import MOST_CHUNKS
from koubai.compiler.kernels import (
    Access,
    Check,
    Fallback,
    Indirect,
    Kernel,
    Nest,
    Node,
    Product,
    read,
    written,
)
from koubai.compiler.layout import Layout, contiguous
from koubai.compiler.passes.fusion import Plan
from koubai.compiler.passes.memory import Phases
from koubai.compiler.primitives import Type

WORTH = 80.0
"""Microseconds: a shorter program is for one thread, as waking another takes 30 to 90."""

STEP = 10.0
"""Microseconds: a shorter step of a loop is for one thread, as meeting others takes about 1."""

PIECE = 40.0
"""Microseconds: a program is not cut into more chunks than are as long as this."""

REORDERED = 2e5
"""Elements: BLAS brings so many into another order in 100 microseconds."""

LINE = 16
"""Columns: chunks begin where a cache line of float32 does."""

LEAST = 5.0
"""Microseconds: a shorter kernel is cut only if others, with as many rows, make up for it."""


def partition(plan: Plan, chunks: int, state: Mapping[int, int]) -> Phases:
    """The kernels of ``plan``: phases, of so many chunks, of kernels.

    Args:
        state: inputs by the buffers that may be written into them.
    """
    if chunks == 1:
        return [[list(plan.kernels)]]
    return _Partition(plan, chunks, state).phases


def chunks_of(plan: Plan, processors: int, times: int = 1) -> int:
    """Into how many chunks ``plan`` is cut: one, if NumPy runs a part of it, or it is short.

    Args:
        times: how often it runs, one time right after the other: nobody falls asleep in between.
    """
    microseconds = sum(map(cost, plan.kernels))
    is_short = microseconds * times < WORTH or microseconds < STEP
    if is_short or any(isinstance(kernel, Fallback) for kernel in plan.kernels):
        return 1
    return min(processors, MOST_CHUNKS, max(2, int(microseconds / PIECE)))


def cost(kernel: Kernel) -> float:
    """About how many microseconds it takes one thread."""
    if isinstance(kernel, Product):
        return 2e-5 * math.prod(kernel.out.shape) * kernel.a.shape[-1] + 0.2
    if isinstance(kernel, Nest):
        return 1.5e-4 * math.prod(kernel.domain) * max(len(kernel.nodes), 2)
    return 0.1


@dataclass(frozen=True)
class _Made:
    """How a buffer came to be: in which phase, and in one chunk, or by all of them.

    Attributes:
        bounds: the elements with which the chunks begin, and the end; none if they overlap.
    """

    phase: int
    chunk: int = -1
    bounds: tuple[int, ...] = ()


class _Partition:
    def __init__(self, plan: Plan, chunks: int, state: Mapping[int, int]) -> None:
        self.plan, self.chunks, self.state = plan, chunks, state
        self.phases: Phases = []
        self.loads: list[list[float]] = []  # of each chunk, in microseconds
        self.made: dict[int, _Made] = {}
        self.reads: dict[int, int] = {}  # the last phase in which an input is read
        self.first_safe = 0  # the first phase in which what the caller sees may be written
        by_rows: dict[int, float] = defaultdict(float)
        for kernel in plan.kernels:
            by_rows[_rows(kernel)] += cost(kernel)
        self.main = {n for n, microseconds in by_rows.items() if microseconds >= 2 * LEAST}
        for kernel in plan.kernels:
            self._place(kernel)

    def _place(self, kernel: Kernel) -> None:
        if isinstance(kernel, Product) and _is_cut_by_columns(kernel):
            self._add_by_columns(kernel)
            return
        whole = self._phase_alone(kernel)
        n = _rows(kernel)
        by_rows = self._phase_by_rows(kernel, n) if n >= 2 * self.chunks else whole[0] + 2
        is_worth = by_rows < whole[0] or n in self.main or cost(kernel) >= LEAST
        # What is long is rather waited for than done by one thread.
        if (by_rows <= whole[0] and is_worth) or (
            by_rows == whole[0] + 1 and cost(kernel) >= 4 * LEAST
        ):
            self._add_by_rows(kernel, n, by_rows)
        else:
            self._add_alone(kernel, *whole)

    # The earliest phase.

    def _least_phase(self, kernel: Kernel) -> int:
        """An input is overwritten when no check can fail any more, and nobody else reads it."""
        replaced = [self.state[b] for b in written(kernel) if b in self.state]
        return (
            max([self.first_safe, *(self.reads.get(i, -1) + 1 for i in replaced)])
            if replaced
            else 0
        )

    def _phase_alone(self, kernel: Kernel) -> tuple[int, int]:
        """And the chunk, -1 if any will do."""
        phase, chunk = self._least_phase(kernel), -1
        for b in (*read(kernel), *written(kernel)):
            if (made := self.made.get(b)) is None:
                continue
            if made.chunk < 0:
                phase, chunk = max((phase, chunk), (made.phase + 1, -1), key=lambda x: x[0])
            elif made.phase > phase:
                phase, chunk = made.phase, made.chunk
            elif made.phase == phase:
                if chunk in (-1, made.chunk):
                    chunk = made.chunk
                else:
                    phase, chunk = phase + 1, -1
        return phase, chunk

    def _phase_by_rows(self, kernel: Kernel, n: int) -> int:
        phase = self._least_phase(kernel)
        for b in (*read(kernel), *written(kernel)):
            if (made := self.made.get(b)) is not None:
                widths = _widths(kernel, b)
                aligned = widths != {0} and {self._bounds(n, w) for w in widths} == {made.bounds}
                phase = max(phase, made.phase + (not aligned))
        return phase

    def _bounds(self, n: int, width: int) -> tuple[int, ...]:
        """Where chunks of ``n`` rows begin, in elements."""
        return tuple(n * c // self.chunks * width for c in range(self.chunks + 1))

    # Into the lists.

    def _open(self, phase: int) -> None:
        while len(self.phases) <= phase:
            self.phases.append([[] for _ in range(self.chunks)])
            self.loads.append([0.0] * self.chunks)

    def _note(self, kernel: Kernel, phase: int) -> None:
        for b in read(kernel):
            if b not in self.made:
                self.reads[b] = max(self.reads.get(b, -1), phase)
        if _may_stop(kernel):
            self.first_safe = max(self.first_safe, phase + 1)

    def _add_alone(self, kernel: Kernel, phase: int, chunk: int) -> None:
        self._open(phase)
        if chunk < 0:
            chunk = min(range(self.chunks), key=self.loads[phase].__getitem__)
        self.phases[phase][chunk].append(kernel)
        self.loads[phase][chunk] += cost(kernel)
        self._note(kernel, phase)
        for b in written(kernel):
            self.made[b] = _Made(phase, chunk=chunk)

    def _add_by_columns(self, product: Product) -> None:
        touched = (*read(product), *written(product))
        before = [self.made[b].phase + 1 for b in touched if b in self.made]
        phase = max([self._least_phase(product), *before])
        self._open(phase)
        n = product.out.shape[1]
        bounds = [n * c // self.chunks // LINE * LINE for c in range(self.chunks)] + [n]
        for c, (first, stop) in enumerate(pairwise(bounds)):
            part = _columns(product, first, stop)
            self.phases[phase][c].append(part)
            self.loads[phase][c] += cost(part)
        self._note(product, phase)
        self.made[product.value] = _Made(phase)

    def _add_by_rows(self, kernel: Kernel, n: int, phase: int) -> None:
        self._open(phase)
        totals = _totals_over_rows(kernel)
        partial = {node.value: self._partial_sums(node) for node in totals}
        for c in range(self.chunks):
            part = _part(kernel, n * c // self.chunks, n * (c + 1) // self.chunks)
            if isinstance(part, Nest):
                for node in totals:
                    part.nodes[node.value] = self._to_partial(part.nodes[node.value], partial, c)
            self.phases[phase][c].append(part)
            self.loads[phase][c] += cost(part)
        self._note(kernel, phase)
        for b in written(kernel):
            if b not in partial:
                (width,) = _widths(kernel, b, written_only=True)
                self.made[b] = _Made(phase, bounds=self._bounds(n, width))
        for node in totals:
            buffer, size = partial[node.value]
            self.made[buffer] = _Made(phase)
            self._add_sums(node, buffer, size)

    # Totals: a row of partial results, one by chunk, and their sum.

    def _partial_sums(self, node: Node) -> tuple[int, int]:
        """A buffer for them, and the size of one."""
        type_ = self.plan.types[node.value]
        buffer = max(self.plan.types) + 1
        size = math.prod(type_.shape)
        self.plan.types[buffer] = Type(type_.dtype, (self.chunks, size))
        return buffer, size

    def _to_partial(self, node: Node, partial: dict[int, tuple[int, int]], chunk: int) -> Node:
        buffer, size = partial[node.value]
        return replace(node, store=Access(buffer, chunk * size, node.store.strides))

    def _add_sums(self, node: Node, buffer: int, size: int) -> None:
        domain, strides = (self.chunks, size), contiguous((self.chunks, size))
        instruction = replace(node.instruction, inputs=(buffer,))
        summed = Node(
            node.value,
            instruction,
            [Access(buffer, 0, strides)],
            Access(node.value, 0, (0, 1)),
            reduced=(0,),
            is_total=True,
        )
        nest = Nest(domain, None, {node.value: summed}, {node.value})
        self._add_alone(nest, *self._phase_alone(nest))


def _rows(kernel: Kernel) -> int:
    """The length of the axis along which it can be cut; 0 if it can't be."""
    if isinstance(kernel, Product):
        return kernel.out.shape[0]
    if not isinstance(kernel, Nest) or not kernel.domain or 0 in kernel.domain:
        return 0
    if any(node.is_scatter for node in kernel.nodes.values()):
        return 0
    if any(_widths(kernel, b, written_only=True) == {0} for b in _whole_rows(kernel)):
        return 0
    is_one_row = kernel.split == 0
    return 0 if is_one_row else kernel.domain[0]


def _part(kernel: Kernel, first: int, stop: int) -> Kernel:
    """Rows ``first`` to ``stop`` of a kernel."""
    if isinstance(kernel, Product):
        a, out = (_rows_of(x, first, stop) for x in (kernel.a, kernel.out))
        b = kernel.b if len(kernel.out.shape) == 2 else _rows_of(kernel.b, first, stop)
        addend = kernel.addend and _rows_of(kernel.addend, first, stop)
        return replace(kernel, a=a, b=b, out=out, addend=addend)
    assert isinstance(kernel, Nest)

    def moved(x: Access) -> Access:
        return replace(x, offset=x.offset + first * x.strides[0])

    nodes = {}
    for value, node in kernel.nodes.items():
        through = node.through and Indirect(moved(node.through.access), node.through.steps)
        reads = [moved(x) for x in node.reads]
        nodes[value] = replace(node, reads=reads, store=moved(node.store), through=through)
    return replace(kernel, domain=(stop - first, *kernel.domain[1:]), nodes=nodes)


def _is_cut_by_columns(product: Product) -> bool:
    """Whether it is rather cut by columns than by rows; each chunk takes the other matrix whole."""
    *stack, m, n = product.out.shape
    is_longer = not stack and (n - m) * product.a.shape[1] > REORDERED
    return is_longer and product.addend is None  # which is copied as a whole


def _columns(product: Product, first: int, stop: int) -> Product:
    """Columns ``first`` to ``stop`` of a product."""

    def part(x: Layout) -> Layout:
        shape = (x.shape[0], stop - first)
        return replace(x, offset=x.offset + first * x.strides[1], shape=shape)

    return replace(product, b=part(product.b), out=part(product.out))


def _rows_of(x: Layout, first: int, stop: int) -> Layout:
    shape = (stop - first, *x.shape[1:])
    return replace(x, offset=x.offset + first * x.strides[0], shape=shape)


def _whole_rows(kernel: Nest) -> list[int]:
    """The buffers that it writes, but for totals over its rows."""
    totals = {node.value for node in _totals_over_rows(kernel)}
    return [v for v in kernel.stored if v not in totals]


def _widths(kernel: Kernel, buffer: int, written_only: bool = False) -> set[int]:
    """How many elements a row of ``buffer`` has, of which row i of the kernel touches just row i;
    0 if it touches others too. Accesses may differ in it."""
    if isinstance(kernel, Product):
        layouts = [kernel.out] if kernel.value == buffer else []
        if not written_only:
            layouts += [x for x in (kernel.a, kernel.addend) if x and x.buffer == buffer]
            if kernel.b.buffer == buffer:
                if len(kernel.out.shape) == 2:
                    return {0}
                layouts.append(kernel.b)
        return {_width(x.offset, x.shape, x.strides) for x in layouts}
    if not isinstance(kernel, Nest):
        return {0}
    accesses: list[Access] = []
    for node in kernel.nodes.values():
        if node.value in kernel.stored and node.store.buffer == buffer:
            accesses.append(node.store)
        if not written_only:
            if node.through and node.through.access.buffer == buffer:
                return {0}
            accesses += [x for x in node.reads if x.buffer == buffer]
    return {_width(x.offset, kernel.domain, x.strides) for x in accesses}


def _width(offset: int, shape: Sequence[int], strides: Sequence[int]) -> int:
    """The distance of the rows, if each stays within it; else 0."""
    if min(strides) < 0:
        return 0
    last = offset + sum((n - 1) * s for n, s in zip(shape[1:], strides[1:], strict=True))
    return strides[0] if last < strides[0] else 0


def _totals_over_rows(kernel: Kernel) -> list[Node]:
    """The reductions that go over the axis along which it is cut."""
    if not isinstance(kernel, Nest):
        return []
    return [n for n in kernel.nodes.values() if n.is_total and n.reduced and 0 in n.reduced]


def _may_stop(kernel: Kernel) -> bool:
    """Whether the program may stop after it."""
    if isinstance(kernel, Nest):
        return any(node.may_fail for node in kernel.nodes.values())
    return isinstance(kernel, Check)
