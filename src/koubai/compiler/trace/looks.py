"""What a walk through the world looks at, written down so that native code can do it again.

``World`` tells a ``Looks`` of each thing that it looks at; the words that come out are what
runtime/walker.py follows. A place is a number for "where this reference was found": two are equal
in two calls if they were come by in the same way, whatever object is there.

What native code can't look at (a mappingproxy, a text array, ...) leaves the looks incomplete:
these worlds are walked through in each call.
"""

from __future__ import annotations

import functools
import gc
import itertools
import sys
import types
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

from koubai.compiler.not_stored import NotStored
from koubai.compiler.runtime import layouts, walker
from koubai.compiler.runtime.looking import LOOKS
from koubai.compiler.runtime.steps import numbered
from koubai.compiler.trace.contents import (
    CONSTANTS,
    Attributes,
    Cell,
    Container,
    Elements,
    Globals,
    Items,
    Members,
    OfClass,
    OfFunction,
    Partial,
)

FUNCTION, ARGUMENTS, KEYWORDS = range(3)
"""The places at which a walk begins."""


@dataclass(frozen=True)
class Storage:
    """Where a value can be put by native code: how, in the object at which place, and where in it.

    Attributes:
        kind: one of ``writing.WRITES``.
        operand: an offset, a number, or a key.
    """

    kind: str
    place: int
    operand: Any


class Looks:
    """The looks of one walk.

    Attributes:
        words: for ``walker.looker``.
        kept: objects that the words refer to, by address.
        places: how many there are so far.
        arrays: the places of the world's arrays, in its order, which are results of the walk.
        complete: whether all was something that native code can look at.
    """

    def __init__(self) -> None:
        self.words: list[int] = []
        self.kept: list[Any] = []
        self.places = 3
        self.arrays: list[int] = []
        self.complete = walker.available()
        self._owners: list[tuple[Container, int, int]] = []

    # The steps.

    def _look(self, name: str, *operands: int) -> None:
        self.words += numbered(LOOKS, name, *operands)

    def _new(self, number: int = 1) -> int:
        self.places += number
        return self.places - number

    def _ref(self, x: Any) -> int:
        self.kept.append(x)
        return id(x)

    def _load(self, name: str, *operands: int, number: int = 1) -> int:
        """A look whose last operand is the first of ``number`` new places."""
        first = self._new(number)
        self._look(name, *operands, first)
        return first

    def _elements(self, name: str, place: int, number: int) -> int:
        return self._load(name, place, number, number=number)

    def cannot(self) -> None:
        """There was something that native code can't look at."""
        self.complete = False

    # What they are about.

    def context(self, variable: Any, value: Any) -> None:
        """A context variable."""
        self._look("CONTEXT", self._ref(variable), self._ref(value))

    def arguments(self, args: Any, kwargs: dict[str, Any]) -> tuple[int, list[int]]:
        """The place of the first argument; those of the keyword arguments."""
        first, named = self.parts(ARGUMENTS, args), self._items(KEYWORDS, kwargs)
        return first, [value for _, value in named]

    def is_(self, place: int, x: Any) -> None:
        """The very object ``x``."""
        self._look("IS", place, self._ref(x))

    def same(self, place: int, as_: int) -> None:
        """The object that is at another place too."""
        self._look("SAME", place, as_)

    def constant(self, place: int, x: Any) -> None:
        """A number, a text, ...: all that ``constant_key`` tells from others."""
        if type(x) is float:
            self.bits(place, x)
        elif type(x) in (int, str, bytes):
            self._look("EQUAL", place, self._ref(x), self._ref(type(x)))
        elif _is_unchangeable(x):
            self.is_(place, x)
        else:
            self.cannot()

    def bits(self, place: int, x: Any) -> None:
        """A float or one of NumPy's numbers, by the bytes of its value."""
        if self.complete and (type(x) is float or type(x) in _NUMBERS):
            self._look("BITS", place, self._ref(type(x)), *layouts.bits(x))
        else:
            self.cannot()

    def float_at(self) -> int:
        """Where the last look, at a float, is; for ``any_float``."""
        return len(self.words)

    def any_float(self, after: int, any_: bool, x: float) -> None:
        """Let the look before that position take any float, or ``x`` only, again."""
        if self.complete:
            self.words[after - 2 : after] = (0, 0) if any_ else layouts.bits(x)

    def kind(self, place: int, x: Any) -> None:
        """Something of the type of ``x``."""
        self._look("TYPE", place, self._ref(type(x)))

    def new(self, place: int, x: Any) -> None:
        """An object of the type of ``x`` that is at none of the places before."""
        self._look("NEW", place, self._ref(type(x)))

    def array(self, place: int, x: Any) -> None:
        """An array like ``x``, or a number of NumPy's: an input."""
        number = len(self.arrays)
        if isinstance(x, np.generic):
            self.new(place, x)
            self.take(place, number)
        elif self.complete and x.dtype.type in _NUMBERS:
            kind = layouts.word(id(x.dtype) + layouts.KIND)
            self._look("ARRAY", place, self._ref(type(x)), kind, number, x.ndim, *x.shape)
        else:
            self.cannot()
        self.arrays.append(place)

    def parts(self, place: int, x: Any) -> int:
        """A tuple or a frozenset; the place of its first element."""
        self.kind(place, x)
        return self._elements("TUPLE" if isinstance(x, tuple) else "SET", place, len(x))

    def method(self, place: int, x: Any) -> tuple[int, int]:
        """A bound method; the places of the object and the function."""
        self.new(place, x)
        if isinstance(x, types.MethodType):
            return self._load("METHOD_SELF", place), self._load("METHOD_FUNCTION", place)
        if self.complete:
            self._look("C_FUNCTION", place, walker.c_function(x))
        return self._load("C_FUNCTION_SELF", place), 0

    def reference(self, place: int, x: Any) -> int:
        """A weak reference; the place of what it refers to."""
        self.new(place, x)
        return self._load("REFERENT", place)

    def function(self, place: int, f: Any) -> tuple[int, int]:
        """A function, known by its code; the places of its globals and of its first cell."""
        self.new(place, f)
        self.is_(self._load("CODE", place), f.__code__)
        cells = self._load("CLOSURE", place)
        if f.__closure__ is None:
            self.is_(cells, None)
            first = 0
        else:
            first = self.parts(cells, f.__closure__)
        return self._load("GLOBALS", place), first

    def cls(self, place: int, x: Any) -> int:
        """A user's class; the place of its first base."""
        self.is_(place, x)
        return self.parts(self._load("BASES", place), x.__bases__)

    def imported(self, name: str) -> int | None:
        """The place of an imported module; None if it isn't there."""
        modules = self.known(sys.modules)
        if name in sys.modules:
            return self._load("NAME", modules, self._ref(name))
        self._look("NO_NAME", modules, self._ref(name))
        return None

    def known(self, x: Any) -> int:
        """A place for ``x``, which is there in every call."""
        return self._load("CONSTANT", self._ref(x))

    def type_of(self, place: int) -> int:
        """The place of the type of what is at ``place``."""
        return self._load("TYPE_OF", place)

    def attribute(self, place: int, x: Any, name: str, value: Any) -> int:
        """What ``x``, known by identity, has as ``name`` in its ``__dict__`` or for ever."""
        if isinstance(x, property):  # they don't change
            return self.known(value)
        mapping = getattr(x, "__dict__", {})
        if mapping.get(name) is not value:
            self.cannot()
            return self._new()
        return self._load("NAME", self._vars(place, x), self._ref(name))

    def contents(
        self, container: Container, place: int, contents: dict[Any, Any]
    ) -> list[tuple[int, int]]:
        """A container; the places of its keys that are objects (0 for others) and of its values."""
        mapping, items = place, []
        if isinstance(container, Items):
            items = self._items(place, container.owner)
        elif isinstance(container, Elements):
            name = "LIST" if isinstance(container.owner, list) else "DEQUE"
            items = _values(self._elements(name, place, len(contents)), contents)
        elif isinstance(container, Members):
            items = _values(self._elements("SET", place, len(contents)), contents)
        elif isinstance(container, Attributes):
            items, mapping = self._attributes(place, container)
        elif isinstance(container, Cell):
            items = self._cell(place, contents)
        elif isinstance(container, Partial):
            slots = vars(functools.partial)
            items = [(0, self._slot(place, slots[name])) for name in contents]
        elif isinstance(container, Globals):
            items = self._names(place, container)
        elif isinstance(container, OfFunction):
            items = self._of_function(place, container.owner)
        elif isinstance(container, OfClass):
            items = self._of_class(container, contents)
        else:
            self.cannot()
        self._owners.append((container, place, mapping))
        # Places are told from each other in any case.
        return items if self.complete else _values(self._new(len(contents)), contents)

    def storage(self, number: int, key: Any) -> Storage | None:
        """Where native code can put a value for ``key`` of container ``number``."""
        container, place, mapping = self._owners[number]
        if isinstance(container, Attributes) and key in container.slots:
            offset = layouts.slot_offset(container.slots[key])
            return None if offset is None else Storage("SLOT", place, offset)
        is_dict = isinstance(container, Items) and container.type is dict
        if is_dict or isinstance(container, Attributes | Globals):
            return Storage("DICT", mapping, key)
        if isinstance(container, Elements) and container.type is list:
            return Storage("LIST", place, key)
        return Storage("CELL", place, 0) if isinstance(container, Cell) else None

    def has_plain_keys(self, number: int) -> bool:
        """Whether no key of container ``number``, a dict, has a ``__hash__`` of the user's."""
        container = self._owners[number][0]
        if isinstance(container, Globals):
            mapping = container.mapping
        else:
            mapping = container.dict if isinstance(container, Attributes) else container.owner
        return all(map(is_plain, mapping))

    def owner(self, number: int) -> int:
        """The place of the object that has container ``number``."""
        container, place, _ = self._owners[number]
        if isinstance(container, Globals):  # place is that of the mapping
            self.cannot()
        return place

    def take(self, place: int, number: int) -> None:
        """What is there is result ``number`` of the walk."""
        self._look("TAKE", place, number)

    def extent(self, number: int, array: Any) -> None:
        """Where the array that is result ``number`` is in memory."""
        self._look("EXTENT", number, array.itemsize)

    def apart(self, number: int, others: list[int]) -> None:
        """The array can be written to, and shares no memory with other results, arrays."""
        self._look("APART", number, len(others), *others)

    # Kinds of containers.

    def _vars(self, place: int, x: Any) -> int:
        """The place of the ``__dict__`` of ``x``."""
        offset = layouts.dict_offset(x, walker.dict_of(x)) if self.complete else None
        if offset is None:
            return self._load("VARS", place)
        return self._load("VARS_AT", place, offset % 2**64)

    def _items(
        self, place: int, mapping: dict[Any, Any], hidden: Any = ()
    ) -> list[tuple[int, int]]:
        if isinstance(mapping, OrderedDict):  # its keys only as texts: others may have a __hash__
            if not all(type(key) is str for key in mapping):
                self.cannot()
            first = self._new(len(mapping))
            keys = [self._ref(key) for key in mapping]
            self._look("ORDERED", place, len(mapping), first, *keys)
            return _values(first, mapping)
        keys = [key for key in mapping if key not in hidden]
        n = len(keys)
        if not mapping and not hidden:
            self._look("EMPTY", place)
            return []
        first = self._new(2 * n)
        # Hidden names may be absent in the next call, or others be there.
        skip = [self._ref(key) for key in _interned(hidden)]
        constant = [isinstance(key, CONSTANTS) for key in keys]
        if not all(map(_is_unchangeable, itertools.compress(keys, constant))):
            self.cannot()
        words = [self._ref(key) if is_ else 0 for key, is_ in zip(keys, constant, strict=True)]
        self._look("DICT", place, n, first, len(skip), *skip, *words)
        return [(0 if is_ else first + n + i, first + i) for i, is_ in enumerate(constant)]

    def _attributes(self, place: int, c: Attributes) -> tuple[list[tuple[int, int]], int]:
        items, mapping = [], place
        for name, slot in c.slots.items():
            if name in c.hidden:
                continue
            if name in c.dict:
                self.cannot()
            try:
                slot.__get__(c.owner)
            except AttributeError:
                self._slot(place, slot, empty=True)
            else:
                items.append((0, self._slot(place, slot)))
        if self.complete and walker.dict_of(c.owner) is c.dict:
            mapping = self._vars(place, c.owner)
            items += self._items(mapping, c.dict, c.hidden)
        elif c.dict:
            self.cannot()
        return items, mapping

    def _slot(self, place: int, slot: Any, empty: bool = False) -> int:
        offset = layouts.slot_offset(slot) if self.complete else None
        if offset is None:
            self.cannot()
            return self._new()
        if empty:
            self._look("NO_WORD", place, offset)
            return 0
        return self._load("WORD", place, offset)

    def _cell(self, place: int, contents: Any) -> list[tuple[int, int]]:
        if contents:
            return [(0, self._load("WORD", place, layouts.VALUE))]
        self._look("NO_WORD", place, layouts.VALUE)
        return []

    def _names(self, mapping: int, c: Globals) -> list[tuple[int, int]]:
        items = []
        for name in c.names:
            if name in c.mapping:
                items.append((0, self._load("NAME", mapping, self._ref(name))))
            else:
                self._look("NO_NAME", mapping, self._ref(name))
        return items

    def _of_function(self, place: int, f: Any) -> list[tuple[int, int]]:
        defaults = self._load("DEFAULTS", place)
        keywords = self._load("KEYWORDS", place)
        items = self._items(self._vars(place, f), vars(f))
        return [(0, defaults), (0, keywords), *items]

    def _of_class(self, c: OfClass, contents: Any) -> list[tuple[int, int]]:
        (mapping,) = gc.get_referents(vars(c.owner))  # the dict behind a mappingproxy
        items = self._items(self.known(mapping), mapping)
        for (_, place), (name, x) in zip(items, mapping.items(), strict=True):
            if name not in contents:
                self.is_(place, x)
        return [item for item, name in zip(items, mapping, strict=True) if name in contents]


def _values(first: int, contents: Any) -> list[tuple[int, int]]:
    return [(0, first + i) for i in range(len(contents))]


_NUMBERS = {np.dtype(code).type for code in "?bhilqBHILQefd"}
_BY_VALUE = (bool, int, float, complex, str, bytes)


def is_plain(key: Any) -> bool:
    """Whether to hash it, or compare it with its like, runs no code in Python."""
    return type(key) in (*_BY_VALUE, type(None))


def _is_unchangeable(x: Any) -> bool:
    """Whether ``constant_key(x)`` stays as it is while there is ``x``."""
    if isinstance(x, slice):
        return all(map(_is_unchangeable, (x.start, x.stop, x.step)))
    if isinstance(x, np.dtype):
        return x.names is None
    if isinstance(x, np.generic):
        return not isinstance(x, np.void | np.object_)
    return isinstance(x, (*_BY_VALUE, type(None), type(Ellipsis), NotStored, range))


@functools.cache
def _interned(names: frozenset[str]) -> tuple[str, ...]:
    """As they are in the ``__dict__`` of an object."""
    return tuple(map(sys.intern, names))
