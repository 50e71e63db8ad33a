"""Which outputs may be written into the array that they replace.

A step that ends in ``p.data = p.data - lr * g`` needs no second array for ``p.data``, if the
program is done with the old numbers where it writes the new ones: nothing reads them later, and
the nest that writes reads just the element that it writes.
"""

from __future__ import annotations

from collections.abc import Sequence

from koubai.compiler.kernels import Check, Fallback, Loop, Nest, read, written
from koubai.compiler.passes.fusion import Plan
from koubai.compiler.passes.memory import added_to


def replaceable(
    plan: Plan, pairs: Sequence[tuple[int, int]], is_kept: bool = True
) -> dict[int, int]:
    """Of the ``pairs`` of an input and the number of the output that takes its place, those that
    may share memory; by output.

    Args:
        is_kept: whether a program that stops must leave everything as it was: then nothing is
            overwritten before the last check.
    """
    last_read: dict[int, int] = {}
    home: dict[int, int] = {}
    last_check = -1
    for k, kernel in enumerate(plan.kernels):
        last_read.update(dict.fromkeys(read(kernel), k))
        for buffer in written(kernel):
            home.setdefault(buffer, k)  # it may be zero first, and then added to
        if isinstance(kernel, Check | Fallback | Loop) or (
            isinstance(kernel, Nest) and any(node.may_fail for node in kernel.nodes.values())
        ):
            last_check = k
    found = {}
    for i, number in pairs:
        buffer = plan.outputs[number]
        k = home[buffer]
        if (
            plan.types[i] != plan.types[buffer]
            or (is_kept and k <= last_check)
            or last_read.get(i, -1) > k
        ):
            continue
        kernel = plan.kernels[k]
        if isinstance(kernel, Nest) and _reads_what_it_writes(kernel, i, buffer):
            found[number] = i
        if added_to(kernel) == i:
            found[number] = i
    return found


def _reads_what_it_writes(nest: Nest, i: int, buffer: int) -> bool:
    """Whether ``nest`` reads of ``i`` only the element that it writes, and not after that."""
    writer = nest.nodes[buffer]
    if writer.reduced or writer.is_scatter:
        return False
    for node in nest.nodes.values():
        if node.through and node.through.access.buffer == i:
            return False
        for x in node.reads:
            is_same = (x.offset, x.strides) == (writer.store.offset, writer.store.strides)
            if x.buffer == i and not is_same:
                return False
    return writer.phase == max(node.phase for node in nest.nodes.values())
