"""The order of the elements of rows: a stable merge sort.

Each element and its index become one whole number, the element above the index, made so that such
numbers come in the same order:

    3.5, 1.0, 3.5   ->   3.5|0  1.0|1  3.5|2   ->   1.0|1  3.5|0  3.5|2   ->   1, 0, 2

No two are equal, so any way to sort them is stable. They are merged to runs of 2, 4, 8, ... from
one half of the scratch memory into the other. From both ends of a pair of runs at once: two chains
of comparisons, which do not wait for each other, and no branch that depends on what is found.
"""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np

from koubai.compiler.codegen.elementwise import kind
from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.codegen.kernel import Pointers
from koubai.compiler.codegen.lanes import Lanes
from koubai.compiler.codegen.memory import element_pointer, load
from koubai.compiler.kernels import Sort
from koubai.compiler.layout import contiguous


def sort_code(sort: Sort, dtype: str) -> str:
    """The function that computes the order of an operand of ``dtype``; it is called NAME.

    Its operands: the operand, the result, the scratch memory.
    """
    f = Emitter("NAME", ["ptr %table", "ptr %operands"])
    given = Pointers(f)
    source, target, scratch = (given.add() for _ in range(3))
    (x,) = sort.operands
    n, steps = x.shape[sort.axis], contiguous(x.shape)
    if 0 in x.shape:
        return f.text()
    row = _Row(f, n, sort.bits)
    with ExitStack() as loops:
        for axis, length in enumerate(x.shape):
            if axis != sort.axis:
                i = loops.enter_context(f.loop("0", str(length)))
                step, result = (f.op(f"mul nsw i64 {i}, {s[axis]}") for s in (x.strides, steps))
                source = element_pointer(f, dtype, source, step)
                target = element_pointer(f, "int64", target, result)
        with f.loop("0", str(n)) as i:
            step = f.op(f"mul nsw i64 {i}, {x.strides[sort.axis]}")
            number = load(f, Lanes(dtype, 1), element_pointer(f, dtype, source, step))
            key = _key(f, dtype, number, sort.instruction.params["descending"])
            row.fill(scratch, i, key, 8 * np.dtype(dtype).itemsize)
        ordered = row.merged(scratch)
        with f.loop("0", str(n)) as i:
            step = f.op(f"mul nsw i64 {i}, {steps[sort.axis]}")
            index = row.index(ordered, i)
            f.do(f"store i64 {index}, ptr {element_pointer(f, 'int64', target, step)}, align 8")
    return f.text()


def _key(f: Emitter, dtype: str, x: str, descending: bool) -> str:
    """An unsigned integer of the same size, greater where ``x`` is: NaN is the greatest."""
    bits = 8 * np.dtype(dtype).itemsize
    t, least = f"i{bits}", -(2 ** (bits - 1))
    if dtype == "bool":
        x = f.op(f"zext i1 {x} to i8")
    if kind(dtype) == "i":
        x = f.op(f"xor {t} {x}, {least}")
    if kind(dtype) == "f":
        one = Lanes(dtype, 1)
        positive = f.op(f"fadd {one} {x}, {one.constant(0)}")  # no -0.0
        is_nan = f.op(f"fcmp uno {one} {x}, {x}")
        whole = f.op(f"bitcast {one} {positive} to {t}")
        negative = f.op(f"ashr {t} {whole}, {bits - 1}")
        flipped = f.op(f"or {t} {negative}, {least}")
        x = f.op(f"select i1 {is_nan}, {t} -1, {t} {f.op(f'xor {t} {whole}, {flipped}')}")
    return f.op(f"xor {t} {x}, -1") if descending else x


class _Row:
    """``n`` whole numbers of 64 or 128 bits, twice, with a place to spare each."""

    def __init__(self, f: Emitter, n: int, bits: int) -> None:
        self.f, self.n, self.t = f, n, f"i{bits}"
        self.half = bits // 2

    def place(self, start: str, i: str) -> str:
        return self.f.op(f"getelementptr {self.t}, ptr {start}, i64 {i}")

    def get(self, start: str, i: str) -> str:
        return self.f.op(f"load {self.t}, ptr {self.place(start, i)}, align 8")

    def put(self, x: str, start: str, i: str) -> None:
        self.f.do(f"store {self.t} {x}, ptr {self.place(start, i)}, align 8")

    def fill(self, start: str, i: str, key: str, bits: int) -> None:
        f, t = self.f, self.t
        index = i if t == "i64" else f.op(f"zext i64 {i} to {t}")
        wide = f.op(f"zext i{bits} {key} to {t}")
        self.put(f.op(f"or {t} {f.op(f'shl {t} {wide}, {self.half}')}, {index}"), start, i)

    def index(self, start: str, i: str) -> str:
        f, x = self.f, self.get(start, i)
        if self.t == "i64":
            return f.op(f"and i64 {x}, {2**32 - 1}")
        return f.op(f"trunc {self.t} {x} to i64")

    def merged(self, start: str) -> str:
        """Where they lie when all are in order."""
        f, n = self.f, self.n
        passes = (n - 1).bit_length()
        first = [("ptr", start), ("ptr", self.place(start, str(n + 1)))]
        with f.carrying_loop("0", str(passes), 1, first) as (p, (a, b), following):
            width = f.op(f"shl i64 1, {p}")
            pair = f.op(f"shl i64 {width}, 1")
            whole = f.op(f"udiv i64 {n}, {pair}")
            with f.loop("0", whole) as i:
                self._merge_equal(a, b, f.op(f"mul i64 {i}, {pair}"), width)
            self._merge_rest(a, b, f.op(f"mul i64 {whole}, {pair}"), width)
            following += [b, a]
        return following[0]

    def _merge_equal(self, a: str, b: str, start: str, width: str) -> None:
        """Two runs of equal length from a to b: its lower half from below, its upper from above.

        Neither reaches the end of a run before it is through.
        """
        f, t = self.f, self.t
        middle = f.op(f"add i64 {start}, {width}")
        end = f.op(f"add i64 {middle}, {f.op(f'sub i64 {width}, 1')}")
        last = f.op(f"sub i64 {middle}, 1")
        places = [("i64", start), ("i64", middle), ("i64", last), ("i64", end)]
        with f.carrying_loop("0", width, 1, places) as (k, (i, j, below, above), following):
            x, y = self.get(a, i), self.get(a, j)
            left = f.op(f"icmp ult {t} {x}, {y}")
            self.put(f.op(f"select i1 {left}, {t} {x}, {t} {y}"), b, f.op(f"add i64 {start}, {k}"))
            x, y = self.get(a, below), self.get(a, above)
            right = f.op(f"icmp ult {t} {x}, {y}")
            self.put(f.op(f"select i1 {right}, {t} {y}, {t} {x}"), b, f.op(f"sub i64 {end}, {k}"))
            step, back = (f.op(f"zext i1 {c} to i64") for c in (left, right))
            following += [f.op(f"add i64 {i}, {step}")]
            following += [f.op(f"add i64 {j}, {f.op(f'sub i64 1, {step}')}")]
            following += [f.op(f"sub i64 {below}, {f.op(f'sub i64 1, {back}')}")]
            following += [f.op(f"sub i64 {above}, {back}")]

    def _merge_rest(self, a: str, b: str, start: str, width: str) -> None:
        """A run and a shorter one, or none, or less than one; up to the end."""
        f, t, n = self.f, self.t, str(self.n)
        full = f.op(f"add i64 {start}, {width}")
        middle = f.op(f"call i64 @llvm.smin.i64(i64 {full}, i64 {n})")
        places = [("i64", start), ("i64", middle)]
        with f.carrying_loop(start, n, 1, places) as (k, (i, j), following):
            x, y = self.get(a, i), self.get(a, j)
            left_left = f.op(f"icmp slt i64 {i}, {middle}")
            right_done = f.op(f"icmp sge i64 {j}, {n}")
            less = f.op(f"icmp ult {t} {x}, {y}")
            left = f.op(f"and i1 {left_left}, {f.op(f'or i1 {right_done}, {less}')}")
            self.put(f.op(f"select i1 {left}, {t} {x}, {t} {y}"), b, k)
            step = f.op(f"zext i1 {left} to i64")
            following += [f.op(f"add i64 {i}, {step}")]
            following += [f.op(f"add i64 {j}, {f.op(f'sub i64 1, {step}')}")]
