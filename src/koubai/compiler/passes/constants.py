"""Constants: what is made of known numbers alone is computed now, by NumPy.

Not where the result would be large: one that is broadcast is better made when the program runs.
"""

from __future__ import annotations

import math

import numpy as np

from koubai.compiler.passes.rewrite import Rewriter, rewrite
from koubai.compiler.primitives import PRIMITIVES
from koubai.compiler.program import Instruction, Program

_SMALL = 4096  # elements
_NEVER = ("constant", "loop", "part", "random_uniform", "raise_unless")


def fold_constants(program: Program) -> Program:
    """``program`` with the values that do not depend on its inputs as constants."""
    return rewrite(program, [fold])


def fold(new: Rewriter, instruction: Instruction) -> int | None:
    """The rule."""
    known = new.constants
    if instruction.op in _NEVER or not instruction.inputs:
        return None
    for value in instruction.inputs:
        if value not in known:
            return None
    arrays = [known[value] for value in instruction.inputs]
    size = math.prod(instruction.type.shape)
    if size > max(_SMALL, sum(x.size for x in arrays)):
        return None
    try:
        with np.errstate(all="ignore"):
            result = PRIMITIVES[instruction.op].run(*arrays, **instruction.params)
    except (ValueError, TypeError, IndexError):
        return None  # it is raised when the program runs, with the user's line
    return new.constant(instruction, result)
