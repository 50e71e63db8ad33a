"""Dead code: instructions whose values nobody uses go.

A step computes much of that kind: gradients for inputs that are not asked for, what a second
derivative would need.

``raise_unless`` stays, for it is there for its effect. What a primitive may raise besides, an index
out of bounds say, is no effect: where nobody uses the result, nobody hears of it.
"""

from __future__ import annotations

from koubai.compiler.passes.rewrite import rewrite
from koubai.compiler.program import Program


def remove_dead(program: Program) -> Program:
    """``program`` without the instructions that no output and no ``raise_unless`` needs."""
    return rewrite(program, [])
