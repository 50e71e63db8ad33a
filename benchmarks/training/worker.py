"""The process of one entrant: ``python -m benchmarks.training.worker tiny "JAX jit"``.

Each has one of its own, so that first steps are first ones, memory is its own, and one framework's
threads are at rest when another's are timed. It answers in lines of JSON: once when its first steps
are made, then to each line with a number of calls to make; it ends with its input.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.training.frameworks import FRAMEWORKS
from benchmarks.training.workload import Batch

CHECKED = 20  # calls before the first turn, whose losses are told


def main(workload: str, name: str) -> None:
    # A compiler's own prints go to the error output; the real one is for answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**facts: Any) -> None:
        print(json.dumps(facts), file=answers)

    module = importlib.import_module(f"benchmarks.training.{workload}")
    entrant = module.WORKLOAD.entrants[name]
    try:
        framework = FRAMEWORKS[entrant.framework]()
    except ImportError as error:
        return answer(left_out=str(error))
    batches = _convert((entrant.batches or module.WORKLOAD.batches)(), framework.array)
    _forget_peak()
    before = _peak_memory()
    step = entrant.build(module.WORKLOAD.start())

    turns = itertools.cycle(batches)

    def run(calls: int) -> tuple[float, Any]:
        """The seconds that so many calls take, and the last loss."""
        start = time.perf_counter()
        for batch in itertools.islice(turns, calls):
            loss = step(*batch)
        framework.wait(loss)
        return time.perf_counter() - start, loss

    first: list[float] = []
    losses: list[float] = []
    while len(first) < CHECKED:
        try:
            seconds, loss = run(1)
        except RuntimeError as error:
            if not entrant.may_fail:
                raise
            return answer(left_out=str(error).strip().splitlines()[0])
        first.append(seconds)
        if loss is not None:
            losses += np.ravel(framework.numbers(loss)).tolist()
    answer(first=first[0], second=first[1], losses=losses[:CHECKED])

    for line in sys.stdin:
        seconds, _ = run(int(line))
        grown = None if before is None else _peak_memory() - before
        answer(seconds=seconds / entrant.steps, memory=grown)
    return None


def _convert(batches: Any, to_array: Any) -> list[Batch]:
    """The batches with the framework's arrays; one that many share is converted once."""
    ours: dict[int, Any] = {}
    for batch in batches:
        for x in batch:
            if id(x) not in ours:
                ours[id(x)] = to_array(x)
    return [tuple(ours[id(x)] for x in batch) for batch in batches]


def _forget_peak() -> None:
    """Let the peak begin anew: loading the data may have taken more than training will."""
    if _CLEAR.exists():
        _CLEAR.write_text("5")  # proc(5): VmHWM begins at what is held now


def _peak_memory() -> int | None:
    """The most bytes of memory that this process has held at once; None where Linux is not."""
    if not _CLEAR.exists():
        return None
    status = Path("/proc/self/status").read_text()
    (peak,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) * 1024


_CLEAR = Path("/proc/self/clear_refs")


if __name__ == "__main__":
    main(*sys.argv[1:])
