"""Values in generated code, with operators, so that formulas read as on paper.

    r = x - n * LN2                # writes a multiplication and a subtraction
    y = (x < 0.0).select(-x, x)    # a choice in each lane, no branch

A product and a sum may become one instruction where the processor has it (LLVM's ``contract``),
with one rounding instead of two. Where each rounding counts, compute with ``x.unfused``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.codegen.lanes import Lanes

INTEGERS = {"float32": "int32", "float64": "int64"}
"""The integers with as many bits."""

COMPARISONS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq"}


@dataclass(frozen=True, eq=False)
class Value:
    """The lanes of one instruction's result; an operand may also be a Python number.

    Floats have + - * /, signed integers + - * & | ^ << >> (a logical shift), booleans & | ~. What
    a comparison gives is boolean; with NaN it is false.
    """

    f: Emitter
    t: Lanes
    name: str
    fused: bool = True

    # Making values

    def like(self, number: Any) -> Value:
        """``number`` in every lane, of this dtype."""
        return Value(self.f, self.t, self.t.constant(number), self.fused)

    def op(self, instruction: str, dtype: str | None = None) -> Value:
        """The result of ``instruction``, of this dtype or of ``dtype``."""
        t = self.t if dtype is None else self.t.of(dtype)
        return Value(self.f, t, self.f.op(instruction), self.fused)

    def _other(self, y: Value | float) -> Value:
        return y if isinstance(y, Value) else self.like(y)

    def _binary(self, op: str, y: Value | float) -> Value:
        other = self._other(y)
        fused = self.fused and other.fused
        if self.is_float:
            op = f"f{op} contract" if fused else f"f{op}"
        result = self.f.op(f"{op} {self.t} {self.name}, {other.name}")
        return Value(self.f, self.t, result, fused)

    def _intrinsic(self, name: str, *operands: Value) -> Value:
        listed = ", ".join(f"{self.t} {x.name}" for x in (self, *operands))
        return self.op(f"call {self.t} @llvm.{name}.{self.t.suffix}({listed})")

    @property
    def is_float(self) -> bool:
        return self.t.dtype in INTEGERS

    @property
    def unfused(self) -> Value:
        """The same; what is computed from it is rounded after every operation."""
        return replace(self, fused=False)

    @property
    def fusible(self) -> Value:
        """The same; sums of products of it may be fused."""
        return replace(self, fused=True)

    # Arithmetic

    def __add__(self, y: Value | float) -> Value:
        return self._binary("add", y)

    def __sub__(self, y: Value | float) -> Value:
        return self._binary("sub", y)

    def __mul__(self, y: Value | float) -> Value:
        return self._binary("mul", y)

    def __truediv__(self, y: Value | float) -> Value:
        return self._binary("div", y)

    def __radd__(self, y: float) -> Value:
        return self.like(y) + self

    def __rsub__(self, y: float) -> Value:
        return self.like(y) - self

    def __rmul__(self, y: float) -> Value:
        return self.like(y) * self

    def __rtruediv__(self, y: float) -> Value:
        return self.like(y) / self

    def __neg__(self) -> Value:
        return self.op(f"fneg {self.t} {self.name}") if self.is_float else 0 - self

    def absolute(self) -> Value:
        return self._intrinsic("fabs")

    def copysign(self, sign: Value) -> Value:
        """This magnitude with the sign of ``sign``, which zeros and NaN have too."""
        return self._intrinsic("copysign", sign)

    def sqrt(self) -> Value:
        return self._intrinsic("sqrt")

    # Comparisons and choices

    def _compare(self, comparison: str, y: Value | float) -> Value:
        kind = "fcmp o" if self.is_float else "icmp " + "s" * (comparison != "==")
        op = kind + COMPARISONS[comparison]
        return self.op(f"{op} {self.t} {self.name}, {self._other(y).name}", "bool")

    def __lt__(self, y: Value | float) -> Value:
        return self._compare("<", y)

    def __le__(self, y: Value | float) -> Value:
        return self._compare("<=", y)

    def __gt__(self, y: Value | float) -> Value:
        return self._compare(">", y)

    def __ge__(self, y: Value | float) -> Value:
        return self._compare(">=", y)

    def equals(self, y: Value | float) -> Value:
        return self._compare("==", y)

    def any(self) -> str:
        """Whether this condition holds in one of the lanes: an i1, to branch on."""
        if self.t.count == 1:
            return self.name
        bits = self.f.op(f"bitcast {self.t} {self.name} to i{self.t.count}")
        return self.f.op(f"icmp ne i{self.t.count} {bits}, 0")

    def select(self, yes: Value, no: Value | float) -> Value:
        """Of this condition's lanes: ``yes`` where it holds, ``no`` elsewhere."""
        other = yes._other(no)
        return yes.op(f"select {self.t} {self.name}, {yes.t} {yes.name}, {yes.t} {other.name}")

    # Bits

    def __and__(self, y: Value | int) -> Value:
        return self._binary("and", y)

    def __or__(self, y: Value | int) -> Value:
        return self._binary("or", y)

    def __xor__(self, y: Value | int) -> Value:
        return self._binary("xor", y)

    def __invert__(self) -> Value:
        return self ^ (True if self.t.dtype == "bool" else -1)

    def __lshift__(self, count: int) -> Value:
        return self._binary("shl", count)

    def __rshift__(self, count: int) -> Value:
        return self._binary("lshr", count)

    def bits(self) -> Value:
        """A float's representation, as an integer of its size."""
        dtype = INTEGERS[self.t.dtype]
        return self.op(f"bitcast {self.t} {self.name} to {self.t.of(dtype)}", dtype)

    def float_of_bits(self) -> Value:
        """The float that an integer of its size represents."""
        dtype = "float32" if self.t.dtype == "int32" else "float64"
        return self.op(f"bitcast {self.t} {self.name} to {self.t.of(dtype)}", dtype)

    # Conversions

    def to(self, dtype: str) -> Value:
        """Converted, as C does; between floats, and between floats and signed integers."""
        if dtype == self.t.dtype:
            return self
        source, result = np.dtype(self.t.dtype), np.dtype(dtype)
        ops = {"ff": ("fpext", "fptrunc"), "ii": ("sext", "trunc")}
        if source.kind == result.kind:
            op = ops[source.kind + result.kind][result.itemsize < source.itemsize]
        else:
            op = "fptosi" if source.kind == "f" else "sitofp"
        return self.op(f"{op} {self.t} {self.name} to {self.t.of(dtype)}", dtype)


def polynomial(x: Value, coefficients: Sequence[float]) -> Value:
    """c[0] + c[1] x + c[2] x^2 + ..., by Horner's rule."""
    *rest, last = coefficients
    y = x.like(last)
    for c in reversed(rest):
        y = y * x + c
    return y


def paired_polynomial(x: Value, coefficients: Sequence[float]) -> Value:
    """The same, as a polynomial in x^2 of pairs of terms: one more product, but fewer operations
    that wait for one another.
    """
    square = x * x
    pairs = itertools.zip_longest(coefficients[::2], coefficients[1::2], fillvalue=0.0)
    *rest, y = [x * c1 + c0 if c1 else x.like(c0) for c0, c1 in pairs]
    for pair in reversed(rest):
        y = y * square + pair
    return y


def mantissa_bits(x: Value) -> int:
    """Without the leading one: 23 or 52."""
    return int(np.finfo(x.t.dtype).nmant)


def exponent_bias(x: Value) -> int:
    return int(np.finfo(x.t.dtype).maxexp) - 1


def smallest_normal(x: Value) -> float:
    return float(np.finfo(x.t.dtype).smallest_normal)


def nearest(x: Value) -> tuple[Value, Value]:
    """The nearest integer (ties to even), as a float and as an integer; for ``|x| < 2**22``.

    In 1.5 * 2**23 + x the last bit of a float32's mantissa is worth 1, so the sum is rounded to an
    integer; its last bits are that integer. Instructions for rounding are not in every processor.
    """
    magic = x.like(1.5 * 2.0 ** mantissa_bits(x))
    shifted = x + magic
    return shifted - magic, shifted.bits() - magic.bits()


def two_to(biased: Value) -> Value:
    """2 to an integer power that is given with the bias added, between 1 and 2 * bias."""
    bits = 23 if biased.t.dtype == "int32" else 52
    return (biased << bits).float_of_bits()


def clamp(x: Value, low: float = -math.inf, high: float = math.inf) -> Value:
    """Limited to [low, high]; NaN stays."""
    if low > -math.inf:
        x = (x < low).select(x.like(low), x)
    if high < math.inf:
        x = (x > high).select(x.like(high), x)
    return x
