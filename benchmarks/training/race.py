"""A race: the same training in several frameworks, in turns, in one run.

Every entrant has a process of its own (``worker.py``), which waits while the others run. All begin
with the same parameters and the same batches, and their losses over the first 20 steps must be
equal: then they compute the same thing, each step all of it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import environment
from benchmarks.tables import Table
from benchmarks.training.workload import Workload

ROUNDS = 7
TURN = 0.3  # seconds, about, that an entrant runs in each round
TOLERANCE = 1e-4  # relative; float32 in another order has been seen to make 3e-5 in 20 steps
REFERENCE = "koubai compiled"

ROOT = Path(__file__).parents[2]
# The variables that set the number of threads, of NumPy's usual libraries and of PyTorch.
THREADS = (
    "KOUBAI_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@dataclass
class Result:
    """One entrant of one workload.

    Attributes:
        first, second: seconds that the first two calls took, compilation included, imports not.
            Some compile again in the second, whose state is no longer that of the beginning.
        step: median of the rounds' microseconds a step.
        spread: half the range between the rounds' quartiles, in microseconds.
        ratio: ``step`` over koubai compiled's.
        memory: bytes by which the process grew at most over the loaded one, with data; None where
            the system does not tell.
        left_out: why it did not run; all figures are 0 then.
    """

    workload: str
    name: str
    first: float = 0.0
    second: float = 0.0
    step: float = 0.0
    spread: float = 0.0
    ratio: float = 0.0
    memory: int | None = None
    left_out: str = ""


class Worker:
    """The other end of ``worker.py``.

    Attributes:
        opening: what it said first: of its first steps, or why it is left out.
        memory: its growth, as it said last.
    """

    def __init__(self, workload: str, name: str, one_thread: bool, cache: str) -> None:
        self._who = f"{workload}, {name}"
        env = {key: value for key, value in environment().items() if key not in THREADS}
        if one_thread:
            env |= dict.fromkeys(THREADS, "1")
        # What an earlier run has compiled would make the first step faster.
        env |= {"XDG_CACHE_HOME": cache, "TORCHINDUCTOR_CACHE_DIR": cache, "JAX_PLATFORMS": "cpu"}
        env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), env.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.training.worker", workload, name],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.opening: dict[str, Any] = {}
        self.memory: int | None = None

    def begin(self) -> None:
        """Let it make its first steps."""
        self.opening = self._answer()

    def turn(self, calls: int) -> float:
        """The seconds that a step takes, the mean of those in so many calls."""
        self._process.stdin.write(f"{calls}\n")
        self._process.stdin.flush()
        answer = self._answer()
        self.memory = answer["memory"]
        return answer["seconds"] / calls

    def _answer(self) -> Any:
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._who}: its process failed; what it printed is above")
        return json.loads(line)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        with self._process:  # closes its input, which ends it, and waits
            pass


def race(name: str, workload: Workload, rounds: int = ROUNDS, turn: float = TURN) -> list[Result]:
    """Run the entrants of ``benchmarks.training.<name>`` against one another.

    Args:
        name: of the workload and of its file.
        workload: the file's.
        rounds: how often each is timed, at least 2.
        turn: seconds for each in each round; at least one call is made.

    Returns:
        A result for each entrant, in their order.

    Raises:
        AssertionError: if the losses of one differ from the others'; the message names it.
        RuntimeError: if the process of one failed.
    """
    with ExitStack() as stack:
        workers = {}
        for who, entrant in workload.entrants.items():
            cache = stack.enter_context(tempfile.TemporaryDirectory())
            worker = Worker(name, who, entrant.one_thread, cache)
            workers[who] = stack.enter_context(worker)
            worker.begin()
        running = {who: w for who, w in workers.items() if "left_out" not in w.opening}
        check({who: w.opening["losses"] for who, w in running.items() if w.opening["losses"]})
        calls = {who: _warm_up(w, turn, workload.entrants[who].steps) for who, w in running.items()}
        times: dict[str, list[float]] = {who: [] for who in running}
        for _ in range(rounds):
            for who, worker in running.items():
                # The threads of the one before may go on looking for work for a while.
                time.sleep(turn)
                times[who].append(worker.turn(calls[who]) * 1e6)
    reference = statistics.median(times[REFERENCE])
    results = []
    for who, worker in workers.items():
        if who not in running:
            results.append(Result(name, who, left_out=worker.opening["left_out"]))
            continue
        first, second = worker.opening["first"], worker.opening["second"]
        step = statistics.median(times[who])
        low, _, high = statistics.quantiles(times[who], n=4)
        results.append(
            Result(
                workload=name,
                name=who,
                first=first,
                second=second,
                step=step,
                spread=(high - low) / 2,
                ratio=step / reference,
                memory=worker.memory,
            )
        )
    return results


def check(losses: Mapping[str, list[float]]) -> None:
    """Hold everybody's losses, step by step, against the median of all.

    Raises:
        AssertionError: naming those who differ, the first such step, and all losses of it.
    """
    for step, those in enumerate(zip(*losses.values(), strict=True), start=1):
        middle = statistics.median_low(those)
        off = [
            who
            for who, loss in zip(losses, those, strict=True)
            if not abs(loss - middle) <= TOLERANCE * abs(middle)
        ]
        if off:
            all_of_them = ", ".join(f"{who} {x:.6g}" for who, x in zip(losses, those, strict=True))
            raise AssertionError(
                f"the loss of step {step} differs: {' and '.join(off)} from the others"
                f" ({all_of_them})"
            )


def table(results: Sequence[Result]) -> Table:
    """A line for each entrant that ran."""
    return Table(
        "training, float32",
        {
            "workload": "left",
            "in": "left",
            "first, second step": "right",
            "µs a step": "right",
            "to koubai compiled": "right",
            "memory": "right",
        },
        [
            (
                r.workload,
                r.name,
                f"{r.first * 1e3:,.0f}, {r.second * 1e3:,.0f} ms",
                f"{_digits(r.step)} ± {_digits(r.spread)}",
                f"{r.ratio:.2f} x",
                "" if r.memory is None else f"+{r.memory / 1e6:.1f} MB",
            )
            for r in results
            if not r.left_out
        ],
    )


def _digits(x: float) -> str:
    """Three or more significant ones, and no more than a reader can use."""
    return f"{x:,.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def _warm_up(worker: Worker, turn: float, steps: int) -> int:
    """How many calls take about ``turn`` seconds; what it compiles or allocates late is done."""
    calls = 1
    while True:
        call = worker.turn(calls) * steps
        if call * calls >= turn / 4:
            return max(1, round(turn / call))
        calls *= 2
