"""The first step of a second process: what a compiled step costs when its code is on disk.

Each in a new process. Timed is what makes the network and its first step: the compiler's import is
a part of that.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable, Mapping

from benchmarks.measure import Row, in_subprocess, in_turns
from benchmarks.training.race import ROOT

WORKLOADS = {
    "tiny": "koubai compiled",
    "mlp": "koubai compiled",
    "mlp1k": "koubai compiled",
    "rnn, unrolled": "koubai compiled",
    "rnn, scan": "koubai scan",
}
BAR = 200.0  # milliseconds more than the eager step


def second_process() -> list[Row]:
    """Milliseconds of the first step; the bar is the eager step's plus 200."""
    rows = []
    for name, entrant in WORKLOADS.items():
        with tempfile.TemporaryDirectory() as cache:
            env = {"XDG_CACHE_HOME": cache}
            workload = name.partition(",")[0]
            ours, eager, spread = in_turns(
                lambda w=workload, e=entrant, env=env: _first_step(w, e, env),
                lambda w=workload, env=env: _first_step(w, "koubai", env),
                rounds=7,
            )
        bar = (eager + BAR) / eager
        rows.append(Row(f"second process, {name}", ours, eager, "eager", "ms", bar, spread))
    return rows


def _first_step(workload: str, entrant: str, env: Mapping[str, str]) -> float:
    setup = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from benchmarks.second import prepared\n"
        f"first_step = prepared({workload!r}, {entrant!r})\n"
    )
    return in_subprocess("first_step()", setup, env) * 1e3


def prepared(workload: str, entrant: str) -> Callable[[], object]:
    """What makes a network and its first step."""
    found = importlib.import_module(f"benchmarks.training.{workload}").WORKLOAD
    build, start, batch = found.entrants[entrant].build, found.start(), found.batches()[0]
    return lambda: build(start)(*batch)
