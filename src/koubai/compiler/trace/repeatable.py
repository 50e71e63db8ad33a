"""Two runs of a function: one program can stand for it only if it does the same each time."""

from __future__ import annotations

import functools
import pickle
import random
import sys
import threading
from collections.abc import Callable, Collection
from typing import Any

from koubai.arrays import describe
from koubai.compiler.errors import TraceError, definition
from koubai.compiler.runtime.threads import pool
from koubai.compiler.trace.run import Run, traced_run
from koubai.compiler.trace.traced import OtherThread
from koubai.compiler.trace.world import World
from koubai.core import Variable


def repeated_run(
    function: Callable[..., Any],
    world: World,
    args: Any,
    kwargs: dict[str, Any],
    known: Collection[int],
) -> Run:
    """The second of two runs on traced arrays.

    Raises:
        TraceError: if they differ; if random numbers were drawn, also where the runs happened to
            agree; if an array was met that is not of this run, but of nowhere in the world.
    """
    runs = functools.partial(traced_run, function, world, args, kwargs, known)
    states, first = None, None
    if any(isinstance(place.owner, Variable) for place in world.containers):
        # Gradients that are used up need not be stored, if the function does not read those
        # that are there before: if it does the same without them. It may fail in any way then.
        try:
            first = runs(uses_up=True, hidden=True)
        except OtherThread:
            raise
        except Exception:
            first = None
    if first is not None:
        states = _random_states(world)
        second = runs(uses_up=True)
        if not _same(first, second):
            first = None
    if first is None:
        first = runs()
        states = _random_states(world)
        second = runs()
    if not _same(first, second):
        raise _differ(function, first, second)
    if states != _random_states(world):
        raise _differ(function, first, second)
    before = {id(x) for x, _ in first.met}
    for x, location in second.met:
        if id(x) in before:  # it lives longer than a run, so it may change between calls
            raise TraceError(
                f"{describe(x)} was reached through something that is not looked into (an object of"
                " an installed package, a cache): give it a name outside the function, mean ="
                " scaler.mean_, or pass it in as an argument",
                location,
            )
    return second


def _same(one: Run, two: Run) -> bool:
    if one.program.text() != two.program.text():
        return False
    return one.results.text() == two.results.text()


def _differ(function: Callable[..., Any], first: Run, second: Run) -> TraceError:
    """The error that names the first line in which two runs differ."""
    lines, others = first.program.lines(), second.program.lines()
    differ = [i for i, (a, b) in enumerate(zip(lines, others, strict=False)) if a != b]
    i = differ[0] if differ else min(len(lines), len(others))
    longer = (first if len(lines) > i else second).program.instructions
    return TraceError(
        "the function does something else each time that it runs (random numbers, time, a counter);"
        " compute that outside and pass it in as an argument",
        longer[i].location if i < len(longer) else definition(function),
    )


def _random_states(world: World) -> list[Any]:
    """The states of the random generators that the function can reach."""
    states: list[Any] = []
    generators = [x for x in world.kept if type(x).__name__ in ("Generator", "RandomState")]
    if threading.active_count() - len(pool.workers) == 1:  # else another may draw from them
        states.append(random.getstate())
        if numpys := sys.modules.get("numpy.random"):
            generators.append(numpys.mtrand._rand)
    for x in generators:
        bits = getattr(x, "bit_generator", None) or getattr(x, "_bit_generator", None)
        states.append(None if bits is None else pickle.dumps(bits.state))
    return states
