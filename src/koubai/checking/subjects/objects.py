"""What is asked of the objects under check: their arrays, arguments and copies."""

from __future__ import annotations

import copy
import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Array = Any


def argument_names(f: Callable[..., Any], count: int) -> list[str]:
    """The names of a function's first ``count`` arguments."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # of builtin functions
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    several = next((p.name for p in parameters if p.kind == p.VAR_POSITIONAL), "x")
    names += [f"{several}[{i}]" for i in range(count - len(names))]
    return names[:count]


def real(x: Any) -> bool:
    """Whether ``x`` is a number or array that has a gradient."""
    return isinstance(x, float) or (
        isinstance(x, (np.ndarray, np.generic)) and np.asarray(x).dtype.kind == "f"
    )


def is_numbers(g: Any) -> bool:
    """Whether ``g`` is an array of numbers, or can be made one: no None, no ragged list."""
    try:
        return np.asarray(g).dtype.kind in "fiub"
    except Exception:  # whatever somebody's object raises
        return False


def as_list(x: Any) -> list[Any]:
    return list(x) if isinstance(x, (tuple, list)) else [x]


def like_output(gy: Array, y: Any) -> Any:
    """An upstream gradient in the form of the output: a number for a number."""
    return float(gy) if isinstance(y, float) and not isinstance(y, np.generic) else np.array(gy)


def shared(gradients: dict[str, Any], owned: dict[str, Any]) -> list[tuple[str, str]]:
    """Gradients that overlap in memory with one another, or with the arrays that are owned."""
    found = [(f"the gradient of {n}", g) for n, g in gradients.items()]
    others = found + list(owned.items())
    return [
        (a, b)
        for i, (a, x) in enumerate(found)
        for b, y in others[i + 1 :]
        if isinstance(x, np.ndarray) and isinstance(y, np.ndarray) and np.shares_memory(x, y)
    ]


def same(x: Any, y: Any) -> bool:
    if not real(x) or not real(y):
        return bool(np.array_equal(x, y)) if x is not None else y is None
    return bool(np.array_equal(x, y, equal_nan=True))


def promoted(x: Any) -> Any:
    """A deep copy in which arrays of fewer than 64 bits are float64."""
    memo: dict[int, Any] = {}
    for a in reachable(x):
        if a.dtype.kind == "f" and a.dtype.itemsize < 8:
            memo[id(a)] = a.astype(np.float64)
    if isinstance(x, np.generic) and x.dtype.kind == "f":
        return np.float64(x)
    return copy.deepcopy(x, memo)


def reachable(x: Any, kind: type = np.ndarray) -> Iterator[Any]:
    """The arrays in an object, or other things: in its attributes and containers, and theirs."""
    stack, seen = [x], set()
    while stack:
        x = stack.pop()
        if id(x) in seen or isinstance(x, (type, types.ModuleType, types.FunctionType, str)):
            continue
        seen.add(id(x))
        if isinstance(x, kind):
            yield x
        elif isinstance(x, dict):
            stack += x.values()
        elif isinstance(x, (list, tuple, set, frozenset)):
            stack += x
        else:
            stack += getattr(x, "__dict__", {}).values()
            for cls in type(x).__mro__:
                for name in getattr(cls, "__slots__", ()):
                    stack.append(getattr(x, name, None))


def write(x: Array, value: Array) -> None:
    """x[...] = value; complex numbers, of the complex step, are refused by a real array."""
    np.copyto(x, value, casting="same_kind")
