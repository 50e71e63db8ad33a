"""One run of a function on traced arrays in place of its world's, which stays as it was."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from koubai.arrays import REAL
from koubai.compiler.errors import TraceError, definition, with_line
from koubai.compiler.not_stored import NOT_STORED
from koubai.compiler.primitives import Type
from koubai.compiler.program import Program
from koubai.compiler.trace.body import without_gone
from koubai.compiler.trace.graph import Graphs
from koubai.compiler.trace.number import TracedFloat
from koubai.compiler.trace.results import Results
from koubai.compiler.trace.traced import OtherThread, Trace, Traced, tracing
from koubai.compiler.trace.world import World
from koubai.core import Variable
from koubai.location import Location
from koubai.recording import running

_exchange = threading.Lock()
"""Held while the arrays of a world are replaced by traced ones, which no two threads do at once."""


@dataclass
class Run:
    """What a function did with arrays, what it left behind, and the NumPy arrays that it met."""

    program: Program
    results: Results
    met: list[tuple[Any, Location]]


def traced_run(
    function: Callable[..., Any],
    world: World,
    args: Any,
    kwargs: dict[str, Any],
    known: Collection[int] = (),
    uses_up: bool = False,
    hidden: bool = False,
) -> Run:
    """Run ``function``.

    Args:
        known: inputs that stay as they are, numbers that decide.
        uses_up: see ``Results``.
        hidden: whether all gradients are hidden that are there before.

    Raises:
        OtherThread: if a part of the world has been replaced since the look at it.
    """
    trace = Trace(uses_up)
    inputs = [_input(trace, x) for x in world.arrays]
    arrays = world.arrays[: len(inputs) - len(world.varied)]
    traced = {id(x): inputs[i] for i, x in enumerate(arrays) if i not in known}
    # One float object may be at several places, of which some are inputs.
    floats = {x.where: inputs[len(arrays) + i] for i, x in enumerate(world.varied)}
    graphs: Graphs | None = None
    token, outer = tracing.set(True), running.set(trace)
    try:
        with _exchange:
            before = [place.read() for place in world.containers]
            _refuse_replaced(before, world)
            graphs = Graphs(world)
            graphs.cut()
            for i, (place, contents) in enumerate(zip(world.containers, before, strict=True)):
                for key, value in contents.items():
                    if (new := floats.get((i, key), _substituted(value, traced))) is not value:
                        place.write(key, new)
                if hidden and isinstance(place.owner, Variable):
                    place.write("grad", NOT_STORED)
        entered = [place.read() for place in world.containers]
        value = function(
            *[floats.get((None, i), _substituted(x, traced)) for i, x in enumerate(args)],
            **{n: floats.get((None, n), _substituted(x, traced)) for n, x in kwargs.items()},
        )
        try:
            results = Results(trace, inputs, world, entered, graphs, value, uses_up)
        except TraceError as error:
            if type(error) is not TraceError:
                raise
            # It is about what is left behind, so the line is the caller's.
            raise TraceError(error.message, definition(function)) from None
    except Exception as error:
        # NumPy says "setting an array element with a sequence" for what we refused.
        if isinstance(error.__cause__, TraceError):
            raise error.__cause__ from None
        if (new := with_line(error)) is not error:
            raise new from None
        raise
    finally:
        trace.ended = True
        tracing.reset(token)
        running.reset(outer)
        if graphs is not None:
            graphs.restore()
            for place, contents in zip(world.containers, before, strict=True):
                place.restore(contents)
        trace.restored.set()
    return Run(without_gone(trace.program, trace.gone), results, trace.met)


def _input(trace: Trace, x: Any) -> Traced:
    if type(x) is float:
        return TracedFloat.input(trace, Type(np.dtype(np.float64), ()))
    return trace.input(Type(x.dtype, x.shape), isinstance(x, np.generic))


def _refuse_replaced(before: Iterable[dict[Any, Any]], world: World) -> None:
    """Raise OtherThread if another thread has put other arrays into the world."""
    known = {id(x) for x in world.arrays}
    for x in (x for contents in before for x in contents.values()):
        if isinstance(x, Traced) and x.trace.is_elsewhere():
            raise OtherThread(x.trace)
        if type(x) is np.ndarray and x.dtype.kind in REAL and id(x) not in known:
            raise OtherThread


def _substituted(x: Any, traced: dict[int, Traced]) -> Any:
    """``x`` with traced arrays for arrays, also inside tuples, which can't be written into."""
    if isinstance(x, np.ndarray | np.generic):
        return traced.get(id(x), x)
    if isinstance(x, tuple):
        parts = [_substituted(part, traced) for part in x]
        if any(new is not old for new, old in zip(parts, x, strict=True)):
            return tuple.__new__(type(x), parts)
    return x
