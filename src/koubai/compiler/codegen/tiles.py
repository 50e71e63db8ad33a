"""Matrix products by tiles: a few rows, and a few registers of columns, of the result.

BLAS brings its matrices into another order first, which pays for large ones. Here both are read as
they lie: ``b`` a register of columns at a time, ``a`` number by number, in any order. The sums of a
tile stay in registers:

    for blocks of terms:
        for columns, 3 registers at a time:
            for rows, 8 at a time:                      a tile
                sums[8, 3] = 0
                for p in block:
                    sums[r, c] += a[r, p] * b[p, c]     for all r and c
                out = alpha * sums + (out, from the second block on, or what is to be added to)

The last register of a tile may have fewer columns, which a mask says. If a tile has fewer rows, its
last row is computed several times.

A function serves all products of a dtype with tiles of one size. Its operands, words of 64 bits:

    a: slot, offset   b: slot, offset   out: slot, offset   addend: slot, offset
    how many products, and the bytes from one to the next in a, b and out
    whether there is an addend, k, m, n, and in elements the distance
    of a's rows, of a's columns, of b's rows, of out's rows;  alpha
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.codegen.kernel import Pointers
from koubai.compiler.codegen.lanes import Lanes
from koubai.compiler.codegen.memory import element_pointer, load, splat, store

BLOCK = 512
"""Terms: so many rows of b, three registers wide, stay in the processor's second cache."""

_WORDS = 8  # where the operands begin that are no pointers
_ADDS, _K, _M, _N, _A_ROW, _A_COLUMN, _B_ROW, _OUT_ROW, _ALPHA = range(_WORDS + 4, _WORDS + 13)


@functools.cache
def tiles_code(t: Lanes, rows: int, vectors: int) -> str:
    """The function for tiles of so many rows and vectors; it is called NAME."""
    f = Emitter("NAME", ["ptr %table", "ptr %operands"])
    pointers = Pointers(f)
    a, b, out, addend = (pointers.add() for _ in range(4))
    count, *steps = (_word(f, _WORDS + i) for i in range(4))
    adds, k, m, n = (_word(f, i) for i in (_ADDS, _K, _M, _N))
    distances = [_word(f, i) for i in range(_A_ROW, _ALPHA)]
    a_row, a_column, b_row, out_row = distances
    alpha = _word(f, _ALPHA, t.element)
    tile = _Tile(f, t, rows, vectors, splat(f, t, alpha), distances)

    def moved(pointer: str, i: str, distance: str) -> str:
        return element_pointer(f, t.dtype, pointer, f.op(f"mul i64 {i}, {distance}"))

    def later(pointer: str, i: str, step: str) -> str:
        return f.op(f"getelementptr i8, ptr {pointer}, i64 {f.op(f'mul i64 {i}, {step}')}")

    with f.loop("0", count) as i, f.loop("0", k, BLOCK) as p:
        a1, b1, out1 = (later(x, i, step) for x, step in zip((a, b, out), steps, strict=True))
        is_first = f.op(f"icmp eq i64 {p}, 0")
        old = f.op(f"select i1 {is_first}, ptr {later(addend, i, steps[2])}, ptr {out1}")
        has_old = f.op(f"icmp ne i64 {f.op(f'select i1 {is_first}, i64 {adds}, i64 1')}, 0")
        left = f.op(f"sub i64 {k}, {p}")
        terms = f.op(f"call i64 @llvm.smin.i64(i64 {left}, i64 {BLOCK})")
        a2, b2 = moved(a1, p, a_column), moved(b1, p, b_row)
        with f.loop("0", n, vectors * t.count) as j:
            mask = tile.mask(f.op(f"sub i64 {n}, {j}"))
            b3 = element_pointer(f, t.dtype, b2, j)
            with f.loop("0", m, rows) as r:
                lines = tile.lines(f.op(f"sub i64 {m}, {r}"))
                sums = tile.sums(moved(a2, r, a_row), b3, lines, terms, mask)
                place = f.op(f"add i64 {f.op(f'mul i64 {r}, {out_row}')}, {j}")
                here, there = (element_pointer(f, t.dtype, x, place) for x in (out1, old))
                tile.put(sums, here, there, lines, has_old, mask)
    return f.text()


@dataclass(frozen=True)
class _Tile:
    """What is done for one tile.

    Attributes:
        distances: of a's rows and columns, of b's rows, of out's rows.
    """

    f: Emitter
    t: Lanes
    rows: int
    vectors: int
    alpha: str
    distances: list[str]

    def mask(self, columns: str) -> str:
        """Which lanes of the last vector there are, if so many columns are left."""
        t, numbers = self.t, ", ".join(f"i64 {i}" for i in range(self.t.count))
        left = self.f.op(f"sub i64 {columns}, {(self.vectors - 1) * t.count}")
        left = splat(self.f, t.of("int64"), left)
        return self.f.op(f"icmp slt {t.of('int64')} <{numbers}>, {left}")

    def lines(self, left: str) -> list[str]:
        """The numbers of the tile's rows, if so many are left."""
        last = self.f.op(f"sub i64 {left}, 1")
        smin = "call i64 @llvm.smin.i64"
        return ["0", *(self.f.op(f"{smin}(i64 {r}, i64 {last})") for r in range(1, self.rows))]

    def sums(self, a: str, b: str, lines: list[str], terms: str, mask: str) -> list[str]:
        """Of the products of so many terms, by row and vector."""
        f, t = self.f, self.t
        a_row = self.distances[0]
        places = [self._at(a, f.op(f"mul i64 {r}, {a_row}")) for r in lines]
        zeros = [(str(t), "zeroinitializer")] * (self.rows * self.vectors)
        carried = [("i64", "0"), ("ptr", b), *zeros]
        with f.carrying_loop("0", terms, 1, carried) as (_, (column, line, *sums), following):
            right = [load(f, t, self._at(line, v * t.count)) for v in range(self.vectors - 1)]
            right.append(self._masked(self._at(line, (self.vectors - 1) * t.count), mask, 0))
            # Read anew for each term: what is known to be the same takes LLVM long to make use of.
            a_column, b_row = (_word(f, i, here=True) for i in (_A_COLUMN, _B_ROW))
            following += [f.op(f"add i64 {column}, {a_column}"), self._at(line, b_row)]
            for i, total in enumerate(sums):
                r, v = divmod(i, self.vectors)
                if v == 0:
                    left = load(f, t, self._at(places[r], column), stride=0)
                product = f.op(f"fmul contract {t} {left}, {right[v]}")
                following.append(f.op(f"fadd contract {t} {total}, {product}"))
        return following[2:]

    def put(
        self, sums: list[str], out: str, old: str, lines: list[str], has_old: str, mask: str
    ) -> None:
        """The sums times alpha, and what is at ``old``, to ``out``."""
        f, t, last = self.f, self.t, self.vectors - 1
        truth = t.of("bool")
        adds = splat(f, truth, has_old)
        masks = [*[adds] * last, f.op(f"and {truth} {adds}, {mask}")]
        offsets = [f.op(f"mul i64 {r}, {self.distances[3]}") for r in lines]
        # All are read before any is written, for rows may be the same. What gets -0.0 stays.
        olds = [
            self._masked(self._at(self._at(old, offset), v * t.count), masks[v], -0.0)
            for offset in offsets
            for v in range(self.vectors)
        ]
        for i, total in enumerate(sums):
            r, v = divmod(i, self.vectors)
            x = f.op(f"fmul contract {t} {total}, {self.alpha}")
            x = f.op(f"fadd contract {t} {x}, {olds[i]}")
            place = self._at(self._at(out, offsets[r]), v * t.count)
            if v < last:
                store(f, t, x, place)
            else:
                f.do(
                    f"call void @llvm.masked.store.{t.suffix}.p0({t} {x}, ptr {place},"
                    f" i32 {t.itemsize}, {truth} {mask})"
                )

    def _at(self, pointer: str, i: str | int) -> str:
        return element_pointer(self.f, self.t.dtype, pointer, str(i))

    def _masked(self, pointer: str, mask: str, otherwise: float) -> str:
        t = self.t
        return self.f.op(
            f"call {t} @llvm.masked.load.{t.suffix}.p0(ptr {pointer}, i32 {t.itemsize},"
            f" {t.of('bool')} {mask}, {t} {t.constant(otherwise)})"
        )


def _word(f: Emitter, i: int, type_: str = "i64", here: bool = False) -> str:
    at = f.op if here else f.at_entry
    place = at(f"getelementptr i64, ptr %operands, i64 {i}")
    return at(f"load {type_}, ptr {place}")
