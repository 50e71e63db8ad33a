"""Hyperbolic functions and their inverses: formulas with exp and log in which nothing cancels."""

from __future__ import annotations

import math

from koubai.compiler.codegen.functions.exponential import RANGE, half_exp, scaled_expm1
from koubai.compiler.codegen.functions.logarithm import (
    log1p,
    log_in_domain,
    log_of_parts,
    log_parts,
)
from koubai.compiler.codegen.value import Value, clamp

LARGE = {"float32": 2.0**30, "float64": 2.0**60}
"""From here on, asinh x and acosh x are log 2x; the square is finite."""


def tanh(x: Value) -> Value:
    """E / (E + 2) with E = e^(2|x|) - 1; |x| > 20 gives 1. Never beyond 1."""
    e = scaled_expm1(clamp(x.absolute() * 2.0, high=44.0), 0)
    return (e / (e + 2.0)).copysign(x)


def sinh(x: Value) -> Value:
    """(E + E / (E + 1)) / 2 with E = e^|x| - 1; computed from E / 4, which does not overflow."""
    a = x.absolute()
    _, high = RANGE[x.t.dtype]
    quarter = scaled_expm1(clamp(a, high=high + 0.6), -2)
    y = 2.0 * (quarter + quarter / (4.0 * quarter + 1.0))
    return (a < 1e-17).select(x, y.copysign(x))  # keeps all bits of subnormal numbers


def cosh(x: Value) -> Value:
    half = half_exp(x.absolute())
    return half + 0.25 / half


def asinh(x: Value) -> Value:
    """log(1 + (a + a^2 / (1 + sqrt(a^2 + 1)))) with a = |x|."""
    a = x.absolute()
    square = a * a
    y = log1p(a + square / (1.0 + (square + 1.0).sqrt()))
    return (a < LARGE[x.t.dtype]).select(y, log_of_twice(a)).copysign(x)


def acosh(x: Value) -> Value:
    """log(1 + (b + sqrt(b (b + 2)))) with b = x - 1."""
    b = x - 1.0
    y = log1p(b + (b * (b + 2.0)).sqrt())
    y = (x < LARGE[x.t.dtype]).select(y, log_of_twice(x))
    return (x < 1.0).select(x.like(math.nan), y)


def atanh(x: Value) -> Value:
    """log(1 + 2a / (1 - a)) / 2 with a = |x|."""
    a = x.absolute()
    return (0.5 * log1p(2.0 * a / (1.0 - a))).copysign(x)


def log_of_twice(x: Value) -> Value:
    """log 2x, also where 2x is infinite."""
    n, f = log_parts(x)
    return log_in_domain(log_of_parts(n + 1.0, f), x, 0.0)
