"""The native walk: looks at a function's world in a microsecond, and puts results into it.

``World`` looks at everything by Python, which takes longer than many a step. While it does, it
writes down each look as a few numbers (trace/looks.py); the code here follows that list. It is
compiled once in a process, and serves all guards.

A list of looks works on *places*, each of which holds a reference to an object. Places 0 to 2 are
the function, its arguments (a tuple and a dict); each look checks what is in one place, or loads
what it refers to into others:

    TUPLE 1 2 3         place 1 holds a tuple of 2 elements: into places 3 and 4
    ARRAY 3 ...         place 3 holds an array of this dtype and shape
    VARS 0 5            the __dict__ of what is in place 0: into place 5

If all looks see what was seen then, the walk returns the arrays, and the containers to be written
to. No Python code runs on the way, the collector of garbage included, so the borrowed references
in the places stay good.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.runtime import layouts

ACCESSORS = {
    "CLOSURE": "PyFunction_GetClosure",
    "CODE": "PyFunction_GetCode",
    "DEFAULTS": "PyFunction_GetDefaults",
    "GLOBALS": "PyFunction_GetGlobals",
    "KEYWORDS": "PyFunction_GetKwDefaults",
    "METHOD_FUNCTION": "PyMethod_Function",
    "METHOD_SELF": "PyMethod_Self",
    "C_FUNCTION_SELF": "PyCFunction_GetSelf",
    "REFERENT": "PyWeakref_GetObject",
}
"""Looks from a place to another, by a function of Python's that returns a borrowed reference."""

LOOKS = (
    "DONE",
    "IS",
    "SAME",
    "BITS",
    "EQUAL",
    "TYPE",
    "NEW",
    "ARRAY",
    "TAKE",
    "CONSTANT",
    "TYPE_OF",
    "VARS",
    "WORD",
    "NO_WORD",
    "BASES",
    "NAME",
    "NO_NAME",
    "TUPLE",
    "LIST",
    "DEQUE",
    "DICT",
    "ORDERED",
    "SET",
    "CONTEXT",
    "C_FUNCTION",
    "EXTENT",
    "APART",
    *ACCESSORS,
)
"""What the walk can look at; its operands stand where its code is made, below."""

WRITES = ("SLOT", "DICT", "LIST", "CELL")
"""Where the native writer can put a value."""

# The head of the table of looks: words before the first look.
_ROUND, _SHIFT, _SEEN, _PLACES, _FOUND, _ARRAYS, _OTHERS, _EXTENTS, _ACCEPTED, _LOOKS = range(10)

_API = {
    "PyCell_Set": "i32 (ptr, ptr)",
    "PyCFunction_GetFunction": "ptr (ptr)",
    "PyContextVar_Get": "i32 (ptr, ptr, ptr)",
    "PyDict_GetItemWithError": "ptr (ptr, ptr)",
    "PyDict_Next": "i32 (ptr, ptr, ptr, ptr)",
    "PyDict_SetItem": "i32 (ptr, ptr, ptr)",
    "PyErr_Clear": "void ()",
    "PyGC_Disable": "i32 ()",
    "PyGC_Enable": "i32 ()",
    "PyIter_Next": "ptr (ptr)",
    "PyList_GetItem": "ptr (ptr, i64)",
    "PyList_New": "ptr (i64)",
    "PyList_SetItem": "i32 (ptr, i64, ptr)",
    "PyList_Size": "i64 (ptr)",
    "PyObject_GenericGetDict": "ptr (ptr, ptr)",
    "PyObject_RichCompareBool": "i32 (ptr, ptr, i32)",
    "PyTuple_GetItem": "ptr (ptr, i64)",
    "PyTuple_New": "ptr (i64)",
    "PyTuple_SetItem": "i32 (ptr, i64, ptr)",
    "PyTuple_Size": "i64 (ptr)",
    "PyType_GetSlot": "ptr (ptr, i32)",
    "Py_DecRef": "void (ptr)",
    "Py_IncRef": "void (ptr)",
    **dict.fromkeys(ACCESSORS.values(), "ptr (ptr)"),
}
# Slots of Python's own types, by their numbers in the stable interface (typeslots.h).
_SLOTS = {
    "deque_item": (deque, 44, "ptr (ptr, i64)"),
    "deque_length": (deque, 45, "i64 (ptr)"),
    "ordered_iter": (OrderedDict, 62, "ptr (ptr)"),
    "set_iter": (set, 62, "ptr (ptr)"),
}
_BASES = 49


class _Code:
    """An emitter of the switch that both functions are: a list of numbered kinds of steps."""

    def __init__(self, name: str, parameters: Sequence[str]) -> None:
        self.f = Emitter(name, parameters, "internal")
        self.op, self.do = self.f.op, self.f.do

    def word(self, base: str, i: int | str, type_: str = "i64") -> str:
        """The word number ``i`` of what begins at ``base``."""
        at = self.op(f"getelementptr i64, ptr {base}, i64 {i}")
        return self.op(f"load {type_}, ptr {at}")

    def field(self, base: str, offset: int | str, type_: str = "ptr") -> str:
        """What is ``offset`` bytes behind ``base``."""
        at = self.op(f"getelementptr i8, ptr {base}, i64 {offset}")
        return self.op(f"load {type_}, ptr {at}")

    def call(self, function: str, *args: str) -> str:
        """Call a function of Python's; its result."""
        type_ = (_API | {name: slot[2] for name, slot in _SLOTS.items()})[function]
        result, types = type_.split(" ", 1)
        given = zip(types.strip("()").split(", "), args, strict=False)
        text = f"call {result} @{function}({', '.join(f'{t} {x}' for t, x in given)})"
        if result == "void":
            self.do(text)
            return ""
        return self.op(text)

    def need(self, condition: str) -> None:
        """Go on if the i1 ``condition`` holds; else it is over."""
        go_on = self.f.fresh("good")
        self.do(f"br i1 {condition}, label %{go_on}, label %no")
        self.f.label(go_on)

    def need_equal(self, x: str, y: str, type_: str = "ptr") -> None:
        self.need(self.op(f"icmp eq {type_} {x}, {y}"))

    def steps(self, first: str, names: Sequence[str]) -> None:
        """The loop: at each step is its kind, its length in words, and its operands."""
        self._from = [f"[ {first}, %{self.f.block} ]"]
        self.step = "%step"
        self.do("br label %dispatch")
        self.f.label("dispatch")
        self._head = self.f.here()
        kind, length = self.word(self.step, 0), self.word(self.step, 1)
        self._after = self.op(f"getelementptr i64, ptr {self.step}, i64 {length}")
        cases = " ".join(f"i64 {i}, label %{name}" for i, name in enumerate(names))
        self.do(f"switch i64 {kind}, label %no [ {cases} ]")

    def next(self, unless: str = "") -> None:
        """Go to the next step, unless the i1 holds."""
        self._from.append(f"[ {self._after}, %{self.f.block} ]")
        if unless:
            go_on = self.f.fresh("here")
            self.do(f"br i1 {unless}, label %{go_on}, label %dispatch")
            self.f.label(go_on)
        else:
            self.do("br label %dispatch")

    def text(self) -> str:
        self.f.insert(self._head, f"%step = phi ptr {', '.join(self._from)}")
        return self.f.text()

    def operand(self, i: int, type_: str = "ptr") -> str:
        return self.word(self.step, 2 + i, type_)

    @contextmanager
    def kind(self, name: str) -> Iterator[None]:
        """The lines inside are one kind of step."""
        self.f.label(name)
        yield
        self.next()


def _walk() -> str:
    """The function ``walk``: follows the looks of a table; sets its word ``_ACCEPTED``."""
    c = _Code("walk", ["ptr %table"])
    f, op, do = c.f, c.op, c.do
    base = {
        name: op(f"getelementptr i64, ptr %table, i64 {c.word('%table', i)}")
        for name, i in (("places", _PLACES), ("found", _FOUND), ("extents", _EXTENTS))
    }
    pos, key, value, count = (f.stack(t) for t in ("i64", "ptr", "ptr", "i64"))
    first_look = op(f"getelementptr i64, ptr %table, i64 {_LOOKS}")
    c.steps(first_look, LOOKS)

    def place(i: int) -> str:
        """What is in the place that operand ``i`` names."""
        return c.word(base["places"], c.operand(i, "i64"), "ptr")

    def put(i: int, x: str, offset: str = "0") -> None:
        """Put ``x`` into the place that operand ``i`` names, or one behind it."""
        number = op(f"add i64 {c.operand(i, 'i64')}, {offset}")
        at = op(f"getelementptr ptr, ptr {base['places']}, i64 {number}")
        do(f"store ptr {x}, ptr {at}")

    def take(x: str, i: int) -> None:
        """``x`` is the result that operand ``i`` numbers."""
        at = op(f"getelementptr ptr, ptr {base['found']}, i64 {c.operand(i, 'i64')}")
        do(f"store ptr {x}, ptr {at}")

    def need_type(x: str, i: int) -> None:
        c.need_equal(c.field(x, layouts.TYPE), c.operand(i))

    def need_new(x: str) -> None:
        c.need(op(f"call i1 @is_new(ptr %table, ptr {x})"))

    with c.kind("DONE"):
        accepted = op(f"getelementptr i64, ptr %table, i64 {_ACCEPTED}")
        do(f"store i64 1, ptr {accepted}")
        do("br label %no")
        f.label("never")
    with c.kind("IS"):  # place, object
        c.need_equal(place(0), c.operand(1))
    with c.kind("SAME"):  # place, place
        c.need_equal(place(0), place(1))
    with c.kind("BITS"):  # place, type, bits, mask
        x = place(0)
        need_type(x, 1)
        number = op(f"and i64 {c.field(x, layouts.VALUE, 'i64')}, {c.operand(3, 'i64')}")
        c.need_equal(number, c.operand(2, "i64"), "i64")
    with c.kind("EQUAL"):  # place, object, its type: a built-in one, so no user's code runs
        x, y = place(0), c.operand(1)
        with f.when(op(f"icmp ne ptr {x}, {y}")):
            need_type(x, 2)
            c.need_equal(c.call("PyObject_RichCompareBool", x, y, "2"), "1", "i32")
    with c.kind("TYPE"):  # place, type
        need_type(place(0), 1)
    with c.kind("NEW"):  # place, type: an object that was not seen before
        x = place(0)
        need_type(x, 1)
        need_new(x)
    with c.kind("ARRAY"):  # place, type, kind of dtype, number, how many dimensions, dimensions...
        x = place(0)
        need_type(x, 1)
        kind = c.field(c.field(x, layouts.DTYPE), layouts.KIND, "i64")
        c.need_equal(kind, c.operand(2, "i64"), "i64")
        n = c.operand(4, "i64")
        c.need_equal(c.field(x, layouts.NDIM, "i32"), op(f"trunc i64 {n} to i32"), "i32")
        dimensions = c.field(x, layouts.DIMENSIONS)
        with f.loop("0", n) as i:
            expected = c.word(c.step, op(f"add i64 {i}, 7"))
            c.need_equal(c.word(dimensions, i), expected, "i64")
        need_new(x)
        take(x, 3)
    with c.kind("TAKE"):  # place, number
        take(place(0), 1)
    with c.kind("CONSTANT"):  # object, to
        put(1, c.operand(0))
    with c.kind("TYPE_OF"):  # place, to
        put(1, c.field(place(0), layouts.TYPE))
    with c.kind("VARS"):  # place, to
        mapping = c.call("PyObject_GenericGetDict", place(0), "null")
        with f.when(op(f"icmp eq ptr {mapping}, null")):
            c.call("PyErr_Clear")
        c.need(op(f"icmp ne ptr {mapping}, null"))
        c.call("Py_DecRef", mapping)  # the object holds it
        put(1, mapping)
    with c.kind("WORD"):  # place, offset, to: a slot that is not empty
        x = c.field(place(0), c.operand(1, "i64"))
        c.need(op(f"icmp ne ptr {x}, null"))
        put(2, x)
    with c.kind("NO_WORD"):  # place, offset
        c.need_equal(c.field(place(0), c.operand(1, "i64")), "null")
    for name, function in ACCESSORS.items():
        with c.kind(name):  # place, to
            x = c.call(function, place(0))
            none = op(f"icmp eq ptr {x}, null")
            put(1, op(f"select i1 {none}, ptr @_Py_NoneStruct, ptr {x}"))
    with c.kind("BASES"):  # place of a class, to
        put(1, c.call("PyType_GetSlot", place(0), str(_BASES)))
    with c.kind("NAME"):  # place of a dict, key, to
        x = c.call("PyDict_GetItemWithError", place(0), c.operand(1))
        c.need(op(f"icmp ne ptr {x}, null"))
        put(2, x)
    with c.kind("NO_NAME"):  # place of a dict, key
        c.need_equal(c.call("PyDict_GetItemWithError", place(0), c.operand(1)), "null")
    for name, kind in (("TUPLE", "Tuple"), ("LIST", "List")):
        with c.kind(name):  # place, length, to
            x, n = place(0), c.operand(1, "i64")
            c.need_equal(c.call(f"Py{kind}_Size", x), n, "i64")
            with f.loop("0", n) as i:
                put(2, c.call(f"Py{kind}_GetItem", x, i), i)
    with c.kind("DEQUE"):  # place, length, to
        x, n = place(0), c.operand(1, "i64")
        c.need_equal(c.call("deque_length", x), n, "i64")
        with f.loop("0", n) as i:
            item = c.call("deque_item", x, i)
            c.call("Py_DecRef", item)  # the deque holds it
            put(2, item, i)
    # Keys are the very objects or equal texts or integers; 0 stands for any, put behind the values.
    with c.kind("DICT"):  # place, length, to, how many keys to skip, these, keys
        x, n, skips = place(0), c.operand(1, "i64"), c.operand(3, "i64")
        do(f"store i64 0, ptr {pos}")
        do(f"store i64 0, ptr {count}")
        do("br label %next_item")
        f.label("next_item")
        more = c.call("PyDict_Next", x, pos, key, value)
        do(f"br i1 {op(f'icmp ne i32 {more}, 0')}, label %item, label %no_item")
        f.label("item")
        k = op(f"load ptr, ptr {key}")
        with f.loop("0", skips) as i:
            skipped = c.word(c.step, op(f"add i64 {i}, 6"), "ptr")
            go_on = f.fresh("kept")
            do(f"br i1 {op(f'icmp eq ptr {k}, {skipped}')}, label %next_item, label %{go_on}")
            f.label(go_on)
        i = op(f"load i64, ptr {count}")
        c.need(op(f"icmp slt i64 {i}, {n}"))
        do(f"store i64 {op(f'add i64 {i}, 1')}, ptr {count}")
        put(2, op(f"load ptr, ptr {value}"), i)
        expected = c.word(c.step, op(f"add i64 {op(f'add i64 {i}, {skips}')}, 6"), "ptr")
        with f.when(op(f"icmp ne ptr {k}, {expected}")):
            put(2, k, op(f"add i64 {n}, {i}"))
            with f.when(op(f"icmp ne ptr {expected}, null")):
                kind = c.field(expected, layouts.TYPE)
                c.need_equal(c.field(k, layouts.TYPE), kind)
                text = op(f"icmp eq ptr {kind}, @PyUnicode_Type")
                integer = op(f"icmp eq ptr {kind}, @PyLong_Type")
                c.need(op(f"or i1 {text}, {integer}"))
                equal = c.call("PyObject_RichCompareBool", k, expected, "2")
                c.need_equal(equal, "1", "i32")
        do("br label %next_item")
        f.label("no_item")
        c.need_equal(op(f"load i64, ptr {count}"), n, "i64")

    @contextmanager
    def each(iter_: str) -> Iterator[tuple[str, str, str]]:
        """The lines inside, for each item of what is in the place: the item, its number.

        There must be as many as operand 1 says. A line may go to the label that is yielded: no.
        """
        x, n = place(0), c.operand(1, "i64")
        iterator = c.call(iter_, x)
        c.need(op(f"icmp ne ptr {iterator}, null"))
        do(f"store i64 0, ptr {count}")
        head, some, within, end = (f.fresh(label) for label in ("head", "some", "within", "end"))
        do(f"br label %{head}")
        f.label(head)
        item = c.call("PyIter_Next", iterator)
        do(f"br i1 {op(f'icmp ne ptr {item}, null')}, label %{some}, label %{end}")
        f.label(some)
        c.call("Py_DecRef", item)  # the container holds it
        i = op(f"load i64, ptr {count}")
        do(f"br i1 {op(f'icmp slt i64 {i}, {n}')}, label %{within}, label %{end}")
        f.label(within)
        yield item, i, end
        do(f"store i64 {op(f'add i64 {i}, 1')}, ptr {count}")
        do(f"br label %{head}")
        f.label(end)
        c.call("Py_DecRef", iterator)
        c.need_equal(item, "null")
        c.need_equal(op(f"load i64, ptr {count}"), n, "i64")

    with (  # place of an OrderedDict, length, to (values), keys: texts
        c.kind("ORDERED"),
        each("ordered_iter") as (k, i, no),
    ):
        expected = c.word(c.step, op(f"add i64 {i}, 5"), "ptr")
        do(f"br i1 {op(f'icmp eq ptr {k}, {expected}')}, label %as_expected, label %{no}")
        f.label("as_expected")
        v = c.call("PyDict_GetItemWithError", place(0), k)
        do(f"br i1 {op(f'icmp ne ptr {v}, null')}, label %found, label %{no}")
        f.label("found")
        put(2, v, i)
    with c.kind("SET"), each("set_iter") as (x, i, _):  # place, length, to
        put(2, x, i)
    with c.kind("CONTEXT"):  # context variable, its value
        c.need_equal(c.call("PyContextVar_Get", c.operand(0), "null", value), "0", "i32")
        x = op(f"load ptr, ptr {value}")
        c.need(op(f"icmp ne ptr {x}, null"))
        c.call("Py_DecRef", x)
        c.need_equal(x, c.operand(1))
    with c.kind("C_FUNCTION"):  # place of a built-in function, what it runs
        c.need_equal(c.call("PyCFunction_GetFunction", place(0)), c.operand(1))
    with c.kind("EXTENT"):  # number of a found array, its item's size: from where to where it is
        i = c.operand(0, "i64")
        x = c.word(base["found"], i, "ptr")
        dimensions, strides = c.field(x, layouts.DIMENSIONS), c.field(x, layouts.STRIDES)
        data = c.field(x, layouts.DATA, "i64")
        n = op(f"sext i32 {c.field(x, layouts.NDIM, 'i32')} to i64")
        end = op(f"add i64 {data}, {c.operand(1, 'i64')}")
        carried = [("i64", data), ("i64", end), ("i1", "false")]
        with f.carrying_loop("0", n, 1, carried) as (k, (low, high, empty), following):
            size, stride = c.word(dimensions, k), c.word(strides, k)
            reach = op(f"mul i64 {op(f'sub i64 {size}, 1')}, {stride}")
            back = op(f"call i64 @llvm.smin.i64(i64 {reach}, i64 0)")
            on = op(f"call i64 @llvm.smax.i64(i64 {reach}, i64 0)")
            none = op(f"icmp eq i64 {size}, 0")
            following += [op(f"add i64 {low}, {back}"), op(f"add i64 {high}, {on}")]
            following += [op(f"or i1 {empty}, {none}")]
        low, high, empty = following
        high = op(f"select i1 {empty}, i64 0, i64 {high}")  # touches nothing
        at = op(f"getelementptr i64, ptr {base['extents']}, i64 {op(f'shl i64 {i}, 1')}")
        do(f"store i64 {low}, ptr {at}")
        do(f"store i64 {high}, ptr {op(f'getelementptr i64, ptr {at}, i64 1')}")
    with c.kind("APART"):  # number of a found array, how many others, these: it can be written to
        i = c.operand(0, "i64")
        x = c.word(base["found"], i, "ptr")
        flag = op(f"and i32 {c.field(x, layouts.FLAGS, 'i32')}, {layouts.WRITEABLE}")
        c.need(op(f"icmp ne i32 {flag}, 0"))
        twice = op(f"shl i64 {i}, 1")
        low, high = (c.word(base["extents"], op(f"add i64 {twice}, {word}")) for word in (0, 1))
        with f.loop("0", c.operand(1, "i64")) as k:
            other = op(f"shl i64 {c.word(c.step, op(f'add i64 {k}, 4'))}, 1")
            its_low = c.word(base["extents"], other)
            its_high = c.word(base["extents"], op(f"add i64 {other}, 1"))
            before = op(f"icmp ule i64 {high}, {its_low}")
            after = op(f"icmp uge i64 {low}, {its_high}")
            c.need(op(f"or i1 {before}, {after}"))
    f.label("no")
    return c.text()


_IS_NEW = f"""
; Whether this object was not met before in this round; it is remembered. The table of what was seen
; is open addressing on (object, round), never cleared.
define internal i1 @is_new(ptr %table, ptr %x) #0 {{
  %round = load i64, ptr %table
  %shift.p = getelementptr i64, ptr %table, i64 {_SHIFT}
  %shift = load i64, ptr %shift.p
  %seen.p = getelementptr i64, ptr %table, i64 {_SEEN}
  %seen.n = load i64, ptr %seen.p
  %seen = getelementptr i64, ptr %table, i64 %seen.n
  %bits = sub i64 64, %shift
  %size = shl i64 1, %bits
  %mask = sub i64 %size, 1
  %n = ptrtoint ptr %x to i64
  %h = mul i64 %n, -7046029254386353131
  %start = lshr i64 %h, %shift
  br label %look
look:
  %i = phi i64 [ %start, %0 ], [ %following, %another ]
  %twice = shl i64 %i, 1
  %at = getelementptr i64, ptr %seen, i64 %twice
  %its.p = getelementptr i64, ptr %at, i64 1
  %its = load i64, ptr %its.p
  %free = icmp ne i64 %its, %round
  br i1 %free, label %new, label %taken
taken:
  %y = load ptr, ptr %at
  %same = icmp eq ptr %x, %y
  br i1 %same, label %old, label %another
another:
  %next = add i64 %i, 1
  %following = and i64 %next, %mask
  br label %look
new:
  store ptr %x, ptr %at
  store i64 %round, ptr %its.p
  ret i1 true
old:
  ret i1 false
}}
"""


def _look() -> str:
    """The Python function ``look(function, args, kwargs)`` of a table.

    It returns (arrays, others), two lists; or None.
    """
    c = _Code("looked", ["ptr %self", "ptr %args", "ptr %result"])
    f, op, do = c.f, c.op, c.do
    table = c.field("%self", layouts.DATA)
    places = op(f"getelementptr i64, ptr {table}, i64 {c.word(table, _PLACES)}")
    for i in range(3):
        at = op(f"getelementptr ptr, ptr {places}, i64 {i}")
        do(f"store ptr {c.word('%args', i, 'ptr')}, ptr {at}")
    do(f"store i64 {op(f'add i64 {c.word(table, _ROUND)}, 1')}, ptr {table}")
    accepted = op(f"getelementptr i64, ptr {table}, i64 {_ACCEPTED}")
    do(f"store i64 0, ptr {accepted}")
    collecting = c.call("PyGC_Disable")
    do(f"call void @walk(ptr {table})")
    result = f.stack("ptr")
    do(f"store ptr @_Py_NoneStruct, ptr {result}")
    with f.when(op(f"icmp ne i64 {op(f'load i64, ptr {accepted}')}, 0")):
        both = c.call("PyTuple_New", "2")
        found = op(f"getelementptr i64, ptr {table}, i64 {c.word(table, _FOUND)}")
        start = "0"
        for i, number in enumerate((_ARRAYS, _OTHERS)):
            n = c.word(table, number)
            part = c.call("PyList_New", n)
            with f.loop("0", n) as k:
                x = c.word(found, op(f"add i64 {k}, {start}"), "ptr")
                c.call("Py_IncRef", x)
                c.call("PyList_SetItem", part, k, x)
            c.call("PyTuple_SetItem", both, str(i), part)
            start = n
        do(f"store ptr {both}, ptr {result}")
    with f.when(op(f"icmp ne i32 {collecting}, 0")):
        c.call("PyGC_Enable")
    x = op(f"load ptr, ptr {result}")
    with f.when(op(f"icmp eq ptr {x}, @_Py_NoneStruct")):
        c.call("Py_IncRef", x)
        c.call("PyErr_Clear")  # of a comparison that failed
    do(f"store ptr {x}, ptr %result")
    return f.text()


def _write() -> str:
    """The Python function ``write(values, arrays, others)`` of a table: puts values into others.

    A value that is the very input that was there is there still.
    """
    c = _Code("written", ["ptr %self", "ptr %args", "ptr %result"])
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


def _python_function(name: str, inner: str) -> str:
    """What Python calls: (self, arguments, their number) to a new reference, null for an error."""
    return f"""
define ptr @{name}(ptr %self, ptr %args, i64 %n) #0 {{
  %result = alloca ptr
  store ptr null, ptr %result
  call void @{inner}(ptr %self, ptr %args, ptr %result)
  %x = load ptr, ptr %result
  ret ptr %x
}}
"""


@functools.cache
def _python(name: str, *types: Any) -> Any:
    """A function of Python's, for types of result and arguments of our own."""
    return ctypes.PYFUNCTYPE(*types)((name, ctypes.pythonapi))


def _address(name: str) -> int:
    address = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    assert address is not None
    return address


@functools.cache
def _library() -> Any:
    from koubai.compiler.runtime.jit import compile_text  # when first used, as import is slow

    slot = _python("PyType_GetSlot", ctypes.c_void_p, ctypes.py_object, ctypes.c_int)
    imports = {name: _address(name) for name in _API}
    imports |= {name: slot(kind, number) for name, (kind, number, _) in _SLOTS.items()}
    objects = {"_Py_NoneStruct": None, "PyLong_Type": int, "PyUnicode_Type": str}
    imports |= {name: id(x) for name, x in objects.items()}
    types = _API | {name: slot[2] for name, slot in _SLOTS.items()}
    declarations = [
        f"declare {type_.split(' ', 1)[0]} @{name}{type_.split(' ', 1)[1]}"
        for name, type_ in types.items()
    ]
    text = "\n".join(
        [
            *declarations,
            *[f"@{name} = external global i8" for name in objects],
            "declare i64 @llvm.smin.i64(i64, i64)",
            "declare i64 @llvm.smax.i64(i64, i64)",
            _IS_NEW,
            _walk(),
            _look(),
            _write(),
            _python_function("look", "looked"),
            _python_function("write", "written"),
            'attributes #0 = { nounwind "no-builtins" }',
        ]
    )
    # The optimiser takes three times as long as the rest, for a tenth of the time of a call.
    return compile_text(text, ["look", "write"], imports, level=0)


class _Method(ctypes.Structure):
    """Python's PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


@functools.cache
def _method(name: str) -> _Method:
    fastcall = 0x80
    return _Method(name.encode(), _library().addresses[name], fastcall, None)


def _function(name: str, table: Any) -> Any:
    make = _python(
        "PyCFunction_NewEx", ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p
    )
    return make(ctypes.addressof(_method(name)), table, None)


@functools.cache
def available() -> bool:
    """Whether there can be native walks in this process."""
    return (
        layouts.as_expected()
        and all(hasattr(ctypes.pythonapi, name) for name in _API)
        and importlib.util.find_spec("llvmlite") is not None
    )


def c_function(x: Any) -> int:
    """The address of what a built-in function or method runs."""
    return int(_python("PyCFunction_GetFunction", ctypes.c_void_p, ctypes.py_object)(x))


def dict_of(x: Any) -> Any:
    """The ``__dict__`` of ``x`` as the walk finds it; None if it has none."""
    types = (ctypes.py_object, ctypes.py_object, ctypes.c_void_p)
    try:
        return _python("PyObject_GenericGetDict", *types)(x, None)
    except AttributeError:
        return None


def looker(looks: Sequence[int], places: int, arrays: int, others: int) -> Any:
    """The function ``look(function, args, kwargs)``, which follows ``looks``.

    Args:
        looks: the steps, as words.
        places: how many places they use.
        arrays, others: how many results they take.
    """
    bits = max(3, (2 * places).bit_length())
    head = [0] * _LOOKS
    body = [*looks, LOOKS.index("DONE"), 2]
    head[_SHIFT] = 64 - bits
    sizes = [places, arrays + others, 2 * arrays, 2 << bits]
    starts = np.cumsum([_LOOKS + len(body), *sizes])
    head[_PLACES], head[_FOUND], head[_EXTENTS], head[_SEEN] = map(int, starts[:4])
    head[_ARRAYS], head[_OTHERS] = arrays, others
    table = np.zeros(int(starts[4]), np.uint64)
    table[: _LOOKS + len(body)] = [*head, *body]
    return _function("look", table)


def write(kind: str, value: int, was: int, container: int, operand: int) -> list[int]:
    """The words for one value that is put into a container.

    Args:
        kind: one of ``WRITES``.
        value, was, container: numbers of the value, of the input that was there (-1 for something
            else) and of the container, in the lists that the writer is called with.
        operand: where in the container: the offset of a slot, the address of a key, a number.
    """
    return [1 + WRITES.index(kind), 6, value, was % 2**64, container, operand]


def writer(writes: Sequence[int]) -> Any:
    """The function ``write(values, arrays, others)``, which follows ``writes``."""
    return _function("write", np.array([*writes, 0, 2], np.uint64))
