"""Blocks: zeros with one block of numbers each, added up, are the blocks side by side.

So the gradients of the parts x[:, :2] and x[:, 2:] become the gradient of x:

    %2 = scatter_add %0 index=(:, :2) shape=(5, 4)       %2 = concat %0 %1 axis=1
    %3 = scatter_add %1 index=(:, 2:) shape=(5, 4)       %3 = add %2 0.0
    %4 = add %2 %3

Each element was added to zeros; that makes 0.0 of -0.0, and changes nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from koubai.compiler.passes.rewrite import Rewriter, rewrite
from koubai.compiler.program import Instruction, Program


def join_blocks(program: Program) -> Program:
    """``program`` by the rule of this file."""
    return rewrite(program, [Blocks()])


@dataclass(frozen=True)
class _Block:
    """``value``, broadcast, at start:stop along an axis; zeros elsewhere.

    ``number``: the index was x[:, start], and ``value`` has no such axis.
    """

    axis: int
    start: int
    stop: int
    number: bool
    value: int


class Blocks:
    """The rule, which remembers what each sum consists of."""

    def __init__(self) -> None:
        self._found: dict[int, list[_Block] | None] = {}

    def __call__(self, new: Rewriter, i: Instruction) -> int | None:
        if i.op != "add":
            return None
        blocks = self._sum(new, i)
        if blocks is None or sum(b.stop - b.start for b in blocks) < i.type.shape[blocks[0].axis]:
            return None
        axis, parts = blocks[0].axis, []
        for b in sorted(blocks, key=lambda b: b.start):
            shape = (*i.type.shape[:axis], b.stop - b.start, *i.type.shape[axis + 1 :])
            parts.append(_shaped(new, i, b, shape))
        joined = new.emit(i, "concat", *parts, axis=axis)
        if i.type.dtype.kind != "f":
            return joined
        return new.emit(i, "add", joined, new.constant(i, 0, i.type.dtype))

    def _sum(self, new: Rewriter, i: Instruction) -> list[_Block] | None:
        """The blocks of both operands, if they lie along one axis and apart."""
        x, y = (self._blocks(new, x) for x in i.inputs)
        if x is None or y is None or x[0].axis != y[0].axis:
            return None
        if new.types[i.inputs[0]] != i.type or new.types[i.inputs[1]] != i.type:
            return None
        blocks = sorted(x + y, key=lambda b: b.start)
        apart = all(a.stop <= b.start for a, b in pairwise(blocks))
        return blocks if apart else None

    def _blocks(self, new: Rewriter, x: int) -> list[_Block] | None:
        """What ``x`` consists of: one block, if it is a scatter_add; several, if a sum."""
        if x not in self._found:
            source, blocks = new.sources[x], None
            if source is not None and source.op == "scatter_add":
                block = _scattered(source)
                blocks = None if block is None else [block]
            elif source is not None and source.op == "add":
                blocks = self._sum(new, source)
            self._found[x] = blocks
        return self._found[x]


def _scattered(i: Instruction) -> _Block | None:
    """The block that a scatter_add fills: one axis is cut, or there is none."""
    shape, index = i.type.shape, list(i.params["index"])
    if Ellipsis in index:
        place = index.index(Ellipsis)
        index[place : place + 1] = [slice(None)] * (len(shape) - len(index) + 1)
    cut = None
    for axis, (part, n) in enumerate(zip(index, shape, strict=False)):
        if type(part) is int:
            start, stop, step = part % n, part % n + 1, 1
        elif isinstance(part, slice):
            start, stop, step = part.indices(n)
        else:
            return None
        if (start, stop, step) != (0, n, 1):
            if cut is not None or step != 1 or stop <= start:
                return None
            cut = _Block(axis, start, stop, type(part) is int, i.inputs[0])
    return cut


def _shaped(new: Rewriter, i: Instruction, block: _Block, shape: tuple[int, ...]) -> int:
    """The numbers of a block, broadcast to its ``shape``."""
    if not block.number:
        return new.broadcast_to(i, block.value, shape)
    rest = (*shape[: block.axis], *shape[block.axis + 1 :])
    return new.reshape(i, new.broadcast_to(i, block.value, rest), shape)
