"""Pairs of floats whose sum is one number with twice the digits.

T. J. Dekker, "A floating-point technique for extending the available precision", 1971; D. E. Knuth,
"The Art of Computer Programming", volume 2. Every operation here must round on its own.
"""

from __future__ import annotations

from koubai.compiler.codegen.value import Value, mantissa_bits


def fast_two_sum(a: Value, b: Value) -> tuple[Value, Value]:
    """a + b and its rounding error, for |a| >= |b| or a = 0."""
    a, b = a.unfused, b.unfused
    total = a + b
    return total.fusible, (b - (total - a)).fusible


def two_sum(a: Value, b: Value) -> tuple[Value, Value]:
    """a + b and its rounding error."""
    a, b = a.unfused, b.unfused
    total = a + b
    b_part = total - a
    return total.fusible, ((a - (total - b_part)) + (b - b_part)).fusible


def two_product(a: Value, b: Value) -> tuple[Value, Value]:
    """a * b and its rounding error, from products of halves, which are exact.

    A fused multiply-add would do it in one step, but not every processor has it.
    """
    a, b = a.unfused, b.unfused
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    product = a * b
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product.fusible, error.fusible


def _halves(x: Value) -> tuple[Value, Value]:
    """x without the last half of its bits, and the rest."""
    low = (mantissa_bits(x) + 2) // 2
    high = (x.bits() & -(1 << low)).float_of_bits()
    return high, x - high
