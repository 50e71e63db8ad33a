"""What the user's line was about to do with a traced array that turned up where it can't."""

from __future__ import annotations

import dis

from koubai.location import caller

_READS, _WRITES = ("BINARY_SUBSCR", "BINARY_SLICE"), ("STORE_SUBSCR", "STORE_SLICE")


def statement() -> str:
    """``"x[i]"``, ``"x[i] = y"``, or ``"call"`` for everything else."""
    code, offset = caller()
    for instruction in dis.get_instructions(code):
        if instruction.offset == offset:
            # From Python 3.14, x[i] is one of the binary operators.
            if instruction.opname in _READS or instruction.argrepr == "[]":
                return "x[i]"
            if instruction.opname in _WRITES:
                return "x[i] = y"
    return "call"
