"""``koubai check``: are the gradients in a file right?"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from koubai.checking.isolated import FileError, Result, check_file
from koubai.checking.progress import Progress
from koubai.cli import arguments
from koubai.cli.errors import CommandError
from koubai.errors import counted

DESCRIPTION = """\
Check the gradients in a Python file against numerical ones, and say which are
wrong, where, and why.

Looked at are its classes with forward and backward, or with loss and gradient
(a network of the books), its koubai.Functions and nn.Modules; a function of
Variables if it is named. Their arguments are made up from their names: W and b
are arrays, t are labels, hidden_size is a number. Where that can't be done, or
to choose better ones, write a function into the file that returns a list of
what koubai.check is called with:

  def check_inputs():
      x = np.random.randn(5, 4)
      return [(Affine(np.random.randn(4, 3), np.zeros(3)), x), (Relu(), x)]

The file is imported in a process of its own; what it prints is not shown.
The exit status is 1 if a gradient is wrong, or could not be checked.
"""
_STYLES = {
    r"WRONG.*|^  the gradient of .*|^failed: [^:]*": "bold red",
    r"(?<=  )right\b": "green",
    r"^  warning:|cannot tell:|^not checked: [^:]*": "yellow",
}


def add_parser(commands: Any) -> None:
    """Add the subcommand and its options."""
    parser = commands.add_parser(
        "check",
        help="check the gradients of layers, functions and networks in a file",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "target",
        metavar="FILE[:NAME]",
        help="a Python file; and a class, function or object in it (default: all classes)",
    )
    parser.add_argument(
        "--seed",
        type=arguments.seed,
        default=0,
        metavar="N",
        help="where random numbers start from (default: 0)",
    )
    parser.add_argument(
        "--timeout",
        type=arguments.positive,
        default=60.0,
        metavar="SECONDS",
        help="that each may take (default: 60)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand; the exit status, 0 if all gradients are right."""
    path, name = _file_and_name(options.target)
    screen, results = _Screen(), []
    try:
        with closing(
            check_file(path, name, options.seed, options.timeout, screen.waiting)
        ) as checked:
            for result in checked:
                screen.show(result)
                results.append(result)
    except FileError as error:
        raise CommandError(f"{path}: {error}", status=2 if error.is_usage else 1) from error
    finally:
        screen.clear()
    if not results:
        raise CommandError(
            f"{path}: nothing to check in it, no class with forward and backward, or with loss and"
            f" gradient; a function must be named: {path}:NAME",
            status=2,
        )
    screen.end(path, results)
    return int(any(result.status != "right" for result in results))


def _file_and_name(target: str) -> tuple[Path, str | None]:
    file, colon, name = target.rpartition(":")
    if not colon or Path(target).exists() or (len(file) == 1 and not name.isidentifier()):
        file, name = target, ""  # the colon of C:\\layers.py
    path = Path(file)
    if path.is_dir():
        raise CommandError(f"{path} is a folder; name a Python file in it", status=2)
    if not path.exists():
        raise CommandError(f"there is no file {path}", status=2)
    if path.suffix == ".ipynb":
        raise CommandError(
            f"{path} is a notebook; make a Python file of it first: jupyter nbconvert --to script"
            f" {path}",
            status=2,
        )
    return path, name or None


class _Screen:
    """Reports, with colours in a terminal; and there, what is taking long."""

    def __init__(self) -> None:
        self._progress = Progress()
        self._is_first = True

    def waiting(self, what: str) -> None:
        """Say on stderr what is being checked."""
        self._progress.say(f"{what} ...")

    def clear(self) -> None:
        """Take that line away."""
        self._progress.end()

    def show(self, result: Result) -> None:
        """Print what came of one target."""
        self.clear()
        prefix = {"failed": "failed: ", "unchecked": "not checked: "}.get(result.status, "")
        is_report = "\n" in result.text
        text = result.text if is_report else f"{prefix}{result.name}: {result.text}"
        self._print(text if self._is_first else f"\n{text}")
        self._is_first = False
        self._progress = Progress()

    def end(self, path: Path, results: Sequence[Result]) -> None:
        """Print what to write for those that were not checked, and how many are right."""
        to_complete = [r.to_complete for r in results if r.to_complete]
        if to_complete:
            lines = "".join(f"\n          ({call})," for call in to_complete)
            self._print(
                f"\nTo check these, too, write into {path.name}, with the gaps filled:\n\n"
                f"  def check_inputs():\n      return [{lines}\n      ]"
            )
        if len(results) > 1:
            kinds = ("right", "wrong", "failed", "unchecked")
            counts = {kind: sum(r.status == kind for r in results) for kind in kinds}
            names = {"unchecked": "not checked"}
            parts = [f"{n} {names.get(kind, kind)}" for kind, n in counts.items() if n]
            self._print(f"\n{counted(len(results), 'target')}: {', '.join(parts)}")

    def _print(self, text: str) -> None:
        if not sys.stdout.isatty():
            print(text, flush=True)
            return
        from rich.console import Console
        from rich.text import Text

        styled = Text(text)
        for pattern, style in _STYLES.items():
            for match in re.finditer(pattern, text, re.MULTILINE):
                styled.stylize(style, *match.span())
        Console(highlight=False, soft_wrap=True).print(styled)
