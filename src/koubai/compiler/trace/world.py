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
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from koubai.arrays import REAL
from koubai.compiler.errors import TraceError
from koubai.compiler.trace.contents import (
    Cell,
    Container,
    Globals,
    OfClass,
    OfFunction,
    containers,
)
from koubai.compiler.trace.names import names_in
from koubai.compiler.trace.packages import is_users_file, is_users_module
from koubai.compiler.trace.traced import Traced
from koubai.core import Variable
from koubai.recording import recording

LIMIT = 20_000
"""Values in a world; more would cost more to look at than a step takes."""

_NUMBERS_AND_TEXTS = (bool, int, float, complex, str, bytes)
CONSTANTS = (*_NUMBERS_AND_TEXTS, type(None), type(Ellipsis), np.dtype, slice, range, np.generic)
_Children = Iterator[tuple[str, Any]]


class World:
    """One look at the world of ``function`` called with ``args`` and ``kwargs``.

    Attributes:
        containers: all that can change, in the order of the walk.
        arrays: the arrays in it, each once, however many places hold it.
        paths: of each array, a place where it is, for messages: ``net.params['W']``.
        key: what must be equal for a program to be used again: the structure, the dtypes and
            shapes of arrays, numbers, texts and flags, and which functions and objects there are.
        kept: the objects whose identity is part of the key: while they live, no other has it.
    """

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> None:
        self.containers: list[Container] = []
        self.arrays: list[Any] = []
        self.paths: list[str] = []
        self.kept: list[Any] = []
        names = list(kwargs)
        self._key: list[Any] = [(recording.get(), len(args), *names)]
        seen: dict[int, int] = {}
        most = (0, "")
        stack = [
            ("the function", function),
            *[(f"argument {name!r}", kwargs[name]) for name in reversed(names)],
            *[(f"argument {i}", args[i]) for i in reversed(range(len(args)))],
        ]
        while stack:
            path, x = stack.pop()
            if id(x) in seen:
                self._key.append(seen[id(x)])
            elif isinstance(x, CONSTANTS) and not _is_number_of_numpys(x):
                self._key.append(constant_key(x))
            else:
                if not isinstance(x, tuple):
                    seen[id(x)] = len(seen)
                children = list(self._visit(path, x))
                stack += reversed(children)
                most = max(most, (len(children), path))
            if len(self._key) + len(stack) > LIMIT:
                raise TraceError(
                    f"the world of {getattr(function, '__name__', function)!r} is too large to be"
                    f" looked at in every call: more than {LIMIT} values, {most[0]} of them in"
                    f" {most[1]}; pass what is needed of it as an argument, numbers as an array"
                )
        self.key = tuple(self._key)

    def _visit(self, path: str, x: Any) -> _Children:
        """Put ``x`` into the key; what it refers to."""
        if isinstance(x, tuple | frozenset):
            self._key.append((type(x), len(x)))
            yield from ((f"{path}[{i}]", part) for i, part in enumerate(x))
        elif isinstance(x, np.ndarray | np.generic):
            self._array(path, x)
        elif isinstance(x, Traced):
            raise TraceError(
                f"{path} is {x!r}, of another compiled call, which has ended: let that function"
                " return it, instead of keeping it where nobody looks"
            )
        elif hasattr(type(x), "__array_namespace__") and not isinstance(x, Variable):
            raise TraceError(f"{path} is a {type(x).__name__}; write np.asarray(...), only NumPy's")
        elif isinstance(x, types.MethodType | types.BuiltinMethodType):
            self._key.append((type(x), getattr(x, "__name__", "")))
            if isinstance(x.__self__, np.ndarray):
                raise TraceError(
                    f"{path} is a method of an array; keep the array, and call x.sum()"
                )
            yield path, x.__self__
            if isinstance(x, types.MethodType):
                yield path, x.__func__
        elif isinstance(x, weakref.ref):
            self._key.append(type(x))
            yield path, x()
        elif isinstance(x, types.FunctionType):
            yield from self._function(path, x)
        elif isinstance(x, types.CellType):
            yield from self._contents(path, x, [Cell(x)])
        elif isinstance(x, type) and is_users_module(x.__module__):
            yield from self._contents(path, x, [OfClass(x)])
            yield from [(base.__name__, base) for base in x.__bases__]
        elif isinstance(x, type) or not (found := containers(x)):
            yield from self._opaque(path, x)
        else:
            yield from self._contents(path, x, found)
            if is_users_module(type(x).__module__):
                yield type(x).__name__, type(x)

    def _array(self, path: str, x: Any) -> None:
        if type(x) in (np.ndarray, np.memmap) or isinstance(x, np.generic):
            if x.dtype.kind in REAL:
                self.arrays.append(x)
                self.paths.append(path)
                self._key.append((x.dtype, x.shape, isinstance(x, np.generic)))
                return
            if not x.dtype.hasobject:
                # Texts, times and complex numbers can't be computed with, but decided on.
                self._key.append((x.dtype, x.shape, x.tobytes()))
                return
        raise TraceError(
            f"{path} is a {type(x).__name__} of dtype {x.dtype}, which cannot be compiled; write"
            " np.asarray(...) of numbers, a list for objects, or keep it out of the function's"
            " reach"
        )

    def _opaque(self, path: str, x: Any) -> _Children:
        """Known by identity; but what stands for a function is looked through."""
        wrapped = [getattr(x, name, None) for name in _wrapped_names(x)]
        # A compiled function, and a method bound anew at each access, are what they wrap.
        self._key.append((type(x), *map(bool, wrapped)) if any(wrapped) else (type(x), id(x)))
        self.kept.append(x)
        yield from ((path, f) for f in wrapped if f is not None)

    def _contents(self, path: str, x: Any, found: list[Container]) -> _Children:
        for container in found:
            contents = container.read()
            self.containers.append(container)
            keys = [constant_key(k) if isinstance(k, CONSTANTS) else None for k in contents]
            self._key.append((type(container), type(x), *keys))
            for key, (k, value) in zip(keys, contents.items(), strict=True):
                if key is None:
                    yield path, k
                yield _path(path, container, k), value

    def _function(self, path: str, f: types.FunctionType) -> _Children:
        # By its code: a lambda that is made anew for each call is the same function.
        self._key.append((types.FunctionType, id(f.__code__)))
        self.kept.append(f.__code__)
        if is_users_file(f.__code__.co_filename):
            names = names_in(f.__code__)
            yield from self._names("", f, f.__globals__, names.globals, names.all, set())
            for module in filter(None, map(sys.modules.get, names.imports)):
                yield from self._module(f, module, names.all, set())
            yield from self._contents(f"{path}: {f.__name__}", f, [OfFunction(f)])
        yield from zip(f.__code__.co_freevars, f.__closure__ or (), strict=True)

    def _names(
        self, path: str, f: Any, mapping: dict[str, Any], names: Any, every: Any, seen: set[int]
    ) -> _Children:
        """What names mean among globals, and in the user's modules that are among them."""
        modules = []
        for name, value in self._contents(path, f, [Globals(f, mapping, names)]):
            if isinstance(value, types.ModuleType):
                modules.append(value)
            else:
                yield name, value
        for module in modules:
            yield from self._module(f, module, every, seen)

    def _module(self, f: Any, module: Any, every: Any, seen: set[int]) -> _Children:
        if is_users_module(module.__name__) and id(module) not in seen:
            seen.add(id(module))
            yield from self._names(f"{module.__name__}.", f, vars(module), every, every, seen)


def _is_number_of_numpys(x: Any) -> bool:
    """NumPy's scalars are arrays, but for booleans, on which decisions are taken."""
    return isinstance(x, np.generic) and x.dtype.kind in REAL and x.dtype.kind != "b"


def constant_key(x: Any) -> tuple[type, Any]:
    """1, 1.0 and True are equal, and mean different programs; so do 0.0 and -0.0."""
    if type(x) in (str, bytes, int, bool):
        return type(x), x
    # A user's subclass of int may have any repr.
    kind: Any = next((kind for kind in _NUMBERS_AND_TEXTS if isinstance(x, kind)), object)
    return type(x), repr(x) if kind is object else kind.__repr__(x)


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
