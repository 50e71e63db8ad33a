"""How everything here is measured: in turns, warm-up apart, medians, and ratios of one run."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.tables import Table


@dataclass
class Row:
    """One line of the table: ours against something, and the bar that we set ourselves."""

    name: str
    ours: float
    other: float
    against: str
    unit: str
    bar: float | None = None
    spread: float = 0.0

    @property
    def ratio(self) -> float:
        return self.ours / self.other


def table(rows: Sequence[Row]) -> Table:
    """Ours and the other's figures, their ratio, and whether it is within the bar."""
    return Table(
        "koubai against others",
        {
            "what": "left",
            "koubai": "right",
            "against": "left",
            "": "right",
            "ratio": "right",
            "bar": "left",
        },
        [
            (
                row.name,
                f"{row.ours:.2f} {row.unit}",
                row.against,
                f"{row.other:.2f}",
                f"{row.ratio:.2f} ± {row.spread:.2f}",
                ""
                if row.bar is None
                else f"≤ {row.bar:.2f} {'✓' if row.ratio <= row.bar else '✗'}",
            )
            for row in rows
        ],
    )


def seconds(f: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    f()
    return time.perf_counter() - start


def in_turns(
    ours: Callable[[], float], other: Callable[[], float], rounds: int
) -> tuple[float, float, float]:
    """Medians of ``rounds`` figures of each, taken in turns: a machine's speed drifts.

    Returns:
        The median of ours, of the other, and the spread of the ratio (half its interquartile
        range).
    """
    ours(), other()  # warm-up
    pairs = [(ours(), other()) for _ in range(rounds)]
    ratios = statistics.quantiles([a / b for a, b in pairs], n=4)
    a, b = (statistics.median(side) for side in zip(*pairs, strict=True))
    return a, b, (ratios[2] - ratios[0]) / 2


def in_subprocess(code: str, setup: str = "", env: Mapping[str, str] | None = None) -> float:
    """The seconds that a new Python takes to run ``code``, itself and ``setup`` left out."""
    timed = f"{setup}\nimport time; t = time.perf_counter()\n{code}\nprint(time.perf_counter() - t)"
    out = subprocess.run(
        [sys.executable, "-c", timed],
        check=True,
        capture_output=True,
        text=True,
        env=environment() | dict(env or {}),
    )
    return float(out.stdout.splitlines()[-1])


def environment() -> dict[str, str]:
    """For new processes: Python may keep its compiled modules on disk, as every user's does."""
    kept = {key: x for key, x in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "koubai-benchmarks")}
