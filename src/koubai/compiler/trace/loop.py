"""Loops: the body of a loop runs once on traced arrays, and becomes a program of its own.

It runs in the run of the function around it, and writes into the same program; then what it wrote
is taken out (body.py). So it may use whatever the function around it has, and what it assigns there
is carried from step to step (state.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from koubai.compiler.errors import TraceError
from koubai.compiler.primitives import Type
from koubai.compiler.trace.body import parameter, taken_out
from koubai.compiler.trace.state import State
from koubai.compiler.trace.traced import Trace, Traced
from koubai.recording import running

Body = Callable[[list[Any], list[Any]], tuple[list[Any], list[Any]] | None]
"""From what is carried, and one element of each stack, to what is carried on, and results.

It is called several times; only the last time counts. None asks for another."""


def loop(
    body: Body,
    carries: Sequence[Any],
    stacks: Sequence[Any],
    length: int,
    reverse: bool,
    f: Callable[..., Any],
    keeps_state: bool = True,
) -> tuple[list[Any], list[Any], bool]:
    """A loop of ``length`` steps.

    Args:
        body: what one step does.
        carries: arrays; the first step gets these.
        stacks: arrays with one element for each step along their first axis.
        reverse: whether the steps go from the last element to the first.
        f: the user's function that the body calls: what it assigns is carried, too.
        keeps_state: whether what it has assigned in the end stays, or is undone.

    Returns:
        What is carried after the last step; the results of all steps, stacked; and whether a step
        reads what an earlier one has assigned.
    """
    trace: Trace = running.get()
    given = [_as_traced(trace, x) for x in carries]
    xs = [_as_traced(trace, x) for x in stacks]
    elements = [Type(x.dtype, x.shape[1:]) for x in xs]
    program, state = trace.program, State(f, trace)
    try:
        while True:
            first = len(program.inputs) + len(program.instructions)
            own = [_parameter(trace, x.type) for x in given]
            assigned = state.enter()
            each = [_parameter(trace, type_) for type_ in elements]
            if (made := body(own, each)) is not None:
                after, results = ([_as_traced(trace, y) for y in ys] for ys in made)
                _same_types(given, after)
                values = [x.value for x in after], [x.value for x in results]
                if state.leave():
                    break
            trace.gone |= set(range(first, len(program.inputs) + len(program.instructions)))
            state.restore()
    except BaseException:
        state.restore()
        raise
    parameters = [*(x.value for x in own), *assigned, *(x.value for x in each)]
    outputs = [*values[0], *state.outputs(), *values[1]]
    inner, constants = taken_out(program, first, parameters, outputs, trace.gone)
    state.restore()
    used = {v for x in inner.instructions for v in x.inputs} | set(inner.outputs)
    inits, reads = _inits(trace, state, used, len(constants) + len(own))
    bundle = trace.emit(
        "loop",
        *[Traced(trace, v, program.type_of(v)) for v in constants],
        *given,
        *inits,
        *xs,
        body=inner,
        constants=len(constants),
        carries=len(given) + len(inits),
        length=length,
        reverse=reverse,
    )
    parts = [trace.emit("part", bundle, index=i) for i in range(len(outputs))]
    n = len(given)
    if keeps_state:
        state.finish(parts[n : n + len(inits)])
    return parts[:n], parts[n + len(inits) :], reads


def _inits(trace: Trace, state: State, used: set[int], first: int) -> tuple[list[Traced], bool]:
    """What the assigned places have before the first step; and whether any step reads them."""
    inits, reads = [], False
    for i, (x, leaf_type, name) in enumerate(
        zip(state.inits(), state.types(), state.names(), strict=True)
    ):
        is_read = first + i in used
        reads = reads or is_read
        if x is None:
            if is_read:
                raise TraceError(
                    f"a step of scan reads {name}, which is no array of that kind before the first"
                    " step; give it a value before (of a gradient: call optimizer.zero_grad() at"
                    " the beginning of the step)"
                )
            zero = trace.constant(np.zeros((), leaf_type.dtype))
            x = trace.emit("broadcast_to", zero, shape=leaf_type.shape)
        inits.append(x)
    return inits, reads


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
