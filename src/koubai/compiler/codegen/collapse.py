"""The same nest over fewer axes: what lies in memory as one axis is walked as one."""

from __future__ import annotations

import math
from dataclasses import replace

from koubai.compiler.kernels import Access, Indirect, Nest

_REDUCED = 1 << 60
"""As a stride: an axis that is reduced, which none that isn't can be one with."""


def collapsed(nest: Nest) -> Nest:
    """Neighbouring axes that every access walks as one become one; ``split`` is a number."""
    n, split = len(nest.domain), nest.split or 0
    strides = []
    for node in nest.nodes.values():
        accesses = [*node.reads, node.store, *([node.through.access] if node.through else [])]
        strides += [x.strides for x in accesses]
        if node.reduced is not None:
            strides.append(tuple(int(axis in node.reduced) * _REDUCED for axis in range(n)))
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
    return replace(nest, domain=domain, split=split, nodes=nodes)


def _as_one(outer: int, inner: int, length: int) -> bool:
    if outer >= _REDUCED or inner >= _REDUCED:  # reduced axes: both or none
        return outer == inner
    return outer == inner * length
