"""Elementary functions in LLVM IR: arithmetic, comparisons and shifts, no call of a library.

Each is written once for float32 and float64 and for any number of lanes; results are within 4 units
in the last place (measured: under 3), and special values are those of C99's Annex F, which are
NumPy's.
"""

from __future__ import annotations

from collections.abc import Callable

from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.codegen.functions import erf, exponential, hyperbolic, logarithm, trigonometric
from koubai.compiler.codegen.lanes import Lanes
from koubai.compiler.codegen.value import Value

Function = Callable[..., str]
"""``function(f: Emitter, t: Lanes, *operands: str) -> str``: the name of the result."""


def _emitted(formula: Callable[..., Value]) -> Function:
    def function(f: Emitter, t: Lanes, *operands: str) -> str:
        return formula(*(Value(f, t, x) for x in operands)).name

    return function


FUNCTIONS: dict[str, Function] = {
    formula.__name__: _emitted(formula)
    for formula in (
        exponential.exp,
        exponential.expm1,
        logarithm.log,
        logarithm.log1p,
        hyperbolic.tanh,
        erf.erf,
        trigonometric.sin,
        trigonometric.cos,
        trigonometric.tan,
    )
}
"""By NumPy's names; elementwise, all operands and the result of one dtype."""
