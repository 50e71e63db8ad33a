"""``Traced``: an array without numbers, which writes down what is done with it.

It is what the arguments and the world of a compiled function are replaced by while the function
runs once. ``x + y`` on traced arrays appends an instruction to the program and returns another
traced array, which knows its dtype and its shape.

A write in place, ``x[mask] = 0``, makes the same object stand for another value, as everybody who
holds the NumPy array would see it change. Views are values of their own here, which would *not*
change; so a write to an array that has living views, or is one, is refused.
"""

from __future__ import annotations

import weakref
from typing import Any

from koubai.array_methods import ArrayMethods
from koubai.compiler.primitives import PRIMITIVES, Type
from koubai.compiler.program import Instruction, Program
from koubai.location import Location, caller, describe_location


class TraceError(Exception):
    """What cannot be compiled, the user's line, and the spelling that works."""

    def __init__(self, message: str, location: Location | None = None) -> None:
        super().__init__(f"{message}\n  at {describe_location(location or caller())}")


class Trace:
    """The program being written while a function runs on traced arrays."""

    def __init__(self) -> None:
        self.program = Program([])

    def input(self, type_: Type) -> Traced:
        """A new input; all of them come before the first instruction."""
        self.program.inputs.append(type_)
        return Traced(self, len(self.program.inputs) - 1, type_)

    def emit(self, op: str, *inputs: Traced, **params: Any) -> Traced:
        """Append an instruction; the traced array is its result."""
        for x in inputs:
            if x.trace is not self:
                raise TraceError(
                    f"{x!r} belongs to another compiled call, which has ended; pass arrays in as"
                    " arguments, or let the function return them"
                )
        type_ = PRIMITIVES[op].infer(*[x.type for x in inputs], **params)
        values = tuple([x.value for x in inputs])
        self.program.instructions.append(Instruction(op, values, params, type_, caller()))
        return Traced(self, len(self.program.inputs) + len(self.program.instructions) - 1, type_)


class Traced(ArrayMethods):
    """An array in a function that is being compiled."""

    __slots__ = ("__weakref__", "base", "trace", "type", "value", "views")
    __hash__ = object.__hash__
    cannot = (
        "{function} asks for the numbers of a traced array, which a compiled function has only when"
        " it runs; use koubai's operations, or compute it outside and pass it in"
    )

    def __init__(self, trace: Trace, value: int, type_: Type) -> None:
        self.trace, self.value, self.type = trace, value, type_
        self.base: Traced | None = None
        self.views: list[weakref.ref[Traced]] = []

    @property
    def shape(self) -> tuple[int, ...]:
        return self.type.shape

    @property
    def dtype(self) -> Any:
        return self.type.dtype

    def as_view_of(self, x: Traced) -> Traced:
        """Note that NumPy would have made this a view of ``x``."""
        self.base = x
        x.views.append(weakref.ref(self))
        return self

    def write(self, new: Traced) -> None:
        """Stand for the value of ``new`` from now on: a write in place."""
        if self.base is not None or any(view() is not None for view in self.views):
            raise TraceError(
                f"a write in place to {self!r}, which shares its memory with a view; write to a"
                " copy: x = x.copy(); x[...] = ..."
            )
        self.value = new.value

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        from koubai.compiler.trace import namespace  # its functions make traced arrays

        return namespace

    def __bool__(self) -> bool:
        raise TraceError(
            f"a decision (if, while, and, or) on {self!r}, whose value is not known when the"
            " function is compiled; write where(condition, a, b), or decide outside"
        )

    def item(self) -> Any:
        raise TraceError(self.cannot.format(function="item()"))

    def __index__(self) -> int:
        raise TraceError(self.cannot.format(function="an index or a length"))

    def __repr__(self) -> str:
        return f"Traced({self.type})"

    # x += y writes in place, as ndarrays do; the dtype stays.

    def _update(self, new: Traced) -> Traced:
        xp = self.__array_namespace__()
        self.write(xp.broadcast_to(xp.astype(new, self.dtype), self.shape))
        return self

    def __iadd__(self, other: Any) -> Traced:
        return self._update(self + other)

    def __isub__(self, other: Any) -> Traced:
        return self._update(self - other)

    def __imul__(self, other: Any) -> Traced:
        return self._update(self * other)

    def __itruediv__(self, other: Any) -> Traced:
        return self._update(self / other)

    def __and__(self, other: Any) -> Any:
        return self.__array_namespace__().logical_and(self, other)

    def __or__(self, other: Any) -> Any:
        return self.__array_namespace__().logical_or(self, other)

    def __invert__(self) -> Any:
        return self.__array_namespace__().logical_not(self)
