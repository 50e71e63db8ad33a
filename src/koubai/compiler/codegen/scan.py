"""Running sums and products.

Each row along the axis is added up from its beginning, as in NumPy, so equal bits come out. One
addition waits for the last; so several rows are walked side by side, which are neighbours along
another axis:

    for j in range(0, columns, 8):            where the axis is not the last: registers of eight
        total = x[0, j:j+8]
        for i in range(1, rows):
            total = total + x[i, j:j+8]
            y[i, j:j+8] = total

Where it is the last, neighbours are far from each other in memory, and each is a number alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from koubai.compiler.codegen.elementwise import cast, elementwise
from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.codegen.kernel import Pointers
from koubai.compiler.codegen.lanes import Lanes
from koubai.compiler.codegen.memory import element_pointer, load, store
from koubai.compiler.kernels import Scan
from koubai.compiler.layout import contiguous

COMBINE = {"cumulative_sum": "add", "cumulative_prod": "multiply"}
WIDTH = 8
"""Lanes of a register."""


def scan_code(scan: Scan, dtype: str, result: str) -> str:
    """The function that computes ``scan`` of an operand of ``dtype``; it is called NAME."""
    f = Emitter("NAME", ["ptr %table", "ptr %operands"])
    given = Pointers(f)
    source, target = given.add(), given.add()
    (x,) = scan.operands
    shape, steps = x.shape, list(zip(x.strides, contiguous(x.shape), strict=True))
    others = [i for i in range(len(shape)) if i != scan.axis]
    side = others.pop() if others else None
    if 0 in shape:
        return f.text()

    def moved(pointers: tuple[str, str], index: str, axis: int | None) -> tuple[str, str]:
        """The places in operand and result, so far along an axis."""
        if axis is None:
            return pointers
        dtypes = (dtype, result)
        places = [
            element_pointer(f, t, p, f.op(f"mul nsw i64 {index}, {step}"))
            for t, p, step in zip(dtypes, pointers, steps[axis], strict=True)
        ]
        return places[0], places[1]

    n, stride = (1, (1, 1)) if side is None else (shape[side], steps[side])
    with ExitStack() as loops:
        start = source, target
        for axis in others:
            index = loops.enter_context(f.loop("0", str(shape[axis])))
            start = moved(start, index, axis)
        for first, stop, registers, lanes in _groups(n, stride[1] == 1):
            t, to = Lanes(dtype, lanes), Lanes(result, lanes)

            def element(place: tuple[str, str], t: Lanes = t) -> str:
                return cast(f, t, load(f, t, place[0], stride[0]), result)

            with f.loop(str(first), str(stop), registers * lanes) as j:
                numbers = [f.op(f"add nsw i64 {j}, {lanes * k}") for k in range(registers)]
                columns = [moved(start, number, side) for number in numbers]
                totals = [(str(to), element(column)) for column in columns]
                for column, (_, total) in zip(columns, totals, strict=True):
                    store(f, to, total, column[1], stride[1])
                with f.carrying_loop("1", str(shape[scan.axis]), 1, totals) as (i, old, new):
                    for column, total in zip(columns, old, strict=True):
                        place = moved(column, i, scan.axis)
                        terms = [total, element(place)]
                        new.append(elementwise(f, COMBINE[scan.instruction.op], to, terms, result))
                        store(f, to, new[-1], place[1], stride[1])
    return f.text()


def _groups(n: int, is_dense: bool) -> Iterator[tuple[int, int, int, int]]:
    """Parts of ``n`` neighbours: from, to, and so many registers of so many lanes at a time."""
    start = 0
    sizes = [(4, WIDTH), (1, WIDTH), (1, n % WIDTH)] if is_dense else [(WIDTH, 1), (1, 1)]
    for registers, lanes in sizes:
        count = registers * lanes
        stop = start + (n - start) // count * count if count else start
        if stop > start:
            yield start, stop, registers, lanes
        start = stop
