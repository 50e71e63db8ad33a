"""Sums and other reductions: where they start, how two partial results become one.

Reassociated: eight lanes are reduced side by side, and to one number at the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from koubai.compiler.codegen.elementwise import elementwise, kind
from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.codegen.lanes import Lanes

COMBINE = {
    "sum": "add",
    "prod": "multiply",
    "max": "maximum",
    "min": "minimum",
    "all": "logical_and",
    "any": "logical_or",
}
"""By the reduction, the elementwise operation of two partial results."""


def identity(op: str, dtype: str) -> Any:
    """What combined with x is x."""
    if op in ("sum", "any"):
        return 0
    if op in ("prod", "all"):
        return 1
    if kind(dtype) == "f":
        return -np.inf if op in ("max", "argmax") else np.inf
    if kind(dtype) == "b":
        return op not in ("max", "argmax")
    limits = np.iinfo(dtype)
    return limits.min if op in ("max", "argmax") else limits.max


def combine(f: Emitter, op: str, t: Lanes, x: str, y: str) -> str:
    """One partial result of two."""
    return elementwise(f, COMBINE[op], t, [x, y], t.dtype)


def across(f: Emitter, op: str, t: Lanes, x: str) -> str:
    """All lanes reduced to one number: halves, quarters and so on, what is odd at the end."""
    odd = []
    while t.count > 1:
        half = t.count // 2
        if t.count % 2:
            odd.append(f.op(f"extractelement {t} {x}, i64 {t.count - 1}"))
        parts = [_part(f, t, x, start, half) for start in (0, half)]
        t = Lanes(t.dtype, half)
        x = combine(f, op, t, *parts)
    for y in odd:
        x = combine(f, op, t, x, y)
    return x


def _part(f: Emitter, t: Lanes, x: str, start: int, count: int) -> str:
    if count == 1:
        return f.op(f"extractelement {t} {x}, i64 {start}")
    lanes = ", ".join(f"i32 {i}" for i in range(start, start + count))
    return f.op(f"shufflevector {t} {x}, {t} poison, <{count} x i32> <{lanes}>")
