"""Tables of figures, for a terminal or as Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rich import table
from rich.console import Console
from rich.markup import escape


@dataclass
class Table:
    """Attributes:
    title: stands above.
    columns: from heading to the side on which its texts are aligned.
    rows: as many texts in each as there are columns.
    """

    title: str
    columns: dict[str, Literal["left", "right"]]
    rows: list[tuple[str, ...]]

    def show(self, console: Console) -> None:
        """Print it with lines around."""
        drawn = table.Table(title=self.title)
        for heading, side in self.columns.items():
            drawn.add_column(heading, justify=side)
        for row in self.rows:
            drawn.add_row(*map(escape, row))
        console.print(drawn)

    def markdown(self) -> str:
        """The same for a README, without the title."""
        rules = ["---:" if side == "right" else "---" for side in self.columns.values()]
        return "\n".join(f"| {' | '.join(row)} |" for row in (self.columns, rules, *self.rows))
