"""The native code that makes results and puts values into containers, see walker.py.

A list of steps works on a *row* of values: the outputs of a program, the objects of the world that
are needed, and room for what is made. The row owns them. An operand that is a value is either one
in the row (an odd number, see ``in_row``) or the address of a constant.

Any step may run Python's code: of a class of the user's that has a ``__hash__``, or when an old
value is let go. It may call the same function again; so nothing here is kept outside of the row.
"""

from __future__ import annotations

from koubai.compiler.runtime.steps import Steps

STEPS: dict[str, int | None] = {
    "DONE": 1,
    "NEW": 2,
    "TUPLE": None,
    "CALL": None,
    "UNLESS": 3,
    "APPEND": 2,
    "SLOT": 3,
    "DICT": 3,
    "LIST": 3,
    "CELL": 2,
}
"""The kinds of steps, with the number of operands; these stand where their code is made."""

MAKES = {"NEW": 1, "TUPLE": 0, "CALL": 0}
"""Which operand says where in the row the new value is put."""


def in_row(number: int) -> int:
    """The operand for value ``number`` in the row."""
    return 2 * number + 1


def place() -> str:
    """The function ``place``: follows steps; a new reference to the function's value.

    ``%scratch`` is room for the arguments of calls. Null is left at ``%result`` for an error.
    """
    c = Steps("place", ["ptr %first", "ptr %row", "ptr %found", "ptr %scratch", "ptr %result"])
    f, op, do = c.f, c.op, c.do
    c.steps("%first", STEPS)

    def decoded(at: str) -> str:
        """The value that the operand at the address ``at`` stands for."""
        number = op(f"load i64, ptr {at}")
        in_row = op(f"getelementptr ptr, ptr %row, i64 {op(f'lshr i64 {number}, 1')}")
        is_in_row = op(f"trunc i64 {number} to i1")
        at = op(f"select i1 {is_in_row}, ptr {in_row}, ptr {at}")
        return op(f"load ptr, ptr {at}")

    def value(i: int) -> str:
        return decoded(op(f"getelementptr i64, ptr {c.step}, i64 {1 + i}"))

    def values(first: int, use: str) -> str:
        """Do ``use`` with %value and %i for all operands from ``first`` on; how many they are."""
        n = op(f"sub i64 {c.operand(0, 'i64')}, {1 + first}")
        start = op(f"getelementptr i64, ptr {c.step}, i64 {1 + first}")
        with f.loop("0", n) as i:
            x = decoded(op(f"getelementptr i64, ptr {start}, i64 {i}"))
            if use == "scratch":
                do(f"store ptr {x}, ptr {op(f'getelementptr ptr, ptr %scratch, i64 {i}')}")
            else:
                c.call("Py_IncRef", x)  # for the tuple
                c.call("PyTuple_SetItem", use, i, x)
        return n

    def put(i: int, x: str) -> None:
        """Put ``x``, a new reference, into the row, at the number that operand ``i`` is."""
        c.need(op(f"icmp ne ptr {x}, null"))
        at = op(f"getelementptr ptr, ptr %row, i64 {c.operand(i, 'i64')}")
        do(f"store ptr {x}, ptr {at}")

    def need_done(status: str) -> None:
        c.need_equal(status, "0", "i32")

    with c.kind("DONE"):  # value
        x = value(0)
        c.call("Py_IncRef", x)
        do(f"store ptr {x}, ptr %result")
        do("br label %no")
        f.label("never")
    with c.kind("NEW"):  # type, to
        put(1, c.call("PyType_GenericAlloc", c.operand(0), "0"))
    with c.kind("TUPLE"):  # to, values...
        n = op(f"sub i64 {c.operand(0, 'i64')}, 3")
        x = c.call("PyTuple_New", n)
        put(1, x)
        values(2, x)
    with c.kind("CALL"):  # to, what, arguments...
        n = values(3, "scratch")
        put(1, c.call("PyObject_Vectorcall", value(2), "%scratch", n, "null"))
    with c.kind("UNLESS"):  # number of a found object, value, words to skip if it is that
        old = c.word("%found", c.operand(0, "i64"), "ptr")
        is_old = op(f"icmp eq ptr {old}, {value(1)}")
        words = op(f"select i1 {is_old}, i64 {c.operand(2, 'i64')}, i64 0")
        c.after = op(f"getelementptr i64, ptr {c.after}, i64 {words}")
    with c.kind("APPEND"):  # list, value
        need_done(c.call("PyList_Append", value(0), value(1)))
    with c.kind("SLOT"):  # container, offset, value
        x, new = value(0), value(2)
        at = op(f"getelementptr i8, ptr {x}, i64 {c.operand(1, 'i64')}")
        old = op(f"load ptr, ptr {at}")
        c.call("Py_IncRef", new)
        do(f"store ptr {new}, ptr {at}")
        c.call("Py_DecRef", old)  # may be null
    with c.kind("DICT"):  # container, key, value
        need_done(c.call("PyDict_SetItem", value(0), value(1), value(2)))
    with c.kind("LIST"):  # container, number, value
        x, new = value(0), value(2)
        c.call("Py_IncRef", new)  # for the list
        need_done(c.call("PyList_SetItem", x, c.operand(1, "i64"), new))
    with c.kind("CELL"):  # container, value
        need_done(c.call("PyCell_Set", value(0), value(1)))
    f.label("no")
    return c.text()
