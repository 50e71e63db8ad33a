"""Whether a function does the same in each run: else one program can't stand for it."""

from __future__ import annotations

import pickle
import random
import sys
import threading
from collections.abc import Callable
from typing import Any

from koubai.compiler.program import Program
from koubai.compiler.trace.results import Results
from koubai.compiler.trace.traced import TraceError
from koubai.compiler.trace.world import World


def check_repeatable(
    function: Callable[..., Any],
    first: tuple[Program, Results],
    second: tuple[Program, Results],
    random_is_same: bool,
) -> None:
    """Raise TraceError if two runs differ, with the first line in which they do.

    Drawing random numbers counts, also where the runs happened to agree.
    """
    (one, left), (two, left_too) = first, second
    if random_is_same and one.text() == two.text() and left.text() == left_too.text():
        return
    lines, others = one.lines(), two.lines()
    differ = [i for i, (a, b) in enumerate(zip(lines, others, strict=False)) if a != b]
    i = differ[0] if differ else min(len(lines), len(others))
    longer = (one if len(lines) > i else two).instructions
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    raise TraceError(
        "the function does something else each time that it runs (random numbers, time, a counter);"
        " compute that outside and pass it in as an argument",
        longer[i].location if i < len(longer) else code and (code, 0),
    )


def random_states(world: World) -> list[Any]:
    """The states of the random generators that the function can reach."""
    states: list[Any] = []
    generators = [x for x in world.kept if type(x).__name__ in ("Generator", "RandomState")]
    if threading.active_count() == 1:  # else another thread may draw from them
        states.append(random.getstate())
        if numpys := sys.modules.get("numpy.random"):
            generators.append(numpys.mtrand._rand)
    for x in generators:
        bits = getattr(x, "bit_generator", None) or getattr(x, "_bit_generator", None)
        states.append(None if bits is None else pickle.dumps(bits.state))
    return states
