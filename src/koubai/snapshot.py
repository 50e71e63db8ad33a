"""Copies of objects that keep arrays: the containers are copied, the arrays shared.

a = {"x": array}; b = snapshot(a); a["x"] = other       # b["x"] is array still
"""

from __future__ import annotations

import copy
from typing import Any


def snapshot(x: Any) -> Any:
    """A copy of ``x``, and of the dicts, lists, tuples and functions of a graph inside it."""
    if isinstance(x, dict):
        new = copy.copy(x)
        new.update({key: snapshot(value) for key, value in x.items()})
        return new
    if type(x) in (list, tuple):
        return type(x)([snapshot(value) for value in x])
    if hasattr(type(x), "forward") and hasattr(type(x), "backward"):
        new = copy.copy(x)
        vars(new).update(snapshot(vars(x)))
        return new
    return x
