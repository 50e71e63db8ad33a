"""Random graphs: shared subexpressions, broadcasting, several uses, constants."""

from __future__ import annotations

from typing import Any

import numpy as np

import koubai
from koubai import Variable


def random_graph(
    seed: int, steps: int = 12, moves: dict[int, Any] | None = None
) -> tuple[list[Variable], Variable]:
    """Leaves, and a result computed from them by ``steps`` operations; the same for a seed.

    ``moves`` are added to the leaves of these numbers.
    """
    rng = np.random.default_rng(seed)
    shapes: list[tuple[int, ...]] = [(2, 3), (3,), (2, 1), (), (3, 3)]
    leaves = [Variable(rng.normal(size=shape)) for shape in shapes]
    for i, move in (moves or {}).items():
        leaves[i].data = leaves[i].data + move
    nodes = list(leaves)
    while len(nodes) < len(leaves) + steps:
        a, b = (nodes[i] for i in rng.integers(len(nodes), size=2))
        kind = rng.integers(12)
        if kind < 4:
            if not _broadcast(a, b):
                continue
            y = (koubai.add, koubai.subtract, koubai.multiply, koubai.maximum)[kind](a, b)
        elif kind == 4:
            y = a @ b if a.ndim == 2 and b.ndim == 2 and a.shape[1] == b.shape[0] else a * 0.5
        elif kind == 5:
            y = koubai.where(rng.random(a.shape) < 0.5, a, rng.normal())
        elif kind == 6:
            axis = int(rng.integers(a.ndim)) if a.ndim else None
            y = a.mean(axis=axis, keepdims=bool(rng.integers(2)))
        elif kind == 7:
            y = a.T
        elif kind == 8:
            y = a[rng.integers(a.shape[0], size=2)] if a.ndim else -a
        elif kind == 9:
            y = a.reshape(-1).reshape(a.shape)
        elif kind == 10:
            y = rng.normal(size=a.shape) * a
        else:
            y = a + a
        nodes.append(koubai.tanh(y) if rng.integers(2) else y)
    return leaves, sum(((node * node).mean() for node in nodes[-4:]), start=Variable(0.0))


def _broadcast(a: Any, b: Any) -> bool:
    try:
        return len(np.broadcast_shapes(a.shape, b.shape)) < 3
    except ValueError:
        return False
