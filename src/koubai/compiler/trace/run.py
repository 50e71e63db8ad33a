"""One run of a function on traced arrays in place of its world's, which stays as it was."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from koubai.compiler.errors import TraceError
from koubai.compiler.not_stored import NOT_STORED
from koubai.compiler.primitives import Type
from koubai.compiler.program import Program
from koubai.compiler.trace.graph import Graphs
from koubai.compiler.trace.number import TracedFloat
from koubai.compiler.trace.results import Results
from koubai.compiler.trace.traced import Trace, Traced, tracing
from koubai.compiler.trace.world import World
from koubai.core import Variable
from koubai.location import Location


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
    """
    trace = Trace()
    inputs = [_input(trace, x) for x in world.arrays]
    arrays = world.arrays[: len(inputs) - len(world.varied)]
    traced = {id(x): inputs[i] for i, x in enumerate(arrays) if i not in known}
    # One float object may be at several places, of which some are inputs.
    floats = {x.where: inputs[len(arrays) + i] for i, x in enumerate(world.varied)}
    before = [place.read() for place in world.containers]
    graphs = Graphs(world)
    token = tracing.set(True)
    try:
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
        results = Results(trace, inputs, world, entered, graphs, value, uses_up)
    except Exception as error:
        # NumPy says "setting an array element with a sequence" for what we refused.
        if isinstance(error.__cause__, TraceError):
            raise error.__cause__ from None
        raise
    finally:
        trace.ended = True
        tracing.reset(token)
        graphs.restore()
        for place, contents in zip(world.containers, before, strict=True):
            place.restore(contents)
    return Run(trace.program, results, trace.met)


def _input(trace: Trace, x: Any) -> Traced:
    if type(x) is float:
        return TracedFloat.input(trace, Type(np.dtype(np.float64), ()))
    return trace.input(Type(x.dtype, x.shape), isinstance(x, np.generic))


def _substituted(x: Any, traced: dict[int, Traced]) -> Any:
    """``x`` with traced arrays for arrays, also inside tuples, which can't be written into."""
    if isinstance(x, np.ndarray | np.generic):
        return traced.get(id(x), x)
    if isinstance(x, tuple):
        parts = [_substituted(part, traced) for part in x]
        if any(new is not old for new, old in zip(parts, x, strict=True)):
            return tuple.__new__(type(x), parts)
    return x
