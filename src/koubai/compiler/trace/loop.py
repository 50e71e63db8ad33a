"""Loops: the body of a loop runs once on traced arrays, and becomes a program of its own.

It runs in the run of the function around it, and writes into the same program; then what it wrote
is taken out (body.py). So it may use whatever the function around it has, and what it assigns there
is carried from step to step (state.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from koubai.compiler.errors import TraceError
from koubai.compiler.passes.common import key_of
from koubai.compiler.primitives import Type
from koubai.compiler.program import Program
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
        variables: the names of Variables among them, whose history ends with the step.
    """

    slots: Slots
    stacks: list[Traced]
    variables: list[str]


@dataclass
class _Run:
    """One run of a body: values of the program.

    Attributes:
        first: the first that belongs to it.
        own, assigned, each: its parameters: what is carried, what the places have that it assigns,
            and one element of each stack.
        after, state, results: what is carried on, what the places have then, and its results.
    """

    first: int
    own: list[int]
    assigned: list[int]
    each: list[int]
    after: list[int]
    state: list[int]
    results: list[int]


def loop(
    body: Body,
    carries: Sequence[Any],
    stacks: Sequence[Any],
    length: int,
    reverse: bool,
    f: Callable[..., Any],
    derivative_of: Assigned | None = None,
) -> tuple[list[Any], list[Any], Assigned]:
    """A loop of ``length`` steps.

    Args:
        body: what one step does.
        carries: arrays; the first step gets these.
        stacks: arrays with one element for each step along their first axis.
        reverse: whether the steps go from the last element to the first.
        f: the user's function that the body calls: what it assigns is carried, too.
        derivative_of: of another loop whose steps have called f: each step sees the world as that
            one did, and what it assigns itself is undone.

    Returns:
        What is carried after the last step; the results of all steps, stacked; what was assigned.
    """
    trace: Trace = running.get()
    return _Loop(trace, body, carries, stacks, f, derivative_of).emitted(length, reverse)


class _Loop:
    """A loop while its body is run."""

    def __init__(
        self,
        trace: Trace,
        body: Body,
        carries: Sequence[Any],
        stacks: Sequence[Any],
        f: Callable[..., Any],
        derivative_of: Assigned | None,
    ) -> None:
        self.trace, self.body, self.derivative_of = trace, body, derivative_of
        self.carries = [_as_traced(trace, x) for x in carries]
        self.stacks = [_as_traced(trace, x) for x in stacks]
        self.n_stacks = len(self.stacks)  # of the body; then come those for its world
        self.stacks += derivative_of.stacks if derivative_of else []
        self.state = State(f, trace)

    def emitted(self, length: int, reverse: bool) -> tuple[list[Traced], list[Traced], Assigned]:
        """The loop as an instruction, and what it makes."""
        trace, program, state = self.trace, self.trace.program, self.state
        run = self._complete_run()
        # What the assigned places had before each step is a result too, for a derivative.
        outputs = [*run.after, *run.state, *run.results, *run.assigned]
        parameters = [*run.own, *run.assigned, *run.each]
        inner, constants = taken_out(program, run.first, parameters, outputs, trace.gone)
        reads = self._reads(inner, len(constants) + len(run.own), len(run.assigned))
        inits = self._inits(reads, length)
        bundle = trace.emit(
            "loop",
            *[Traced(trace, v, program.type_of(v)) for v in constants],
            *self.carries,
            *inits,
            *self.stacks,
            body=inner,
            constants=len(constants),
            carries=len(self.carries) + len(inits),
            length=length,
            reverse=reverse,
        )
        parts = iter([trace.emit("part", bundle, index=i) for i in range(len(outputs))])
        after, kept, results, before = (
            list(itertools.islice(parts, len(values)))
            for values in (run.after, run.state, run.results, run.assigned)
        )
        if self.derivative_of:
            return after, results, self.derivative_of
        if length:
            state.finish(kept)
        return after, results, Assigned(*state.read_slots(reads, before))

    def _complete_run(self) -> _Run:
        """A run that assigns what was known before it; the world is as it was before."""
        state = self.state
        try:
            while (run := self._run()) is None or not (self.derivative_of or state.leave()):
                self._forget()
                state.restore()
            run.state = [] if self.derivative_of else state.outputs()
            signature = self._signature(run)
            state.restore()
            if not self.derivative_of and state.constants:
                # Of the first step these were others; it must do the same all the same.
                name, slots = state.name_of_constant(), state.slots
                first = self._run(as_before=True)
                is_same = first is not None and state.leave()
                state.slots = slots
                self._forget()
                if first is None or not is_same or self._signature(first) != signature:
                    raise TraceError(
                        f"the first step of scan finds another {name} than the next ones, and does"
                        " something else then; let a number that changes be an array, and write"
                        " where(...) for a decision on it"
                    )
        finally:
            state.restore()
        return run

    def _run(self, as_before: bool = False) -> _Run | None:
        trace, program = self.trace, self.trace.program
        self._first = first = len(program.inputs) + len(program.instructions)
        own = [_parameter(trace, x.type) for x in self.carries]
        assigned = [] if self.derivative_of else self.state.enter(as_before)
        each = [_parameter(trace, Type(x.dtype, x.shape[1:])) for x in self.stacks]
        # Now, for the body may write into them.
        a, b, c = ([x.value for x in xs] for xs in (own, assigned, each))
        if self.derivative_of:
            self.state.put(self.derivative_of.slots, each[self.n_stacks :])
        if (made := self.body(own, each[: self.n_stacks])) is None:
            return None
        after, results = ([_as_traced(trace, y) for y in ys] for ys in made)
        _same_types(self.carries, after)
        return _Run(first, a, b, c, [x.value for x in after], [], [x.value for x in results])

    def _forget(self) -> None:
        """The last run, all of it."""
        program = self.trace.program
        end = len(program.inputs) + len(program.instructions)
        self.trace.gone |= set(range(self._first, end))

    def _signature(self, run: _Run) -> list[Any]:
        """Equal for runs that do the same."""
        program, first = self.trace.program, run.first
        n = len(program.inputs)

        def named(values: Iterable[int]) -> list[int]:
            return [v - first if v >= first else v - first - n for v in values]

        lines = [
            (key_of(replace(x, inputs=())), named(x.inputs))
            for x in program.instructions[first - n :]
        ]
        return [named(run.after), named(run.results), *lines]

    def _reads(self, body: Program, first: int, count: int) -> list[bool]:
        """Of each assigned place, whether a step needs what an earlier one has assigned."""
        needed = {v for x in body.instructions for v in x.inputs}
        needed |= set(body.outputs[: len(body.outputs) - count])  # the rest is for a derivative
        return [first + i in needed for i in range(count)]

    def _inits(self, reads: Sequence[bool], length: int) -> list[Traced]:
        """What the assigned places have before the first step."""
        state, trace, inits = self.state, self.trace, []
        if self.derivative_of:
            return []
        places = zip(state.inits(), state.types(), state.names(), reads, strict=True)
        for x, type_, name, is_read in places:
            if x is None and is_read:
                raise TraceError(
                    f"a step of scan reads {name}, which is no array of that kind before the first"
                    " step: give it such a value before. (A gradient that is to add up begins with"
                    " zeros; for one that is not, call optimizer.zero_grad() at the beginning of"
                    " the step.)"
                )
            if x is None or (length and not is_read):
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
            raise ValueError(
                f"scan: carry {i} is {x.type} before a step and {y.type} after it; a step must keep"
                " shapes and dtypes (make init so)"
            )
