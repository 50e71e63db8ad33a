"""Logarithms: log, log2, log10, log1p and logaddexp.

A number is 2^n m with sqrt(1/2) <= m < sqrt(2), so log x = n ln 2 + log(1 + f) with f = m - 1,
which is exact. For log(1 + f) there are two formulas, both fitted by us with Remez's algorithm:

- float32: f - f^2/2 + f^3 P(f), relative error 6e-9;
- float64: with s = f / (2 + f), 1 + f = (1 + s) / (1 - s), and log(1 + f) = 2s + 2/3 s^3 + ... =
  2s + s R(s^2) = f - s (f - R), relative error 2e-18 (so in Sun's fdlibm). The division saves
  about ten terms.
"""

from __future__ import annotations

import math

from koubai.compiler.codegen.double_double import two_sum
from koubai.compiler.codegen.functions.exponential import LN2, LOG2_E, exp
from koubai.compiler.codegen.value import (
    Value,
    exponent_bias,
    mantissa_bits,
    polynomial,
    smallest_normal,
    two_to,
)

LOG10_E = 0.4342944819032518
LOG10_2 = {
    "float32": (0.301025390625, 4.605038981195214e-06),
    "float64": (0.30102999566395283, 2.8363394551044964e-14),
}

P = (
    0.3333333134651184,
    -0.2500081956386566,
    0.20001226663589478,
    -0.1662335842847824,
    0.14201754331588745,
    -0.1316017061471939,
    0.1276160180568695,
    -0.07634556293487549,
)
R = (
    0.6666666666666734,
    0.39999999999414687,
    0.28571428742385874,
    0.22222198573340907,
    0.18183564319116047,
    0.15314050705934837,
    0.14795948384104302,
)


def split(x: Value) -> tuple[Value, Value]:
    """n and m, x = 2^n m with sqrt(1/2) <= m < sqrt(2), for positive normal x.

    The bits of x less those of sqrt(1/2) have n in the place of the exponent.
    """
    bits, root_half = mantissa_bits(x), x.like(math.sqrt(0.5)).bits()
    bias = exponent_bias(x)
    biased = (x.bits() - root_half + (bias << bits)) >> bits
    return biased - bias, (x.bits() - ((biased - bias) << bits)).float_of_bits()


def as_float(n: Value, like: Value) -> Value:
    """An integer of |n| < 2^22 as a float: added to the bits of 1.5 2^23 (or 2^52)."""
    magic = like.like(1.5 * 2.0 ** mantissa_bits(like))
    return (n + magic.bits()).float_of_bits() - magic


def log_less_f(f: Value) -> Value:
    """log(1 + f) - f, for sqrt(1/2) <= 1 + f < sqrt(2)."""
    if f.t.dtype == "float32":
        return f * f * (f * polynomial(f, P) - 0.5)
    s = f / (f + 2.0)
    return -(s * (f - s * s * polynomial(s * s, R)))


def log_of_parts(n: Value, f: Value) -> Value:
    """n ln 2 + log(1 + f)."""
    high, low = LN2[f.t.dtype]
    return n * high + (f + (log_less_f(f) + n * low))


def log_in_domain(y: Value, x: Value, zero: float) -> Value:
    """``y``, but -inf where ``x`` is ``zero``, NaN below, and inf and NaN where x is that."""
    y = (x < math.inf).select(y, x)
    edge = x.equals(zero).select(x.like(-math.inf), math.nan)
    return (x <= zero).select(edge, y)


def normal(x: Value) -> tuple[Value, Value]:
    """x with subnormal numbers scaled up, and as an integer by which power of two."""
    bits = mantissa_bits(x)
    tiny = x < smallest_normal(x)
    scaled = tiny.select(x * 2.0**bits, x)
    zero = x.like(0.0).bits()
    return scaled, tiny.select(zero.like(bits), zero)


def log_parts(x: Value) -> tuple[Value, Value]:
    """n as a float, and f: x = 2^n (1 + f)."""
    scaled, power = normal(x)
    n, m = split(scaled)
    return as_float(n - power, x), m - 1.0


def log(x: Value) -> Value:
    return log_in_domain(log_of_parts(*log_parts(x)), x, 0.0)


def log1p_parts(x: Value) -> tuple[Value, Value]:
    """n as a float, and f: 1 + x = 2^n (1 + f).

    1 + x is rounded to u; what is lost is added to f. So f = x where n = 0.
    """
    u, lost = two_sum(x, x.like(1.0))
    n, m = split(u)
    power = two_to(exponent_bias(x) + 2 - n)  # 4 2^-n: 2^-n is subnormal for the largest x
    return as_float(n, x), (m - 1.0) + lost * 0.25 * power


def log1p(x: Value) -> Value:
    y = log_in_domain(log_of_parts(*log1p_parts(x)), x, -1.0)
    return (x.absolute() < 1e-20).select(x, y)  # keeps -0


def log2(x: Value) -> Value:
    """Exact for powers of two."""
    n, f = log_parts(x)
    return log_in_domain(n + (f + log_less_f(f)) * LOG2_E, x, 0.0)


def log10(x: Value) -> Value:
    n, f = log_parts(x)
    high, low = LOG10_2[x.t.dtype]
    return log_in_domain(n * high + ((f + log_less_f(f)) * LOG10_E + n * low), x, 0.0)


def logaddexp(x: Value, y: Value) -> Value:
    """log(e^x + e^y) = max + log(1 + e^(min - max)).

    Where the two terms cancel, the error is relative to the larger, as in NumPy.
    """
    more = x > y
    largest, smallest = more.select(x, y), more.select(y, x)
    difference, rest = two_sum(smallest, -largest)
    rest = (difference > -1000.0).select(rest, 0.0)  # NaN for inf
    total = largest + log1p(exp(difference, rest))
    return x.equals(y).select(x + math.log(2), total)  # inf - inf
