"""pow: |x|^y = e^(y log |x|), then the sign and the special cases.

The exponent may be near 700, where an error in its last place is one of 500 places in the result.
So float32 is computed in float64, and for float64 the logarithm has twice the digits:
log(1 + f) = 2s + 2/3 s^3 + s^5 R(s^2) with s = f / (2 + f), all but R(s^2) as pairs. R is our own
fit by Remez's algorithm, the error relative to the logarithm 7e-23.
"""

from __future__ import annotations

import math

from koubai.compiler.codegen.double_double import fast_two_sum, two_product
from koubai.compiler.codegen.functions import exponential, logarithm
from koubai.compiler.codegen.value import Value, mantissa_bits, polynomial

TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)
R = (
    0.3999999999999998,
    0.285714285714451,
    0.2222222221753936,
    0.18181818869958394,
    0.15384556895341428,
    0.13336316481369326,
    0.11674837559477724,
    0.11988854351003342,
)


def pow(x: Value, y: Value) -> Value:
    a = x.absolute()
    if x.t.dtype == "float32":
        z = exponential.exp(y.to("float64") * logarithm.log(a.to("float64"))).to("float32")
    else:
        z = _power(a, y)
    integral = _is_integer(y)
    odd = integral & ~_is_integer(y * 0.5)
    z = (a.equals(1.0) & y.equals(y)).select(z.like(1.0), z)
    z = odd.select(z.copysign(x), z)
    z = ((x < 0.0) & (a < math.inf) & ~integral).select(z.like(math.nan), z)
    return (x.equals(1.0) | y.equals(0.0)).select(z.like(1.0), z)


def _is_integer(y: Value) -> Value:
    """Above 2^23 (2^52) all are, inf too; below, adding that rounds to an integer."""
    a, big = y.absolute(), 2.0 ** mantissa_bits(y)
    return (a >= big) | ((a + big) - big).equals(a)


def _power(a: Value, y: Value) -> Value:
    """a^y for a >= 0, in float64."""
    high, low = _long_log(a)
    high = logarithm.log_in_domain(high, a, 0.0)
    z, rest = two_product(y, high)
    rest = (z.absolute() < 1000.0).select(rest + y * low, 0.0)  # else 0 or inf, or NaN
    return exponential.exp(z, rest)


def _long_log(a: Value) -> tuple[Value, Value]:
    """log a as a pair, for 0 < a < inf."""
    n, f = logarithm.log_parts(a)

    # s = f / (2 + f)
    d, d_low = fast_two_sum(f.like(2.0), f)
    s = f / d
    product, error = two_product(s, d)
    s_low = (f - product - error - s * d_low) / d

    # s (s^2 (2/3 + s^2 R))
    z, z_low = two_product(s, s)
    z_low = z_low + 2.0 * (s * s_low)
    c, c_low = fast_two_sum(f.like(TWO_THIRDS[0]), z * polynomial(z, R))
    c_low = c_low + TWO_THIRDS[1]
    t, t_low = two_product(z, c)
    t_low = t_low + (z * c_low + z_low * c)
    u, u_low = two_product(s, t)
    u_low = u_low + (s * t_low + s_low * t)

    # n ln 2 + 2s + that
    v, v_low = fast_two_sum(2.0 * s, u)
    ln2, ln2_low = exponential.LN2[a.t.dtype]
    total, total_low = fast_two_sum(n * ln2, v)
    rest = total_low + (v_low + (2.0 * s_low + u_low + n * ln2_low))
    return fast_two_sum(total, rest)
