"""What ``koubai train`` shows: a table that grows by a row an epoch, and a progress bar below."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import Any

# The keys of a line of the log, with the width and the format of their columns.
COLUMNS = {
    "epoch": (7, ".2f"),
    "iteration": (11, ",d"),
    "loss": (9, ".4g"),
    "train_accuracy": (16, ".2%"),
    "test_accuracy": (15, ".2%"),
    "images_per_second": (19, ",.0f"),
}
_REFRESH = 0.1  # seconds


class Report:
    """Prints to the terminal; where the output goes to a file or a pipe, there is no bar.

    Args:
        iterations: how many there will be.
    """

    def __init__(self, iterations: int) -> None:
        # Here, for it takes longer to import than koubai.
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._bar = Progress(
            TextColumn("{task.completed:>7,.0f} of {task.total:,.0f}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,  # so it never appears in a file or a pipe
        )
        self._task = self._bar.add_task("", total=iterations, figures="")
        self._shown = 0.0

    def say(self, text: str, style: str | None = None) -> None:
        """Print a line, in a style of rich's (``bold``) if the terminal has it."""
        self._console.print(text, style=style)

    def header(self) -> None:
        """Print the head of the table."""
        names = [
            f"{name.replace('_per_', '/').replace('_', ' '):>{width}}"
            for name, (width, _) in COLUMNS.items()
        ]
        self.say("".join(names), style="bold")

    def row(self, line: dict[str, Any]) -> None:
        """Print a row of the table: a line of the log, in which None stands for nothing yet."""
        cells = [
            f"{'-' if line[name] is None else format(line[name], form):>{width}}"
            for name, (width, form) in COLUMNS.items()
        ]
        self.say("".join(cells))

    def bar(self) -> AbstractContextManager[Any]:
        """The progress bar is there inside this context."""
        return self._bar

    def progress(self, iteration: int, loss: float, images_per_second: float) -> None:
        """Bring the bar up to date, if it has not just been."""
        now = time.monotonic()
        if now - self._shown > _REFRESH:
            self._shown = now
            figures = f"loss {loss:.4f}  {images_per_second:,.0f} images/s"
            self._bar.update(self._task, completed=iteration, figures=figures)
