"""A loop nest as an LLVM function.

Several points are computed at once, as the lanes of a register. Mostly these lie along the last
axis (along.py): a last axis of 50 is six steps of eight lanes and one of two. Where rows are short,
eight of them are taken together instead (across.py), if that takes fewer instructions: see
direction.py. Axes that lie in memory as one are walked as one (collapse.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from koubai.compiler.codegen.across import Across
from koubai.compiler.codegen.along import Along
from koubai.compiler.codegen.collapse import collapsed
from koubai.compiler.codegen.direction import is_across
from koubai.compiler.codegen.points import Pointer
from koubai.compiler.kernels import Access, Nest
from koubai.compiler.layout import Shape
from koubai.compiler.passes.fusion import Plan
from koubai.compiler.primitives import dtype_name


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

    def __init__(self, plan: Plan, width: int) -> None:
        self.plan, self.width = plan, width
        self._known: dict[Any, tuple[str, list[int], bool]] = {}

    def of(self, nest: Nest) -> NestCode:
        kind, pointers = self._kind(nest)
        if kind not in self._known:
            code = nest_code(nest, self.plan, self.width)
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
                    (node.value in nest.stored, node.value in nest.kept),
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


def nest_code(nest: Nest, plan: Plan, width: int) -> NestCode:
    """The code of ``nest``, in registers of ``width`` lanes."""
    one = collapsed(nest)
    if nest.split is None:  # no rows are demanded, so those of the last axis will do
        one = replace(one, split=max(len(one.domain) - 1, 0))
    emitter = (Across if is_across(one, plan, width) else Along)(one, plan, width)
    emitter.emit()
    return NestCode(emitter.f.text(), list(emitter.pointers), emitter.may_fail)
