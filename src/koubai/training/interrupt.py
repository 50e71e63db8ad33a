"""Ctrl-C as a request to end after the present step, instead of an exception in the midst of it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Interrupt:
    """Whether Ctrl-C has been pressed: ``requested``."""

    requested = False

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        # Whoever presses it again does not want to wait.
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


@contextlib.contextmanager
def catch_interrupt() -> Iterator[Interrupt]:
    """Inside, the first Ctrl-C only sets ``requested``; the second is a ``KeyboardInterrupt``.

    What Ctrl-C did before is put back at the end. In a thread other than the main one, which Ctrl-C
    does not reach, and where it is ignored (``nohup``), nothing changes.

    >>> with catch_interrupt() as interrupt:
    ...     for i in range(3):
    ...         if interrupt.requested:
    ...             break
    """
    interrupt = Interrupt()
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    if ignored or threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = signal.signal(signal.SIGINT, interrupt._handle)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)
