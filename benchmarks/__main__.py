"""Run the benchmarks, print the table, and write it to runs/benchmarks.json."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks import eager, notebook, operations
from benchmarks.measure import Row

BENCHMARKS = (
    eager.chain,
    eager.flatness,
    notebook.step,
    notebook.numerical,
    eager.import_time,
    operations.reductions,
    operations.indexing,
    operations.einsum,
)

PIPE_WIDTH = 200  # columns in a file or a pipe, enough for each row to be one line


def main(argv: Sequence[str] | None = None) -> None:
    benchmarks = _chosen(argv)
    console = Console()
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 0.5:
        console.print(f"[yellow]the machine is busy (load {load:.1f}): figures will be off[/]")
    table = Table(title=f"koubai, {platform.machine()}, Python {platform.python_version()}")
    for column in ("what", "koubai", "against", "", "ratio", "bar"):
        table.add_column(column, justify="right" if column in ("koubai", "", "ratio") else "left")
    rows: list[Row] = []
    for benchmark in benchmarks:
        with console.status(f"{benchmark.__module__}.{benchmark.__name__}"):
            try:
                rows += benchmark()
            except ImportError as error:
                console.print(f"left out: {error}; install the bench extra")
    for row in rows:
        bar = "" if row.bar is None else f"≤ {row.bar:.2f} {'✓' if row.ratio <= row.bar else '✗'}"
        table.add_row(
            escape(row.name),
            f"{row.ours:.2f} {row.unit}",
            row.against,
            f"{row.other:.2f}",
            f"{row.ratio:.2f} ± {row.spread:.2f}",
            bar,
        )
    console.print(table)
    out = Path("runs/benchmarks.json")
    out.parent.mkdir(exist_ok=True)
    figures = {
        "numpy": np.__version__,
        "load": load,
        "rows": [{**asdict(row), "ratio": row.ratio} for row in rows],
    }
    out.write_text(json.dumps(figures, indent=1))
    console.print(f"written to {out}")


def _chosen(argv: Sequence[str] | None) -> list[Callable[[], list[Row]]]:
    """The benchmarks of the groups that the command line names; all, if it names none."""
    groups = list(dict.fromkeys(map(_group, BENCHMARKS)))
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = ", ".join(groups)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"{names} (default: all)")
    chosen = parser.parse_args(argv).groups or groups
    # By hand: with choices, argparse of Python 3.11 refuses a command line that names none.
    if unknown := [name for name in chosen if name not in groups]:
        parser.error(f"there is no group {unknown[0]!r}; the groups are {names}")
    return [benchmark for benchmark in BENCHMARKS if _group(benchmark) in chosen]


def _group(benchmark: Callable[[], list[Row]]) -> str:
    """The name of the file that it stands in."""
    return benchmark.__module__.rpartition(".")[2]


if __name__ == "__main__":
    main()
