"""Native calls: one looks at a function's world, runs the program, and puts results into the world.

``World`` looks at everything by Python, which takes longer than many a step. While it does, it
writes down each look as a few numbers (trace/looks.py); the code here follows that list. It is
compiled once in a process, and serves all functions.

A list of looks works on *places*, each of which holds a reference to an object. Places 0 to 2 are
the function, its arguments (a tuple and a dict); each look checks what is in one place, or loads
what it refers to into others:

    TUPLE 1 2 3         place 1 holds a tuple of 2 elements: into places 3 and 4
    ARRAY 3 ...         place 3 holds an array of this dtype and shape
    VARS 0 5            the __dict__ of what is in place 0: into place 5

If all looks see what was seen then, the arrays that they found go to the program, as a row of
addresses (driver.py). No Python code runs on the way, the collector of garbage included, so the
borrowed references in the places stay good. Another list of steps, on the outputs and on objects
that the looks found, makes the function's value and assigns (placing.py).

All that belongs to one world is in one *table* of words:

    head | looks | steps of placing | places | found: arrays, others | extents | seen

The head says where each part begins, and how long some are, see looking.py.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from koubai.compiler.interpret import observer
from koubai.compiler.runtime import driver, jit, layouts, looking
from koubai.compiler.runtime.calling import ARGUMENTS, CALL, CALL_OBJECT, called, run_by_python
from koubai.compiler.runtime.looking import LOOKS, walk
from koubai.compiler.runtime.once import once
from koubai.compiler.runtime.placing import place
from koubai.compiler.runtime.steps import API, SIGNATURES, SLOTS, numbered

NO = object()
"""What a native call returns if the world is another one."""
_NO_NAMES: dict[str, Any] = {}
_BY_PYTHON = sys.intern("call_by_python")


@functools.cache
def python(name: str, *types: Any) -> Any:
    """A function of Python's, for types of result and arguments of our own."""
    return ctypes.PYFUNCTYPE(*types)((name, ctypes.pythonapi))


def _address_of(name: str) -> int:
    address = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    assert address is not None
    return address


@once
def _library() -> Any:
    from koubai.compiler.runtime.jit import compile_text  # when first used, as import is slow

    slot = python("PyType_GetSlot", ctypes.c_void_p, ctypes.py_object, ctypes.c_int)
    imports = {name: _address_of(name) for name in API}
    imports |= {name: slot(kind, number) for name, (kind, number, _) in SLOTS.items()}
    objects: dict[str, Any] = {"_Py_NoneStruct": None, "PyLong_Type": int, "PyUnicode_Type": str}
    objects |= {"no": NO, "no_names": _NO_NAMES, "by_python": _BY_PYTHON}
    imports |= {name: id(x) for name, x in objects.items()}
    imports["perform"] = driver.perform()
    declarations = [f"@{name} = external global i8" for name in objects]
    declarations += ["declare i64 @llvm.smin.i64(i64, i64)", "declare i64 @llvm.smax.i64(i64, i64)"]
    declarations += [
        f"declare {type_.split(' ', 1)[0]} @{name}{type_.split(' ', 1)[1]}"
        for name, type_ in SIGNATURES.items()
    ]
    attributes = 'attributes #0 = { nounwind "no-builtins" }'
    others = (
        "declare i64 @perform(ptr, ptr, ptr, i64)\ndeclare i1 @run_by_python(ptr, ptr, ptr, i32)"
    )
    text = [*declarations, others, walk(), place(), called(), CALL_OBJECT, attributes]
    seldom = [*declarations, CALL, run_by_python(), attributes]
    return compile_text("\n".join(text), ["call", "call_object"], imports, "\n".join(seldom))


def address(name: str) -> int:
    """Where ``call`` or ``call_object`` begins, see calling.py."""
    return int(_library().addresses[name])


class _Method(ctypes.Structure):
    """Python's PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


@once
def _method() -> _Method:
    fastcall = 0x80
    return _Method(b"call", address("call"), fastcall, None)


@functools.cache
def available() -> bool:
    """Whether there can be native walks in this process."""
    return (
        layouts.as_expected()
        and all(hasattr(ctypes.pythonapi, name) for name in API)
        and jit.IS_THERE
    )


def c_function(x: Any) -> int:
    """The address of what a built-in function or method runs."""
    return int(python("PyCFunction_GetFunction", ctypes.c_void_p, ctypes.py_object)(x))


def dict_of(x: Any) -> Any:
    """The ``__dict__`` of ``x`` as the walk finds it; None if it has none."""
    types = (ctypes.py_object, ctypes.py_object, ctypes.c_void_p)
    try:
        return python("PyObject_GenericGetDict", *types)(x, None)
    except AttributeError:
        return None


@dataclass(frozen=True)
class Program:
    """What a native call runs.

    Attributes:
        run: the outputs for a list of arrays, by Python.
        outputs: how many.
        entry: by native code, if it can be entered once for all of it.
    """

    run: Callable[[list[Any]], list[Any]]
    outputs: int
    entry: driver.Entry | None


@dataclass(frozen=True)
class Placing:
    """How results are placed, see placing.py.

    Attributes:
        words: the steps.
        made: how many values are made.
        writes: how many steps may keep an old value.
        runs_python: whether one may run Python's code.
    """

    words: Sequence[int]
    made: int
    writes: int
    runs_python: bool


def caller(
    looks: Sequence[int],
    places: int,
    arrays: int,
    others: int,
    program: Program,
    placing: Placing,
    kept: list[Any],
) -> Any:
    """The function ``call(function, args, kwargs)``: looks, runs the program, and places results.

    Its value is NO, and nothing has happened, if the looks did not see what was seen.

    Args:
        looks: the steps of the walk, as words.
        places: how many places they use.
        arrays, others: how many results they take.
        kept: objects that the words refer to by address.
    """
    bits = max(3, (2 * places).bit_length())
    head = [0] * looking.FIRST
    body = [*looks, *numbered(LOOKS, "DONE")]
    parts = {
        looking.PLACING: len(placing.words),
        looking.PLACES: places,
        looking.FOUND: arrays + others,
        looking.EXTENTS: 2 * arrays,
        looking.SEEN: 2 << bits,
    }
    size = looking.FIRST + len(body)
    for number, length in parts.items():
        head[number] = size
        size += length
    head[looking.SHIFT] = 64 - bits
    counts = {
        looking.ARRAYS: arrays,
        looking.OTHERS: others,
        looking.OUTPUTS: program.outputs,
        looking.OWNED: program.outputs + placing.made,
        looking.ROOM: program.outputs + placing.made + others + ARGUMENTS + placing.writes,
        looking.HOLDS: placing.runs_python,
        looking.PROGRAM: program.entry.description.ctypes.data if program.entry else 0,
        looking.RUN: id(program.run),
        looking.OBSERVER: id(observer),
    }
    for number, word in counts.items():
        head[number] = word
    table = np.zeros(size, np.uint64)
    words = [*head, *body, *placing.words]
    table[: len(words)] = words
    make = python(
        "PyCFunction_NewEx", ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.py_object
    )
    # The last one is for the name of a module, and keeps alive whatever is there.
    return make(ctypes.addressof(_method()), table, [*kept, program])
