"""What ends a command."""

from __future__ import annotations


class CommandError(Exception):
    """Ends the command with one line for the user and an exit status.

    Args:
        message: what was wrong, where, and what to do.
        status: 2 where the command line itself is wrong, else 1.
    """

    def __init__(self, message: object, status: int = 1) -> None:
        super().__init__(" ".join(str(message).split()))
        self.status = status
