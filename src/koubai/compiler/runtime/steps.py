"""What the native walk and the native placing are made with: lists of steps, Python's functions.

Both are a loop over a list of steps, which are words: the number of the step's kind, and its
operands. Kinds with as many operands as there may be tell, as the first one, how many words a step
has. Of the others the loop knows it: so it need not wait for a word of one step to find the next.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from koubai.compiler.codegen.emitter import Emitter

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

API = {
    "PyCell_Get": "ptr (ptr)",
    "PyCell_Set": "i32 (ptr, ptr)",
    "PyCFunction_GetFunction": "ptr (ptr)",
    "PyContextVar_Get": "i32 (ptr, ptr, ptr)",
    "PyDict_GetItemWithError": "ptr (ptr, ptr)",
    "PyDict_New": "ptr ()",
    "PyDict_Next": "i32 (ptr, ptr, ptr, ptr)",
    "PyDict_SetItem": "i32 (ptr, ptr, ptr)",
    "PyErr_Clear": "void ()",
    "PyErr_NoMemory": "ptr ()",
    "PyGC_Disable": "i32 ()",
    "PyGC_Enable": "i32 ()",
    "PyIter_Next": "ptr (ptr)",
    "PyList_Append": "i32 (ptr, ptr)",
    "PyList_GetItem": "ptr (ptr, i64)",
    "PyList_New": "ptr (i64)",
    "PyList_SetItem": "i32 (ptr, i64, ptr)",
    "PyList_Size": "i64 (ptr)",
    "PyMem_Free": "void (ptr)",
    "PyMem_Malloc": "ptr (i64)",
    "PyObject_GenericGetDict": "ptr (ptr, ptr)",
    "PyObject_RichCompareBool": "i32 (ptr, ptr, i32)",
    "PyObject_Vectorcall": "ptr (ptr, ptr, i64, ptr)",
    "PyObject_VectorcallMethod": "ptr (ptr, ptr, i64, ptr)",
    "PyTuple_GetItem": "ptr (ptr, i64)",
    "PyTuple_New": "ptr (i64)",
    "PyTuple_SetItem": "i32 (ptr, i64, ptr)",
    "PyTuple_Size": "i64 (ptr)",
    "PyType_GenericAlloc": "ptr (ptr, i64)",
    "PyType_GetSlot": "ptr (ptr, i32)",
    "Py_DecRef": "void (ptr)",
    "Py_IncRef": "void (ptr)",
    **dict.fromkeys(ACCESSORS.values(), "ptr (ptr)"),
}
# Slots of Python's own types, by their numbers in the stable interface (typeslots.h).
SLOTS = {
    "deque_item": (deque, 44, "ptr (ptr, i64)"),
    "deque_length": (deque, 45, "i64 (ptr)"),
    "ordered_iter": (OrderedDict, 62, "ptr (ptr)"),
    "set_iter": (set, 62, "ptr (ptr)"),
}
BASES = 49
"""The number of the slot with a class's bases."""


SIGNATURES = API | {name: slot[2] for name, slot in SLOTS.items()}


class Steps:
    """An emitter of such a loop."""

    def __init__(
        self, name: str, parameters: Sequence[str], linkage: str = "internal", result: str = "void"
    ) -> None:
        self.f = Emitter(name, parameters, linkage, result)
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
        type_ = SIGNATURES[function]
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

    def steps(self, first: str, kinds: Mapping[str, int | None]) -> None:
        """The loop, from the step at ``first`` on; ``kinds`` as ``numbered`` takes them."""
        self._from = [f"[ {first}, %{self.f.block} ]"]
        self._kinds, self.step = kinds, "%step"
        self.do("br label %dispatch")
        self.f.label("dispatch")
        self._head = self.f.here()
        kind = self.word(self.step, 0)
        cases = " ".join(f"i64 {i}, label %{name}" for i, name in enumerate(kinds))
        self.do(f"switch i64 {kind}, label %no [ {cases} ]")

    def go(self, to: str) -> None:
        """Go on with the step at ``to``."""
        self._from.append(f"[ {to}, %{self.f.block} ]")
        self.do("br label %dispatch")

    def text(self) -> str:
        self.f.insert(self._head, f"%step = phi ptr {', '.join(self._from)}")
        return self.f.text()

    def operand(self, i: int, type_: str = "ptr") -> str:
        return self.word(self.step, 1 + i, type_)

    @contextmanager
    def kind(self, name: str) -> Iterator[None]:
        """The lines inside are one kind of step."""
        self.f.label(name)
        number = self._kinds[name]
        words = self.operand(0, "i64") if number is None else str(1 + number)
        self.after = self.op(f"getelementptr i64, ptr {self.step}, i64 {words}")
        yield
        self.go(self.after)


def numbered(kinds: Mapping[str, int | None], name: str, *operands: int) -> list[int]:
    """The words of one step.

    Args:
        kinds: how many operands each kind has; None for any number, which follow their own.
    """
    words = [list(kinds).index(name), *operands]
    number = kinds[name]
    if number is None:
        words.insert(1, len(words) + 1)
    else:
        assert number == len(operands), name
    return words
