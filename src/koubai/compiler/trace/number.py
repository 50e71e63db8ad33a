"""``TracedFloat``: a Python float whose number is not known when the function is compiled.

A float in the world is a part of the key: another learning rate would be another program. One that
has changed once becomes an input, and this is what stands for it while the function runs:

    lr * 0.5        again a float, as in Python: float64, computed by the program
    lr * gradient   an array of the gradient's dtype, for Python's floats are weak in NumPy
    lr > 0          needs the number: the function is compiled for each value, after all

What might differ from Python's arithmetic by as much as an exception (1 / lr, lr ** 2) needs the
number too.
"""

from __future__ import annotations

from typing import Any, NoReturn

from koubai.compiler.errors import NeedsNumber
from koubai.compiler.primitives import Type
from koubai.compiler.trace.traced import Trace, Traced


class TracedFloat(Traced):
    """A Python float in a function that is being compiled.

    Attributes:
        origin: the input that it was computed from.
    """

    __slots__ = ("origin",)
    origin: int

    @classmethod
    def input(cls, trace: Trace, type_: Type) -> TracedFloat:
        """A new input."""
        x = trace.input(type_, scalar=True)
        return cls.of(x, x.value)

    @classmethod
    def of(cls, x: Traced, origin: int) -> TracedFloat:
        """The float with the number that the 0-d ``x`` stands for."""
        new = cls(x.trace, x.value, x.type, scalar=True)
        new.origin = origin
        return new

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return float  # to isinstance(); its type is another

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"'float' object has no attribute {name!r}")

    def _refuse(self, what: str, instead: str = "") -> NoReturn:
        raise NeedsNumber(f"{what} of a float that is an input now", self.origin)


def _operator(name: str) -> Any:
    """Python's operator on floats; with others it is that of traced arrays."""

    def operator(self: TracedFloat, *others: Any) -> Any:
        result = getattr(Traced, name)(self, *others)  # bound when all of the namespace is there
        return TracedFloat.of(result, self.origin) if _are_numbers(others) else result

    return operator


def _needs_with_numbers(name: str) -> Any:
    """An operator that needs the number if the other one is a number too."""

    def operator(self: TracedFloat, *others: Any) -> Any:
        if _are_numbers(others):
            self._refuse(name)
        return getattr(Traced, name)(self, *others)

    return operator


def _needs(name: str) -> Any:
    """A method that needs the number."""

    def method(self: TracedFloat, *args: Any) -> NoReturn:
        self._refuse(name)

    return method


def _are_numbers(xs: Any) -> bool:
    return all(type(x) in (TracedFloat, float, int, bool) for x in xs)


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "neg"):
    setattr(TracedFloat, f"__{_name}__", _operator(f"__{_name}__"))
for _name in ("add", "sub", "mul"):
    setattr(TracedFloat, f"__i{_name}__", _operator(f"__{_name}__"))
for _name in ("truediv", "rtruediv", "pow", "rpow", "eq", "ne", "lt", "le", "gt", "ge", "abs"):
    setattr(TracedFloat, f"__{_name}__", _needs_with_numbers(f"__{_name}__"))
for _name in ("floordiv", "rfloordiv", "mod", "rmod", "divmod", "rdivmod", "pos", "floor", "ceil"):
    setattr(TracedFloat, f"__{_name}__", _needs(f"__{_name}__"))
for _name in ("trunc", "round", "hash", "repr", "str", "format", "reduce_ex"):
    setattr(TracedFloat, f"__{_name}__", _needs(f"__{_name}__"))
for _name in ("is_integer", "hex", "as_integer_ratio", "conjugate", "real", "imag"):
    setattr(TracedFloat, _name, property(_needs(_name)))
