"""Common subexpressions: what has been computed already is not computed again.

Adam's ``1 - beta1 ** t`` for each parameter becomes one for all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from koubai.compiler.passes.rewrite import Rewriter, rewrite
from koubai.compiler.program import Instruction, Program


def merge_common(program: Program) -> Program:
    """``program`` with each primitive of the same operands and parameters once.

    What remains is the first, with its location.
    """
    return rewrite(program, [Common()])


class Common:
    """The rule, which remembers all that has been written; so it must be the last."""

    def __init__(self) -> None:
        self._seen: dict[Any, int] = {}

    def __call__(self, new: Rewriter, instruction: Instruction) -> int | None:
        number = len(new.types)
        found = self._seen.setdefault(key_of(instruction), number)
        return None if found == number else found


def key_of(instruction: Instruction) -> Any:
    """Equal keys are equal values."""
    params = instruction.params
    if not params:
        return instruction.op, instruction.inputs
    parts = tuple([(name, _part(param)) for name, param in params.items()])
    return instruction.op, instruction.inputs, parts


def _part(param: Any) -> Any:
    """A parameter as something with a hash: constants by their bits, so that 0.0 is not -0.0."""
    if isinstance(param, np.ndarray):
        return param.dtype.str, param.shape, param.tobytes()
    if isinstance(param, slice):  # has no hash before Python 3.12
        return slice, param.start, param.stop, param.step
    if isinstance(param, Program):
        return param.text()
    if isinstance(param, tuple):
        return tuple([_part(part) for part in param])
    return type(param), param  # for 1 == True
