"""The native code that makes results and puts values into containers, see walker.py.

A list of steps works on a *row* of values: the outputs of a program, what is made, and objects of
the world. An operand that is a value is either one in the row (an odd number, see ``in_row``) or
the address of a constant.

No step but CALL runs Python's code, for old values are kept until the end, when all are at their
places: letting go of one may call a finalizer of the user's.
"""

from __future__ import annotations

from koubai.compiler.runtime.steps import Steps

STEPS: dict[str, int | None] = {
    "DONE": 1,
    "NEW": 2,
    "NEW_DICT": 1,
    "NEW_LIST": 1,
    "TUPLE": None,
    "CALL": None,
    "UNLESS": 2,
    "APPEND": 2,
    "SLOT": 3,
    "DICT": 3,
    "LIST": 3,
    "CELL": 2,
}
"""The kinds of steps, with the number of operands; these stand where their code is made."""

MAKES = {"NEW": 1, "NEW_DICT": 0, "NEW_LIST": 0, "TUPLE": 0, "CALL": 0}
"""Which operand says where in the row the new value is put."""
WRITES = {"SLOT", "DICT", "LIST", "CELL"}
"""Kinds that may keep an old value."""


def in_row(number: int) -> int:
    """The operand for value ``number`` in the row."""
    return 2 * number + 1


def place() -> str:
    """The function ``place``: follows steps, and leaves a new reference to the function's value.

    Its parameters are the steps, the row, room for the arguments of calls, where is written in the
    old values (its address), and where the result is left: null for an error.
    """
    c = Steps("place", ["ptr %first", "ptr %row", "ptr %scratch", "ptr %old", "ptr %result"])
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

    def put(i: int, x: str) -> None:
        """Put ``x``, a new reference, into the row, at the number that operand ``i`` is."""
        c.need(op(f"icmp ne ptr {x}, null"))
        at = op(f"getelementptr ptr, ptr %row, i64 {c.operand(i, 'i64')}")
        do(f"store ptr {x}, ptr {at}")

    def keep(x: str) -> None:
        """``x``, a reference of our own or null, is an old value."""
        with f.when(op(f"icmp ne ptr {x}, null")):
            at = op("load ptr, ptr %old")
            do(f"store ptr {x}, ptr {at}")
            do(f"store ptr {op(f'getelementptr ptr, ptr {at}, i64 1')}, ptr %old")

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
    with c.kind("NEW_DICT"):  # to
        put(0, c.call("PyDict_New"))
    with c.kind("NEW_LIST"):  # to
        put(0, c.call("PyList_New", "0"))
    with c.kind("TUPLE"):  # to, values...
        n = op(f"sub i64 {c.operand(0, 'i64')}, 3")
        new = c.call("PyTuple_New", n)
        put(1, new)
        start = op(f"getelementptr i64, ptr {c.step}, i64 3")
        with f.loop("0", n) as i:
            x = decoded(op(f"getelementptr i64, ptr {start}, i64 {i}"))
            c.call("Py_IncRef", x)  # for the tuple
            c.call("PyTuple_SetItem", new, i, x)
    with c.kind("CALL"):  # to, what, arguments...
        n = op(f"sub i64 {c.operand(0, 'i64')}, 4")
        start = op(f"getelementptr i64, ptr {c.step}, i64 4")
        with f.loop("0", n) as i:
            x = decoded(op(f"getelementptr i64, ptr {start}, i64 {i}"))
            do(f"store ptr {x}, ptr {op(f'getelementptr ptr, ptr %scratch, i64 {i}')}")
        put(1, c.call("PyObject_Vectorcall", value(2), "%scratch", n, "null"))
    with c.kind("UNLESS"):  # an output, words to skip if it is in its place already
        is_there = op(f"icmp eq ptr {value(0)}, null")
        words = op(f"select i1 {is_there}, i64 {c.operand(1, 'i64')}, i64 0")
        c.after = op(f"getelementptr i64, ptr {c.after}, i64 {words}")
    with c.kind("APPEND"):  # list, value
        need_done(c.call("PyList_Append", value(0), value(1)))
    with c.kind("SLOT"):  # container, offset, value
        at = op(f"getelementptr i8, ptr {value(0)}, i64 {c.operand(1, 'i64')}")
        x, before = value(2), op(f"load ptr, ptr {at}")
        with f.when(op(f"icmp ne ptr {x}, {before}")):
            c.call("Py_IncRef", x)
            do(f"store ptr {x}, ptr {at}")
            keep(before)
    with c.kind("DICT"):  # container, key, value
        container, key = value(0), value(1)
        before = c.call("PyDict_GetItemWithError", container, key)
        c.call("Py_IncRef", before)  # may be null
        keep(before)
        need_done(c.call("PyDict_SetItem", container, key, value(2)))
    with c.kind("LIST"):  # container, number, value
        container, i, x = value(0), c.operand(1, "i64"), value(2)
        before = c.call("PyList_GetItem", container, i)
        c.need(op(f"icmp ne ptr {before}, null"))
        c.call("Py_IncRef", before)
        keep(before)
        c.call("Py_IncRef", x)  # for the list
        need_done(c.call("PyList_SetItem", container, i, x))
    with c.kind("CELL"):  # container, value
        container = value(0)
        keep(c.call("PyCell_Get", container))
        need_done(c.call("PyCell_Set", container, value(1)))
    f.label("no")
    return c.text()
