"""Matrix products as calls of BLAS.

BLAS is column-major: what lies in memory as a row-major (m, n) matrix is for it the column-major
(n, m) transpose. So it is asked for ``outᵀ = bᵀ aᵀ``, and each operand is handed over as it lies,
with a flag where it is the other way round.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack

from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.codegen.lanes import Lanes, literal
from koubai.compiler.codegen.memory import element_pointer
from koubai.compiler.kernels import Product
from koubai.compiler.layout import Layout

GEMM = {"float32": "sgemm", "float64": "dgemm"}
DECLARATIONS = "\n".join(
    f"declare void @{name}({', '.join(['ptr'] * 13)})" for name in GEMM.values()
)


def emit_product(
    f: Emitter,
    product: Product,
    dtype: str,
    pointer: Callable[[int, int], str],
    constant: Callable[[str, str], str],
) -> None:
    """Emit ``product``.

    Args:
        pointer: of a buffer and an offset in elements, the address.
        constant: of an LLVM type and a literal, the address of that constant.
    """
    a, b, out = product.a, product.b, product.out
    *stack, m, k = a.shape
    n = b.shape[-1]
    if 0 in (*stack, m, n):
        return
    if k == 0:
        _zero(f, dtype, pointer(out.buffer, out.offset), math.prod(out.shape))
        return

    def integer(x: int) -> str:
        return constant("i32", str(x))

    with ExitStack() as loops:
        indices = [
            loops.enter_context(f.loop("0", str(length))) if length > 1 else "0" for length in stack
        ]
        places = []
        for x in (a, b, out):
            place = pointer(x.buffer, x.offset)
            for index, stride in zip(indices, x.strides, strict=False):
                if index != "0" and stride:
                    step = f.op(f"mul nsw i64 {index}, {stride}")
                    place = element_pointer(f, dtype, place, step)
            places.append(place)
        flag_a, leading_a = _as_it_lies(a)
        flag_b, leading_b = _as_it_lies(b)
        element = Lanes(dtype, 1).element
        one, zero = constant(element, literal(dtype, 1)), constant(element, literal(dtype, 0))
        arguments = [
            constant("i8", str(ord(flag_b))),
            constant("i8", str(ord(flag_a))),
            *map(integer, (n, m, k)),
            one,
            places[1],
            integer(leading_b),
            places[0],
            integer(leading_a),
            zero,
            places[2],
            integer(n),
        ]
        f.do(f"call void @{GEMM[dtype]}({', '.join(f'ptr {x}' for x in arguments)})")


def _as_it_lies(x: Layout) -> tuple[str, int]:
    """Whether BLAS must transpose it, and the distance of its rows (or columns)."""
    m, n = x.shape[-2:]
    rows, columns = x.strides[-2:]
    if (columns == 1 or n == 1) and (rows >= n or m == 1):
        return "N", max(rows, n) if m > 1 else n
    return "T", max(columns, m) if n > 1 else m


def _zero(f: Emitter, dtype: str, pointer: str, size: int) -> None:
    size *= 8 if dtype == "float64" else 4
    f.do(f"call void @llvm.memset.p0.i64(ptr {pointer}, i8 0, i64 {size}, i1 false)")
