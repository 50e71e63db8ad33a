"""The native code of one call, see walker.py: it looks, runs the program, and places results."""

from __future__ import annotations

from koubai.compiler.runtime import layouts
from koubai.compiler.runtime.driver import DONE, STOPPED
from koubai.compiler.runtime.looking import (
    ACCEPTED,
    ARRAYS,
    FOUND,
    HOLDS,
    OBSERVER,
    OTHERS,
    OUTPUTS,
    OWNED,
    PLACES,
    PLACING,
    PROGRAM,
    ROOM,
    ROUND,
    RUN,
)
from koubai.compiler.runtime.steps import Steps

ARGUMENTS = 8
"""So many may a step CALL have."""
_SHORT = 128  # words for which there is room on the stack

FUNCTION, SHORTCUTS = 16, 24
"""Where a compiled function has its function, and its list of shortcuts."""

CALL = f"""
declare void @called(ptr, ptr, ptr, ptr, ptr)
; The Python function call(function, args, kwargs) of a table.
define ptr @call(ptr %self, ptr %args, i64 %n) #0 {{
  %result = alloca ptr
  store ptr null, ptr %result
  %table.p = getelementptr i8, ptr %self, i64 {layouts.DATA}
  %table = load ptr, ptr %table.p
  %function = load ptr, ptr %args
  %args.p = getelementptr ptr, ptr %args, i64 1
  %its.args = load ptr, ptr %args.p
  %kwargs.p = getelementptr ptr, ptr %args, i64 2
  %kwargs = load ptr, ptr %kwargs.p
  call void @called(ptr %table, ptr %function, ptr %its.args, ptr %kwargs, ptr %result)
  %x = load ptr, ptr %result
  ret ptr %x
}}
"""

CALL_OBJECT = f"""
; What calls a compiled function: each of its shortcuts; and, if none is for this world, Python.
define ptr @call_object(ptr %self, ptr %args, ptr %kwargs.or.null) #0 {{
  %result = alloca ptr
  %all = alloca [3 x ptr]
  %none = icmp eq ptr %kwargs.or.null, null
  %kwargs = select i1 %none, ptr @no_names, ptr %kwargs.or.null
  %function.p = getelementptr i8, ptr %self, i64 {FUNCTION}
  %function = load ptr, ptr %function.p
  %shortcuts.p = getelementptr i8, ptr %self, i64 {SHORTCUTS}
  %shortcuts = load ptr, ptr %shortcuts.p
  %empty = icmp eq ptr %shortcuts, null
  br i1 %empty, label %python, label %begin
begin:
  %n.p = getelementptr i8, ptr %shortcuts, i64 {layouts.SIZE}
  %n = load i64, ptr %n.p
  %items.p = getelementptr i8, ptr %shortcuts, i64 {layouts.LIST_ITEMS}
  %items = load ptr, ptr %items.p
  br label %head
head:
  %i = phi i64 [ 0, %begin ], [ %following, %next ]
  %more = icmp slt i64 %i, %n
  br i1 %more, label %try, label %python
try:
  store ptr null, ptr %result
  %shortcut.p = getelementptr ptr, ptr %items, i64 %i
  %shortcut = load ptr, ptr %shortcut.p
  %array = call ptr @PyCFunction_GetSelf(ptr %shortcut)
  %table.p = getelementptr i8, ptr %array, i64 {layouts.DATA}
  %table = load ptr, ptr %table.p
  call void @called(ptr %table, ptr %function, ptr %args, ptr %kwargs, ptr %result)
  %value = load ptr, ptr %result
  %is.no = icmp eq ptr %value, @no
  br i1 %is.no, label %next, label %end
next:
  call void @Py_DecRef(ptr %value)
  %following = add i64 %i, 1
  br label %head
end:
  ret ptr %value
python:
  %names = select i1 %none, ptr @_Py_NoneStruct, ptr %kwargs
  store ptr %self, ptr %all
  %all.1 = getelementptr ptr, ptr %all, i64 1
  store ptr %args, ptr %all.1
  %all.2 = getelementptr ptr, ptr %all, i64 2
  store ptr %names, ptr %all.2
  %x = call ptr @PyObject_VectorcallMethod(ptr @by_python, ptr %all, i64 3, ptr null)
  ret ptr %x
}}
"""


def called() -> str:
    """The function ``called(table, function, args, kwargs, result)``.

    It leaves a new reference to the function's value; null for an error; and ``@no`` if the world
    is another one than the table's: nothing has happened then.
    """
    parameters = ["ptr %table", "ptr %f", "ptr %args", "ptr %kwargs", "ptr %result"]
    c = Steps("called", parameters, linkage="")
    f, op, do = c.f, c.op, c.do
    here = f.at_entry(f"alloca [{_SHORT} x ptr]")
    value, old, n_held = (f.at_entry(f"alloca {t}") for t in ("ptr", "ptr", "i64"))

    def head(number: int, type_: str = "i64") -> str:
        return c.word("%table", number, type_)

    def part(number: int) -> str:
        """Where the part of the table begins whose position is in the head."""
        return op(f"getelementptr i64, ptr %table, i64 {head(number)}")

    def at(base: str, i: str) -> str:
        return op(f"getelementptr ptr, ptr {base}, i64 {i}")

    def go(condition: str, to: str, otherwise: str) -> None:
        do(f"br i1 {condition}, label %{to}, label %{otherwise}")

    n_arrays, n_others, n_owned, room = (head(i) for i in (ARRAYS, OTHERS, OWNED, ROOM))
    found, places = part(FOUND), part(PLACES)
    for number, x in enumerate(("%f", "%args", "%kwargs")):
        do(f"store ptr {x}, ptr {at(places, str(number))}")
    do(f"store i64 {op(f'add i64 {head(ROUND)}, 1')}, ptr %table")
    accepted = op(f"getelementptr i64, ptr %table, i64 {ACCEPTED}")
    do(f"store i64 0, ptr {accepted}")

    # No Python code runs from here on until one of the places below where it may, the collector of
    # garbage included: what the looks have found is there still, nobody uses the program's table.
    collecting = c.call("PyGC_Disable")

    def let_collect() -> None:
        with f.when(op(f"icmp ne i32 {collecting}, 0")):
            c.call("PyGC_Enable")

    do("call void @walk(ptr %table)")
    go(op(f"icmp ne i64 {op(f'load i64, ptr {accepted}')}, 0"), "accepted", "refused")
    f.label("refused")
    let_collect()
    c.call("PyErr_Clear")  # of a comparison that failed
    c.call("Py_IncRef", "@no")
    do("store ptr @no, ptr %result")
    do("br label %no")

    f.label("accepted")
    is_short = op(f"icmp ule i64 {room}, {_SHORT}")
    go(is_short, "have_row", "long")
    f.label("long")
    there = c.call("PyMem_Malloc", op(f"shl i64 {room}, 3"))
    go(op(f"icmp ne ptr {there}, null"), "have_row", "no_row")
    f.label("no_row")
    let_collect()
    c.call("PyErr_NoMemory")
    do("br label %no")
    f.label("have_row")
    # The row, what it owns and the others, with room behind it for arguments and old values.
    row = op(f"phi ptr [ {here}, %accepted ], [ {there}, %long ]")
    n_row = op(f"add i64 {n_owned}, {n_others}")
    scratch = at(row, n_row)
    first_old = at(scratch, str(ARGUMENTS))
    do(f"store ptr {first_old}, ptr {old}")
    do(f"store i64 {n_owned}, ptr {n_held}")  # values of the row to let go at the end
    with f.loop("0", n_owned) as i:
        do(f"store ptr null, ptr {at(row, i)}")
    others = at(found, n_arrays)
    with f.loop("0", n_others) as i:
        do(f"store ptr {c.word(others, i, 'ptr')}, ptr {at(row, op(f'add i64 {n_owned}, {i}'))}")
    program = head(PROGRAM, "ptr")
    go(op(f"icmp ne ptr {program}, null"), "native", "by_python")
    f.label("native")
    c.call("PyContextVar_Get", head(OBSERVER, "ptr"), "null", value)
    observer = op(f"load ptr, ptr {value}")
    c.call("Py_DecRef", observer)
    go(op(f"icmp eq ptr {observer}, @_Py_NoneStruct"), "nobody_looks", "by_python")
    f.label("nobody_looks")
    # An array of the state has one reference: its place's.
    status = op(f"call i64 @perform(ptr {program}, ptr {found}, ptr {row}, i64 1)")
    ways = f"i64 {DONE}, label %done i64 {STOPPED}, label %by_python"
    do(f"switch i64 {status}, label %failed [ {ways} ]")
    f.label("done")
    go(op(f"icmp ne i64 {head(HOLDS)}, 0"), "hold", "place_at_once")
    f.label("place_at_once")
    do(f"call void @place(ptr {part(PLACING)}, ptr {row}, ptr {scratch}, ptr {old}, ptr %result)")
    let_collect()
    do("br label %end")
    f.label("failed")
    let_collect()
    do("br label %end")

    # Python code may run from here on: the others must stay.
    f.label("hold")
    let_collect()
    do(f"store i64 {n_row}, ptr {n_held}")
    with f.loop("0", n_others) as i:
        c.call("Py_IncRef", c.word(others, i, "ptr"))
    do("br label %place")
    f.label("by_python")
    do(f"store i64 {n_row}, ptr {n_held}")
    is_run = op(f"call i1 @run_by_python(ptr %table, ptr {found}, ptr {row}, i32 {collecting})")
    go(is_run, "place", "end")
    f.label("place")
    do(f"call void @place(ptr {part(PLACING)}, ptr {row}, ptr {scratch}, ptr {old}, ptr %result)")
    do("br label %end")

    f.label("end")
    # Only now may finalizers of old values run.
    with f.loop("0", op(f"load i64, ptr {n_held}")) as i:
        x = c.word(row, i, "ptr")
        with f.when(op(f"icmp ne ptr {x}, null")):
            c.call("Py_DecRef", x)
    first, last = (op(f"ptrtoint ptr {x} to i64") for x in (first_old, op(f"load ptr, ptr {old}")))
    with f.loop(first, last, 8) as i:
        c.call("Py_DecRef", op(f"load ptr, ptr {op(f'inttoptr i64 {i} to ptr')}"))
    go(is_short, "no", "was_long")
    f.label("was_long")
    c.call("PyMem_Free", row)
    do("br label %no")
    f.label("no")
    return f.text()


def run_by_python() -> str:
    """The function ``run_by_python(table, found, row, collecting)``.

    It holds the others, gives Python the arrays that were found, and puts the outputs into the
    row; false for an error.
    """
    parameters = ["ptr %table", "ptr %found", "ptr %row", "i32 %collecting"]
    c = Steps("run_by_python", parameters, "", "i1")
    f, op, do = c.f, c.op, c.do
    argument = f.at_entry("alloca ptr")
    n_arrays, n_others, n_outputs = (c.word("%table", i) for i in (ARRAYS, OTHERS, OUTPUTS))
    others = op(f"getelementptr ptr, ptr %found, i64 {n_arrays}")
    with f.loop("0", n_others) as i:
        c.call("Py_IncRef", c.word(others, i, "ptr"))
    arrays = c.call("PyList_New", n_arrays)
    with f.when(op(f"icmp ne ptr {arrays}, null")), f.loop("0", n_arrays) as i:
        x = c.word("%found", i, "ptr")
        c.call("Py_IncRef", x)  # for the list
        c.call("PyList_SetItem", arrays, i, x)
    with f.when(op("icmp ne i32 %collecting, 0")):
        c.call("PyGC_Enable")
    c.need(op(f"icmp ne ptr {arrays}, null"))
    do(f"store ptr {arrays}, ptr {argument}")
    run = c.word("%table", RUN, "ptr")
    outputs = c.call("PyObject_Vectorcall", run, argument, "1", "null")
    c.call("Py_DecRef", arrays)
    c.need(op(f"icmp ne ptr {outputs}, null"))
    with f.loop("0", n_outputs) as i:
        x = c.call("PyList_GetItem", outputs, i)
        c.call("Py_IncRef", x)
        do(f"store ptr {x}, ptr {op(f'getelementptr ptr, ptr %row, i64 {i}')}")
    c.call("Py_DecRef", outputs)
    do("ret i1 true")
    f.label("no")
    do("ret i1 false")
    return f.text()
