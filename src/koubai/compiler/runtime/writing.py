"""The native code that puts values into containers, see walker.py."""

from __future__ import annotations

from koubai.compiler.runtime import layouts
from koubai.compiler.runtime.steps import Steps

WRITES = ("SLOT", "DICT", "LIST", "CELL")
"""Where the native writer can put a value."""


def write() -> str:
    """The Python function ``write(values, arrays, others)`` of a table: puts values into others.

    A value that is the very input that was there is there still.
    """
    c = Steps("written", ["ptr %self", "ptr %args", "ptr %result"])
    f, op, do = c.f, c.op, c.do
    table = c.field("%self", layouts.DATA)
    values, arrays, others = (c.word("%args", i, "ptr") for i in range(3))
    c.steps(table, ("DONE", *WRITES))

    def operands() -> tuple[str, str, str]:  # number of the value, of the input, of the container
        """The container, the operand that says where in it, and the value."""
        value = c.call("PyList_GetItem", values, c.operand(0, "i64"))
        c.need(op(f"icmp ne ptr {value}, null"))
        i = c.operand(1, "i64")
        with f.when(op(f"icmp sge i64 {i}, 0")):
            old = c.call("PyList_GetItem", arrays, i)
            c.next(unless=op(f"icmp ne ptr {old}, {value}"))
        container = c.call("PyList_GetItem", others, c.operand(2, "i64"))
        c.need(op(f"icmp ne ptr {container}, null"))
        return container, c.operand(3), value

    with c.kind("DONE"):
        c.call("Py_IncRef", "@_Py_NoneStruct")
        do("store ptr @_Py_NoneStruct, ptr %result")
        do("br label %no")
        f.label("never")
    with c.kind("SLOT"):
        container, _, value = operands()
        at = op(f"getelementptr i8, ptr {container}, i64 {c.operand(3, 'i64')}")
        old = op(f"load ptr, ptr {at}")
        c.call("Py_IncRef", value)
        do(f"store ptr {value}, ptr {at}")
        c.call("Py_DecRef", old)  # may be null
    with c.kind("DICT"):
        container, key, value = operands()
        c.need_equal(c.call("PyDict_SetItem", container, key, value), "0", "i32")
    with c.kind("LIST"):
        container, _, value = operands()
        c.call("Py_IncRef", value)  # for the list
        status = c.call("PyList_SetItem", container, c.operand(3, "i64"), value)
        c.need_equal(status, "0", "i32")
    with c.kind("CELL"):
        container, _, value = operands()
        c.need_equal(c.call("PyCell_Set", container, value), "0", "i32")
    f.label("no")
    return c.text()
