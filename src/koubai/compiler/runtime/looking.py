"""The native code of the walk through a world, see walker.py: what each kind of look does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from koubai.compiler.runtime import layouts
from koubai.compiler.runtime.steps import ACCESSORS, BASES, Steps

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

# The head of the table of looks: words before the first look.
ROUND, SHIFT, SEEN, PLACES, FOUND, ARRAYS, OTHERS, EXTENTS, ACCEPTED, FIRST = range(10)


def walk() -> str:
    """The function ``walk``: follows the looks of a table; sets its word ``ACCEPTED``."""
    c = Steps("walk", ["ptr %table"])
    f, op, do = c.f, c.op, c.do
    base = {
        name: op(f"getelementptr i64, ptr %table, i64 {c.word('%table', i)}")
        for name, i in (("places", PLACES), ("found", FOUND), ("extents", EXTENTS))
    }
    pos, key, value, count = (f.stack(t) for t in ("i64", "ptr", "ptr", "i64"))
    first_look = op(f"getelementptr i64, ptr %table, i64 {FIRST}")
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
        accepted = op(f"getelementptr i64, ptr %table, i64 {ACCEPTED}")
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
        put(1, c.call("PyType_GetSlot", place(0), str(BASES)))
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


IS_NEW = f"""
; Whether this object was not met before in this round; it is remembered. The table of what was seen
; is open addressing on (object, round), never cleared.
define internal i1 @is_new(ptr %table, ptr %x) #0 {{
  %round = load i64, ptr %table
  %shift.p = getelementptr i64, ptr %table, i64 {SHIFT}
  %shift = load i64, ptr %shift.p
  %seen.p = getelementptr i64, ptr %table, i64 {SEEN}
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


def look() -> str:
    """The Python function ``look(function, args, kwargs)`` of a table.

    It returns (arrays, others), two lists; or None.
    """
    c = Steps("looked", ["ptr %self", "ptr %args", "ptr %result"])
    f, op, do = c.f, c.op, c.do
    table = c.field("%self", layouts.DATA)
    places = op(f"getelementptr i64, ptr {table}, i64 {c.word(table, PLACES)}")
    for i in range(3):
        at = op(f"getelementptr ptr, ptr {places}, i64 {i}")
        do(f"store ptr {c.word('%args', i, 'ptr')}, ptr {at}")
    do(f"store i64 {op(f'add i64 {c.word(table, ROUND)}, 1')}, ptr {table}")
    accepted = op(f"getelementptr i64, ptr {table}, i64 {ACCEPTED}")
    do(f"store i64 0, ptr {accepted}")
    collecting = c.call("PyGC_Disable")
    do(f"call void @walk(ptr {table})")
    result = f.stack("ptr")
    do(f"store ptr @_Py_NoneStruct, ptr {result}")
    with f.when(op(f"icmp ne i64 {op(f'load i64, ptr {accepted}')}, 0")):
        both = c.call("PyTuple_New", "2")
        found = op(f"getelementptr i64, ptr {table}, i64 {c.word(table, FOUND)}")
        start = "0"
        for i, number in enumerate((ARRAYS, OTHERS)):
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
