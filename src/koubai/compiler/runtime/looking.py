"""The native code of the walk through a world, see walker.py: what each kind of look does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from koubai.compiler.runtime import layouts
from koubai.compiler.runtime.steps import ACCESSORS, BASES, Steps

LOOKS: dict[str, int | None] = {
    "DONE": 0,
    "IS": 2,
    "SAME": 2,
    "BITS": 4,
    "EQUAL": 3,
    "TYPE": 2,
    "NEW": 2,
    "ARRAY": None,
    "TAKE": 2,
    "CONSTANT": 2,
    "TYPE_OF": 2,
    "VARS": 2,
    "VARS_AT": 3,
    "WORD": 3,
    "NO_WORD": 2,
    "BASES": 2,
    "NAME": 3,
    "NO_NAME": 2,
    "TUPLE": 3,
    "LIST": 3,
    "DEQUE": 3,
    "EMPTY": 1,
    "DICT": None,
    "ORDERED": None,
    "SET": 3,
    "CONTEXT": 2,
    "C_FUNCTION": 2,
    "EXTENT": 2,
    "APART": None,
    **dict.fromkeys(ACCESSORS, 2),
}
"""What the walk can look at, with the number of operands; these stand where its code is made."""

# The head of a table: words before the first look; see walker.py.
ROUND, SHIFT, SEEN, PLACES, FOUND, EXTENTS, ACCEPTED = range(7)
ARRAYS, OTHERS, OWNED, ROOM, HOLDS, PLACING, PROGRAM, RUN, OBSERVER, OUTPUTS, FIRST = range(7, 18)


class Seen:
    """Code for the table of the objects that were seen in this round.

    It is open addressing on (object, round), and never cleared.
    """

    def __init__(self, c: Steps) -> None:
        self.c, op = c, c.op
        self.round = c.word("%table", ROUND)
        self.shift = c.word("%table", SHIFT)
        self.table = op(f"getelementptr i64, ptr %table, i64 {c.word('%table', SEEN)}")
        size = op(f"shl i64 1, {op(f'sub i64 64, {self.shift}')}")
        self.mask = op(f"sub i64 {size}, 1")

    def need_new(self, x: str) -> None:
        """``x`` was not met before; it is remembered."""
        f, op, do = self.c.f, self.c.op, self.c.do
        look, taken, another, new = (f.fresh(x) for x in ("look", "taken", "another", "new"))
        i, following = f"%{f.fresh('i')}", f"%{f.fresh('i')}"
        hashed = op(f"mul i64 {op(f'ptrtoint ptr {x} to i64')}, -7046029254386353131")
        start, before = op(f"lshr i64 {hashed}, {self.shift}"), f.block
        do(f"br label %{look}")
        f.label(look)
        do(f"{i} = phi i64 [ {start}, %{before} ], [ {following}, %{another} ]")
        at = op(f"getelementptr [2 x i64], ptr {self.table}, i64 {i}")
        its_round = op(f"getelementptr i64, ptr {at}, i64 1")
        free = op(f"icmp ne i64 {op(f'load i64, ptr {its_round}')}, {self.round}")
        do(f"br i1 {free}, label %{new}, label %{taken}")
        f.label(taken)
        same = op(f"icmp eq ptr {op(f'load ptr, ptr {at}')}, {x}")
        do(f"br i1 {same}, label %no, label %{another}")
        f.label(another)
        do(f"{following} = and i64 {op(f'add i64 {i}, 1')}, {self.mask}")
        do(f"br label %{look}")
        f.label(new)
        do(f"store ptr {x}, ptr {at}")
        do(f"store i64 {self.round}, ptr {its_round}")


def walk() -> str:
    """The function ``walk``: follows the looks of a table; sets its word ``ACCEPTED``."""
    c = Steps("walk", ["ptr %table"])
    f, op, do = c.f, c.op, c.do
    seen = Seen(c)
    base = {
        name: op(f"getelementptr i64, ptr %table, i64 {c.word('%table', i)}")
        for name, i in (("places", PLACES), ("found", FOUND), ("extents", EXTENTS))
    }
    pos, key, value, count = (f.at_entry(f"alloca {t}") for t in ("i64", "ptr", "ptr", "i64"))
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
        seen.need_new(x)
    with c.kind("ARRAY"):  # place, type, kind of dtype, number, how many dimensions, dimensions...
        x = place(1)
        need_type(x, 2)
        kind = c.field(c.field(x, layouts.DTYPE), layouts.KIND, "i64")
        c.need_equal(kind, c.operand(3, "i64"), "i64")
        n = c.operand(5, "i64")
        c.need_equal(c.field(x, layouts.NDIM, "i32"), op(f"trunc i64 {n} to i32"), "i32")
        dimensions = c.field(x, layouts.DIMENSIONS)
        with f.loop("0", n) as i:
            expected = c.word(c.step, op(f"add i64 {i}, 7"))
            c.need_equal(c.word(dimensions, i), expected, "i64")
        seen.need_new(x)
        take(x, 4)
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
    with c.kind("VARS_AT"):  # place, offset, to: as VARS, if there is a dict already
        x = place(0)
        there = c.field(x, c.operand(1, "i64"))
        number = op(f"ptrtoint ptr {there} to i64")
        is_dict = op(f"icmp eq i64 {op(f'and i64 {number}, 1')}, 0")
        is_dict = op(f"and i1 {is_dict}, {op(f'icmp ne i64 {number}, 0')}")
        do(f"br i1 {is_dict}, label %there, label %not_there")
        f.label("not_there")
        made = c.call("PyObject_GenericGetDict", x, "null")
        with f.when(op(f"icmp eq ptr {made}, null")):
            c.call("PyErr_Clear")
        c.need(op(f"icmp ne ptr {made}, null"))
        c.call("Py_DecRef", made)
        last = f.block
        do("br label %mapping")
        f.label("there")
        do("br label %mapping")
        f.label("mapping")
        put(2, op(f"phi ptr [ {there}, %there ], [ {made}, %{last} ]"))
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
    for name in ("TUPLE", "LIST"):
        with c.kind(name):  # place, length, to
            x, n = place(0), c.operand(1, "i64")
            c.need_equal(c.field(x, layouts.SIZE, "i64"), n, "i64")
            if name == "TUPLE":
                first = op(f"getelementptr i8, ptr {x}, i64 {layouts.TUPLE_ITEMS}")
            else:
                first = c.field(x, layouts.LIST_ITEMS)
            to = op(f"getelementptr ptr, ptr {base['places']}, i64 {c.operand(2, 'i64')}")
            with f.loop("0", n) as i:
                item = c.word(first, i, "ptr")
                do(f"store ptr {item}, ptr {op(f'getelementptr ptr, ptr {to}, i64 {i}')}")
    with c.kind("DEQUE"):  # place, length, to
        x, n = place(0), c.operand(1, "i64")
        c.need_equal(c.call("deque_length", x), n, "i64")
        with f.loop("0", n) as i:
            item = c.call("deque_item", x, i)
            c.call("Py_DecRef", item)  # the deque holds it
            put(2, item, i)
    with c.kind("EMPTY"):  # place of a dict
        c.need_equal(c.field(place(0), layouts.SIZE, "i64"), "0", "i64")
    # Keys are the very objects or equal texts or integers; 0 stands for any, put behind the values.
    with c.kind("DICT"):  # place, length, to, how many keys to skip, these, keys
        x, n, skips = place(1), c.operand(2, "i64"), c.operand(4, "i64")
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
        put(3, op(f"load ptr, ptr {value}"), i)
        expected = c.word(c.step, op(f"add i64 {op(f'add i64 {i}, {skips}')}, 6"), "ptr")
        with f.when(op(f"icmp ne ptr {k}, {expected}")):
            put(3, k, op(f"add i64 {n}, {i}"))
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
    def each(iter_: str, first: int) -> Iterator[tuple[str, str, str]]:
        """The lines inside, for each item of what is in the place: the item, its number.

        Operand ``first`` is the place, the next one how many there must be. A line may go to the
        label that is yielded: no.
        """
        x, n = place(first), c.operand(first + 1, "i64")
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
        each("ordered_iter", 1) as (k, i, no),
    ):
        expected = c.word(c.step, op(f"add i64 {i}, 5"), "ptr")
        do(f"br i1 {op(f'icmp eq ptr {k}, {expected}')}, label %as_expected, label %{no}")
        f.label("as_expected")
        v = c.call("PyDict_GetItemWithError", place(1), k)
        do(f"br i1 {op(f'icmp ne ptr {v}, null')}, label %found, label %{no}")
        f.label("found")
        put(3, v, i)
    with c.kind("SET"), each("set_iter", 0) as (x, i, _):  # place, length, to
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
        i = c.operand(1, "i64")
        x = c.word(base["found"], i, "ptr")
        flag = op(f"and i32 {c.field(x, layouts.FLAGS, 'i32')}, {layouts.WRITEABLE}")
        c.need(op(f"icmp ne i32 {flag}, 0"))
        twice = op(f"shl i64 {i}, 1")
        low, high = (c.word(base["extents"], op(f"add i64 {twice}, {word}")) for word in (0, 1))
        with f.loop("0", c.operand(2, "i64")) as k:
            other = op(f"shl i64 {c.word(c.step, op(f'add i64 {k}, 4'))}, 1")
            its_low = c.word(base["extents"], other)
            its_high = c.word(base["extents"], op(f"add i64 {other}, 1"))
            before = op(f"icmp ule i64 {high}, {its_low}")
            after = op(f"icmp uge i64 {low}, {its_high}")
            c.need(op(f"or i1 {before}, {after}"))
    f.label("no")
    return c.text()
