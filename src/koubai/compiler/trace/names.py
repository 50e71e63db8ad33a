"""The names that a function's code uses."""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Iterator
from typing import NamedTuple


class Names(NamedTuple):
    """The globals, the modules imported inside, and all names, attributes among them."""

    globals: tuple[str, ...]
    imports: tuple[str, ...]
    all: tuple[str, ...]


@functools.lru_cache(maxsize=4096)
def names_in(code: types.CodeType) -> Names:
    """The names in ``code``; those in functions and classes that are made inside count too.

    >>> def f(x):
    ...     import settings
    ...     return lambda: config.rate * x
    >>> names_in(f.__code__)
    Names(globals=('config',), imports=('settings',), all=('settings', 'config', 'rate'))
    """
    found: dict[str, dict[str, None]] = {"globals": {}, "imports": {}, "all": {}}
    for part in _nested(code):
        found["all"].update(dict.fromkeys(part.co_names))
        for instruction in dis.get_instructions(part):
            # LOAD_GLOBAL, STORE_GLOBAL, ..., and in the body of a class LOAD_NAME.
            if instruction.opname.endswith(("_GLOBAL", "_GLOBALS", "LOAD_NAME")):
                found["globals"][instruction.argval] = None
            elif instruction.opname == "IMPORT_NAME":
                found["imports"][instruction.argval] = None
    return Names(*[tuple(names) for names in found.values()])


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from _nested(const)
