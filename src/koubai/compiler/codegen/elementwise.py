"""Elementwise instructions as LLVM IR, one after the other, for any number of lanes.

NaN, infinities and signed zeros come out as NumPy has them. A multiplication and an addition may
become one fused operation (``contract``), which rounds once instead of twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.codegen.functions import FUNCTIONS
from koubai.compiler.codegen.kernel import fail
from koubai.compiler.codegen.lanes import Lanes

ARITHMETIC = {"add": "add", "subtract": "sub", "multiply": "mul"}
COMPARISONS = {  # of floats, signed integers and unsigned integers
    "equal": ("oeq", "eq", "eq"),
    "not_equal": ("une", "ne", "ne"),
    "less": ("olt", "slt", "ult"),
    "less_equal": ("ole", "sle", "ule"),
    "greater": ("ogt", "sgt", "ugt"),
    "greater_equal": ("oge", "sge", "uge"),
}
LOGIC = {"logical_and": "and", "logical_or": "or", "logical_xor": "xor"}
BOOLEAN_ARITHMETIC = {"add": "or", "multiply": "and", "maximum": "or", "minimum": "and"}
FOR_ALL = {
    *COMPARISONS,
    *LOGIC,
    *("maximum", "minimum", "logical_not", "copy", "where", "cast"),
    *("isfinite", "isinf", "isnan"),
}
FOR_NUMBERS = {*ARITHMETIC, "negative", "pow", "reciprocal", "sign"}
FOR_FLOATS = {"divide", "sqrt"}
WHOLE = {"abs", "floor", "ceil", "round"}
"""What changes no boolean, and but for ``abs`` no integer."""


def kind(dtype: str) -> str:
    """f, i, u or b."""
    return np.dtype(dtype).kind


def is_elementwise(op: str, dtypes: Sequence[str], result: str) -> bool:
    """Whether there is code for ``op`` on operands of these dtypes."""
    kinds = {kind(dtype) for dtype in dtypes}
    if op in FOR_ALL:
        return True
    if op in WHOLE:
        return dtypes[0] == result
    if op in FOR_NUMBERS:
        return "b" not in kinds or op in BOOLEAN_ARITHMETIC
    return kinds == {"f"} and (op in FOR_FLOATS or op in FUNCTIONS)


def elementwise(f: Emitter, op: str, t: Lanes, xs: Sequence[str], result: str) -> str:
    """Emit ``op`` of ``xs``; the name of the result.

    Args:
        t: of the operands (of ``where``, of the choices).
        result: the dtype of the result.
    """
    is_float, x = kind(t.dtype) == "f", xs[0]
    if op in WHOLE and not is_float and (op != "abs" or t.dtype == "bool"):
        return x
    if t.dtype == "bool" and op in BOOLEAN_ARITHMETIC:
        return f.op(f"{BOOLEAN_ARITHMETIC[op]} {t} {x}, {xs[1]}")
    if op in ARITHMETIC:
        name = f"f{ARITHMETIC[op]} contract" if is_float else ARITHMETIC[op]
        return f.op(f"{name} {t} {x}, {xs[1]}")
    if op == "divide":
        return f.op(f"fdiv {t} {x}, {xs[1]}")
    if op in COMPARISONS:
        return _compare(f, op, t, x, xs[1])
    if op in LOGIC:
        x, y = (_truth(f, t, x) for x in xs)
        return f.op(f"{LOGIC[op]} {t.of('bool')} {x}, {y}")
    if op == "where":
        return f.op(f"select {t.of('bool')} {x}, {t} {xs[1]}, {t} {xs[2]}")
    if op == "cast":
        return cast(f, t, x, result)
    if op in ("maximum", "minimum"):
        return _extremum(f, op, t, x, xs[1])
    if op == "pow" and not is_float:
        return _integer_power(f, t, x, xs[1])
    if op in _UNARY:
        return _UNARY[op](f, t, x)
    return FUNCTIONS[op](f, t, *xs)


def _compare(f: Emitter, op: str, t: Lanes, x: str, y: str) -> str:
    of_floats, signed, unsigned = COMPARISONS[op]
    if kind(t.dtype) == "f":
        return f.op(f"fcmp {of_floats} {t} {x}, {y}")
    return f.op(f"icmp {signed if kind(t.dtype) == 'i' else unsigned} {t} {x}, {y}")


def _extremum(f: Emitter, op: str, t: Lanes, x: str, y: str) -> str:
    """The first operand if it is as large, or NaN; else the second, which may be NaN."""
    first = _compare(f, "greater_equal" if op == "maximum" else "less_equal", t, x, y)
    if kind(t.dtype) == "f":
        nan = f.op(f"fcmp uno {t} {x}, {x}")
        first = f.op(f"or {t.of('bool')} {first}, {nan}")
    return f.op(f"select {t.of('bool')} {first}, {t} {x}, {t} {y}")


def _truth(f: Emitter, t: Lanes, x: str) -> str:
    """Whether it is not zero; NaN is not."""
    return x if t.dtype == "bool" else _compare(f, "not_equal", t, x, t.constant(0))


def cast(f: Emitter, t: Lanes, x: str, dtype: str) -> str:
    """``x`` as another dtype, as ``astype`` converts it."""
    to = t.of(dtype)
    old, new = kind(t.dtype), kind(dtype)
    if t.dtype == dtype:
        return x
    if dtype == "bool":
        return _truth(f, t, x)
    if old == "f" and new == "f":
        return f.op(f"{'fpext' if dtype == 'float64' else 'fptrunc'} {t} {x} to {to}")
    if old == "f":
        return _truncated(f, t, x, to)
    if new == "f":
        return f.op(f"{'sitofp' if old == 'i' else 'uitofp'} {t} {x} to {to}")
    if to.element == t.element:
        return x
    if np.dtype(t.dtype).itemsize > np.dtype(dtype).itemsize:
        return f.op(f"trunc {t} {x} to {to}")
    return f.op(f"{'sext' if old == 'i' else 'zext'} {t} {x} to {to}")


def _truncated(f: Emitter, t: Lanes, x: str, to: Lanes) -> str:
    """Towards zero; what does not fit, and NaN, become the least integer, as on x86.

    There, what is smaller than an int32 is made of an int32, and a uint32 of an int64.
    """
    if to.dtype == "uint64":
        return _truncated_to_uint64(f, t, x)
    if to.dtype not in ("int32", "int64"):
        wide = to.of("int64" if to.dtype == "uint32" else "int32")
        return f.op(f"trunc {wide} {_truncated(f, t, x, wide)} to {to}")
    least = int(np.iinfo(to.dtype).min)
    above = f.op(f"fcmp oge {t} {x}, {t.constant(least)}")
    below = f.op(f"fcmp olt {t} {x}, {t.constant(-float(least))}")
    fits = f.op(f"and {t.of('bool')} {above}, {below}")
    safe = f.op(f"select {t.of('bool')} {fits}, {t} {x}, {t} {t.constant(0)}")
    whole = f.op(f"fptosi {t} {safe} to {to}")
    return f.op(f"select {t.of('bool')} {fits}, {to} {whole}, {to} {to.constant(least)}")


def _truncated_to_uint64(f: Emitter, t: Lanes, x: str) -> str:
    """As int64, from 2^63 on of what is left over that."""
    signed, half = t.of("int64"), t.constant(2.0**63)
    large = f.op(f"fcmp oge {t} {x}, {half}")
    rest = f.op(f"fsub {t} {x}, {half}")
    small = f.op(f"select {t.of('bool')} {large}, {t} {rest}, {t} {x}")
    whole = _truncated(f, t, small, signed)
    added = f.op(f"xor {signed} {whole}, {signed.constant(-(2**63))}")
    return f.op(f"select {t.of('bool')} {large}, {signed} {added}, {signed} {whole}")


def _integer_power(f: Emitter, t: Lanes, x: str, y: str) -> str:
    """By squaring, for each bit of the exponents up to the highest; none may be negative."""
    bits, b = 8 * t.itemsize, t.of("bool")
    name = f"llvm.vector.reduce.or.v{t.count}{t.element}"
    used = y if t.count == 1 else f.op(f"call {t.element} @{name}({t} {y})")
    if kind(t.dtype) == "i":
        with f.when(f.op(f"icmp slt {t.element} {used}, 0")):
            fail(f)
    zeros = f.op(f"call {t.element} @llvm.ctlz.{t.element}({t.element} {used}, i1 false)")
    count = f.op(f"sub i64 {bits}, {_as_int64(f, zeros, bits)}")
    first = [(str(t), t.constant(1)), (str(t), x), (str(t), y)]
    with f.carrying_loop("0", count, 1, first) as (_, (power, square, rest), following):
        odd = f.op(f"trunc {t} {rest} to {b}")
        times = f.op(f"mul {t} {power}, {square}")
        following += [
            f.op(f"select {b} {odd}, {t} {times}, {t} {power}"),
            f.op(f"mul {t} {square}, {square}"),
            f.op(f"lshr {t} {rest}, {t.constant(1)}"),
        ]
    return following[0]


def _as_int64(f: Emitter, x: str, bits: int) -> str:
    return x if bits == 64 else f.op(f"zext i{bits} {x} to i64")


def absolute(f: Emitter, t: Lanes, x: str) -> str:
    if kind(t.dtype) == "f":
        return f.op(f"call {t} @llvm.fabs.{t.suffix}({t} {x})")
    if kind(t.dtype) != "i":
        return x
    negative = f.op(f"icmp slt {t} {x}, {t.constant(0)}")
    minus = f.op(f"sub {t} {t.constant(0)}, {x}")
    return f.op(f"select {t.of('bool')} {negative}, {t} {minus}, {t} {x}")


def _negative(f: Emitter, t: Lanes, x: str) -> str:
    if kind(t.dtype) == "f":
        return f.op(f"fneg {t} {x}")
    return f.op(f"sub {t} {t.constant(0)}, {x}")


def _sign(f: Emitter, t: Lanes, x: str) -> str:
    """-1, 0 or 1, and NaN of NaN."""
    b, zero = t.of("bool"), t.constant(0)
    result = x if kind(t.dtype) == "f" else zero  # NaN
    if kind(t.dtype) == "f":
        is_zero = f.op(f"fcmp oeq {t} {x}, {zero}")
        result = f.op(f"select {b} {is_zero}, {t} {zero}, {t} {result}")
    if kind(t.dtype) != "u":
        negative = _compare(f, "less", t, x, zero)
        result = f.op(f"select {b} {negative}, {t} {t.constant(-1)}, {t} {result}")
    positive = _compare(f, "greater", t, x, zero)
    return f.op(f"select {b} {positive}, {t} {t.constant(1)}, {t} {result}")


def _sqrt(f: Emitter, t: Lanes, x: str) -> str:
    return f.op(f"call {t} @llvm.sqrt.{t.suffix}({t} {x})")


def _reciprocal(f: Emitter, t: Lanes, x: str) -> str:
    """Of an integer: in float64, without its fraction."""
    floats = t if kind(t.dtype) == "f" else t.of("float64")
    y = f.op(f"fdiv {floats} {floats.constant(1)}, {cast(f, t, x, floats.dtype)}")
    return cast(f, floats, y, t.dtype)


def _round(f: Emitter, t: Lanes, x: str) -> str:
    """To the nearest integer, halves to even: past 2^23 (2^52) a float has no fraction left."""
    large = t.constant(2.0**23 if t.dtype == "float32" else 2.0**52)
    size = absolute(f, t, x)
    up = f.op(f"fadd {t} {size}, {large}")
    rounded = f.op(f"fsub {t} {up}, {large}")
    small = f.op(f"fcmp olt {t} {size}, {large}")
    size = f.op(f"select {t.of('bool')} {small}, {t} {rounded}, {t} {size}")
    return f.op(f"call {t} @llvm.copysign.{t.suffix}({t} {size}, {t} {x})")


def _floor(f: Emitter, t: Lanes, x: str) -> str:
    nearest = _round(f, t, x)
    above = f.op(f"fcmp ogt {t} {nearest}, {x}")
    lower = f.op(f"fsub {t} {nearest}, {t.constant(1)}")
    y = f.op(f"select {t.of('bool')} {above}, {t} {lower}, {t} {nearest}")
    return f.op(f"call {t} @llvm.copysign.{t.suffix}({t} {y}, {t} {x})")


def _ceil(f: Emitter, t: Lanes, x: str) -> str:
    return _negative(f, t, _floor(f, t, _negative(f, t, x)))


def _isnan(f: Emitter, t: Lanes, x: str) -> str:
    if kind(t.dtype) != "f":
        return t.of("bool").constant(False)
    return f.op(f"fcmp uno {t} {x}, {x}")


def _isinf(f: Emitter, t: Lanes, x: str) -> str:
    if kind(t.dtype) != "f":
        return t.of("bool").constant(False)
    return f.op(f"fcmp oeq {t} {absolute(f, t, x)}, {t.constant(np.inf)}")


def _isfinite(f: Emitter, t: Lanes, x: str) -> str:
    if kind(t.dtype) != "f":
        return t.of("bool").constant(True)
    return f.op(f"fcmp olt {t} {absolute(f, t, x)}, {t.constant(np.inf)}")


def _logical_not(f: Emitter, t: Lanes, x: str) -> str:
    b = t.of("bool")
    return f.op(f"xor {b} {_truth(f, t, x)}, {b.constant(True)}")


def _copy(f: Emitter, t: Lanes, x: str) -> str:
    return x


_UNARY: dict[str, Callable[[Emitter, Lanes, str], str]] = {
    "abs": absolute,
    "ceil": _ceil,
    "copy": _copy,
    "floor": _floor,
    "isfinite": _isfinite,
    "isinf": _isinf,
    "isnan": _isnan,
    "logical_not": _logical_not,
    "negative": _negative,
    "reciprocal": _reciprocal,
    "round": _round,
    "sign": _sign,
    "sqrt": _sqrt,
}
