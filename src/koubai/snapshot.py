"""Copies of objects that keep arrays: the containers are copied, the arrays shared.

a = {"x": array}; b = snapshot(a); a["x"] = other       # b["x"] is array still
"""

from __future__ import annotations

import copy
from typing import Any


def snapshot(x: Any) -> Any:
    """A copy of ``x``, and of the dicts, lists, tuples and functions of a graph inside it.

    What is found twice is copied once, and may contain itself.
    """
    return _copied(x, {})


def leave_snapshot(function: Any) -> None:
    """Before it is called again: results that are still alive get a copy as their creator."""
    outputs = [link() for link in function._outputs]
    alive = [y for y in outputs if y is not None and y._creator is function]
    if alive:
        older = snapshot(function)
        for output in alive:
            output._creator = older
    function._inputs = function._outputs = ()


def _copied(x: Any, copies: dict[int, Any]) -> Any:
    """``copies``: what has been copied already, by the identity of the original."""
    if id(x) in copies:
        return copies[id(x)]
    new: Any
    # A copy is entered before what is inside is copied, which may lead back to x.
    if isinstance(x, dict):
        new = copies[id(x)] = copy.copy(x)
        new.update({key: _copied(value, copies) for key, value in x.items()})
        return new
    if type(x) is list:
        new = copies[id(x)] = []
        new += [_copied(value, copies) for value in x]
        return new
    if type(x) is tuple:
        return tuple([_copied(value, copies) for value in x])
    if hasattr(type(x), "forward") and hasattr(type(x), "backward"):
        new = copies[id(x)] = copy.copy(x)
        vars(new).update({name: _copied(value, copies) for name, value in vars(x).items()})
        return new
    return x
