"""exp and expm1.

x = n ln 2 + r with |r| <= ln 2 / 2, so e^x = 2^n e^r (W. J. Cody and W. Waite, "Software Manual for
the Elementary Functions", 1980): n ln 2 is subtracted in two parts, of which the first has so few
bits that its product with n is exact. e^r = 1 + r + r^2 Q(r); Q's coefficients are our own fits by
Remez's algorithm, the relative error of e^r being at most 3e-9 and 4e-18.
"""

from __future__ import annotations

from koubai.compiler.codegen.value import (
    Value,
    clamp,
    exponent_bias,
    nearest,
    paired_polynomial,
    two_to,
)

LOG2_E = 1.4426950408889634
LN2 = {
    "float32": (0.693359375, -0.00021219444005469057),
    "float64": (0.6931471805598903, 5.497923018708371e-14),
}
Q = {
    "float32": (
        0.4999999403953552,
        0.1666652113199234,
        0.04166838899254799,
        0.00836874544620514,
        0.0013814541744068265,
    ),
    "float64": (
        0.5000000000000011,
        0.1666666666666641,
        0.04166666666652973,
        0.008333333333494978,
        0.0013888888943759386,
        0.00019841269505764425,
        2.48014929502863e-05,
        2.7557586817915848e-06,
        2.7630306008595155e-07,
        2.5000012778308796e-08,
    ),
}
RANGE = {"float32": (-104.0, 88.9), "float64": (-746.0, 709.9)}
"""Below, e^x is 0; above, infinite."""


def reduced(x: Value, rest: Value | float = 0.0) -> tuple[Value, Value]:
    """e^r - 1 and the integer n, for x + rest = n ln 2 + r; x about within ``RANGE``, rest tiny."""
    high, low = LN2[x.t.dtype]
    n, integer = nearest(x * LOG2_E)
    r = (x - n * high) - (n * low - rest)
    return r + r * r * paired_polynomial(r, Q[x.t.dtype]), integer


def scaled(y: Value, n: Value) -> Value:
    """(1 + y) 2^n, in two steps: 2^n itself may be too large or too small for a float."""
    total = n + 2 * exponent_bias(y)
    half = total >> 1
    power = two_to(half)
    return (power + y * power) * two_to(total - half)


def exp(x: Value, rest: Value | float = 0.0) -> Value:
    """e^(x + rest), where rest is what x lost in rounding."""
    y, n = reduced(clamp(x, *RANGE[x.t.dtype]), rest)
    return scaled(y, n)


def half_exp(x: Value) -> Value:
    """e^x / 2, which is finite a little further than e^x."""
    low, high = RANGE[x.t.dtype]
    y, n = reduced(clamp(x, low, high + 0.7))
    return scaled(y, n - 1)


def scaled_expm1(x: Value, k: int) -> Value:
    """(e^x - 1) 2^k for x >= -44, while 2^(n + k) is a float; rounded to zero for the tiniest x.

    2^n (e^r - 1) + (2^n - 1): for n = 0 just the first term, and no cancellation otherwise.
    """
    y, n = reduced(x)
    power = two_to(n + (exponent_bias(x) + k))
    return y * power + (power - 2.0**k)


def expm1(x: Value) -> Value:
    _, high = RANGE[x.t.dtype]
    y = scaled_expm1(clamp(x, -44.0, high), -1) * 2.0
    return (x.absolute() < 1e-17).select(x, y)  # keeps -0, and all bits of subnormal numbers
