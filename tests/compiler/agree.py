"""What the compiler's tests hold against each other: eager and compiled, to the bit."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np

import koubai
from koubai import Function, Variable
from koubai.compiler.not_stored import NotStored
from koubai.compiler.trace.traced import Traced

Seen = dict[int, Any]
"""What a walk has been to, by id; it is kept, for the id of what is gone may be used again."""


def assert_same(a: Any, b: Any, where: str = "", seen: Seen | None = None) -> None:
    """The same types, dtypes, shapes and bits, also within objects; NaN is the same as NaN."""
    seen = {} if seen is None else seen
    assert type(a) is type(b), f"{where}: {type(a)} and {type(b)}: {a!r:.200}, {b!r:.200}"
    if id(a) in seen:
        return
    if isinstance(a, np.ndarray | np.generic):
        assert (a.dtype, a.shape) == (b.dtype, b.shape), where
        np.testing.assert_array_equal(a, b, err_msg=where, strict=True)
        if a.dtype.kind == "f":
            known = ~np.isnan(a)
            assert (np.signbit(a)[known] == np.signbit(b)[known]).all(), f"{where}: 0.0 and -0.0"
        return
    seen[id(a)] = a
    if isinstance(a, Variable):
        assert_same(a.data, b.data, f"{where}.data", seen)
        if isinstance(b.grad, NotStored):  # a compiled step has used it up
            assert a.grad is not None, where
        else:
            assert_same(a.grad, b.grad, f"{where}.grad", seen)
    elif isinstance(a, dict):
        assert list(a) == list(b), f"{where}: {list(a)} and {list(b)}"
        for key in a:
            assert_same(a[key], b[key], f"{where}[{key!r}]", seen)
    elif isinstance(a, list | tuple | deque):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}[{i}]", seen)
    elif (hasattr(a, "__dict__") or hasattr(a, "__slots__")) and not callable(a):
        assert_same(_fields(a), _fields(b), where, seen)
    elif not callable(a):
        assert a == b or (a != a and b != b), f"{where}: {a!r} and {b!r}"


def _fields(x: Any) -> dict[str, Any]:
    """The attributes of an object; the links of a function to its graph are no part of it."""
    links = ("_inputs", "_outputs", "_number", "_location", "_tuple_types")
    slots = {s: getattr(x, s) for s in getattr(x, "__slots__", ()) if hasattr(x, s)}
    fields = {**slots, **getattr(x, "__dict__", {})}
    return {name: value for name, value in fields.items() if name not in links}


def agree(make: Callable[[], tuple[Callable[..., Any], Any]], *calls: tuple[Any, ...]) -> Any:
    """Call a function eagerly, and another like it compiled: equal results, arguments and state.

    Args:
        make: returns the function and all that it changes, new ones each time.
        calls: the arguments of each call.

    Returns:
        The compiled function.
    """
    eager, expected_state = make()
    function, state = make()
    compiled = koubai.compile(function)
    for i, args in enumerate(calls):
        expected_args, actual_args = deepcopy(args), deepcopy(args)
        expected, actual = eager(*expected_args), compiled(*actual_args)
        assert_same(expected, actual, f"result of call {i}")
        assert_same(expected_args, actual_args, f"arguments of call {i}")
        assert_same(expected_state, state, f"state after call {i}")
        assert_untraced((actual, actual_args, state))
    return compiled


def assert_same_function(f: Callable[..., Any], *args: Any) -> None:
    """A function without state: eager, compiled, and once more by the same program."""
    compiled = koubai.compile(f)
    expected, actual = f(*args), compiled(*args)
    assert_same(expected, actual, "result")
    assert_untraced(actual)
    assert_same(actual, compiled(*args), "second result")
    assert len(compiled.programs) == 1


def assert_untraced(x: Any, seen: Seen | None = None) -> None:
    """No traced array can be reached from ``x``: through fields, graphs, closures, globals."""
    seen = {} if seen is None else seen
    if id(x) in seen or isinstance(x, type):
        return
    seen[id(x)] = x
    assert not isinstance(x, Traced), f"{x!r} has leaked"
    if isinstance(x, dict):
        children = [*x, *x.values()]
    elif isinstance(x, list | tuple | set):
        children = list(x)
    else:
        slots = [s for cls in type(x).__mro__ for s in getattr(cls, "__slots__", ())]
        children = [getattr(x, s, None) for s in slots if s != "__weakref__"]
        children += list(getattr(x, "__dict__", {}).values())
        children += [cell.cell_contents for cell in getattr(x, "__closure__", None) or ()]
        children += [link() for link in x._outputs] if isinstance(x, Function) else []
    for child in children:
        if not type(child).__module__.startswith(("numpy", "types", "weakref")):
            assert_untraced(child, seen)
