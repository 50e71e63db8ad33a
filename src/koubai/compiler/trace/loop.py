"""Loops: the body of a loop runs once on traced arrays, and becomes a program of its own.

It runs in the run of the function around it, and writes into the same program; then what it wrote
is taken out (body.py). So it may use whatever the function around it has, and what it assigns there
is carried from step to step (state.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from koubai.compiler.errors import TraceError
from koubai.compiler.primitives import Type
from koubai.compiler.trace.body import parameter, taken_out
from koubai.compiler.trace.state import Slots, State
from koubai.compiler.trace.traced import Trace, Traced
from koubai.recording import running

Body = Callable[[list[Any], list[Any]], tuple[list[Any], list[Any]] | None]
"""From what is carried, and one element of each stack, to what is carried on, and results.

It is called several times; only the last time counts. None asks for another."""


@dataclass
class Assigned:
    """What the steps of a loop have assigned in their world, and read in later steps.

    Attributes:
        slots: the places.
        stacks: what they had before each step.
        variables: whether there are Variables among them, whose history ends with the step.
    """

    slots: Slots
    stacks: list[Traced]
    variables: bool


def loop(
    body: Body,
    carries: Sequence[Any],
    stacks: Sequence[Any],
    length: int,
    reverse: bool,
    f: Callable[..., Any],
    given: Assigned | None = None,
) -> tuple[list[Any], list[Any], Assigned]:
    """A loop of ``length`` steps.

    Args:
        body: what one step does.
        carries: arrays; the first step gets these.
        stacks: arrays with one element for each step along their first axis.
        reverse: whether the steps go from the last element to the first.
        f: the user's function that the body calls: what it assigns is carried, too.
        given: of another loop whose steps have called f: each step sees the world as that one did,
            and what it assigns itself is undone.

    Returns:
        What is carried after the last step; the results of all steps, stacked; what was assigned.
    """
    trace: Trace = running.get()
    first_carries = [_as_traced(trace, x) for x in carries]
    xs = [_as_traced(trace, x) for x in stacks]
    n_stacks = len(xs)
    xs += given.stacks if given else []
    elements = [Type(x.dtype, x.shape[1:]) for x in xs]
    program, state = trace.program, State(f, trace)
    try:
        while True:
            first = len(program.inputs) + len(program.instructions)
            own = [_parameter(trace, x.type) for x in first_carries]
            assigned = [] if given else state.enter()
            each = [_parameter(trace, type_) for type_ in elements]
            if given:
                state.put(given.slots, each[n_stacks:])
            if (made := body(own, each[:n_stacks])) is not None:
                after, results = ([_as_traced(trace, y) for y in ys] for ys in made)
                _same_types(first_carries, after)
                values = [x.value for x in after], [x.value for x in results]
                if given or state.leave():
                    break
            trace.gone |= set(range(first, len(program.inputs) + len(program.instructions)))
            state.restore()
    except BaseException:
        state.restore()
        raise
    before = [x.value for x in assigned]
    kept = [] if given else state.outputs()
    parameters = [*(x.value for x in own), *before, *(x.value for x in each)]
    outputs = [*values[0], *kept, *values[1], *before]
    inner, constants = taken_out(program, first, parameters, outputs, trace.gone)
    state.restore()
    n_carries, n_results = len(first_carries), len(results)
    results_and_before = inner.outputs[n_carries + len(kept) :]
    computed = {*inner.outputs[: n_carries + len(kept)], *results_and_before[:n_results]}
    used = {v for x in inner.instructions for v in x.inputs} | computed
    first_assigned = len(constants) + n_carries
    is_read = [first_assigned + i in used for i in range(len(kept))]
    inits = [] if given else _inits(trace, state, is_read)
    bundle = trace.emit(
        "loop",
        *[Traced(trace, v, program.type_of(v)) for v in constants],
        *first_carries,
        *inits,
        *xs,
        body=inner,
        constants=len(constants),
        carries=n_carries + len(inits),
        length=length,
        reverse=reverse,
    )
    parts = [trace.emit("part", bundle, index=i) for i in range(len(outputs))]
    end = n_carries + len(inits)
    stacked = parts[end + n_results :]
    found = given or Assigned(*state.read_slots(is_read, stacked))
    if not given:
        state.finish(parts[n_carries:end])
    return parts[:n_carries], parts[end : end + n_results], found


def _inits(trace: Trace, state: State, is_read: Sequence[bool]) -> list[Traced]:
    """What the assigned places have before the first step."""
    inits = []
    places = zip(state.inits(), state.types(), state.names(), is_read, strict=True)
    for x, type_, name, read in places:
        if x is None:
            if read:
                raise TraceError(
                    f"a step of scan reads {name}, which is no array of that kind before the first"
                    " step; give it a value before (of a gradient: call optimizer.zero_grad() at"
                    " the beginning of the step)"
                )
            zero = trace.constant(np.zeros((), type_.dtype))
            x = trace.emit("broadcast_to", zero, shape=type_.shape)
        inits.append(x)
    return inits


def is_gone(x: Any) -> bool:
    """Whether ``x`` is an array that was computed in a step of a loop, which is over."""
    return isinstance(x, Traced) and x.value in x.trace.gone


def _parameter(trace: Trace, type_: Type) -> Traced:
    return Traced(trace, parameter(trace.program, type_), type_, scalar=not type_.shape)


def _as_traced(trace: Trace, x: Any) -> Traced:
    return x if isinstance(x, Traced) else trace.constant(x)


def _same_types(before: Sequence[Traced], after: Sequence[Traced]) -> None:
    for i, (x, y) in enumerate(zip(before, after, strict=True)):
        if x.type != y.type:
            raise ValueError(f"carry {i} is {x.type} before a step and {y.type} after it")
