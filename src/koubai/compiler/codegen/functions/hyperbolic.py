"""Hyperbolic functions."""

from __future__ import annotations

from koubai.compiler.codegen.functions.exponential import scaled_expm1
from koubai.compiler.codegen.value import Value, clamp


def tanh(x: Value) -> Value:
    """E / (E + 2) with E = e^(2|x|) - 1; |x| > 20 gives 1. Never beyond 1."""
    e = scaled_expm1(clamp(x.absolute() * 2.0, high=44.0), 0)
    return (e / (e + 2.0)).copysign(x)
