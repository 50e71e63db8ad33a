"""The time of each kernel: run many times by itself, in the order of the program.

A kernel runs when its operands are there, before a later one makes use of their room in the
workspace; and running it again gives the same, but for what is added into an array by indices,
which is put back. The program is a copy with memory of its own, so others may call it meanwhile.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np

from koubai.compiler.codegen.schedule import Step
from koubai.compiler.compiled import Compiled
from koubai.compiler.interpret import interpret
from koubai.compiler.kernels import Fallback, Kernel, Nest
from koubai.compiler.layout import whole
from koubai.compiler.report.explain import Explanation
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
    program = NativeProgram(compiled.native.program)
    inputs = [np.array(x, order="C") for x in arrays]
    program.load(inputs)
    seconds: dict[int, float] = {}
    for kernel, run in _by_kernel(program):
        program.execute(run)
        if program.error[0]:
            interpret(program.program, inputs)  # which says what is wrong
        seconds[id(kernel)] = _seconds(program, kernel, run)
    kernels = [
        replace(info, seconds=seconds.get(id(kernel), 0.0))
        for info, kernel in zip(explanation.kernels, program.plan.kernels, strict=True)
    ]
    total = _measured(lambda count: program.runs * count, program) if program.runs else 0.0
    return replace(explanation, kernels=kernels, seconds=total)


def _by_kernel(program: NativeProgram) -> Iterator[tuple[Kernel, Any]]:
    """The steps of each kernel, as a run; a kernel without elements has none."""
    rows = iter([row for run in program.runs if not isinstance(run, Fallback) for row in run])
    for _, steps in itertools.groupby(program.schedule.steps, lambda step: id(_kernel(step))):
        first, *rest = steps
        if isinstance(first, Fallback):
            yield first, first
        else:
            yield first.kernel, np.array([next(rows) for _ in (first, *rest)], np.int64)


def _kernel(step: Step | Fallback) -> Kernel:
    return step if isinstance(step, Fallback) else step.kernel


def _seconds(program: NativeProgram, kernel: Kernel, run: Any) -> float:
    """Of one run of a kernel."""
    nodes = kernel.nodes.values() if isinstance(kernel, Nest) else ()
    added = [
        program.view(whole(node.value, program.plan.types[node.value].shape))
        for node in nodes
        if node.is_scatter
    ]
    before = [x.copy() for x in added]

    if isinstance(run, Fallback):
        seconds = _measured(lambda count: [run] * count, program)
    else:
        seconds = _measured(lambda count: [np.tile(run, (count, 1))], program)
    for x, old in zip(added, before, strict=True):
        x[...] = old
    return seconds


def _measured(runs: Callable[[int], list[Any]], program: NativeProgram) -> float:
    """The median time of one repetition, where ``runs(count)`` are so many."""
    count = 1
    while (seconds := _time(program, runs(count))) < SAMPLE and count < MOST:
        count *= 4
    repeated = runs(count)
    samples = max(5, min(50, int(BUDGET / seconds)))
    return median(_time(program, repeated) for _ in range(samples)) / count


def _time(program: NativeProgram, runs: list[Any]) -> float:
    start = time.perf_counter()
    for run in runs:
        program.execute(run)
    return time.perf_counter() - start
