"""Matrix products, by tiles (tiles.py) or by BLAS.

BLAS is column-major: what lies in memory as a row-major (m, n) matrix is for it the column-major
(n, m) transpose. So it is asked for ``outᵀ = bᵀ aᵀ``, and each operand is handed over as it lies,
with a flag where it is the other way round.

One function serves all products of a dtype by BLAS. Its operands, all words of 64 bits:

    a: slot, offset   b: slot, offset   out: slot, offset   addend: slot, offset
    how many products, and the bytes from one to the next in a, b and out
    bytes of the addend; 0 if there is none
    flag of b, flag of a, n, m, k, alpha, leading of b, leading of a, 0.0 or 1.0, leading of out

What is to be added to is first copied to where the result goes, if it does not lie there. BLAS
takes the addresses of numbers, and reads of each word as much as it needs.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.codegen.kernel import Pointers
from koubai.compiler.codegen.lanes import Lanes
from koubai.compiler.codegen.tiles import tiles_code
from koubai.compiler.kernels import Product
from koubai.compiler.layout import Layout
from koubai.compiler.registers import Registers

GEMM = {"float32": "sgemm", "float64": "dgemm"}
"""BLAS's names."""

_Call = tuple[str, int, list[int]]  # text, the first column, words

_BATCH, _BYTES, _FLAGS = 8, 12, 13  # where the operands of these kinds begin


@functools.cache
def product_code(dtype: str) -> str:
    """The function that computes products; it is called NAME."""
    f = Emitter("NAME", ["ptr %table", "ptr %operands"])
    pointers = Pointers(f)
    a, b, out, addend = (pointers.add() for _ in range(4))

    def word(i: int) -> str:
        return f.op(f"getelementptr i64, ptr %operands, i64 {i}")

    size = f.op(f"load i64, ptr {word(_BYTES)}")
    elsewhere = f.op(f"icmp ne ptr {out}, {addend}")
    with f.when(f.op(f"and i1 {elsewhere}, {f.op(f'icmp ne i64 {size}, 0')}")):
        _copy(f, addend, out, size)
    count, *strides = (f.op(f"load i64, ptr {word(_BATCH + i)}") for i in range(4))
    fixed = [f"ptr {word(_FLAGS + i)}" for i in range(10)]
    with f.loop("0", count) as i:
        places = []
        for pointer, stride in zip((a, b, out), strides, strict=True):
            step = f.op(f"mul i64 {i}, {stride}")
            places.append(f"ptr {f.op(f'getelementptr i8, ptr {pointer}, i64 {step}')}")
        arguments = [*fixed[:6], places[1], fixed[6], places[0], *fixed[7:9], places[2], fixed[9]]
        f.do(f"call void @{GEMM[dtype]}({', '.join(arguments)})")
    return f.text()


@dataclass
class Call:
    """One call of a function.

    Attributes:
        text: the function's, in which it is called NAME.
        begins: where a, b, out and addend begin.
        words: the operands after these.
    """

    text: str
    begins: list[Layout]
    words: list[int]


def product_calls(product: Product, dtype: str, registers: Registers | None) -> Iterator[Call]:
    """The calls that compute ``product``.

    Args:
        registers: of the processor; None if tiles are not for it.
    """
    a, b, out = product.a, product.b, product.out
    addend = product.addend or out
    stack = out.shape[:-2]
    if 0 in out.shape:
        return
    size = np.dtype(dtype).itemsize
    # The last axis of the stack is a loop in the function, the others are calls.
    inner = stack[-1] if stack else 1
    steps = [size * x.strides[len(stack) - 1] if stack else 0 for x in (a, b, out)]
    for index in itertools.product(*map(range, stack[:-1])):
        parts = [_part(x, index) for x in (a, b, out, addend)]
        if registers is not None and _is_tiled(product, registers):
            calls = _by_tiles(product, dtype, registers)
        else:
            calls = _by_blas(product, dtype, size * inner)
        for text, start, words in calls:
            begins = [parts[0], *(replace(x, offset=x.offset + start) for x in parts[1:])]
            yield Call(text, begins, [inner, *steps, *words])


def _is_tiled(product: Product, registers: Registers) -> bool:
    (m, k), n = product.a.shape[-2:], product.b.shape[-1]
    return registers.pay(m, n, k) and (product.b.strides[-1] == 1 or n == 1)


def _by_tiles(product: Product, dtype: str, registers: Registers) -> Iterator[_Call]:
    (m, k), n = product.a.shape[-2:], product.b.shape[-1]
    t = Lanes(dtype, registers.size // np.dtype(dtype).itemsize)
    distances = [*product.a.strides[-2:], product.b.strides[-2], product.out.strides[-2]]
    alpha = _bits(product.alpha, dtype)
    for vectors, start, stop in registers.columns(n, t.count):
        text = tiles_code(t, registers.rows(m, vectors), vectors)
        words = [product.addend is not None, k, m, stop - start, *distances, alpha]
        yield text, start, words


def _by_blas(product: Product, dtype: str, size: int) -> Iterator[_Call]:
    (m, k), n = product.a.shape[-2:], product.b.shape[-1]
    alpha, beta = (_bits(x, dtype) for x in (product.alpha, float(product.addend is not None)))
    flag_a, leading_a = _as_it_lies(product.a)
    flag_b, leading_b = _as_it_lies(product.b)
    copied = size * m * n if product.addend else 0
    leading = [leading_b, leading_a, beta, max(product.out.strides[-2], n)]
    fixed = [ord(flag_b), ord(flag_a), n, m, k, alpha, *leading]
    yield product_code(dtype), 0, [copied, *fixed]


def _bits(x: float, dtype: str) -> int:
    """A number as a word."""
    number = np.array([x], dtype)
    return int(number.view(f"int{8 * number.itemsize}")[0])


def _copy(f: Emitter, source: str, target: str, size: str) -> None:
    """So many bytes, which are whole numbers of four."""
    start = "0"
    for type_, step in (("<8 x i32>", 32), ("i32", 4)):
        stop = f.op(f"and i64 {size}, {-step}")
        with f.loop(start, stop, step) as i:
            here, there = (f.op(f"getelementptr i8, ptr {p}, i64 {i}") for p in (source, target))
            x = f.op(f"load {type_}, ptr {here}, align 4")
            f.do(f"store {type_} {x}, ptr {there}, align 4")
        start = stop


def _part(x: Layout, index: tuple[int, ...]) -> Layout:
    offset = x.offset + sum(i * s for i, s in zip(index, x.strides, strict=False))
    return Layout(x.buffer, offset, x.shape[len(index) :], x.strides[len(index) :])


def _as_it_lies(x: Layout) -> tuple[str, int]:
    """Whether BLAS must transpose it, and the distance of its rows (or columns)."""
    m, n = x.shape[-2:]
    rows, columns = x.strides[-2:]
    if (columns == 1 or n == 1) and (rows >= n or m == 1):
        return "N", max(rows, n, 1) if m > 1 else max(n, 1)
    return "T", max(columns, m, 1) if n > 1 else max(m, 1)
