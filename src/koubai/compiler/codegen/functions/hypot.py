"""hypot."""

from __future__ import annotations

import math

from koubai.compiler.codegen.value import Value


def hypot(x: Value, y: Value) -> Value:
    """sqrt(x^2 + y^2) as the larger times sqrt(1 + q^2), of which no square overflows."""
    x, y = x.absolute(), y.absolute()
    more = x > y
    large, small = more.select(x, y), more.select(y, x)
    q = small / large
    z = small.equals(0.0).select(large, large * (q * q + 1.0).sqrt())  # 0 / 0
    return (x.equals(math.inf) | y.equals(math.inf)).select(z.like(math.inf), z)
