"""Whether operations on Variables are being recorded as a graph."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

# A context variable, so that one thread's no_grad() is not another's.
recording: ContextVar[bool] = ContextVar("recording", default=True)


@contextlib.contextmanager
def recorded(record: bool) -> Iterator[None]:
    """Operations inside are recorded, or not."""
    token = recording.set(record)
    try:
        yield
    finally:
        recording.reset(token)


def no_grad() -> contextlib.AbstractContextManager[None]:
    """Operations inside are computed but not recorded; also a decorator, ``@no_grad()``.

    >>> from koubai import Variable
    >>> x = Variable(2.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y.creator is None
    True
    """
    return recorded(False)
