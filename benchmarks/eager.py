"""Eager execution: what an operation costs beside its arithmetic, against PyTorch."""

from __future__ import annotations

import gc

import numpy as np

from benchmarks.measure import Row, in_turns, seconds
from koubai import Variable

CHAIN = 1000  # operations


def _chain(x, w, b, length: int):
    """``length`` operations, multiplications and additions in turn."""
    y = x
    for _ in range(length // 2):
        y = y * w
        y = y + b
    return y


def _ours(length: int, constants: bool) -> float:
    w, b = np.full(4, 1.0), np.full(4, 1e-3)
    x = Variable(np.full(4, 1.0))
    if not constants:
        w, b = Variable(w), Variable(b)
    return seconds(lambda: _chain(x, w, b, length).sum().backward()) / length * 1e6


def _torchs(length: int, constants: bool) -> float:
    import torch

    make = {"dtype": torch.float64, "requires_grad": not constants}
    w, b = torch.full((4,), 1.0, **make), torch.full((4,), 1e-3, **make)
    x = torch.full((4,), 1.0, dtype=torch.float64, requires_grad=True)
    return seconds(lambda: _chain(x, w, b, length).sum().backward()) / length * 1e6


def chain() -> list[Row]:
    """Adds and multiplies on four float64s, forward and backward: microseconds an operation."""
    rows = []
    for constants in (False, True):
        a, b, spread = in_turns(
            lambda c=constants: _ours(CHAIN, c), lambda c=constants: _torchs(CHAIN, c), rounds=31
        )
        kind = "constants" if constants else "Variables"
        bar = None if constants else 0.6
        rows.append(Row(f"chain of + and *, {kind}", a, b, "PyTorch", "µs/op", bar, spread))
    return rows


def _deep(nodes: int) -> float:
    return _ours(nodes, constants=False)


def _wide(nodes: int) -> float:
    """Many functions of one variable, added up pairwise."""
    x = Variable(np.full(4, 1.0))

    def run() -> None:
        layer = [x * 2.0 for _ in range(nodes // 2)]
        while len(layer) > 1:
            pairs = zip(layer[::2], layer[1::2], strict=False)
            layer = [a + b for a, b in pairs] + layer[len(layer) // 2 * 2 :]
        layer[0].sum().backward()

    return seconds(run) / nodes * 1e6


def flatness() -> list[Row]:
    """Time a node in graphs of a million nodes, against graphs of a thousand.

    The garbage collector is off, as in ``timeit``: its passes over all objects that are alive would
    be measured instead.
    """
    rows = []
    gc.disable()
    try:
        for name, graph in (("deep", _deep), ("wide", _wide)):
            for nodes in (10_000, 100_000, 1_000_000):
                small = lambda g=graph: sum(g(1000) for _ in range(20)) / 20  # noqa: E731
                a, b, spread = in_turns(lambda g=graph, n=nodes: g(n), small, rounds=5)
                name_ = f"{name} graph, {nodes:,} nodes"
                bar = 1.2 if nodes == 1_000_000 else None
                rows.append(Row(name_, a, b, "1,000 nodes", "µs/node", bar, spread))
    finally:
        gc.enable()
    return rows


def import_time() -> list[Row]:
    """Seconds to import; the bar is NumPy's time plus 0.1 s."""
    from benchmarks.measure import in_subprocess

    ours, numpy, spread = in_turns(
        lambda: in_subprocess("import koubai"), lambda: in_subprocess("import numpy"), rounds=11
    )
    bar = (numpy + 0.1) / numpy
    return [Row("import koubai", ours * 1e3, numpy * 1e3, "import numpy", "ms", bar, spread)]
