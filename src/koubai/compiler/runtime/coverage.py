"""What there is native code for."""

from __future__ import annotations

from collections.abc import Sequence

from koubai.compiler.codegen.draw import BITS
from koubai.compiler.codegen.elementwise import is_elementwise
from koubai.compiler.codegen.lanes import ELEMENTS, MOVED
from koubai.compiler.codegen.reductions import COMBINE
from koubai.compiler.codegen.scan import COMBINE as SCANS
from koubai.compiler.passes.fusion import ARGUMENTS
from koubai.compiler.primitives import Type, dtype_name
from koubai.compiler.program import Instruction, Program


def is_native(instruction: Instruction, types: Sequence[Type]) -> bool:
    """Whether there is code for an instruction other than a product, on these operands."""
    op, result = instruction.op, dtype_name(instruction.type.dtype)
    dtypes = [dtype_name(t.dtype) for t in types]
    if op in ("getitem", "setitem"):
        return True
    if MOVED & {*dtypes, result}:
        return False
    if op in ("scatter_add", "argsort") or op in SCANS:
        return True
    if op == "random_uniform":
        return result in BITS
    if op in COMBINE:
        return is_elementwise("cast", dtypes, result)
    if op in ARGUMENTS:
        return True
    return is_elementwise(op, dtypes, result)


def known_dtypes(program: Program) -> bool:
    """Whether the code generator knows all dtypes in ``program``, and in its loops."""
    types = [*program.inputs, *(x.type for x in program.instructions)]
    return all(dtype_name(t.dtype) in ELEMENTS for t in types) and all(
        known_dtypes(x.params["body"]) for x in program.instructions if x.op == "loop"
    )
