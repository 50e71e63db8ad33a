"""The names that a function's code uses."""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Iterator


@functools.lru_cache(maxsize=4096)
def names_in(code: types.CodeType) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The globals that ``code`` names, and all names in it (attributes among them).

    Functions and classes that are made inside count too.

    >>> def f(x):
    ...     return lambda: config.rate * x
    >>> names_in(f.__code__)
    (('config',), ('config', 'rate'))
    """
    every: dict[str, None] = {}
    globals_: dict[str, None] = {}
    for part in _nested(code):
        every.update(dict.fromkeys(part.co_names))
        for instruction in dis.get_instructions(part):
            # LOAD_GLOBAL, STORE_GLOBAL, ..., and in the body of a class LOAD_NAME.
            if instruction.opname.endswith(("_GLOBAL", "_GLOBALS", "LOAD_NAME")):
                globals_[instruction.argval] = None
    return tuple(globals_), tuple(every)


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from _nested(const)
