"""The world of a function: its arguments, and all that is reachable from it.

    class Net:
        def __init__(self): self.params = {"W": np.ones((3, 2))}

    net = Net()
    def step(x):                       # x is an argument; net is a global that the code names,
        net.params["W"] -= 0.1 * ...   # and net.params["W"] an array in the world of step

The walk goes through closures, the globals that the code names, functions and classes of the
user's own, default arguments, bound objects, attributes, dicts, lists and tuples. It leaves
installed packages alone: their objects are known by identity, but for the containers among them.

A visited object that can change is a *container*, see contents.py. The containers come in the same
order whenever the world has the same structure, so "container 3, key 'W'" means the same place in
every call, though the objects may be others. Arrays, and NumPy's scalars, are inputs; all else
that can make a difference (numbers, texts, flags, shapes, which function it is) is in the key.
"""

from __future__ import annotations

import sys
import types
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from koubai.arrays import REAL
from koubai.compiler.errors import TraceError
from koubai.compiler.not_stored import NOT_STORED
from koubai.compiler.trace.contents import (
    CONSTANTS,
    NUMBERS_AND_TEXTS,
    Attributes,
    Cell,
    Container,
    Elements,
    Globals,
    Items,
    OfClass,
    OfFunction,
    containers,
)
from koubai.compiler.trace.looks import FUNCTION, Looks
from koubai.compiler.trace.names import names_in
from koubai.compiler.trace.packages import is_users_file, is_users_module
from koubai.compiler.trace.traced import OtherThread, Trace, Traced, tracing
from koubai.core import Variable
from koubai.recording import recording

LIMIT = 20_000
"""Values in a world; more would cost more to look at than a step takes."""

_ASSIGNED = (Attributes, Cell, Elements, Globals, Items, OfClass)
_Children = Iterator[tuple[str, Any, int]]
"""Where it is, for messages; the object; the number of its place, see looks.py."""


Where = tuple[int | None, Any]
"""The number of a container, or None for an argument; and the key, number or name there."""


@dataclass(frozen=True)
class Float:
    """A Python float in the world.

    Attributes:
        path: for messages.
        value: its value now.
        place: see looks.py.
        where: where it is.
        entry: the number of its entry in the key.
        look: where the look at it ends.
    """

    path: str
    value: Any
    place: int
    where: Where
    entry: int
    look: int


class World:
    """One look at the world of ``function`` called with ``args`` and ``kwargs``.

    Attributes:
        containers: all that can change, in the order of the walk.
        names: of each container, what it is called in messages: ``net.params``.
        arrays: the arrays in it, each once, however many places hold it.
        paths: of each array, a place where it is, for messages: ``net.params['W']``.
        key: what must be equal for a program to be used again: the structure, the dtypes and
            shapes of arrays, numbers, texts and flags, and which functions and objects there are.
        kept: the objects whose identity is part of the key: while they live, no other has it.
        looks: the walk, to be repeated by native code.
        floats: the Python floats among what the function can assign to. They are in the key, until
            ``vary`` makes inputs of them.
        varied: those that are inputs, the last ones, in this order.
        told: what each entry of the key is about, for messages.

    Args:
        inside: a run of a function on traced arrays; that run's are arrays of this world.

    Raises:
        OtherThread: if a part of it is replaced by traced arrays there.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: Any,
        kwargs: dict[str, Any],
        inside: Trace | None = None,
    ) -> None:
        self._inside = inside
        self.containers: list[Container] = []
        self.names: list[str] = []
        self.arrays: list[Any] = []
        self.paths: list[str] = []
        self.kept: list[Any] = []
        self.looks = looks = Looks()
        looks.context(tracing, False)
        looks.context(recording, recording.get())
        names = list(kwargs)
        self.floats: list[Float] = []
        self.varied: list[Float] = []
        self.told: list[str] = []
        # By the number of the place: where traced floats can be put.
        self._where: dict[int, Where] = {}
        self._key: list[Any] = [(recording.get(), len(args), *names)]
        seen: dict[int, tuple[int, int]] = {}
        most = (0, "")
        first, keywords = looks.arguments(args, kwargs)
        named = [(f"argument {n!r}", kwargs[n], at) for n, at in zip(names, keywords, strict=True)]
        for i, x in enumerate(args):
            if type(x) is float:
                self._where[first + i] = None, i
        for name, at in zip(names, keywords, strict=True):
            if type(kwargs[name]) is float:
                self._where[at] = None, name
        path = "the call"
        stack = [
            ("the function", function, FUNCTION),
            *reversed(named),
            *[(f"argument {i}", args[i], first + i) for i in reversed(range(len(args)))],
        ]
        while stack:
            self.told += [path] * (len(self._key) - len(self.told))
            path, x, at = stack.pop()
            if id(x) in seen:
                number, place = seen[id(x)]
                self._key.append(number)
                looks.same(at, place)
            elif isinstance(x, CONSTANTS) and not _is_number_of_numpys(x) | isinstance(x, Traced):
                self._key.append(constant_key(x))
                looks.constant(at, x)
                if at in self._where:
                    entry = len(self._key) - 1
                    found = Float(path, x, at, self._where[at], entry, looks.float_at())
                    self.floats.append(found)
            else:
                if not isinstance(x, tuple):
                    seen[id(x)] = len(seen), at
                children = list(self._visit(path, x, at))
                stack += reversed(children)
                most = max(most, (len(children), path))
            if len(self._key) + len(stack) > LIMIT:
                raise TraceError(
                    f"the world of {getattr(function, '__name__', function)!r} is too large to be"
                    f" looked at in every call: more than {LIMIT} values, {most[0]} of them in"
                    f" {most[1]}; pass what is needed of it as an argument, numbers as an array"
                )
        self.told += [path] * (len(self._key) - len(self.told))
        self._own = len(self.arrays)
        self.key = tuple(self._key)

    def vary(self, numbers: Collection[int]) -> None:
        """Make inputs of the floats with these numbers, and of no others."""
        for part in (self.arrays, self.paths, self.looks.arrays):
            del part[self._own :]
        key = list(self._key)
        self.varied = [self.floats[i] for i in sorted(numbers)]
        for i, x in enumerate(self.floats):
            self.looks.any_float(x.look, i in numbers, x.value)
        for x in self.varied:
            key[x.entry] = (float, "any")
            self.arrays.append(x.value)
            self.paths.append(x.path)
        self.looks.arrays += [x.place for x in self.varied]
        self.key = tuple(key)

    def apart_from_floats(self) -> Any:
        """The key without gradients, with any number in the place of each float."""
        key = list(self._key)
        for x in self.floats:
            key[x.entry] = (float, "any")
        return _without_gradients(key)

    def key_without_gradients(self) -> tuple[Any, ...]:
        """The key, if each gradient that a compiled step has used up were None."""
        return _without_gradients(self.key)

    def _visit(self, path: str, x: Any, at: int) -> _Children:
        """Put ``x``, which was found at place ``at``, into the key; what it refers to."""
        looks = self.looks
        if isinstance(x, tuple | frozenset):
            self._key.append((type(x), len(x)))
            first = looks.parts(at, x)
            yield from ((f"{path}[{i}]", part, first + i) for i, part in enumerate(x))
        elif isinstance(x, np.ndarray | np.generic):
            self._array(path, x, at)
        elif isinstance(x, Traced) and x.trace is self._inside:
            self.arrays.append(x)
        elif isinstance(x, Traced):
            if x.trace.is_elsewhere():
                raise OtherThread(x.trace)
            raise TraceError(
                f"{path} is {Traced.__repr__(x)}, of another compiled call, which has ended: let"
                " that function return it, instead of keeping it where nobody looks"
            )
        elif hasattr(type(x), "__array_namespace__") and not isinstance(x, Variable):
            raise TraceError(f"{path} is a {type(x).__name__}; write np.asarray(...), only NumPy's")
        elif isinstance(x, types.MethodType | types.BuiltinMethodType):
            self._key.append((type(x), getattr(x, "__name__", "")))
            if isinstance(x.__self__, np.ndarray):
                raise TraceError(
                    f"{path} is a method of an array; keep the array, and call x.sum()"
                )
            owner, function = looks.method(at, x)
            yield path, x.__self__, owner
            if isinstance(x, types.MethodType):
                yield path, x.__func__, function
        elif isinstance(x, weakref.ref):
            self._key.append(type(x))
            yield path, x(), looks.reference(at, x)
        elif isinstance(x, types.FunctionType):
            yield from self._function(path, x, at)
        elif isinstance(x, types.CellType):
            looks.new(at, x)
            yield from self._contents(path, x, [Cell(x)], at)
        elif isinstance(x, type) and is_users_module(x.__module__):
            first = looks.cls(at, x)
            yield from self._contents(path, x, [OfClass(x)], at)
            yield from [(base.__name__, base, first + i) for i, base in enumerate(x.__bases__)]
        elif isinstance(x, type) or not (found := containers(x)):
            yield from self._opaque(path, x, at)
        else:
            looks.new(at, x)
            yield from self._contents(path, x, found, at)
            if is_users_module(type(x).__module__):
                yield type(x).__name__, type(x), looks.type_of(at)

    def _array(self, path: str, x: Any, at: int) -> None:
        if type(x) in (np.ndarray, np.memmap) or isinstance(x, np.generic):
            if x.dtype.kind in REAL:
                self.arrays.append(x)
                self.paths.append(path)
                self._key.append((x.dtype, x.shape, isinstance(x, np.generic)))
                self.looks.array(at, x)
                return
            if not x.dtype.hasobject:
                # Texts, times and complex numbers can't be computed with, but decided on.
                self._key.append((x.dtype, x.shape, x.tobytes()))
                self.looks.cannot()
                return
        raise TraceError(
            f"{path} is a {type(x).__name__} of dtype {x.dtype}, which cannot be compiled; write"
            " np.asarray(...) of numbers, a list for objects, or keep it out of the function's"
            " reach"
        )

    def _opaque(self, path: str, x: Any, at: int) -> _Children:
        """Known by identity; but what stands for a function is looked through."""
        wrapped = {name: getattr(x, name, None) for name in _wrapped_names(x)}
        present = list(map(bool, wrapped.values()))
        # A compiled function, and a method bound anew at each access, are what they wrap.
        self._key.append((type(x), *present) if any(present) else (type(x), id(x)))
        self.kept.append(x)
        self.looks.is_(at, x)
        for name, f in wrapped.items():
            if f is not None:
                yield path, f, self.looks.attribute(at, x, name, f)

    def _contents(self, path: str, x: Any, found: list[Container], at: int) -> _Children:
        for container in found:
            contents = container.read()
            self.containers.append(container)
            self.names.append(path)
            keys = [constant_key(k) if isinstance(k, CONSTANTS) else None for k in contents]
            self._key.append((type(container), type(x), *keys))
            places = self.looks.contents(container, at, contents)
            items = zip(keys, contents.items(), places, strict=True)
            for key, (k, value), (its, place) in items:
                if key is None:
                    yield path, k, its
                if type(value) is float and isinstance(container, _ASSIGNED):
                    self._where[place] = len(self.containers) - 1, k
                yield _path(path, container, k), value, place

    def _function(self, path: str, f: types.FunctionType, at: int) -> _Children:
        # By its code: a lambda that is made anew for each call is the same function.
        self._key.append((types.FunctionType, id(f.__code__)))
        self.kept.append(f.__code__)
        space, cells = self.looks.function(at, f)
        if is_users_file(f.__code__.co_filename):
            names = names_in(f.__code__)
            yield from self._names("", f, f.__globals__, names.globals, names.all, set(), space)
            for name in names.imports:
                module, place = sys.modules.get(name), self.looks.imported(name)
                if place is not None:
                    self.looks.is_(place, module)
                    yield from self._module(f, module, names.all, set())
            yield from self._contents(f"{path}: {f.__name__}", f, [OfFunction(f)], at)
        for i, (name, cell) in enumerate(
            zip(f.__code__.co_freevars, f.__closure__ or (), strict=True)
        ):
            yield name, cell, cells + i

    def _names(
        self,
        path: str,
        f: Any,
        mapping: dict[str, Any],
        names: Any,
        every: Any,
        seen: set[int],
        at: int,
    ) -> _Children:
        """What names mean among globals, and in the user's modules that are among them."""
        modules = []
        for name, value, place in self._contents(path, f, [Globals(f, mapping, names)], at):
            if isinstance(value, types.ModuleType):
                self.looks.is_(place, value)
                modules.append(value)
            else:
                yield name, value, place
        for module in modules:
            yield from self._module(f, module, every, seen)

    def _module(self, f: Any, module: Any, every: Any, seen: set[int]) -> _Children:
        name = getattr(module, "__name__", "")
        if module is not None and is_users_module(name) and id(module) not in seen:
            seen.add(id(module))
            space = self.looks.known(vars(module))
            yield from self._names(f"{name}.", f, vars(module), every, every, seen, space)


def _is_number_of_numpys(x: Any) -> bool:
    """NumPy's scalars are arrays, but for booleans, on which decisions are taken."""
    return isinstance(x, np.generic) and x.dtype.kind in REAL and x.dtype.kind != "b"


def constant_key(x: Any) -> tuple[type, Any]:
    """1, 1.0 and True are equal, and mean different programs; so do 0.0 and -0.0."""
    if type(x) in (str, bytes, int, bool):
        return type(x), x
    # A user's subclass of int may have any repr.
    kind: Any = next((kind for kind in NUMBERS_AND_TEXTS if isinstance(x, kind)), object)
    return type(x), repr(x) if kind is object else kind.__repr__(x)


_NONE, _USED_UP = constant_key(None), constant_key(NOT_STORED)


def _without_gradients(key: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(_NONE if part == _USED_UP else part for part in key)


def _wrapped_names(x: Any) -> tuple[str, ...]:
    if isinstance(x, property):
        return "fget", "fset", "fdel"
    if isinstance(x, types.ModuleType | type) or "__wrapped__" not in getattr(x, "__dict__", ()):
        return ("func",) if type(x).__name__ in ("cached_property", "partialmethod") else ()
    return ("__wrapped__",)


def _path(path: str, container: Container, key: Any) -> str:
    if isinstance(container, Globals):
        return f"{path}{key}"
    if isinstance(container, Cell):
        return path
    if container.kind == "object":
        return f"{path}.{'data' if key == '_data' else key}"
    return f"{path}[{key!r}]"
