"""The native code that all programs share: running steps, and calling a program from Python.

A program is a row of steps, three words each: the function, its operands, and whether the error
flag must be looked at after it. ``drive`` calls one after the other.

``perform`` runs a program on a row of arrays, with no Python between: it takes the addresses of the
inputs, makes arrays for the outputs, and drives. An output that takes the place of an input is
written into its array if nobody else holds that. ``enter`` is the same for Python, with lists. A
program is described by a row of words:

    table | steps | number of steps | inputs | outputs | most references, for ``enter`` |
    pool, or 0 | chunks | phases | marks | number of phases, 0 if one thread runs it
    of each input:   place in the table, or -1; whether it is a scalar
    of each output:  place in the table, the input that it may replace or -1, ndim, shape, dtype
"""

from __future__ import annotations

import ctypes
import platform
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.codegen.looping import IMPORTS, looping_code
from koubai.compiler.codegen.sharing import (
    GET_BLAS,
    JOB,
    SET_BLAS,
    THREADS,
    can_share,
    sharing_code,
)
from koubai.compiler.runtime.jit import Library, compile_text
from koubai.compiler.runtime.once import once

_HEAD = 11
_TYPE, _DATA, _FLAGS = 8, 16, 64  # offsets in an ndarray
_VALUE = 16  # in a float, and in a scalar of NumPy's
_USABLE = 0x1 | 0x100  # C-contiguous and aligned
_OWN = 0x4 | 0x400  # has its memory, and may be written to
_EMPTY = 184  # PyArray_Empty in NumPy's table of functions
_FASTCALL = 0x80
DONE, STOPPED, FAILED = range(3)
"""How it went: stopped is also what could not begin, failed what has raised an error."""

_API = """
declare ptr @PyList_GetItem(ptr, i64)
declare ptr @PyList_New(i64)
declare i32 @PyList_SetItem(ptr, i64, ptr)
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare ptr @PyMem_Malloc(i64)
declare void @PyMem_Free(ptr)
declare ptr @PyErr_NoMemory()
declare ptr @PyArray_Empty(i32, ptr, ptr, i32)
@ndarray = external global i8
@None = external global i8
attributes #0 = { nounwind "no-builtins" }
"""
_FUNCTIONS = """
declare void @drive(ptr, ptr, i64)
declare i64 @perform(ptr, ptr, ptr, i64)
"""


@dataclass(frozen=True)
class Output:
    """Of one output: its place in the table, the input that it may replace, and its type."""

    slot: int
    replaces: int | None
    shape: tuple[int, ...]
    dtype: Any


@dataclass(frozen=True)
class Shared:
    """How threads share a program, all int64 arrays: its chunks (n, 2), its phases (n, 2), and room
    for marks; see codegen/sharing.py."""

    chunks: Any
    phases: Any
    marks: Any

    def words(self) -> list[int]:
        arrays = (self.chunks, self.phases, self.marks)
        return [*(x.ctypes.data for x in arrays), len(self.phases)]


class Entry:
    """Calls a program: ``call(arrays)`` is the list of outputs; None if it can't be called this
    way (an array that is not in C order), or has stopped.

    Args:
        table: of pointers, an int64 array; its first word is the address of the error flag.
        steps: an int64 array (n, 3).
        inputs: the place in the table of each; -1 for one that is not used.
        scalars: inputs that are Python floats or NumPy's scalars.
        pool: the words of the pool, if it has products or is shared.
        shared: how threads share it, if they do.
        references: how many an array has that only the world and the list of arrays hold.
    """

    def __init__(
        self,
        table: Any,
        steps: Any,
        inputs: Sequence[int],
        scalars: Collection[int],
        outputs: Sequence[Output],
        pool: Any,
        shared: Shared | None,
        references: int = 2,
    ) -> None:
        shapes = [np.array(x.shape, np.int64) for x in outputs]
        words = head(table, steps, pool, shared).tolist()
        words[3:6] = len(inputs), len(outputs), references
        words += [word for i, slot in enumerate(inputs) for word in (slot, i in scalars)]
        for x, shape in zip(outputs, shapes, strict=True):
            replaces = -1 if x.replaces is None else x.replaces
            words += [x.slot, replaces, len(x.shape), shape.ctypes.data, id(x.dtype)]
        description = np.array(words, np.int64)
        make = ctypes.pythonapi.PyCFunction_NewEx
        make.restype = ctypes.py_object
        make.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
        self.call = make(ctypes.addressof(_method()), description, None)
        self.description = description
        self._kept = table, steps, shapes, outputs, pool, shared


def head(table: Any, steps: Any, pool: Any, shared: Shared | None) -> Any:
    """The first words of a description, all that ``run`` needs; arguments as ``Entry``'s."""
    words = [table.ctypes.data, steps.ctypes.data, len(steps), 0, 0, 0]
    words += [0 if pool is None else pool.ctypes.data]
    return np.array([*words, *(shared.words() if shared else [0] * 4)], np.int64)


@once
def sequence_function() -> Any:
    """Runs parts of a program, with Python's lock: of the table, the parts, and their number."""
    words = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64
    return ctypes.PYFUNCTYPE(None, *words)(_library().addresses["sequence"])


class _Method(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


@once
def _method() -> _Method:
    return _Method(b"run", _library().addresses["enter"], _FASTCALL, None)


@once
def _library() -> Library:
    api = ctypes.pythonapi
    names = ["PyList_GetItem", "PyList_New", "PyList_SetItem", "Py_IncRef", "Py_DecRef"]
    names += ["PyMem_Malloc", "PyMem_Free", "PyErr_NoMemory"]
    imports = {name: ctypes.cast(getattr(api, name), ctypes.c_void_p).value or 0 for name in names}
    imports["PyArray_Empty"] = _numpys(_EMPTY)
    imports["ndarray"], imports["None"] = id(np.ndarray), id(None)
    for name in IMPORTS:
        function = ctypes.memmove if name == "memmove" else getattr(api, name)
        imports[name] = ctypes.cast(function, ctypes.c_void_p).value or 0
    codes = [_drive_code(), _perform_code(), looping_code(), _API]
    exports = ["drive", "perform", "enter", "sequence"]
    seldom = [_enter_code(), _FUNCTIONS, _API]  # and what threads wait for one another with
    machine = platform.machine()
    if sys.platform == "linux" and can_share(machine):
        codes += [_run_code(shares=True), "declare void @share(ptr)"]
        seldom.append(sharing_code(machine))
        exports += ["worker", "pauses", "send_home"]
        imports["syscall"] = ctypes.cast(ctypes.CDLL(None).syscall, ctypes.c_void_p).value or 0
    else:
        codes.append(_run_code(shares=False))
    return compile_text("\n".join(codes), exports, imports, "\n".join(seldom))


def perform() -> int:
    """The address of ``perform``."""
    return _library().addresses["perform"]


def worker() -> Any:
    """The life of a worker: of the address of the pool, and its number."""
    return _library().function("worker", ctypes.c_void_p, ctypes.c_int64)


def send_home(pool: Any) -> None:
    """Tell the workers of ``pool`` to end."""
    _library().function("send_home", ctypes.c_void_p)(pool.ctypes.data)


def seconds_of_a_pause() -> float:
    """How long one takes on this processor."""
    pauses, n, times = _library().function("pauses", ctypes.c_int64), 2000, []
    for _ in range(5):
        start = time.perf_counter()
        pauses(n)
        times.append((time.perf_counter() - start) / n)
    return min(times)


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


def _run_code(shares: bool) -> str:
    """Run a program that is described by ``%d``, alone or with the workers."""
    f = Emitter("run", ["ptr %d"], "internal")

    def word(base: str, i: int) -> str:
        return f.op(f"getelementptr i64, ptr {base}, i64 {i}")

    def value(i: int) -> str:
        return f.op(f"load i64, ptr {word('%d', i)}")

    table = f.op(f"load ptr, ptr {word('%d', 0)}")
    steps = f.op(f"load ptr, ptr {word('%d', 1)}")
    pool, blas = f.op(f"load ptr, ptr {word('%d', 6)}"), f.stack("i32")
    f.do(f"store i32 1, ptr {blas}")
    with f.when(f.op(f"icmp ne ptr {pool}, null")):
        get = f.op(f"load ptr, ptr {word(pool, GET_BLAS)}")
        with f.when(f.op(f"icmp ne ptr {get}, null")):
            before = f.op(f"call i32 {get}()")
            f.do(f"store i32 {before}, ptr {blas}")
            with f.when(f.op(f"icmp ne i32 {before}, 1")):
                f.do(f"call void {f.op(f'load ptr, ptr {word(pool, SET_BLAS)}')}(i32 1)")
    if shares:
        count = value(10)
        with f.when(f.op(f"icmp ne i64 {count}, 0")):
            threads = f.op(f"load i64, ptr {word(pool, THREADS)}")
            with f.when(f.op(f"icmp sgt i64 {threads}, 1")):
                job = [value(0), value(1), value(7), value(8), value(9), threads, count]
                for i, x in enumerate(job):
                    f.do(f"store i64 {x}, ptr {word(pool, JOB + i)}")
                f.do(f"call void @share(ptr {pool})")
                f.do("br label %done")
                f.label(f.fresh("unreachable"))
    f.do(f"call void @drive(ptr {table}, ptr {steps}, i64 {value(2)})")
    f.do("br label %done")
    f.label("done")
    before = f.op(f"load i32, ptr {blas}")
    with f.when(f.op(f"icmp ne i32 {before}, 1")):
        f.do(f"call void {f.op(f'load ptr, ptr {word(pool, SET_BLAS)}')}(i32 {before})")
    return f.text()


def _perform_code() -> str:
    """``perform(description, inputs, outputs, most references)``, see the top of the file.

    The inputs are borrowed, what is put into outputs is not: an array, or null for an output that
    was written into the array of the input whose place it takes.
    """
    parameters = ["ptr %d", "ptr %inputs", "ptr %outputs", "i64 %most"]
    f = Emitter("perform", parameters, result="i64")

    def field(base: str, offset: int, type_: str = "ptr") -> str:
        return f.op(f"load {type_}, ptr {f.op(f'getelementptr i8, ptr {base}, i64 {offset}')}")

    def word(i: int | str, type_: str = "i64", base: str = "%d") -> str:
        return f.op(f"load {type_}, ptr {f.op(f'getelementptr i64, ptr {base}, i64 {i}')}")

    def put(slot: str, data: str) -> None:
        f.do(f"store ptr {data}, ptr {f.op(f'getelementptr i64, ptr {table}, i64 {slot}')}")

    def unless(condition: str, otherwise: str) -> None:
        goon = f.fresh("goon")
        f.do(f"br i1 {condition}, label %{goon}, label %{otherwise}")
        f.label(goon)

    def has(x: str, flags: int) -> str:
        found = f.op(f"and i32 {field(x, _FLAGS, 'i32')}, {flags}")
        return f.op(f"icmp eq i32 {found}, {flags}")

    made, status = (f.at_entry("alloca i64") for _ in range(2))
    f.do(f"store i64 0, ptr {made}")  # so many outputs are there
    f.do(f"store i64 {STOPPED}, ptr {status}")
    table = word(0, "ptr")
    inputs, outputs = word(3), word(4)
    with f.loop("0", inputs) as i:
        x = word(i, "ptr", "%inputs")
        at = f.op(f"add i64 {f.op(f'shl i64 {i}, 1')}, {_HEAD}")
        slot, is_scalar = word(at), word(f.op(f"add i64 {at}, 1"))
        with f.when(f.op(f"icmp sge i64 {slot}, 0")):
            array, scalar, done = (f.fresh(label) for label in ("array", "scalar", "done"))
            scalars = f.op(f"icmp ne i64 {is_scalar}, 0")
            f.do(f"br i1 {scalars}, label %{scalar}, label %{array}")
            f.label(scalar)
            put(slot, f.op(f"getelementptr i8, ptr {x}, i64 {_VALUE}"))
            f.do(f"br label %{done}")
            f.label(array)
            unless(f.op(f"icmp eq ptr {field(x, _TYPE)}, @ndarray"), "undone")
            unless(has(x, _USABLE), "undone")
            put(slot, field(x, _DATA))
            f.do(f"br label %{done}")
            f.label(done)
    first = f.op(f"add i64 {f.op(f'shl i64 {inputs}, 1')}, {_HEAD}")
    with f.loop("0", outputs) as i:
        at = f.op(f"add i64 {first}, {f.op(f'mul i64 {i}, 5')}")
        slot, replaces, ndim = (word(f.op(f"add i64 {at}, {k}")) for k in range(3))
        shape, dtype = (word(f.op(f"add i64 {at}, {k}"), "ptr") for k in (3, 4))
        ask, make, use, done = (f.fresh(x) for x in ("ask", "make", "use", "done"))
        f.do(f"br i1 {f.op(f'icmp sge i64 {replaces}, 0')}, label %{ask}, label %{make}")
        f.label(ask)
        old = word(replaces, "ptr", "%inputs")
        # Python counts references in 32 or 64 bits; the lower 32 are enough.
        references = f.op(f"zext i32 {field(old, 0, 'i32')} to i64")
        few = f.op(f"icmp sle i64 {references}, %most")
        alone = f.op(f"and i1 {few}, {has(old, _OWN)}")
        f.do(f"br i1 {alone}, label %{use}, label %{make}")
        f.label(use)
        f.do(f"br label %{done}")
        f.label(make)
        f.do(f"call void @Py_IncRef(ptr {dtype})")
        n_axes = f.op(f"trunc i64 {ndim} to i32")
        new = f.op(f"call ptr @PyArray_Empty(i32 {n_axes}, ptr {shape}, ptr {dtype}, i32 0)")
        unless(f.op(f"icmp ne ptr {new}, null"), "failed")
        last = f.block
        f.do(f"br label %{done}")
        f.label(done)
        y = f.op(f"phi ptr [ {old}, %{use} ], [ {new}, %{last} ]")
        made_anew = f.op(f"phi ptr [ null, %{use} ], [ {new}, %{last} ]")
        f.do(f"store ptr {made_anew}, ptr {f.op(f'getelementptr ptr, ptr %outputs, i64 {i}')}")
        f.do(f"store i64 {f.op(f'add i64 {i}, 1')}, ptr {made}")
        put(slot, field(y, _DATA))
    error = f.op(f"load ptr, ptr {table}")
    f.do(f"store i64 0, ptr {error}")
    f.do("call void @run(ptr %d)")
    stopped = f.op(f"load i64, ptr {error}")
    unless(f.op(f"icmp eq i64 {stopped}, 0"), "undone")
    f.do(f"ret i64 {DONE}")
    f.label("failed")
    f.do(f"store i64 {FAILED}, ptr {status}")
    f.do("br label %undone")
    f.label("undone")
    with f.loop("0", f.op(f"load i64, ptr {made}")) as i:
        at = f.op(f"getelementptr ptr, ptr %outputs, i64 {i}")
        f.do(f"call void @Py_DecRef(ptr {f.op(f'load ptr, ptr {at}')})")
        f.do(f"store ptr null, ptr {at}")
    f.do(f"ret i64 {f.op(f'load i64, ptr {status}')}")
    return f.text()


def _enter_code() -> str:
    """``perform`` as a Python function, of a list."""
    f = Emitter("enter", ["ptr %self", "ptr %args", "i64 %count"], result="ptr")
    arrays = f.op("load ptr, ptr %args")
    d = f.op(f"load ptr, ptr {f.op(f'getelementptr i8, ptr %self, i64 {_DATA}')}")
    inputs, outputs, most = (
        f.op(f"load i64, ptr {f.op(f'getelementptr i64, ptr {d}, i64 {i}')}") for i in (3, 4, 5)
    )
    # First, as it may collect garbage, and so run Python, and so this very program.
    results = f.op(f"call ptr @PyList_New(i64 {outputs})")
    row = f.op(f"add i64 {inputs}, {outputs}")
    row = f.op(f"call ptr @PyMem_Malloc(i64 {f.op(f'shl i64 {row}, 3')})")
    lacks = [f.op(f"icmp eq ptr {x}, null") for x in (results, row)]
    f.do(f"br i1 {f.op(f'or i1 {lacks[0]}, {lacks[1]}')}, label %no_memory, label %go")
    f.label("no_memory")
    f.op("call ptr @PyErr_NoMemory()")
    f.do("br label %end")
    f.label("go")
    with f.loop("0", inputs) as i:
        x = f.op(f"call ptr @PyList_GetItem(ptr {arrays}, i64 {i})")
        f.do(f"store ptr {x}, ptr {f.op(f'getelementptr ptr, ptr {row}, i64 {i}')}")
    made = f.op(f"getelementptr ptr, ptr {row}, i64 {inputs}")
    status = f.op(f"call i64 @perform(ptr {d}, ptr {row}, ptr {made}, i64 {most})")
    last = f.block
    f.do(f"switch i64 {status}, label %end [ i64 {DONE}, label %done i64 {STOPPED}, label %no ]")
    f.label("done")
    first = f.op(f"add i64 {f.op(f'shl i64 {inputs}, 1')}, {_HEAD + 1}")
    with f.loop("0", outputs) as i:
        at = f.op(f"getelementptr ptr, ptr {made}, i64 {i}")
        with f.when(f.op(f"icmp eq ptr {f.op(f'load ptr, ptr {at}')}, null")):
            replaces = f.op(f"add i64 {first}, {f.op(f'mul i64 {i}, 5')}")
            replaces = f.op(f"getelementptr i64, ptr {d}, i64 {replaces}")
            replaces = f.op(f"load i64, ptr {replaces}")
            old = f.op(f"load ptr, ptr {f.op(f'getelementptr ptr, ptr {row}, i64 {replaces}')}")
            f.do(f"call void @Py_IncRef(ptr {old})")
            f.do(f"store ptr {old}, ptr {at}")
        y = f.op(f"load ptr, ptr {at}")
        f.op(f"call i32 @PyList_SetItem(ptr {results}, i64 {i}, ptr {y})")
    f.do(f"call void @PyMem_Free(ptr {row})")
    f.do(f"ret ptr {results}")
    f.label("no")
    f.do("call void @Py_IncRef(ptr @None)")
    f.do("br label %end")
    f.label("end")
    y = f.op(f"phi ptr [ null, %no_memory ], [ null, %{last} ], [ @None, %no ]")
    f.do(f"call void @Py_DecRef(ptr {results})")
    f.do(f"call void @PyMem_Free(ptr {row})")
    f.do(f"ret ptr {y}")
    return f.text()
