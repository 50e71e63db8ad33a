"""Stopping a program: the kernel of ``raise_unless``."""

from __future__ import annotations

import functools

from koubai.compiler.codegen.elementwise import elementwise
from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.codegen.kernel import Pointers, fail
from koubai.compiler.codegen.lanes import Lanes
from koubai.compiler.codegen.memory import load


@functools.cache
def check_code(dtype: str) -> str:
    """The function that sets the error flag unless its operand is true; it is called NAME."""
    f, t = Emitter("NAME", ["ptr %table", "ptr %operands"]), Lanes(dtype, 1)
    x = load(f, t, Pointers(f).add())
    with f.when(elementwise(f, "equal", t, [x, t.constant(0)], "bool")):
        fail(f)
    return f.text()
