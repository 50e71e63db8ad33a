"""``Traced``: an array without numbers, which writes down what is done with it.

It is what the arguments and the world of a compiled function are replaced by while the function
runs once. ``x + y`` on traced arrays appends an instruction to the program and returns another
traced array, which knows its dtype and its shape.

A write in place, ``x[mask] = 0``, makes the same object stand for another value, as everybody who
holds the NumPy array would see it change. A view knows what it is a view of: it is taken anew
when its base stands for another value, and a write to it is a write to the base.

    row = x[0]      # %1 = getitem %0
    x += 1          # x is %3 now; the next use of row is  %4 = getitem %3
    row += 1        # x is setitem of %3

NumPy's operations give scalars where they might give 0-d arrays; these can't be written to, and
``s += 1`` gives the name s to another scalar. A traced array that stands for one is ``scalar``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from koubai.array_methods import METHODS, ArrayMethods
from koubai.compiler.errors import NeedsNumber, TraceError, located
from koubai.compiler.primitives import PRIMITIVES, Type
from koubai.compiler.program import Instruction, Program
from koubai.compiler.trace.origins import Origins
from koubai.compiler.trace.statements import statement
from koubai.location import Location, caller, describe_location

_UNKNOWN = -1  # the number of no value

tracing: ContextVar[bool] = ContextVar("tracing", default=False)
"""Whether a function runs on traced arrays now."""


class OtherThread(Exception):
    """Another thread has the world, or has changed it: to be looked at again after ``wait``."""

    def __init__(self, trace: Trace | None = None) -> None:
        super().__init__()
        self.trace = trace

    def wait(self) -> None:
        """Until that thread has put the world back, if it runs a function on traced arrays."""
        if self.trace is not None:
            self.trace.restored.wait()


class Trace:
    """The program being written while a function runs on traced arrays.

    Attributes:
        program: what has been written so far.
        ended: whether the run is over; the program is complete then.
        thread: that of the run.
        restored: set when the function's world is as it was before the run.
        met: the NumPy arrays that became constants, and where.
        uses_up: whether gradients that have updated their Variable are not stored.
        used_up: by identity, the Variables that loops have updated so.
        gone: the values that have become a part of a loop's body, and are no longer here.
    """

    def __init__(self, uses_up: bool = False) -> None:
        self.program = Program([])
        self.uses_up = uses_up
        self.used_up: set[int] = set()
        self.gone: set[int] = set()
        self.ended = False
        self.thread = threading.get_ident()
        self.restored = threading.Event()
        self.met: list[tuple[Any, Location]] = []
        self.origins = Origins()

    def is_elsewhere(self) -> bool:
        """Whether it goes on in another thread than this."""
        return not self.restored.is_set() and self.thread != threading.get_ident()

    def input(self, type_: Type, scalar: bool) -> Traced:
        """A new input; all of them come before the first instruction."""
        self.program.inputs.append(type_)
        return Traced(self, len(self.program.inputs) - 1, type_, scalar)

    def emit(self, op: str, *inputs: Traced, **params: Any) -> Traced:
        """Append an instruction; the traced array is its result."""
        for x in inputs:
            if x.trace is not self or self.ended:
                raise TraceError(
                    f"{x!r} belongs to another compiled call, which has ended; pass arrays in as"
                    " arguments, and let the function return what is needed later"
                )
        values = tuple([x.value for x in inputs])
        if self.gone and not self.gone.isdisjoint(values):
            raise gone(next(x for x in inputs if x.value in self.gone))
        try:
            type_ = PRIMITIVES[op].infer(*[x.type for x in inputs], **params)
        except (ValueError, TypeError, IndexError) as error:
            operands = ", ".join(str(x.type) for x in inputs)
            raise located(error, f"{op}({operands}): ") from None
        location = caller()
        origin = self.origins.of_this_instruction(location)
        self.program.instructions.append(Instruction(op, values, params, type_, location, origin))
        return Traced(self, len(self.program.inputs) + len(self.program.instructions) - 1, type_)

    def constant(self, x: Any, dtype: Any = None) -> Traced:
        """``x``, numbers that are known, as a value of the program."""
        if isinstance(x, np.ndarray):
            self.met.append((x, caller()))
        value = np.array(x, dtype=dtype)
        value.flags.writeable = False  # it belongs to the program, and is used in every run
        return self.emit("constant", value=value)


def gone(x: Traced) -> TraceError:
    return TraceError(
        f"{x!r} was computed in a step of scan, which is over; let the step return it"
    )


@dataclass(frozen=True, eq=False)
class View:
    """How a view is taken: ``op`` of the primitives, on ``base``.

    Attributes:
        put: from the base and the new value of the view to the new value of the base. None for a
            reshape that is a view or a copy, depending on the order in memory: that does not
            matter unless one is used after a write to the other, which is refused.
    """

    base: Traced
    op: str
    operands: tuple[Traced, ...]
    params: dict[str, Any]
    put: Callable[[Traced, Traced], Traced] | None


class Traced(ArrayMethods):
    """An array in a function that is being compiled.

    Attributes:
        type: dtype and shape.
        scalar: whether it stands for a NumPy scalar.
        view: how it is a view of another; None if it has storage of its own.
    """

    __slots__ = ("__weakref__", "_from", "_value", "scalar", "trace", "type", "view")
    __hash__ = None  # type: ignore[assignment]  # as of ndarrays
    cannot = (
        "{function} cannot be compiled: it is not among the functions that the compiler knows, or"
        " has arguments that it does not know; write it with those that it knows (exp, sum, where,"
        " ...), or compute it outside the function and pass it in as an argument"
    )

    def __init__(self, trace: Trace, value: int, type_: Type, scalar: bool = False) -> None:
        self.trace, self._value, self.type, self.scalar = trace, value, type_, scalar
        self.view: View | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.type.shape

    @property
    def dtype(self) -> Any:
        return self.type.dtype

    # Views and writes.

    @property
    def base(self) -> Traced | None:
        """As of ndarrays: what this is a view of."""
        return self.view.base if self.view else None

    def as_view(
        self,
        op: str,
        base: Traced,
        *operands: Traced,
        put: Callable[[Traced, Traced], Traced] | None,
        **params: Any,
    ) -> Traced:
        """Note that this, the primitive ``op`` of ``base``, is a view in NumPy; see ``View``."""
        if not base.scalar:
            self.view, self._from = View(base, op, operands, params, put), base.value
        return self

    @property
    def value(self) -> int:
        """The number of the value in the program that it stands for now."""
        view = self.view
        stale = view is not None and (
            self._from != view.base.value or self._value in self.trace.gone
        )
        if self._value == _UNKNOWN or (stale and view is not None and view.put is None):
            raise TraceError(
                f"{self!r} is used after a write in place to a reshape of it, or to what it is a"
                " reshape of, which may share its memory or not; reshape a copy,"
                " x.copy().reshape(...)"
            )
        if stale and view is not None:
            new = self.trace.emit(view.op, view.base, *view.operands, **view.params)
            self._value, self._from = new._value, view.base.value
        return self._value

    def write(self, new: Traced) -> None:
        """Stand for the value of ``new`` from now on: a write in place."""
        if self.view is not None and self.view.put is not None:
            self.view.base.write(self.view.put(self.view.base, new))
            return
        value, root = new.value, self
        while root.view is not None:
            root = root.view.base
        root._value, self.view = _UNKNOWN, None
        self._value = value

    def _updated(self, new: Any) -> Traced:
        """x += y writes in place, as ndarrays do: dtype and shape stay."""
        if not isinstance(new, Traced):
            raise TraceError(
                f"a {type(new).__name__} cannot be written into {self!r} in place; write x = x + y"
            )
        if self.scalar:
            return new
        if not np.can_cast(new.dtype, self.dtype, "same_kind"):
            raise TraceError(
                f"{new.type} cannot be written into {self!r} in place; write x = x + y (or the"
                " like), which makes a new array"
            )
        xp = self.__array_namespace__()
        self.write(xp.broadcast_to(xp.astype(new, self.dtype), self.shape))
        return self

    def __iadd__(self, other: Any) -> Traced:
        return self._updated(self + other)

    def __isub__(self, other: Any) -> Traced:
        return self._updated(self - other)

    def __imul__(self, other: Any) -> Traced:
        return self._updated(self * other)

    def __itruediv__(self, other: Any) -> Traced:
        return self._updated(self / other)

    def __ipow__(self, other: Any) -> Traced:
        return self._updated(self**other)

    def __imatmul__(self, other: Any) -> Traced:
        return self._updated(self @ other)

    def __iand__(self, other: Any) -> Traced:
        return self._updated(self & other)

    def __ior__(self, other: Any) -> Traced:
        return self._updated(self | other)

    def __ixor__(self, other: Any) -> Traced:
        return self._updated(self ^ other)

    # NumPy's protocols.

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        from koubai.compiler.trace import namespace  # its functions make traced arrays

        return namespace

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if kwargs.get("out"):
            raise TraceError(
                f"np.{ufunc.__name__} into a NumPy array (out=, or += on an array that was made"
                " inside the function): its numbers are known only when the function runs; make"
                " the array with np.zeros_like(x) or np.zeros(shape, like=x), where x is"
                f" {self!r}"
            )
        if ufunc is np.add and method == "at":
            from koubai.compiler.trace.indexing import add_at  # it makes traced arrays

            return add_at(*inputs)
        try:
            return super().__array_ufunc__(ufunc, method, *inputs, **kwargs)
        except TypeError as error:
            raise TraceError(str(error)) from None

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func in _CREATION:  # np.zeros(shape, like=x)
            return self.trace.constant(func(*args, **kwargs))
        try:
            return super().__array_function__(func, types, args, kwargs)
        except TypeError as error:
            known = f"{getattr(func, '__module__', 'numpy')}.{func.__name__}" in str(error)
            raise TraceError(str(error) if known else f"np.{func.__name__}: {error}") from None

    # What would need the numbers.

    def _refuse(self, what: str, instead: str) -> NoReturn:
        message = f"{what} {self!r}, whose numbers are known only when the function runs; {instead}"
        if self.scalar and self.value < len(self.trace.program.inputs) and not self.trace.ended:
            raise NeedsNumber(message, self.value)
        raise TraceError(message)

    def __bool__(self) -> bool:
        self._refuse(
            "a decision (if, while, and, or) of",
            "write np.where(condition, a, b), or return the condition, and decide on what the call"
            " returns",
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        self._refuse_meeting(
            "np.array() or np.asarray() of",
            "leave it out; to make one array of several write np.stack(...); a NumPy array that is"
            " made inside the function is made with like=x, np.zeros(shape, like=x)",
        )

    def __float__(self) -> float:
        self._refuse_meeting(
            "float() of",
            "return it, and write float(...) on what the call returns; for math.exp write np.exp",
        )

    def _refuse_meeting(self, what: str, instead: str) -> NoReturn:
        """It met something that has numbers: an array that was made inside, or a call."""
        match statement():
            case "x[i]":
                what = "an index into a NumPy array that was made inside the function, with"
                instead = (
                    "make the array with like=x, np.eye(10, like=x), or outside the function (an"
                    " argument or a global)"
                )
            case "x[i] = y":
                what = "a write into a NumPy array that was made inside the function, with"
                instead = "make the array with np.zeros_like(x) or np.zeros(shape, like=x)"
        self._refuse(what, instead)

    def __int__(self) -> int:
        self._refuse("int() of", "return it, and write int(...) on what the call returns")

    def item(self) -> Any:
        self._refuse("item() of", "return it, and write .item() on what the call returns")

    def __index__(self) -> int:
        self._refuse(
            "an index, a length or a shape of",
            "pass a Python number, int(n), as an argument: the function is compiled for it",
        )

    def tolist(self) -> Any:
        self._refuse("tolist() of", "return it, and write .tolist() on what the call returns")

    def fill(self, value: Any) -> None:
        self[...] = value

    def __floordiv__(self, other: Any) -> NoReturn:
        raise TraceError("x // y cannot be compiled; write np.floor(x / y)")

    def __mod__(self, other: Any) -> NoReturn:
        raise TraceError("x % y cannot be compiled; write x - y * np.floor(x / y)")

    __rfloordiv__, __rmod__ = __floordiv__, __mod__

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"{self!r} has no {name!r}: traced arrays have the methods reshape, transpose,"
            f" flatten, ravel, fill, {', '.join(METHODS)}; write others as functions, np.sort(x)"
            f"\n  at {describe_location(caller())}"
        )

    def __repr__(self) -> str:
        return f"Traced({self.type})"

    def __format__(self, spec: str) -> str:
        return repr(self)


_CREATION = (np.array, np.asarray, np.empty, np.eye, np.full, np.ones, np.zeros)
