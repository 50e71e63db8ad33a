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
from collections.abc import Sequence
from typing import Any

import numpy as np

from koubai.compiler.runtime import jit, layouts, writing
from koubai.compiler.runtime.looking import (
    ARRAYS,
    EXTENTS,
    FIRST,
    FOUND,
    IS_NEW,
    LOOKS,
    OTHERS,
    PLACES,
    SEEN,
    SHIFT,
    look,
    walk,
)
from koubai.compiler.runtime.once import once
from koubai.compiler.runtime.steps import API, SIGNATURES, SLOTS, python_function
from koubai.compiler.runtime.writing import WRITES


@functools.cache
def _python(name: str, *types: Any) -> Any:
    """A function of Python's, for types of result and arguments of our own."""
    return ctypes.PYFUNCTYPE(*types)((name, ctypes.pythonapi))


def _address(name: str) -> int:
    address = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    assert address is not None
    return address


@once
def _library() -> Any:
    from koubai.compiler.runtime.jit import compile_text  # when first used, as import is slow

    slot = _python("PyType_GetSlot", ctypes.c_void_p, ctypes.py_object, ctypes.c_int)
    imports = {name: _address(name) for name in API}
    imports |= {name: slot(kind, number) for name, (kind, number, _) in SLOTS.items()}
    objects = {"_Py_NoneStruct": None, "PyLong_Type": int, "PyUnicode_Type": str}
    imports |= {name: id(x) for name, x in objects.items()}
    declarations = [
        f"declare {type_.split(' ', 1)[0]} @{name}{type_.split(' ', 1)[1]}"
        for name, type_ in SIGNATURES.items()
    ]
    text = "\n".join(
        [
            *declarations,
            *[f"@{name} = external global i8" for name in objects],
            "declare i64 @llvm.smin.i64(i64, i64)",
            "declare i64 @llvm.smax.i64(i64, i64)",
            IS_NEW,
            walk(),
            look(),
            writing.write(),
            python_function("look", "looked"),
            python_function("write", "written"),
            'attributes #0 = { nounwind "no-builtins" }',
        ]
    )
    return compile_text(text, ["look", "write"], imports)


class _Method(ctypes.Structure):
    """Python's PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


@once
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
        and all(hasattr(ctypes.pythonapi, name) for name in API)
        and jit.IS_THERE
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
    head = [0] * FIRST
    body = [*looks, LOOKS.index("DONE"), 2]
    head[SHIFT] = 64 - bits
    sizes = [places, arrays + others, 2 * arrays, 2 << bits]
    starts = np.cumsum([FIRST + len(body), *sizes])
    head[PLACES], head[FOUND], head[EXTENTS], head[SEEN] = map(int, starts[:4])
    head[ARRAYS], head[OTHERS] = arrays, others
    table = np.zeros(int(starts[4]), np.uint64)
    table[: FIRST + len(body)] = [*head, *body]
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
