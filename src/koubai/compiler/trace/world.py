"""The world of a function: its arguments, and all that is reachable from it.

    class Net:
        def __init__(self): self.params = {"W": np.ones((3, 2))}

    net = Net()
    def step(x):                       # x is an argument; net is a global that the code names,
        net.params["W"] -= 0.1 * ...   # and net.params["W"] an array in the world of step

The walk goes through closures, the globals that the code names, the functions of the user's own
that it calls, bound objects, attributes, dicts, lists and tuples. It leaves modules, classes, and
objects of installed packages alone, but for koubai's own (modules, optimizers, Variables).

A visited object that can change is a *container*: a mapping from keys to values that can be read
and put back. The containers come in the same order whenever the world has the same structure, so
"container 3, key 'W'" means the same place in every call, though the objects may be others.
"""

from __future__ import annotations

import sys
import sysconfig
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from koubai.compiler.trace.traced import Traced
from koubai.core import Function, Variable

LIMIT = 20_000
"""Values in a world; more would cost more to look at than a step takes."""

_MISSING = object()
_PACKAGES = tuple(
    str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platlib", "purelib")
)
_CONSTANTS = (int, float, complex, str, bytes, bool, type(None), type(Ellipsis), np.dtype, slice)
# A function's links to its latest graph; a compiled call makes no graph.
_GRAPH_SLOTS = {"_inputs", "_outputs", "_number", "_location", "_tuple_types"}


@dataclass
class Container:
    """An object whose contents can be read and put back, key by key."""

    owner: Any
    read: Callable[[], dict[Any, Any]]
    write: Callable[[Any, Any], None]
    delete: Callable[[Any], None]

    def restore(self, contents: dict[Any, Any]) -> None:
        """Put back what ``read`` once returned."""
        now = self.read()
        if type(self.owner) is list:
            self.owner[:] = contents.values()
            return
        for key in now.keys() - contents.keys():
            self.delete(key)
        for key, value in contents.items():
            if now.get(key, _MISSING) is not value:
                self.write(key, value)


def _attributes(owner: Any, names: tuple[str, ...]) -> Container:
    return Container(
        owner,
        lambda: {name: getattr(owner, name) for name in names if hasattr(owner, name)},
        lambda name, value: setattr(owner, name, value),
        lambda name: delattr(owner, name),
    )


def _mapping(owner: Any, mapping: dict[Any, Any], only: Any = None) -> Container:
    def read() -> dict[Any, Any]:
        if isinstance(owner, Function):
            return {k: v for k, v in mapping.items() if k not in _GRAPH_SLOTS}
        return {k: mapping[k] for k in only if k in mapping} if only else dict(mapping)

    return Container(owner, read, mapping.__setitem__, mapping.__delitem__)


def container(x: Any) -> Container | None:
    """How the contents of ``x`` are read and put back; None if it is not looked into."""
    if isinstance(x, Variable):
        return _attributes(x, ("_data", "grad"))
    if type(x) is dict or (isinstance(x, dict) and not _is_installed(type(x))):
        return _mapping(x, x)
    if type(x).__module__ == "collections" and isinstance(x, dict):  # OrderedDict and its kin
        return _mapping(x, x)
    if type(x) is list:
        return Container(
            x, lambda: dict(enumerate(x)), lambda i, value: x.__setitem__(i, value), x.__delitem__
        )
    if isinstance(x, types.CellType):
        return _attributes(x, ("cell_contents",))
    if isinstance(x, type | types.ModuleType | types.FunctionType) or _is_installed(type(x)):
        return None
    if hasattr(x, "__dict__"):
        return _mapping(x, x.__dict__)
    slots = [s for cls in type(x).__mro__ for s in getattr(cls, "__slots__", ())]
    return _attributes(x, tuple(s for s in slots if s != "__weakref__")) if slots else None


def _is_installed(x: Any) -> bool:
    """Whether a class or function is Python's or an installed package's; koubai is ours."""
    name = getattr(x, "__module__", None) or "builtins"
    if name == "koubai" or name.startswith("koubai."):
        return False
    if name == "__main__":
        return False
    filename = getattr(sys.modules.get(name), "__file__", None)
    if filename is None:
        return name in sys.builtin_module_names or name == "builtins"
    return str(Path(filename).resolve()).startswith(_PACKAGES)


class World:
    """One look at the world of ``function`` called with ``args`` and ``kwargs``.

    Attributes:
        containers: all that can change, in the order of the walk.
        arrays: the arrays in it, each once, however many places hold it.
        key: what must be equal for a program to be used again: the structure, the dtypes and
            shapes of arrays, numbers, texts and flags, and which functions and objects there are.
        paths: of each array, a place where it is, for messages: ``net.params['W']``.
    """

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> None:
        self.containers: list[Container] = []
        self.arrays: list[Any] = []
        self.paths: list[str] = []
        self.kept: list[Any] = []  # so that no id in the key is used again
        key: list[Any] = []
        seen: dict[int, int] = {}
        stack: list[tuple[str, Any]] = [
            ("the function", function),
            *[(f"argument {name!r}", kwargs[name]) for name in sorted(kwargs, reverse=True)],
            *[(f"argument {i}", args[i]) for i in reversed(range(len(args)))],
        ]
        while stack:
            path, x = stack.pop()
            if len(key) > LIMIT:
                raise ValueError(
                    f"the world of {getattr(function, '__name__', function)!r} is too large to be"
                    f" looked at in every call: more than {LIMIT} values, the last of them {path};"
                    " pass what it needs as arguments, large tables as arrays"
                )
            if id(x) in seen:
                key.append(seen[id(x)])
                continue
            if isinstance(x, np.ndarray) and x.dtype.kind in "fiub":
                seen[id(x)] = len(seen)
                self.arrays.append(x)
                self.paths.append(path)
                key.append((x.dtype, x.shape))
            elif isinstance(x, Traced) or (isinstance(x, _CONSTANTS) and type(x) in _CONSTANTS):
                # 1, 1.0 and True are equal, and mean different programs.
                key.append((type(x), repr(x)))
            elif type(x) is tuple:
                key.append((tuple, len(x)))
                stack += [(f"{path}[{i}]", x[i]) for i in reversed(range(len(x)))]
            else:
                seen[id(x)] = len(seen)
                inside = list(self._inside(path, x, key))
                stack += reversed(inside)
        self.key = tuple(key)

    def _inside(self, path: str, x: Any, key: list[Any]) -> Iterator[tuple[str, Any]]:
        """What ``x`` refers to; ``x`` itself goes to the key and the containers."""
        if isinstance(x, types.MethodType):
            key.append((types.MethodType, id(x.__func__)))
            self.kept.append(x.__func__)
            yield path, x.__self__
            yield path, x.__func__
            return
        place = container(x)
        if place is None:
            # Known by identity: functions, classes, modules, objects of installed packages.
            key.append(id(x))
            self.kept.append(x)
            if isinstance(x, types.FunctionType) and not _is_installed(x):
                yield from self._of_function(x, key)
            return
        self.containers.append(place)
        contents = place.read()
        key.append((type(x), *[k if isinstance(k, str | int) else repr(k) for k in contents]))
        for k, value in contents.items():
            yield _path(path, x, k), value

    def _of_function(self, f: types.FunctionType, key: list[Any]) -> Iterator[tuple[str, Any]]:
        if f.__module__ == "koubai" or f.__module__.startswith("koubai."):
            return  # its globals are operations
        names = _names(f.__code__)
        place = _mapping(f, f.__globals__, only=[n for n in names if n in f.__globals__])
        self.containers.append(place)
        for name, value in place.read().items():
            if not isinstance(value, types.ModuleType):
                yield name, value
        for name, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
            yield name, cell
        yield f"defaults of {f.__name__}", f.__defaults__ or ()


def _names(code: types.CodeType) -> list[str]:
    """The names of globals in a function's code, and in that of functions within it."""
    names = list(code.co_names)
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            names += _names(const)
    return list(dict.fromkeys(names))


def _path(path: str, owner: Any, key: Any) -> str:
    if isinstance(owner, types.CellType):
        return path
    if isinstance(owner, dict | list):
        return f"{path}[{key!r}]"
    return f"{path}.{'data' if key == '_data' else key}"
