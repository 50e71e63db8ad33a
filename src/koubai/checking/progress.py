"""What is being checked, shown in a terminal when it takes longer than a second."""

from __future__ import annotations

import sys
import time


class Progress:
    """One line on the standard error, written over again, and gone at the end."""

    def __init__(self) -> None:
        self.start, self.shown = time.monotonic(), False

    def say(self, what: str) -> None:
        """Show what is being checked now, if the user has waited for a second already."""
        if time.monotonic() - self.start > 1 and sys.stderr.isatty():
            print(f"\r\x1b[Kchecking {what:.70}", end="", file=sys.stderr, flush=True)
            self.shown = True

    def end(self) -> None:
        """Take the line away."""
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
