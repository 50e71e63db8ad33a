"""The error function.

Near 0, erf x = x + x S(x^2); further, erf |x| = 1 - exp T(|x|), where T is log erfc: it is smoother
than erfc, and an error in it counts for little, as erfc is small there. From 4 (6) on, erf rounds
to 1. The polynomials are our own fits by Remez's algorithm; relative errors of erf 6e-9 and 3e-17.
"""

from __future__ import annotations

from koubai.compiler.codegen.functions.exponential import scaled_expm1
from koubai.compiler.codegen.value import Value, clamp, polynomial

BOUNDS = {"float32": (0.85, 4.0), "float64": (1.0, 5.95)}
"""S is for |x| below the first, T between the two."""

S = {
    "float32": (
        0.12837916612625122,
        -0.3761257231235504,
        0.11282717436552048,
        -0.02680254355072975,
        0.00505108805373311,
        -0.0006315095815807581,
    ),
    "float64": (
        0.12837916709551256,
        -0.3761263890318352,
        0.11283791670944177,
        -0.026866170643110376,
        0.00522397760611097,
        -0.0008548325928999475,
        0.0001205529356842212,
        -1.4924712152753016e-05,
        1.6447129862226312e-06,
        -1.6206301500172074e-07,
        1.3710930394449152e-08,
        -7.77937998977342e-10,
    ),
}
CENTRE = {"float32": 0.0, "float64": 2.0}
"""T is a polynomial in |x| - CENTRE: with high powers of |x| itself, rounding would show."""

T = {
    "float32": (
        -0.0001045338503899984,
        -1.1280609369277954,
        -0.6365190148353577,
        -0.1045258492231369,
        0.022519011050462723,
        -0.003117842134088278,
        0.00020367537217680365,
    ),
    "float64": (
        -5.364941264616633,
        -4.418160805994333,
        -0.9237508418240393,
        -0.016465118140582095,
        0.003570756343717709,
        -0.0007323993518503281,
        0.00013530938112366083,
        -2.0706542632585442e-05,
        1.9520042167639354e-06,
        2.038055326505027e-07,
        -1.7287704151169396e-07,
        5.7660250874473614e-08,
        -1.4232769873860683e-08,
        2.6253680171624316e-09,
        -1.5304220116166185e-10,
        -8.527138255803388e-11,
        1.770103487065608e-11,
    ),
}


def erf(x: Value) -> Value:
    dtype = x.t.dtype
    near, far = BOUNDS[dtype]
    a = clamp(x.absolute(), high=far)
    small = a + a * polynomial(a * a, S[dtype])
    large = -scaled_expm1(polynomial(a - CENTRE[dtype], T[dtype]), 0)
    return (a < near).select(small, large).copysign(x)
