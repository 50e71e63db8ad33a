"""The time of each kernel: run many times by itself, in the order of the program.

A kernel runs when its operands are there, before a later one makes use of their room in the
workspace; and running it again gives the same, but for what is added into an array by indices,
which is put back. The program is a copy with memory of its own, so others may call it meanwhile;
its kernels are not cut into chunks for threads; and its outputs are new arrays, also of state that
a call writes in place, so nothing changes.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from koubai.compiler.codegen.schedule import LoopStep, Step
from koubai.compiler.compiled import Compiled
from koubai.compiler.interpret import interpret
from koubai.compiler.kernels import Fallback, Kernel, Nest
from koubai.compiler.layout import whole
from koubai.compiler.report.explain import Explanation
from koubai.compiler.runtime.code import Rows
from koubai.compiler.runtime.native import NativeProgram

SAMPLE, MOST = 100e-6, 4**7
"""Seconds: what is quicker is run several times for one look at the clock; but so often at most."""

BUDGET = 10e-3
"""Seconds for one kernel, but five samples at least."""


def profiled(explanation: Explanation, compiled: Compiled, arrays: Sequence[Any]) -> Explanation:
    """``explanation`` with times; as it is, if there is no native code.

    Raises:
        what a call would: an IndexError, for instance.
    """
    if compiled.native is None:
        return explanation
    program = NativeProgram(compiled.native.program, processors=1)
    call = _Call(program, *program.load(arrays))
    seconds: dict[int, float] = {}
    with threadpool_limits(1, "blas"):  # as in a call
        for kernel, part in _by_kernel(program):
            call.time([part])
            if program.error[0]:
                interpret(program.program, arrays)  # which says what is wrong
            seconds[id(kernel)] = _seconds(call, kernel, part)
        total = _measured(call, program.parts) if program.parts else 0.0
    kernels = [
        replace(info, seconds=seconds.get(id(kernel), 0.0))
        for info, kernel in zip(explanation.kernels, program.plan.kernels, strict=True)
    ]
    return replace(explanation, kernels=kernels, seconds=total)


@dataclass
class _Call:
    """A program that is loaded with the arrays of a call."""

    program: NativeProgram
    inputs: list[Any]
    outputs: list[Any]

    def time(self, parts: Sequence[Any]) -> float:
        """Seconds that it takes to run ``parts``."""
        ready = [self.program.prepared(part) for part in parts]
        start = time.perf_counter()
        for run in ready:
            run(self.inputs, self.outputs)
        return time.perf_counter() - start

    def array(self, value: int) -> Any:
        """A value that is in memory."""
        layout = whole(value, self.program.plan.types[value].shape)
        return self.program.views.of(layout)(self.inputs, self.outputs)


def _by_kernel(program: NativeProgram) -> Iterator[tuple[Kernel, Any]]:
    """The steps of each kernel, as a part; a kernel without elements has none."""
    rows = iter([row for part in program.parts if isinstance(part, Rows) for row in part.steps])
    for _, steps in itertools.groupby(program.schedule.steps, lambda step: id(_kernel(step))):
        first, *rest = steps
        if isinstance(first, Step):
            own = np.array([next(rows) for _ in (first, *rest)], np.int64)
            yield first.kernel, Rows(own)
        else:
            yield _kernel(first), first


def _kernel(step: Step | LoopStep | Fallback) -> Kernel:
    if isinstance(step, Fallback):
        return step
    return step.loop if isinstance(step, LoopStep) else step.kernel


def _seconds(call: _Call, kernel: Kernel, part: Any) -> float:
    """Of one run of a kernel."""
    nodes = kernel.nodes.values() if isinstance(kernel, Nest) else ()
    added = [call.array(node.value) for node in nodes if node.is_scatter]
    before = [x.copy() for x in added]
    seconds = _measured(call, [part])
    for x, old in zip(added, before, strict=True):
        x[...] = old
    return seconds


def _measured(call: _Call, parts: list[Any]) -> float:
    """The median time that ``parts`` take, one after the other."""
    count, repeated = 1, parts
    while (seconds := call.time(repeated)) < SAMPLE and count < MOST:
        count *= 4
        repeated = _repeated(parts, count)
    samples = max(5, min(50, int(BUDGET / seconds)))
    return median(call.time(repeated) for _ in range(samples)) / count


def _repeated(parts: list[Any], count: int) -> list[Any]:
    """Native code alone is called once for all repetitions."""
    (part,) = parts if len(parts) == 1 else (None,)
    if isinstance(part, Rows):
        return [Rows(np.tile(part.steps, (count, 1)))]
    return parts * count
