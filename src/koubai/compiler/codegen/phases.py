"""What is computed in which phase of a nest.

Of a phase there are *sinks*, what is kept in memory or by reductions; all else is computed for
these, where they need it, so what nobody needs costs nothing.
"""

from __future__ import annotations

from koubai.compiler.kernels import Access, Nest, Node


def phases(nest: Nest) -> range:
    return range(1 + max(node.phase for node in nest.nodes.values()))


def nodes(nest: Nest, phase: int) -> list[Node]:
    return [node for node in nest.nodes.values() if node.phase == phase]


def row_values(nest: Nest, phase: int) -> list[Node]:
    """What is computed after the phase, for each row."""
    return [node for node in nodes(nest, phase) if node.is_row_value]


def sinks(nest: Nest, phase: int) -> list[Node]:
    return [
        node
        for node in nodes(nest, phase)
        if not node.is_row_value and (node.reduced or node.value in nest.stored)
    ]


def needed(nest: Nest, sinks: list[Node]) -> list[Node]:
    """The nodes that are computed for the sinks of a phase: not those that are known or in memory;
    but those of earlier phases that are not, once more."""
    found, stack = {}, [node.value for node in sinks]
    while stack:
        value = stack.pop()
        if value not in found:
            found[value] = nest.nodes[value]
            reads = found[value].reads
            stack += [x.buffer for x in reads if is_computed(nest, x, sinks[0].phase)]
    return list(found.values())


def is_computed(nest: Nest, x: Access, phase: int) -> bool:
    """Whether it is computed in this phase; else it is a row value, or in memory."""
    node = nest.nodes.get(x.buffer)
    if node is None or node.is_row:
        return False
    return node.phase == phase or node.value not in nest.stored
