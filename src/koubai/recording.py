"""Whether operations on Variables are being recorded as a graph."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

# A context variable, so that one thread's no_grad() is not another's.
recording: ContextVar[bool] = ContextVar("recording", default=True)
# Asked for at every operation: looked up once, a method's object is not made anew at each call.
is_recording = recording.get


# For the compiler: the run of a function on traced arrays that is going on here.
running: ContextVar[Any] = ContextVar("running", default=None)


class recorded:  # reads like a function: with recorded(False):
    """Operations inside are recorded, or not."""

    def __init__(self, record: bool) -> None:
        self.record = record

    def __enter__(self) -> None:
        self.before = recording.get()
        recording.set(self.record)

    def __exit__(self, *error: object) -> None:
        recording.set(self.before)  # not reset: of a variable that is set, get() is cached


@contextlib.contextmanager
def no_grad() -> Iterator[None]:
    """Operations inside are computed but not recorded; also a decorator, ``@no_grad()``.

    >>> from koubai import Variable
    >>> x = Variable(2.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y.creator is None
    True
    """
    with recorded(False):
        yield
