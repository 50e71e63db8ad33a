"""Run all benchmarks, print the table, and write it to ``runs/benchmarks.json``."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.console import Console
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


def main() -> None:
    console = Console()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 0.5:
        console.print(f"[yellow]the machine is busy (load {load:.1f}): figures will be off[/]")
    table = Table(title=f"koubai, {platform.machine()}, Python {platform.python_version()}")
    for column in ("what", "koubai", "against", "", "ratio", "bar"):
        table.add_column(column, justify="right" if column in ("koubai", "", "ratio") else "left")
    rows: list[Row] = []
    for benchmark in BENCHMARKS:
        with console.status(f"{benchmark.__module__}.{benchmark.__name__}"):
            try:
                rows += benchmark()
            except ImportError as error:
                console.print(f"left out: {error}; install the bench extra")
    for row in rows:
        bar = "" if row.bar is None else f"≤ {row.bar:.2f} {'✓' if row.ratio <= row.bar else '✗'}"
        table.add_row(
            row.name,
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


if __name__ == "__main__":
    main()
