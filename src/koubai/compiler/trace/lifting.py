"""What every function of traced arrays begins with: arguments of all kinds, made traced arrays.

Traced arrays meet NumPy arrays, NumPy scalars and Python numbers, which become constants of the
program, and Variables, whose functions are koubai's own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from koubai.compiler.errors import located
from koubai.compiler.primitives import BOOL
from koubai.compiler.trace.number import TracedFloat
from koubai.compiler.trace.traced import Trace, Traced
from koubai.core import Variable


def function(f: Callable[..., Any], room: str = "") -> Callable[..., Any]:
    """``f``, a function of traced arrays, for arguments of every kind.

    With a Variable among them it is koubai's function of that name; with NumPy arrays alone
    NumPy's, computed now. Both from the namespace's ``room``, "linalg" for instance.
    """

    def find(xp: Any) -> Any:
        return getattr(getattr(xp, room, None) if room else xp, f.__name__, None)

    @functools.wraps(f)
    def dispatched(*args: Any, **kwargs: Any) -> Any:
        xs = list(_flat((*args, *kwargs.values())))
        variable = next((x for x in xs if isinstance(x, Variable)), None)
        if variable is not None:
            others = find(variable.__array_namespace__())
            if others is None:
                raise TypeError(variable.cannot.format(function=f"np.{f.__name__}"))
            return others(*args, **kwargs)
        if any(isinstance(x, Traced) for x in xs):
            try:
                return f(*args, **kwargs)
            except (ValueError, TypeError, IndexError) as error:
                raise located(error) from None
        return find(np)(*args, **kwargs)

    return dispatched


def _flat(args: tuple[Any, ...]) -> Iterator[Any]:
    """The arguments, and those in tuples and lists: an index, arrays to be joined."""
    for x in args:
        yield from x if isinstance(x, (tuple, list)) else (x,)


def trace_of(*xs: Any) -> Trace:
    """The trace to which the traced arrays among ``xs`` belong."""
    return next(x.trace for x in _flat(xs) if isinstance(x, Traced))


def traced(trace: Trace, x: Any, dtype: Any) -> Traced:
    """``x`` as a traced array of ``dtype``: itself, cast, or a constant of the program."""
    if not isinstance(x, Traced):
        return trace.constant(x, dtype)
    if x.dtype == dtype:
        return x
    y = trace.emit("cast", x, dtype=str(np.dtype(dtype)))
    y.scalar = x.scalar
    return y


def as_scalar(y: Traced) -> Traced:
    """``y`` as a result of one of NumPy's operations, which is a scalar where it is 0-d."""
    y.scalar = not y.shape
    return y


def dtype_of(x: Any) -> Any:
    """The dtype of an operand; ``int`` or ``float`` for Python's numbers, which are weak."""
    if isinstance(x, TracedFloat):
        return float
    if isinstance(x, Traced | np.ndarray | np.generic):
        return x.dtype
    if isinstance(x, bool):
        return BOOL
    if isinstance(x, int | float):
        return int if isinstance(x, int) else float
    return np.asarray(x).dtype
