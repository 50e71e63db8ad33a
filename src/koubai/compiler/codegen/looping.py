"""The native code of loops, and of programs in which there are some.

``sequence`` runs parts of a program, one after the other: two words each, what it is and where it
is described. Rows of steps are run by ``run`` (driver.py); a loop by ``loop``, whose steps are a
sequence again, on a table of pointers of their own:

    constants    the same pointers in each step
    stacks       pointers that move on by one element after each step, of inputs and results
    carries      a pointer to read and one to write. They are equal where a step may write what it
                 has read; else there are two buffers, which change places after each step.

A loop is described by a row of words:

    length | table outside | table of the body | parts of the body | how many |
    constants | how many | stacks | how many | carries | how many | pace
    of each constant: place in the body's table, place in the outer one, offset in bytes
    of each stack:    the same of its first element, and the bytes from one step to the next
    of each carry:    places to read and to write; place and offset of what it is first; of the
                      result; how many bytes; the address of a second buffer, or 0

A carry with two buffers begins in the one from which its last value comes to where the result is to
be. After every ``pace`` steps, if that is not 0, the thread lets others run that wait for Python's
lock, and asks for signals: Ctrl-C stops the loop, as an error would.
"""

from __future__ import annotations

from koubai.compiler.codegen.emitter import Emitter

STEPS, LOOP = 0, 1
"""Kinds of parts."""

IMPORTS = {
    "memmove": "ptr (ptr, ptr, i64)",
    "PyEval_SaveThread": "ptr ()",
    "PyEval_RestoreThread": "void (ptr)",
    "PyErr_CheckSignals": "i32 ()",
}
"""What it needs from outside."""


def looping_code() -> str:
    """The functions ``sequence`` and ``loop``."""
    declared = []
    for name, type_ in IMPORTS.items():
        result, arguments = type_.split(" ", 1)
        declared.append(f"declare {result} @{name}{arguments}")
    return "\n".join([*declared, _sequence(), _loop()])


def _word(f: Emitter, base: str, i: int | str) -> str:
    return f.op(f"getelementptr i64, ptr {base}, i64 {i}")


def _value(f: Emitter, base: str, i: int | str, type_: str = "i64") -> str:
    return f.op(f"load {type_}, ptr {_word(f, base, i)}")


def _sequence() -> str:
    """Run ``n`` parts, unless one of them sets the error flag of ``table``."""
    f = Emitter("sequence", ["ptr %table", "ptr %parts", "i64 %n"])
    error = f.op("load ptr, ptr %table")
    with f.loop("0", "%n") as i:
        part = _word(f, "%parts", f.op(f"shl i64 {i}, 1"))
        described = _value(f, part, 1, "ptr")
        steps, loop, done = (f.fresh(label) for label in ("steps", "loop", "done"))
        is_loop = f.op(f"icmp eq i64 {_value(f, part, 0)}, {LOOP}")
        f.do(f"br i1 {is_loop}, label %{loop}, label %{steps}")
        f.label(steps)
        f.do(f"call void @run(ptr {described})")
        f.do(f"br label %{done}")
        f.label(loop)
        f.do(f"call void @loop(ptr {described})")
        f.do(f"br label %{done}")
        f.label(done)
        goon = f.fresh("goon")
        stopped = f.op(f"icmp ne i64 {f.op(f'load i64, ptr {error}')}, 0")
        f.do(f"br i1 {stopped}, label %stop, label %{goon}")
        f.label(goon)
    f.do("br label %stop")
    f.label("stop")
    return f.text()


def _loop() -> str:
    """All steps of the loop that ``%d`` describes."""
    f = Emitter("loop", ["ptr %d"], "internal")

    def rows(first: int, words: int) -> tuple[str, str, int]:
        return _value(f, "%d", first, "ptr"), _value(f, "%d", first + 1), words

    def row(base: str, i: str, words: int) -> str:
        return _word(f, base, f.op(f"mul i64 {i}, {words}"))

    length, outer, table = _value(f, "%d", 0), _value(f, "%d", 1, "ptr"), _value(f, "%d", 2, "ptr")
    parts, n_parts = _value(f, "%d", 3, "ptr"), _value(f, "%d", 4)
    constants, stacks, carries = rows(5, 3), rows(7, 4), rows(9, 8)
    pace = _value(f, "%d", 11)

    def outside(base: str, i: int) -> str:
        """The pointer to a place outside, of which words ``i`` and the next tell."""
        start = f.op(f"load ptr, ptr {_word(f, outer, _value(f, base, i))}")
        return f.op(f"getelementptr i8, ptr {start}, i64 {_value(f, base, i + 1)}")

    def put(base: str, i: int, pointer: str) -> None:
        """Into the place of the body's table that word ``i`` names; -1 is none."""
        place = _value(f, base, i)
        with f.when(f.op(f"icmp sge i64 {place}, 0")):
            f.do(f"store ptr {pointer}, ptr {_word(f, table, place)}")

    for base, count, words in (constants, stacks):
        with f.loop("0", count) as i:
            this = row(base, i, words)
            put(this, 0, outside(this, 1))
    base, count, words = carries
    is_odd = f.op(f"trunc i64 {length} to i1")
    with f.loop("0", count) as i:
        this = row(base, i, words)
        first, result, second = outside(this, 2), outside(this, 4), _value(f, this, 7, "ptr")
        has_two = f.op(f"icmp ne ptr {second}, null")
        swapped = f.op(f"and i1 {has_two}, {is_odd}")
        other = f.op(f"select i1 {has_two}, ptr {second}, ptr {result}")
        reads = f.op(f"select i1 {swapped}, ptr {second}, ptr {result}")
        writes = f.op(f"select i1 {swapped}, ptr {result}, ptr {other}")
        f.op(f"call ptr @memmove(ptr {reads}, ptr {first}, i64 {_value(f, this, 6)})")
        put(this, 0, reads)
        put(this, 1, writes)
    error, outer_error = f.op(f"load ptr, ptr {table}"), f.op(f"load ptr, ptr {outer}")
    f.do(f"store i64 0, ptr {error}")
    left = f.stack("i64")
    f.do(f"store i64 {pace}, ptr {left}")
    with f.loop("0", length):
        f.do(f"call void @sequence(ptr {table}, ptr {parts}, i64 {n_parts})")
        goon = f.fresh("goon")
        stopped = f.op(f"icmp ne i64 {f.op(f'load i64, ptr {error}')}, 0")
        f.do(f"br i1 {stopped}, label %stop, label %{goon}")
        f.label(goon)
        base, count, words = stacks
        with f.loop("0", count) as i:
            this = row(base, i, words)
            place = _value(f, this, 0)
            with f.when(f.op(f"icmp sge i64 {place}, 0")):
                at = _word(f, table, place)
                moved = f.op(f"load ptr, ptr {at}")
                moved = f.op(f"getelementptr i8, ptr {moved}, i64 {_value(f, this, 3)}")
                f.do(f"store ptr {moved}, ptr {at}")
        base, count, words = carries
        with f.loop("0", count) as i:
            this = row(base, i, words)
            with f.when(f.op(f"icmp ne i64 {_value(f, this, 7)}, 0")):
                one, two = _value(f, this, 0), _value(f, this, 1)
                x = f.op(f"load ptr, ptr {_word(f, table, one)}")
                y = f.op(f"load ptr, ptr {_word(f, table, two)}")
                f.do(f"store ptr {y}, ptr {_word(f, table, one)}")
                f.do(f"store ptr {x}, ptr {_word(f, table, two)}")
        now = f.op(f"sub i64 {f.op(f'load i64, ptr {left}')}, 1")
        f.do(f"store i64 {now}, ptr {left}")
        with f.when(f.op(f"icmp eq i64 {now}, 0")):
            f.do(f"store i64 {pace}, ptr {left}")
            thread = f.op("call ptr @PyEval_SaveThread()")
            f.do(f"call void @PyEval_RestoreThread(ptr {thread})")
            signalled = f.op("call i32 @PyErr_CheckSignals()")
            fine = f.fresh("fine")
            f.do(f"br i1 {f.op(f'icmp eq i32 {signalled}, 0')}, label %{fine}, label %stop")
            f.label(fine)
    f.do("ret void")
    f.label("stop")
    f.do(f"store i64 1, ptr {outer_error}")
    return f.text()
