"""How the contents of an object are looked at, replaced, and put back.

What can change in a function's world is a *container*: a mapping from keys to values. An object
may be several: an instance of a user's subclass of dict has items, and attributes. Reads and
writes go to the storage itself, past a ``__setattr__`` or ``__setitem__`` of the user's.
"""

from __future__ import annotations

import functools
import types
from abc import ABC, abstractmethod
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from koubai.compiler.not_stored import NotStored
from koubai.compiler.trace.packages import is_looked_into
from koubai.core import Function, Variable

# A function's links to its latest graph, with what watch() notes there, and a Variable's to its
# creator: see graph.py.
GRAPH = frozenset(
    {"_inputs", "_outputs", "_number", "_location", "_tuple_types", "_checksums", "_creator"}
)

# Python's classes whose instances are but containers.
_PLAIN = {
    ("argparse", "Namespace"),
    ("collections", "ChainMap"),
    ("collections", "UserDict"),
    ("collections", "UserList"),
    ("types", "SimpleNamespace"),
}

NUMBERS_AND_TEXTS = (bool, int, float, complex, str, bytes)
CONSTANTS = (
    *NUMBERS_AND_TEXTS,
    type(None),
    type(Ellipsis),
    NotStored,
    np.dtype,
    slice,
    range,
    np.generic,
)
"""The types of what is known by its value, instead of being looked into."""

Contents = Mapping[Any, Any]


def same(one: Contents, two: Contents) -> bool:
    """Whether both have the same keys, in the same order, and the very same values."""
    return list(one) == list(two) and all(one[key] is two[key] for key in one)


class Container(ABC):
    """One kind of contents of ``owner``."""

    kind = "object"

    def __init__(self, owner: Any) -> None:
        self.owner = owner

    @abstractmethod
    def read(self) -> dict[Any, Any]:
        """All keys and values, in order."""

    @abstractmethod
    def write(self, key: Any, value: Any) -> None:
        """Set one value."""

    @abstractmethod
    def delete(self, key: Any) -> None:
        """Remove one key."""

    def order(self, keys: list[Any]) -> None:
        """Give the keys, which are there already, this order."""
        contents = self.read()
        if list(contents) != keys:
            for key in keys:
                self.delete(key)
                self.write(key, contents[key])

    def restore(self, contents: Contents) -> None:
        """Put back what ``read`` once returned."""
        now = self.read()
        if same(now, contents):
            return
        for key in now.keys() - contents.keys():
            self.delete(key)
        for key, value in contents.items():
            if key not in now or now[key] is not value:
                self.write(key, value)
        self.order(list(contents))


class Items(Container):
    """The items of a dict."""

    kind = "dict"

    def __init__(self, owner: dict[Any, Any]) -> None:
        super().__init__(owner)
        # An OrderedDict keeps the order beside the dict, and must be told.
        self.type: Any = OrderedDict if isinstance(owner, OrderedDict) else dict

    def read(self) -> dict[Any, Any]:
        return dict(self.type.items(self.owner))

    def write(self, key: Any, value: Any) -> None:
        self.type.__setitem__(self.owner, key, value)

    def delete(self, key: Any) -> None:
        self.type.__delitem__(self.owner, key)


class Elements(Container):
    """The elements of a list or a deque, by number."""

    kind = "list"

    def __init__(self, owner: list[Any] | deque[Any]) -> None:
        super().__init__(owner)
        self.type: Any = list if isinstance(owner, list) else deque

    def read(self) -> dict[Any, Any]:
        return dict(enumerate(self.type.__iter__(self.owner)))

    def write(self, key: Any, value: Any) -> None:
        self.type.__setitem__(self.owner, key, value)

    def delete(self, key: Any) -> None:
        self.type.__delitem__(self.owner, key)

    def restore(self, contents: Contents) -> None:
        if not same(self.read(), contents):
            self.fill(contents.values())

    def fill(self, elements: Iterable[Any]) -> None:
        """Replace all elements."""
        self.type.clear(self.owner)
        self.type.extend(self.owner, elements)


class Members(Container):
    """The members of a set, in the order in which it gives them."""

    kind = "set"

    def read(self) -> dict[Any, Any]:
        return dict(enumerate(self.owner))

    def write(self, key: Any, value: Any) -> None:
        raise TypeError("a set cannot be written to by number")  # arrays are never its members

    delete: Any = write

    def restore(self, contents: Contents) -> None:
        if not same(self.read(), contents):
            self.owner.clear()
            self.owner.update(contents.values())


class Attributes(Container):
    """The attributes of an instance, in its ``__dict__`` and in slots."""

    def __init__(self, owner: Any) -> None:
        super().__init__(owner)
        cls: Any = type(owner)
        self.slots = _slots(cls)
        self.dict: dict[str, Any] = getattr(owner, "__dict__", {})
        self.hidden = GRAPH if isinstance(owner, Function | Variable) else frozenset()

    def read(self) -> dict[Any, Any]:
        contents = {}
        for name, slot in self.slots.items():
            try:
                contents[name] = slot.__get__(self.owner)
            except AttributeError:  # empty
                continue
        contents.update(self.dict)
        return {name: x for name, x in contents.items() if name not in self.hidden}

    def write(self, key: Any, value: Any) -> None:
        if key in self.slots:
            self.slots[key].__set__(self.owner, value)
        else:
            self.dict[key] = value

    def delete(self, key: Any) -> None:
        if key in self.slots:
            self.slots[key].__delete__(self.owner)
        else:
            del self.dict[key]


@functools.cache
def _slots(cls: type) -> dict[str, Any]:
    """The descriptors of the slots of ``cls`` and its bases, by (mangled) name."""
    return {
        slot.__name__: slot
        for base in reversed(cls.__mro__)
        if "__slots__" in vars(base)
        for slot in vars(base).values()
        if isinstance(slot, types.MemberDescriptorType)
    }


class Cell(Container):
    """A variable of an enclosing function."""

    def read(self) -> dict[Any, Any]:
        try:
            return {"": self.owner.cell_contents}
        except ValueError:  # not assigned yet
            return {}

    def write(self, key: Any, value: Any) -> None:
        self.owner.cell_contents = value

    def delete(self, key: Any) -> None:
        del self.owner.cell_contents


class Partial(Container):
    """What a functools.partial will call, and with what."""

    def read(self) -> dict[Any, Any]:
        return {name: getattr(self.owner, name) for name in ("func", "args", "keywords")}

    def write(self, key: Any, value: Any) -> None:
        state = {**self.read(), key: value, "dict": vars(self.owner)}
        self.owner.__setstate__(tuple(state.values()))

    delete: Any = None  # there are always these three


class Globals(Container):
    """The names of a module that a function uses."""

    def __init__(self, owner: Any, mapping: dict[str, Any], names: Iterable[str]) -> None:
        super().__init__(owner)
        self.mapping, self.names = mapping, tuple(names)

    def read(self) -> dict[Any, Any]:
        return {name: self.mapping[name] for name in self.names if name in self.mapping}

    def write(self, key: Any, value: Any) -> None:
        self.mapping[key] = value

    def delete(self, key: Any) -> None:
        del self.mapping[key]


class OfFunction(Container):
    """The default arguments of a function, and its attributes."""

    def read(self) -> dict[Any, Any]:
        f = self.owner
        return {"__defaults__": f.__defaults__, "__kwdefaults__": f.__kwdefaults__, **vars(f)}

    def write(self, key: Any, value: Any) -> None:
        setattr(self.owner, key, value)

    def delete(self, key: Any) -> None:
        delattr(self.owner, key)


class OfClass(Container):
    """The attributes of a class: its methods, and what instances share."""

    def read(self) -> dict[Any, Any]:
        return {
            name: x
            for name, x in vars(self.owner).items()
            # __init__ may use a global, __doc__ and __dict__ do not.
            if not name.startswith("__") or isinstance(x, types.FunctionType)
        }

    def write(self, key: Any, value: Any) -> None:
        type.__setattr__(self.owner, key, value)

    def delete(self, key: Any) -> None:
        type.__delattr__(self.owner, key)


def containers(x: Any) -> list[Container]:
    """The contents of ``x`` that can change; none for what is not looked into."""
    found: list[Container] = []
    if isinstance(x, dict):
        found.append(Items(x))
    elif isinstance(x, list | deque):
        found.append(Elements(x))
    elif isinstance(x, set):
        found.append(Members(x))
    elif isinstance(x, functools.partial):
        found.append(Partial(x))
    kind = type(x)
    if (kind.__module__, kind.__name__) in _PLAIN or is_looked_into(kind):
        found.append(Attributes(x))
    return found
