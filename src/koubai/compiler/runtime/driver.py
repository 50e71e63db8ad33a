"""The native code that all programs share: running steps, and calling a program from Python.

A program is a row of steps, three words each: the function, its operands, and whether the error
flag must be looked at after it. ``drive`` calls one after the other.

``enter`` is what Python calls, with a list of arrays; it returns a list of arrays, with no Python
between. It takes the addresses of the inputs, makes arrays for the outputs, and drives. An output
that takes the place of an input is written into its array if nobody else holds that. A program is
described by a row of words:

    table | steps | number of steps | inputs | outputs | most references
    of each input:   place in the table, or -1
    of each output:  place in the table, the input that it may replace or -1, ndim, shape, dtype
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.runtime.jit import Library, compile_text

_HEAD = 6
_TYPE, _DATA, _FLAGS = 8, 16, 64  # offsets in an ndarray
_USABLE = 0x1 | 0x100  # C-contiguous and aligned
_OWN = 0x4 | 0x400  # has its memory, and may be written to
_EMPTY = 184  # PyArray_Empty in NumPy's table of functions
_FASTCALL = 0x80

_API = """
declare ptr @PyList_GetItem(ptr, i64)
declare ptr @PyList_New(i64)
declare i32 @PyList_SetItem(ptr, i64, ptr)
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare ptr @PyArray_Empty(i32, ptr, ptr, i32)
@ndarray = external global i8
@None = external global i8
attributes #0 = { nounwind "no-builtins" }
"""


@dataclass(frozen=True)
class Output:
    """Of one output: its place in the table, the input that it may replace, and its type."""

    slot: int
    replaces: int | None
    shape: tuple[int, ...]
    dtype: Any


class Entry:
    """Calls a program: ``entry(arrays)`` is the list of outputs; None if it can't be called this
    way (an array that is not in C order), or has stopped.

    Args:
        table: of pointers, an int64 array; its first word is the address of the error flag.
        steps: an int64 array (n, 3).
        inputs: the place in the table of each; -1 for one that is not used.
        references: how many an array has that only the world and the list of arrays hold.
    """

    def __init__(
        self,
        table: Any,
        steps: Any,
        inputs: Sequence[int],
        outputs: Sequence[Output],
        references: int = 2,
    ) -> None:
        shapes = [np.array(x.shape, np.int64) for x in outputs]
        words = [table.ctypes.data, steps.ctypes.data, len(steps)]
        words += [len(inputs), len(outputs), references, *inputs]
        for x, shape in zip(outputs, shapes, strict=True):
            replaces = -1 if x.replaces is None else x.replaces
            words += [x.slot, replaces, len(x.shape), shape.ctypes.data, id(x.dtype)]
        description = np.array(words, np.int64)
        make = ctypes.pythonapi.PyCFunction_NewEx
        make.restype = ctypes.py_object
        make.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
        self.call = make(ctypes.addressof(_method()), description, None)
        self._kept = table, steps, shapes, outputs


def prepared(table: Any, steps: Any) -> Callable[[], None]:
    """A function that runs ``steps``, an int64 array (n, 3); it does not keep the arrays."""
    return functools.partial(_drive(), table.ctypes.data, steps.ctypes.data, len(steps))


@functools.cache
def _drive() -> Any:
    return _library().function("drive", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


class _Method(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


@functools.cache
def _method() -> _Method:
    return _Method(b"run", _library().addresses["enter"], _FASTCALL, None)


@functools.cache
def _library() -> Library:
    api = ctypes.pythonapi
    names = ["PyList_GetItem", "PyList_New", "PyList_SetItem", "Py_IncRef", "Py_DecRef"]
    imports = {name: ctypes.cast(getattr(api, name), ctypes.c_void_p).value or 0 for name in names}
    imports["PyArray_Empty"] = _numpys(_EMPTY)
    imports["ndarray"], imports["None"] = id(np.ndarray), id(None)
    return compile_text(_drive_code() + _enter_code() + _API, ["drive", "enter"], imports)


def _numpys(number: int) -> int:
    """The address of a function of NumPy's."""
    umath = import_module("numpy._core._multiarray_umath")
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    functions = get(umath._ARRAY_API, None)
    return (ctypes.c_void_p * (number + 1)).from_address(functions)[number] or 0


def _drive_code() -> str:
    f = Emitter("drive", ["ptr %table", "ptr %steps", "i64 %n"])
    error = f.op("load ptr, ptr %table")
    with f.loop("0", "%n") as i:
        step = f.op(f"getelementptr [3 x i64], ptr %steps, i64 {i}")
        function = f.op(f"load ptr, ptr {step}")
        operands = f.op(f"load ptr, ptr {f.op(f'getelementptr i64, ptr {step}, i64 1')}")
        check = f.op(f"load i64, ptr {f.op(f'getelementptr i64, ptr {step}, i64 2')}")
        f.do(f"call void {function}(ptr %table, ptr {operands})")
        with f.when(f.op(f"icmp ne i64 {check}, 0")):
            stopped = f.op(f"icmp ne i64 {f.op(f'load i64, ptr {error}')}, 0")
            goon = f.fresh("goon")
            f.do(f"br i1 {stopped}, label %stop, label %{goon}")
            f.label(goon)
    f.do("br label %stop")
    f.label("stop")
    return f.text()


def _enter_code() -> str:
    f = Emitter("enter", ["ptr %self", "ptr %args", "i64 %count"], result="ptr")

    def field(base: str, offset: int, type_: str = "ptr") -> str:
        return f.op(f"load {type_}, ptr {f.op(f'getelementptr i8, ptr {base}, i64 {offset}')}")

    def word(i: int | str, type_: str = "i64") -> str:
        return f.op(f"load {type_}, ptr {f.op(f'getelementptr i64, ptr {d}, i64 {i}')}")

    def put(slot: str, x: str) -> None:
        at = f.op(f"getelementptr i64, ptr {table}, i64 {slot}")
        f.do(f"store ptr {field(x, _DATA)}, ptr {at}")

    def unless(condition: str, otherwise: str) -> None:
        goon = f.fresh("goon")
        f.do(f"br i1 {condition}, label %{goon}, label %{otherwise}")
        f.label(goon)

    def has(x: str, flags: int) -> str:
        found = f.op(f"and i32 {field(x, _FLAGS, 'i32')}, {flags}")
        return f.op(f"icmp eq i32 {found}, {flags}")

    arrays = f.op("load ptr, ptr %args")
    d = field("%self", _DATA)
    table, steps = word(0, "ptr"), word(1, "ptr")
    n, inputs, outputs, most = (word(i) for i in range(2, _HEAD))
    with f.loop("0", inputs) as i:
        x = f.op(f"call ptr @PyList_GetItem(ptr {arrays}, i64 {i})")
        slot = word(f.op(f"add i64 {i}, {_HEAD}"))
        with f.when(f.op(f"icmp sge i64 {slot}, 0")):
            unless(f.op(f"icmp eq ptr {field(x, _TYPE)}, @ndarray"), "none")
            unless(has(x, _USABLE), "none")
            put(slot, x)
    first = f.op(f"add i64 {inputs}, {_HEAD}")
    results = f.op(f"call ptr @PyList_New(i64 {outputs})")
    unless(f.op(f"icmp ne ptr {results}, null"), "failed")
    with f.loop("0", outputs) as i:
        at = f.op(f"add i64 {first}, {f.op(f'mul i64 {i}, 5')}")
        slot, replaces, ndim = (word(f.op(f"add i64 {at}, {k}")) for k in range(3))
        shape, dtype = (word(f.op(f"add i64 {at}, {k}"), "ptr") for k in (3, 4))
        ask, make, use, done = (f.fresh(x) for x in ("ask", "make", "use", "done"))
        f.do(f"br i1 {f.op(f'icmp sge i64 {replaces}, 0')}, label %{ask}, label %{make}")
        f.label(ask)
        old = f.op(f"call ptr @PyList_GetItem(ptr {arrays}, i64 {replaces})")
        # Python counts references in 32 or 64 bits; the lower 32 are enough.
        references = f.op(f"zext i32 {field(old, 0, 'i32')} to i64")
        few = f.op(f"icmp sle i64 {references}, {most}")
        alone = f.op(f"and i1 {few}, {has(old, _OWN)}")
        f.do(f"br i1 {alone}, label %{use}, label %{make}")
        f.label(use)
        f.do(f"call void @Py_IncRef(ptr {old})")
        f.do(f"br label %{done}")
        f.label(make)
        f.do(f"call void @Py_IncRef(ptr {dtype})")
        n_axes = f.op(f"trunc i64 {ndim} to i32")
        new = f.op(f"call ptr @PyArray_Empty(i32 {n_axes}, ptr {shape}, ptr {dtype}, i32 0)")
        unless(f.op(f"icmp ne ptr {new}, null"), "given_up")
        last = f.block
        f.do(f"br label %{done}")
        f.label(done)
        y = f.op(f"phi ptr [ {old}, %{use} ], [ {new}, %{last} ]")
        f.op(f"call i32 @PyList_SetItem(ptr {results}, i64 {i}, ptr {y})")
        put(slot, y)
    error = f.op(f"load ptr, ptr {table}")
    f.do(f"store i64 0, ptr {error}")
    f.do(f"call void @drive(ptr {table}, ptr {steps}, i64 {n})")
    stopped = f.op(f"load i64, ptr {error}")
    unless(f.op(f"icmp eq i64 {stopped}, 0"), "stopped")
    f.do(f"ret ptr {results}")
    f.label("stopped")
    f.do(f"call void @Py_DecRef(ptr {results})")
    f.do("br label %none")
    f.label("none")
    f.do("call void @Py_IncRef(ptr @None)")
    f.do("ret ptr @None")
    f.label("given_up")
    f.do(f"call void @Py_DecRef(ptr {results})")
    f.do("br label %failed")
    f.label("failed")
    f.do("ret ptr null")
    return f.text()
