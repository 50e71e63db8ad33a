"""sin, cos and tan.

x = k pi/2 + r with |r| <= pi/4; sin r and cos r are polynomials, our own fits by Remez's algorithm
(relative errors 4e-9 and 4e-18), and k modulo 4 says which of them is wanted, with which sign.
"""

from __future__ import annotations

from koubai.compiler.codegen.functions.quarter_turns import quarter_turns
from koubai.compiler.codegen.value import Value, polynomial

S = {
    "float32": (-0.16666655242443085, 0.008332159370183945, -0.00019515090389177203),
    "float64": (
        -0.1666666666666663,
        0.008333333333322085,
        -0.00019841269829561588,
        2.755731361131918e-06,
        -2.5050746132494342e-08,
        1.589613268729504e-10,
    ),
}
C = {
    "float32": (0.04166664555668831, -0.00138873141258955, 2.4432933059870265e-05),
    "float64": (
        0.041666666666666595,
        -0.001388888888887301,
        2.4801587288821438e-05,
        -2.755731417029376e-07,
        2.08756995852804e-09,
        -1.1358469832161513e-11,
    ),
}
"""sin r = r + r^3 S(r^2), cos r = 1 - r^2 / 2 + r^4 C(r^2)."""


def sin_cos(r: Value) -> tuple[Value, Value]:
    z = r * r
    s = r + r * (z * polynomial(z, S[r.t.dtype]))
    c = 1.0 - z * (0.5 - z * polynomial(z, C[r.t.dtype]))
    return s.copysign(r), c  # the sign, for -0


def negated(y: Value, k: Value) -> Value:
    """-y where bit 1 of k is set: the second half of the turn."""
    sign = 30 if k.t.dtype == "int32" else 62
    return (y.bits() ^ ((k & 2) << sign)).float_of_bits()


def sin(x: Value) -> Value:
    r, k = quarter_turns(x)
    s, c = sin_cos(r)
    return negated((k & 1).equals(0).select(s, c), k)


def cos(x: Value) -> Value:
    r, k = quarter_turns(x)
    s, c = sin_cos(r)
    return negated((k & 1).equals(0).select(c, s), k + 1)


def tan(x: Value) -> Value:
    r, k = quarter_turns(x)
    s, c = sin_cos(r)
    even = (k & 1).equals(0)
    return even.select(s, -c) / even.select(c, s)
