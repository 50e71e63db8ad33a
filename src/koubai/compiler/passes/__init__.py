"""Array program in, better array program out: one rewriting a file."""

from __future__ import annotations

from koubai.compiler.passes.algebra import simplified
from koubai.compiler.passes.blocks import Blocks
from koubai.compiler.passes.common import Common
from koubai.compiler.passes.constants import fold
from koubai.compiler.passes.dead import remove_dead
from koubai.compiler.passes.loops import lighten
from koubai.compiler.passes.products import flattened
from koubai.compiler.passes.rewrite import rewrite
from koubai.compiler.program import Program

__all__ = ["optimize"]


def optimize(program: Program) -> Program:
    """``program`` by all passes: it computes the same, and optimizing it again changes nothing.

    The rules go over it together, in one reading: what one of them writes, the others see. Results
    that were different arrays stay so.
    """
    program = lighten(program, optimize)
    return remove_dead(rewrite(program, [fold, simplified, flattened, Blocks(), Common()]))
