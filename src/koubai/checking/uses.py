"""What each single use of a parameter contributes to its gradient.

A parameter that is used at several places, or at every step in time, has the sum of the gradients
of its uses. To see them one by one the parameter is made an array that counts the NumPy calls it
takes part in, and that is another during one of them only.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from koubai.checking.evidence import Evidence, flat, weighted
from koubai.checking.numerical import Curve, derivative

Array = Any


@dataclass
class Counter:
    """How often an array has been used, and what to add to it during use number ``during``.

    ``users`` are the objects in whose methods it was.
    """

    base: Array
    count: int = 0
    during: int = -1
    change: Array = field(default_factory=lambda: np.zeros(()))
    users: list[Any] = field(default_factory=list)


class Counted(np.ndarray):
    """An array, or a view of one, that counts its uses in NumPy's functions."""

    counter: Counter | None = None

    def __array_finalize__(self, parent: Any) -> None:
        self.counter = getattr(parent, "counter", None)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return _used([*inputs, *kwargs.values()], getattr(ufunc, method), inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return _used([*args, *kwargs.values()], func, args, kwargs)


def _used(arguments: list[Any], function: Any, args: Any, kwargs: Any) -> Any:
    counter = next(a.counter for a in arguments if isinstance(a, Counted))
    plain = [a.view(np.ndarray) if isinstance(a, Counted) else a for a in args]
    if counter is None:
        return function(*plain, **kwargs)
    counter.count += 1
    counter.users.append(sys._getframe(2).f_locals.get("self"))
    if counter.count - 1 != counter.during:
        return function(*plain, **kwargs)
    kept = counter.base.copy()
    counter.base += counter.change
    try:
        return function(*plain, **kwargs)
    finally:
        counter.base[...] = kept


def gradients_by_use(evidence: Evidence, name: str) -> Iterator[Array]:
    """The gradient of each single use of a parameter of a hand-written layer or network."""
    x, uses = evidence.values[name], _uses(evidence, name)
    if uses is None or uses.count < 2 or uses.count * x.size * 10 * evidence.seconds > 2.0:
        return
    parameter = evidence.point.subject.parameter(name)
    units = evidence.point.units[evidence.point.slices[name]]

    def along(j: int, use: int) -> Curve:
        def curve(t: Any) -> Array:
            change = np.zeros(x.shape)
            change.reshape(-1)[j] = t
            return _counted(evidence, parameter, use, change)[0]

        return curve

    for use in range(uses.count):
        slopes = derivative([along(j, use) for j in range(x.size)], units, evidence.dtype)
        yield np.array([weighted(d.value, evidence.gy) for d in slopes]).reshape(x.shape)


def user_of(evidence: Evidence, name: str) -> Any:
    """The object in whose forward a parameter is used first; None if that is not known."""
    uses = _uses(evidence, name)
    return None if uses is None else next((u for u in uses.users if u is not None), None)


def _uses(evidence: Evidence, name: str) -> Counter | None:
    """How often a parameter is used and by whom; None where that is not known."""
    parameter = evidence.point.subject.parameter(name)
    if parameter is None:
        return None
    try:
        return _counted(evidence, parameter, -1, np.zeros(()))[1]
    except Exception:  # somebody's forward that takes no subclass of an array
        return None


def _counted(
    evidence: Evidence, parameter: Array, during: int, change: Array
) -> tuple[Array, Counter]:
    """The outputs with a parameter that counts its uses, and is another during one of them."""
    base = np.array(parameter)
    counted = base.view(Counted)
    counted.counter = Counter(base, 0, during, change)
    forward: Any = evidence.point.subject.forward
    return flat(forward(evidence.values, {id(parameter): counted})), counted.counter
