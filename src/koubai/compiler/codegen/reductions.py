"""Sums and other reductions: where they start, how two partial results become one.

Reassociated: lanes are reduced side by side, and to one number at the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from koubai.compiler.codegen.elementwise import elementwise, kind
from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.codegen.lanes import Lanes
from koubai.compiler.codegen.memory import splat

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


class Partial:
    """Partial results of a reduction, lanes side by side, on the stack.

    LLVM keeps them in registers, but for arrays of them.

    Args:
        t: the lanes; for argmax and argmin, of what is compared.
        count: how many there are, if it is an array.
    """

    def __init__(self, f: Emitter, op: str, t: Lanes, count: int = 1) -> None:
        self.f, self.op, self.t, self.count = f, op, t, count
        self.indices = t.of("int64")
        array = f"[{count} x {t}]" if count > 1 else str(t)
        self.best = f.stack(array)
        self.index = f.stack(str(self.indices)) if op in ("argmax", "argmin") else ""

    def clear(self) -> None:
        """Begin: nothing is reduced yet."""
        start = self.t.constant(identity(self.op, self.t.dtype))
        if self.count > 1:
            with self.f.loop("0", str(self.count)) as k:
                self.f.do(f"store {self.t} {start}, ptr {self.place(k)}")
        else:
            self.f.do(f"store {self.t} {start}, ptr {self.best}")
        if self.index:
            self.f.do(f"store {self.indices} {self.indices.constant(0)}, ptr {self.index}")

    def place(self, k: str) -> str:
        """The address of number ``k`` of an array."""
        return self.f.op(f"getelementptr {self.t}, ptr {self.best}, i64 {k}")

    def value(self, k: str = "") -> str:
        """What there is, in each lane; of argmax and argmin the index."""
        if self.index:
            return self.f.op(f"load {self.indices}, ptr {self.index}")
        return self.f.op(f"load {self.t}, ptr {self.place(k) if k else self.best}")

    def add(self, x: str, i: str, k: str = "") -> None:
        """One more in each lane, which has the index ``i`` along the axis."""
        f, t = self.f, self.t
        pointer = self.place(k) if k else self.best
        old = f.op(f"load {t}, ptr {pointer}")
        if not self.index:
            f.do(f"store {t} {combine(f, self.op, t, old, x)}, ptr {pointer}")
            return
        b, indices = t.of("bool"), self.indices
        better = elementwise(f, "greater" if self.op == "argmax" else "less", t, [x, old], "bool")
        if kind(t.dtype) == "f":  # the first NaN is the greatest and the least of all
            is_nan = elementwise(f, "isnan", t, [x], "bool")
            was_not = f.op(f"fcmp ord {t} {old}, {old}")
            better = f.op(f"or {b} {better}, {f.op(f'and {b} {is_nan}, {was_not}')}")
        f.do(f"store {t} {f.op(f'select {b} {better}, {t} {x}, {t} {old}')}, ptr {pointer}")
        before, now = self.value(), splat(f, indices, i)
        index = f.op(f"select {b} {better}, {indices} {now}, {indices} {before}")
        f.do(f"store {indices} {index}, ptr {self.index}")


def widened(f: Emitter, op: str, t: Lanes, x: str, count: int) -> str:
    """``x`` in ``count`` lanes; in those that are new, what changes nothing."""
    if t.count == count:
        return x
    one = t.of(t.dtype, 1)
    if t.count == 1:
        x = f.op(f"insertelement <1 x {t.element}> poison, {t.element} {x}, i64 0")
    start = one.constant(identity(op, t.dtype))
    few = f"<{t.count} x {t.element}>"
    lanes = ", ".join(f"i32 {min(i, t.count)}" for i in range(count))
    return f.op(
        f"shufflevector {few} {x}, {few} splat ({t.element} {start}), <{count} x i32> <{lanes}>"
    )
