"""Objects that native code calls, past Python's own way to a ``__call__``.

That way makes a frame and looks up in it what the call needs, which takes longer than all that a
shortcut does beside running a small program. A class written in C says in a field, ``tp_call``,
what calls its instances; ``call_natively`` gives a class of ours a base made that way.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from koubai.compiler.runtime import layouts, walker
from koubai.compiler.runtime.calling import FUNCTION, SHORTCUTS
from koubai.compiler.runtime.once import once


class Called:
    """The base of what is called: each shortcut is tried, then it is ``call_by_python``.

    Subclasses have the slots ``function`` and ``shortcuts``.
    """

    __slots__ = ()
    function: Callable[..., Any]
    shortcuts: list[Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        for shortcut in self.shortcuts:
            if (value := shortcut(self.function, args, kwargs)) is not walker.NO:
                return value
        return self.call_by_python(args, kwargs)

    def call_by_python(self, args: Any, kwargs: dict[str, Any] | None) -> Any:
        raise NotImplementedError


class _Slot(ctypes.Structure):
    """Python's PyType_Slot."""

    _fields_ = (("number", ctypes.c_int), ("value", ctypes.c_void_p))


class _Spec(ctypes.Structure):
    """Python's PyType_Spec."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("basic_size", ctypes.c_int),
        ("item_size", ctypes.c_int),
        ("flags", ctypes.c_uint),
        ("slots", ctypes.POINTER(_Slot)),
    )


_TP_CALL = 50
_IS_BASE_TYPE = 1 << 10


class _Plain:
    """The first base, so that the layout is that of a class in Python, as ``Called``'s is."""

    __slots__ = ()


@once
def call_natively(kind: type[Called]) -> None:
    """Let native code do what ``Called.__call__`` does, for all instances of ``kind``.

    If their layout is not the expected one, they are called by Python still.
    """
    slots = {FUNCTION: vars(kind)["function"], SHORTCUTS: vars(kind)["shortcuts"]}
    if any(layouts.slot_offset(slot) != offset for offset, slot in slots.items()):
        return
    fields = (_Slot * 2)(_Slot(_TP_CALL, walker.address("call_object")), _Slot(0, None))
    spec = _Spec(b"koubai.Native", 0, 0, _IS_BASE_TYPE, fields)
    make = walker.python("PyType_FromSpec", ctypes.py_object, ctypes.c_void_p)
    native = make(ctypes.addressof(spec))
    base = type("NativelyCalled", (_Plain, native), {"__slots__": ()})
    try:
        kind.__bases__ = (base,)
    except TypeError:  # Python does not think that the layouts are the same
        return
