"""What there is to check in a module: its layers, functions and networks, each with its inputs.

A module says it itself with a function ``check_inputs()``, which returns a list of tuples, the
arguments of ``koubai.check``:

    def check_inputs():
        x = np.random.randn(5, 4)
        return [
            (Affine(np.random.randn(4, 3), np.zeros(3)), x),
            (Sigmoid(), x),
        ]

For its other classes with ``forward`` and ``backward``, or with ``loss`` and ``gradient``, objects
and inputs are made from the names of arguments (``guess.py``).
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from koubai.arrays import describe
from koubai.checking.guess import Call, forward_of, guess, is_layer, is_network
from koubai.checking.names import call_to_complete
from koubai.core import Function, Variable
from koubai.nn import Module


@dataclass(frozen=True)
class Found:
    """Something to check.

    Attributes:
        name: of the class, function or object.
        call: makes the arguments of ``koubai.check``; raises CannotGuess.
        to_complete: the same as code, with gaps, for ``check_inputs()``.
    """

    name: str
    call: Callable[[], Call]
    to_complete: str = ""


class NothingThere(LookupError):
    """There is nothing of that name to check, or nothing at all."""


def discover(module: ModuleType, name: str | None = None, seed: int = 0) -> list[Found]:
    """Find what there is to check.

    Args:
        module: in which; what it imports from elsewhere does not count.
        name: of one class, function or object in it; None for all classes, for the objects of
            those classes that can't be made, and for what ``check_inputs()`` lists.
        seed: of the numbers that are made up.

    Raises:
        NothingThere: for a name that is not there or can't be checked.
        TypeError: for a ``check_inputs()`` that returns something else than the arguments of
            ``koubai.check``.

    >>> import koubai.book.layers
    >>> [found.name for found in discover(koubai.book.layers)][:3]
    ['MulLayer', 'AddLayer', 'DivLayer']
    """
    np.random.seed(seed)  # noqa: NPY002  what check_inputs() draws from it
    listed = _listed(module)
    if name is not None:
        return [f for f in listed if f.name == name] or [_named(module, name, seed)]
    done = {f.name for f in listed}
    classes = [x for x in vars(module).values() if isinstance(x, type) and _is_target(x)]
    own = [c for c in dict.fromkeys(classes) if c.__module__ == module.__name__]
    found = [_class(module, c, seed) for c in own if c.__name__ not in done]
    return listed + found + _assembled(module, seed)


def _listed(module: ModuleType) -> list[Found]:
    """What ``check_inputs()`` says."""
    check_inputs = getattr(module, "check_inputs", None)
    if not callable(check_inputs):
        return []
    calls = check_inputs()
    if not isinstance(calls, list) or not all(isinstance(c, tuple) and c for c in calls):
        raise TypeError(
            "it must return a list of tuples, the arguments of koubai.check, such as"
            f" [(Affine(W, b), x), (Relu(), x)], not {calls!r:.60}"
        )
    found = []
    for target, *inputs in calls:
        name = getattr(target, "__name__", type(target).__name__)
        description = ", ".join(map(describe, inputs))
        call = Call(target() if isinstance(target, type) else target, tuple(inputs), description)
        found.append(Found(name, lambda call=call: call))  # type: ignore[misc]
    return found


def _is_target(x: Any) -> bool:
    if inspect.isabstract(x) or x in (Function, Module):
        return False
    kinds = Function | Module
    is_ours = issubclass(x, kinds) if isinstance(x, type) else isinstance(x, kinds)
    return is_ours or is_layer(x) or is_network(x)


def _class(module: ModuleType, cls: type, seed: int) -> Found:
    """A class: an object of it is made; failing that, the first one in the module is taken."""
    objects = [x for x in vars(module).values() if type(x) is cls]

    def call() -> Call:
        try:
            return guess(cls, seed)
        except ValueError:
            if not objects:
                raise
            return guess(objects[0], seed)

    return Found(cls.__name__, call, call_to_complete(cls, forward_of(cls)))


def _assembled(module: ModuleType, seed: int) -> list[Found]:
    """The modules that are put together in the module: ``net = nn.Sequential(...)``."""
    return [
        Found(name, lambda x=x: guess(x, seed))  # type: ignore[misc]
        for name, x in vars(module).items()
        if isinstance(x, Module) and type(x).__module__ != module.__name__
    ]


def _named(module: ModuleType, name: str, seed: int) -> Found:
    if not hasattr(module, name):
        near = difflib.get_close_matches(name, vars(module), n=1)
        raise NothingThere(
            f"there is no {name} in it" + (f"; did you mean {near[0]}?" if near else "")
        )
    target = getattr(module, name)
    if isinstance(target, Variable):
        return Found(name, lambda: Call(target, (), ""))
    if isinstance(target, type) and _is_target(target):
        return _class(module, target, seed)
    if _is_target(target) or inspect.isfunction(target):
        code = call_to_complete(target, forward_of(target))
        return Found(name, lambda: guess(target, seed), code.replace("...", name, 1))
    raise NothingThere(
        f"{name} can't be checked: it is {describe(target)}; name a function, a class or object"
        " with forward and backward, or a network with loss and gradient"
    )
