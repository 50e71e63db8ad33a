"""Run the benchmarks, print their tables, and write them to runs/benchmarks.json."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from benchmarks import eager, measure, notebook, operations, second
from benchmarks.measure import Row
from benchmarks.training import mlp, mlp1k, rnn, tiny
from benchmarks.training.race import Result, table

Benchmark = Callable[[], list[Row] | list[Result]]

BENCHMARKS: tuple[Benchmark, ...] = (
    eager.chain,
    eager.flatness,
    notebook.step,
    notebook.numerical,
    eager.import_time,
    operations.reductions,
    operations.indexing,
    operations.einsum,
    tiny.training,
    mlp.training,
    mlp1k.training,
    rnn.training,
    second.second_process,
)

PIPE_WIDTH = 200  # columns in a file or a pipe, enough for each row to be one line


def main(argv: Sequence[str] | None = None) -> None:
    benchmarks, markdown = _command_line(argv)
    console = Console()
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    notes = Console(stderr=True) if markdown else console
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    notes.print(machine)
    if load > 0.5:
        notes.print(f"[yellow]the machine is busy (load {load:.1f}): figures will be off[/]")
    rows: list[Row] = []
    results: list[Result] = []
    for benchmark in benchmarks:
        with notes.status(f"{benchmark.__module__}.{benchmark.__name__}"):
            try:
                for found in benchmark():
                    (results if isinstance(found, Result) else rows).append(found)
            except ImportError as error:
                notes.print(f"left out: {error}; install the bench extra")
    for r in results:
        if r.left_out:
            notes.print(escape(f"left out: {r.workload}, {r.name}: {r.left_out}"))
    tables = ([measure.table(rows)] if rows else []) + ([table(results)] if results else [])
    if markdown:
        print(*(t.markdown() for t in tables), sep="\n\n")
    else:
        for t in tables:
            t.show(console)
    out = Path("runs/benchmarks.json")
    out.parent.mkdir(exist_ok=True)
    figures = {
        "machine": machine,
        "versions": {name: version(name) for name in ("numpy", "torch", "jax") if find_spec(name)},
        "load": load,
        "rows": [{**asdict(row), "ratio": row.ratio} for row in rows],
        "training": [asdict(r) for r in results],
    }
    out.write_text(json.dumps(figures, indent=1))
    notes.print(f"written to {out}")


def _command_line(argv: Sequence[str] | None) -> tuple[list[Benchmark], bool]:
    """The benchmarks that the command line names (all, if it names none), and --markdown."""
    names = list(dict.fromkeys(name for benchmark in BENCHMARKS for name in _names(benchmark)))
    listed = ", ".join(names)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"{listed} (default: all)")
    parser.add_argument("--markdown", action="store_true", help="print the tables for a README")
    given = parser.parse_args(argv)
    # By hand: with choices, argparse of Python 3.11 refuses a command line that names none.
    if unknown := [name for name in given.groups if name not in names]:
        parser.error(f"there is no group {unknown[0]!r}; the groups are {listed}")
    wanted = set(given.groups or names)
    return [b for b in BENCHMARKS if wanted & set(_names(b))], given.markdown


def _names(benchmark: Benchmark) -> list[str]:
    """The groups that it is in: its file, and the folder of that, if it is in one."""
    return benchmark.__module__.removeprefix("benchmarks.").split(".")


if __name__ == "__main__":
    main()
