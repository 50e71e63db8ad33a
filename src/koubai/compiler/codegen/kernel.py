"""What all kernel functions have in common: how they find their memory.

    void k(ptr %table, ptr %operands)

The table is that of the program: pointers to the error flag, the workspace, and the arrays of this
call. The operands are the step's own: for each pointer a place in the table and an offset in
bytes, then what else the function needs. So functions that differ only in what they work on are
one function.
"""

from __future__ import annotations

from koubai.compiler.codegen.emitter import Emitter

ERROR, WORKSPACE, FIRST = 0, 1, 2
"""Places in the table: the error flag, the workspace, the first array."""


class Pointers:
    """The pointers among the operands, in the order in which they are added."""

    def __init__(self, f: Emitter) -> None:
        self.f, self.count = f, 0

    def add(self) -> str:
        """One more; its name, which is known in the whole function."""
        at, i = self.f.at_entry, 2 * self.count
        self.count += 1
        slot = at(f"load i64, ptr {at(f'getelementptr i64, ptr %operands, i64 {i}')}")
        offset = at(f"load i64, ptr {at(f'getelementptr i64, ptr %operands, i64 {i + 1}')}")
        base = at(f"load ptr, ptr {at(f'getelementptr ptr, ptr %table, i64 {slot}')}")
        return at(f"getelementptr i8, ptr {base}, i64 {offset}")


def fail(f: Emitter) -> None:
    """Set the error flag; the program stops after this kernel."""
    error = f.op(f"load ptr, ptr {f.op(f'getelementptr ptr, ptr %table, i64 {ERROR}')}")
    f.do(f"store i64 1, ptr {error}")
