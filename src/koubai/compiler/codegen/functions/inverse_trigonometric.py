"""asin, acos, atan and atan2.

The polynomials are our own fits by Remez's algorithm; relative errors 5e-9 and 1e-18 (asin), 7e-10
and 4e-17 (atan).
"""

from __future__ import annotations

import math

from koubai.compiler.codegen.value import Value, polynomial

ASIN = {
    "float32": (
        0.16666752099990845,
        0.07495289295911789,
        0.04547155648469925,
        0.0241731945425272,
        0.04217783361673355,
    ),
    "float64": (
        0.1666666666666676,
        0.0749999999997063,
        0.04464285717478269,
        0.03038194269919679,
        0.022372215239807428,
        0.01735160731182846,
        0.013980878869514652,
        0.01139841969586467,
        0.010783096380941673,
        0.0036953634232884066,
        0.021735043142626843,
        -0.02103911374865816,
        0.03265428253210087,
    ),
}
ATAN = {
    "float32": (
        -0.33333316445350647,
        0.19998468458652496,
        -0.14243467152118683,
        0.10593300312757492,
        -0.060768552124500275,
    ),
    "float64": (
        -0.3333333333333319,
        0.19999999999952975,
        -0.14285714280137773,
        0.11111110780660033,
        -0.09090897680832792,
        0.0769205890446617,
        -0.06663089727186874,
        0.0584778874729139,
        -0.05038866089663792,
        0.03805374403523877,
        -0.017895685241199943,
    ),
}
"""asin s = s + s^3 ASIN(s^2) for |s| <= 1/2; atan q = q + q^3 ATAN(q^2) for |q| <= tan(pi/8)."""


def asin_parts(a: Value) -> tuple[Value, Value]:
    """Whether a <= 1/2, and asin a if so, else asin sqrt((1 - a) / 2), which is acos(a) / 2."""
    near = a <= 0.5
    square = near.select(a * a, 0.5 - 0.5 * a)
    s = near.select(a, square.sqrt())
    return near, s + s * (square * polynomial(square, ASIN[a.t.dtype]))


def asin(x: Value) -> Value:
    near, y = asin_parts(x.absolute())
    return near.select(y, math.pi / 2 - 2.0 * y).copysign(x)


def acos(x: Value) -> Value:
    near, y = asin_parts(x.absolute())
    negative = x < 0.0
    middle = math.pi / 2 - y.copysign(x)
    return near.select(middle, negative.select(math.pi - 2.0 * y, 2.0 * y))


def atan(x: Value) -> Value:
    return angle(x.absolute(), x.like(1.0)).copysign(x)


def atan2(y: Value, x: Value) -> Value:
    """The angle of the point (x, y) in (-pi, pi]; the sign of a zero counts."""
    a = angle(y.absolute(), x.absolute())
    left = x.bits() < 0
    return left.select(math.pi - a, a).copysign(y)


def angle(y: Value, x: Value) -> Value:
    """atan(y / x), for x, y >= 0; 0 for two zeros, pi/4 for two infinities.

    Of the two, divide the smaller by the larger: atan(y / x) = pi/2 - atan(x / y). If the quotient
    is above tan(pi/8), turn by pi/4: atan(p / q) = pi/4 + atan((p - q) / (p + q)).
    """
    steep = y > x
    p, q = steep.select(x, y), steep.select(y, x)
    scale = (q < 1.0).select(q.like(2.0**60), 1.0)  # subnormal numbers are too coarse to compare
    p, q = p * scale, q * scale
    turned = (p > q * (math.sqrt(2) - 1)) | p.equals(math.inf)
    half_p, half_q = p * 0.5, q * 0.5  # the sum of the halves is finite
    s = turned.select(half_p - half_q, p) / turned.select(half_p + half_q, q)
    s = p.equals(q).select(s.like(0.0), s)  # 0 / 0, inf - inf
    square = s * s
    a = s + s * (square * polynomial(square, ATAN[s.t.dtype]))
    start = turned.select(s.like(math.pi / 4), steep.select(s.like(math.pi / 2), 0.0))
    return start + steep.select(-a, a)
