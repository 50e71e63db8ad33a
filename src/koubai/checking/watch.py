"""``watch``: stop at the first NaN or Inf, and at arrays that were changed behind backward's back.

Nothing in the engine asks whether somebody watches, so it costs nothing when nobody does. Inside
``watch()`` the engine's two entrances, the call of a function and the backward pass, are replaced
by ones that look at what comes out; the last to leave puts the engine's own back.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Collection, Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np

from koubai.checking import kept
from koubai.checking.finite import NotFinite, check_call, check_pass
from koubai.checking.graphs import functions_of, variables_of
from koubai.checking.numbers import has_nan, is_finite, range_of
from koubai.core import Function, Variable, propagate
from koubai.location import caller, describe_location
from koubai.optim import Optimizer

# The arrays that users' functions write into themselves, by id; None where nobody watches. A
# context variable, so that other threads go on as they were.
_own: ContextVar[dict[int, Any] | None] = ContextVar("own", default=None)

_call, _step = Function._once, Optimizer.step
_lock = threading.Lock()
_watchers = 0


@contextlib.contextmanager
def watch() -> Iterator[None]:
    """Stop at the first NaN or Inf, and say where it comes from; also a decorator, ``@watch()``.

    Inside, every operation on Variables is looked at, forward and backward, eager and compiled, and
    every step of an optimizer. The error says which operation it was and the line that called it,
    what it was given, whether it made the NaN or Inf itself, and in a backward pass the way from
    there to the loss.

    NaN always stops. Inf stops the operation that makes it of finite numbers; an operation that
    was given Inf (scores with a mask of -inf) may pass it on. In a compiled function the
    operations are the instructions of its program.

    Arrays that were written into (``x.data[...] = 0``) after an operation had kept them for its
    backward are an error too: the gradient would be wrong.

    Operations take several times as long inside, and nothing more outside. Other threads are not
    watched, nor are calls by hand (``layer.forward(x)``) and arrays of other libraries than NumPy.

    Raises:
        koubai.checking.NotFinite: a FloatingPointError.
        ValueError: for an array that was written into.

    >>> import koubai
    >>> x = koubai.Variable([1.0, 0.0], name="x")
    >>> try:
    ...     with koubai.watch():
    ...         y = koubai.log(x)
    ... except FloatingPointError as error:
    ...     print(*str(error).splitlines()[:3], sep="\\n")
    Log made Inf of finite numbers; the first at [1]
      x 'x': float64[2], from 0 to 1; there 0
      result: float64[2], from 0 to 0, 1 Inf
    """
    from koubai.checking.programs import watched_program  # the compiler, when first used
    from koubai.compiler.interpret import observer

    own = _own.get()
    tokens = _own.set({} if own is None else own), observer.set(watched_program)
    _enter()
    try:
        with np.errstate(all="ignore"):  # the error says more than NumPy's warning
            yield
    finally:
        _leave()
        _own.reset(tokens[0])
        observer.reset(tokens[1])


def _enter() -> None:
    global _watchers
    with _lock:
        _watchers += 1
        if _watchers == 1:
            _replace(_watched_call, _watched_step, propagate, _watched_propagate)


def _leave() -> None:
    global _watchers
    with _lock:
        _watchers -= 1
        if _watchers == 0:
            _replace(_call, _step, _watched_propagate, propagate)


def _replace(call: Any, step: Any, old: Any, new: Any) -> None:
    Function._once, Optimizer.step = call, step  # type: ignore[method-assign]
    for name, module in list(sys.modules.items()):  # wherever a backward pass is started
        if name.startswith("koubai.") and name != __name__ and vars(module).get("propagate") is old:
            module.propagate = new  # type: ignore[attr-defined]


def _watched_call(self: Function, *inputs: Any) -> Any:
    """``Function._once``, which every call comes to, while somebody watches."""
    own = _own.get()
    if own is None:
        return _call(self, *inputs)
    before = [] if self._is_ours else kept.checksums(self)
    result = _call(self, *inputs)
    own.update({id(x): x for _, x in kept.written(before)})
    self._location = caller()
    results = result if isinstance(result, tuple) else (result,)
    if any(isinstance(y, Variable) and y.creator is self for y in results):
        kept.remember(self)
    check_call(self, inputs, results)
    return result


def _watched_propagate(
    y: Variable, gy: Any = None, create_graph: bool = False, wanted: Collection[Variable] = ()
) -> dict[Variable, Any]:
    """``propagate`` while somebody watches: all gradients are kept, and looked at."""
    own = _own.get()
    if own is None or not isinstance(y._data, np.ndarray):  # a function is being compiled
        return propagate(y, gy, create_graph, wanted)
    functions = functions_of(y)
    kept.refuse_changed(functions, own)
    before = [entry for f in functions if not f._is_ours for entry in kept.checksums(f)]
    inner = {x for f in functions for x in variables_of(f)}
    table = propagate(y, gy, create_graph, {y, *inner, *wanted})
    own.update({id(x): x for _, x in kept.written(before)})
    check_pass(y, functions, table)
    return {x: gx for x, gx in table.items() if x._creator is None or x in wanted}


def _watched_step(self: Optimizer) -> None:
    """``Optimizer.step`` while somebody watches."""
    before = [(p, p.data, p.grad) for p in self.parameters]
    _step(self)
    if _own.get() is None:
        return
    for i, (p, x, g) in enumerate(before):
        if has_nan(p) or (not is_finite(p) and is_finite(x)):
            name = f" {p.name!r}" if p.name else ""
            raise NotFinite(
                f"{self!r}.step() made parameter {i}{name} {range_of(p)}\n  before:"
                f" {range_of(x)}\n  its gradient: {range_of(g)}\n  called at"
                f" {describe_location(caller())}\n  Try: a smaller learning rate"
            )
