"""The native code of one call, see walker.py: it looks, runs the program, and places results."""

from __future__ import annotations

from koubai.compiler.runtime import layouts
from koubai.compiler.runtime.driver import DONE, STOPPED
from koubai.compiler.runtime.looking import (
    ACCEPTED,
    ARRAYS,
    FOUND,
    OBSERVER,
    OTHERS,
    OUTPUTS,
    PLACES,
    PLACING,
    PROGRAM,
    ROUND,
    ROW,
    RUN,
)
from koubai.compiler.runtime.steps import Steps

_SHORT = 128  # values for which there is room on the stack


def call() -> str:
    """The Python function ``call(function, args, kwargs)`` of a table: the function's value.

    It is ``@no``, and nothing has happened, if the world is another one than the table's.
    """
    c = Steps("called", ["ptr %self", "ptr %args", "ptr %result"])
    f, op, do = c.f, c.op, c.do
    row_here, value = f.at_entry(f"alloca [{_SHORT} x ptr]"), f.at_entry("alloca ptr")
    table = c.field("%self", layouts.DATA)

    def head(number: int, type_: str = "i64") -> str:
        return c.word(table, number, type_)

    def part(number: int) -> str:
        """Where the part of the table begins whose position is in the head."""
        return op(f"getelementptr i64, ptr {table}, i64 {head(number)}")

    def at(base: str, i: str) -> str:
        return op(f"getelementptr ptr, ptr {base}, i64 {i}")

    n_arrays, n_others, n_outputs, n_row = (head(i) for i in (ARRAYS, OTHERS, OUTPUTS, ROW))
    found = part(FOUND)
    places = part(PLACES)
    for argument in range(3):
        do(f"store ptr {c.word('%args', argument, 'ptr')}, ptr {at(places, str(argument))}")
    do(f"store i64 {op(f'add i64 {head(ROUND)}, 1')}, ptr {table}")
    accepted = op(f"getelementptr i64, ptr {table}, i64 {ACCEPTED}")
    do(f"store i64 0, ptr {accepted}")

    # No Python code runs from here until the program has, the collector of garbage included: what
    # the look has found is there still, and nobody else uses the table of the program.
    collecting = c.call("PyGC_Disable")

    def let_collect() -> None:
        with f.when(op(f"icmp ne i32 {collecting}, 0")):
            c.call("PyGC_Enable")

    do(f"call void @walk(ptr {table})")
    is_accepted = op(f"icmp ne i64 {op(f'load i64, ptr {accepted}')}, 0")
    do(f"br i1 {is_accepted}, label %accepted, label %refused")
    f.label("refused")
    let_collect()
    c.call("PyErr_Clear")  # of a comparison that failed
    c.call("Py_IncRef", "@no")
    do("store ptr @no, ptr %result")
    do("br label %no")

    f.label("accepted")
    # The row, and room for arguments behind it.
    is_short = op(f"icmp ule i64 {n_row}, {_SHORT // 2}")
    do(f"br i1 {is_short}, label %have_row, label %long")
    f.label("long")
    row_there = c.call("PyMem_Malloc", op(f"shl i64 {n_row}, 4"))
    do(f"br i1 {op(f'icmp ne ptr {row_there}, null')}, label %have_row, label %no_row")
    f.label("no_row")
    let_collect()
    c.call("PyErr_NoMemory")
    do("br label %no")
    f.label("have_row")
    row = op(f"phi ptr [ {row_here}, %accepted ], [ {row_there}, %long ]")
    with f.loop("0", n_row) as i:
        do(f"store ptr null, ptr {at(row, i)}")
    with f.loop("0", n_others) as i:
        x = c.word(found, op(f"add i64 {i}, {n_arrays}"), "ptr")
        c.call("Py_IncRef", x)
        do(f"store ptr {x}, ptr {at(row, op(f'add i64 {i}, {n_outputs}'))}")
    program = head(PROGRAM, "ptr")
    do(f"br i1 {op(f'icmp ne ptr {program}, null')}, label %native, label %by_python")
    f.label("native")
    c.call("PyContextVar_Get", head(OBSERVER, "ptr"), "null", value)
    observer = op(f"load ptr, ptr {value}")
    c.call("Py_DecRef", observer)
    is_none = op(f"icmp eq ptr {observer}, @_Py_NoneStruct")
    do(f"br i1 {is_none}, label %nobody_looks, label %by_python")
    f.label("nobody_looks")
    # An array of the state has one reference: its place's.
    status = op(f"call i64 @perform(ptr {program}, ptr {found}, ptr {row}, i64 1)")
    ways = f"i64 {DONE}, label %done i64 {STOPPED}, label %by_python"
    do(f"switch i64 {status}, label %failed [ {ways} ]")
    f.label("failed")
    let_collect()
    do("br label %end")

    f.label("by_python")
    arrays = c.call("PyList_New", n_arrays)
    do(f"br i1 {op(f'icmp ne ptr {arrays}, null')}, label %have_list, label %failed")
    f.label("have_list")
    with f.loop("0", n_arrays) as i:
        x = c.word(found, i, "ptr")
        c.call("Py_IncRef", x)  # for the list
        c.call("PyList_SetItem", arrays, i, x)
    let_collect()
    do(f"store ptr {arrays}, ptr {value}")
    outputs = c.call("PyObject_Vectorcall", head(RUN, "ptr"), value, "1", "null")
    c.call("Py_DecRef", arrays)
    do(f"br i1 {op(f'icmp ne ptr {outputs}, null')}, label %have_outputs, label %end")
    f.label("have_outputs")
    with f.loop("0", n_outputs) as i:
        x = c.call("PyList_GetItem", outputs, i)
        c.call("Py_IncRef", x)
        do(f"store ptr {x}, ptr {at(row, i)}")
    c.call("Py_DecRef", outputs)
    do("br label %placing")

    f.label("done")
    let_collect()
    do("br label %placing")
    f.label("placing")
    steps = part(PLACING)
    do(f"call void @place(ptr {steps}, ptr {row}, ptr {found}, ptr {at(row, n_row)}, ptr %result)")
    do("br label %end")
    f.label("end")
    with f.loop("0", n_row) as i:
        c.call("Py_DecRef", op(f"load ptr, ptr {at(row, i)}"))  # may be null
    do(f"br i1 {is_short}, label %no, label %was_long")
    f.label("was_long")
    c.call("PyMem_Free", row)
    do("br label %no")
    f.label("no")
    return f.text()
