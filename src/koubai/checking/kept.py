"""Arrays that functions keep for backward, and whether somebody has written into them since.

    y = x * w           # Multiply keeps the arrays of x and w
    x.data[...] = 0     # backward would use the zeros: a wrong gradient, and nobody says so

A checksum of each is taken when the function is called, and compared before a backward pass. What
a user's function writes into its own arrays while it runs (running means, ``self.grads[0][...] =``)
is its own business, and such arrays are left alone from then on.
"""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from koubai.checking.graphs import argument_names, call_of, name_of
from koubai.core import Function
from koubai.core.variable import array_of

Checksums = list[tuple[str, Any, int]]
"""Of each array: what the function calls it, the array, and its checksum."""

CHECKSUMS = "_checksums"
"""The function's attribute that holds them; a snapshot of the function has them too."""
_NOT_KEPT = {"_inputs", "_outputs", "_number", "_location", "_tuple_types", CHECKSUMS}


def checksums(f: Function) -> Checksums:
    """The arrays that ``f`` holds now."""
    return [(label, x, _checksum(x)) for label, x in _arrays_of(f)]


def remember(f: Function) -> None:
    """Take the checksums of what ``f`` has kept in the call that has just ended."""
    vars(f)[CHECKSUMS] = checksums(f)


def written(before: Checksums) -> Iterator[tuple[str, Any]]:
    """The arrays that are not as they were, with what they are called."""
    return ((label, x) for label, x, checksum in before if _checksum(x) != checksum)


def refuse_changed(functions: Iterable[Function], own: dict[int, Any]) -> None:
    """Raise if an array that one of ``functions`` keeps was changed since; ``own`` are exempt.

    Raises:
        ValueError: naming the function, the array, and what to write instead.
    """
    for f in functions:
        still = {id(x) for _, x in _arrays_of(f)} - own.keys()
        for label, x in written(vars(f).get(CHECKSUMS, [])):
            if id(x) in still:
                raise ValueError(_message(f, label, x))


def _message(f: Function, label: str, x: Any) -> str:
    names = argument_names(f, f._inputs)
    shared = [
        name
        for name, v in zip(names, f._inputs, strict=False)
        if isinstance(array_of(v), np.ndarray) and np.may_share_memory(array_of(v), x)
    ]
    whose = f", the array of its input {shared[0]}" if shared else ""
    return (
        f"an array that {name_of(f)} keeps for backward was written into after the call: its"
        f" {label}{whose}. The gradient would be wrong.\n  {call_of(f)}\n  Give the Variable a new"
        " array in place of writing into the old one: x.data = x.data - step, not x.data -= step"
        " or x.data[...] = step; or write after backward(), or into a copy"
    )


def _checksum(x: Any) -> int:
    return zlib.crc32(np.ascontiguousarray(x).reshape(-1).view(np.uint8).data)


def _arrays_of(f: Function) -> Iterator[tuple[str, Any]]:
    """The arrays among the attributes of ``f``, also inside lists, dicts and other layers."""
    own = {name: x for name, x in vars(f).items() if name not in _NOT_KEPT}
    seen: set[int] = set()
    waiting = list(own.items())
    if _reads_inputs(f):
        names = argument_names(f, f._inputs)
        waiting += [
            (f"{name}.data", array_of(x)) for name, x in zip(names, f._inputs, strict=False)
        ]
    while waiting:
        label, x = waiting.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        if isinstance(x, np.ndarray):
            if not x.dtype.hasobject:
                yield label, x
        elif isinstance(x, dict):
            waiting += [(f"{label}[{key!r}]", value) for key, value in x.items()]
        elif isinstance(x, (list, tuple)):
            waiting += [(f"{label}[{i}]", value) for i, value in enumerate(x)]
        elif hasattr(type(x), "forward") and hasattr(type(x), "backward"):
            waiting += [(f"{label}.{n}", v) for n, v in vars(x).items() if n not in _NOT_KEPT]


def _reads_inputs(f: Function) -> bool:
    """Whether a user's backward says ``self.input.data``; ours keep what they need."""
    backward: Any = inspect.unwrap(type(f).backward)
    code = getattr(backward, "__code__", None)
    return not f._is_ours and code is not None and not {"input", "inputs"}.isdisjoint(code.co_names)
