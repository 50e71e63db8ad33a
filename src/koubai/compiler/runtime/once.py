"""What is made once for a process, by the thread that needs it first, while others wait."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

lock = threading.RLock()
"""Held while machine code is made, for LLVM serves one thread at a time."""

# A child process has none of the threads that could release it.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release
    )


def once(make: Callable[P, R]) -> Callable[P, R]:
    """``functools.cache``, which would let two threads make two, and forget the first."""
    cached = functools.cache(make)

    @functools.wraps(make)
    def locked(*args: P.args, **kwargs: P.kwargs) -> R:
        with lock:
            return cached(*args, **kwargs)  # type: ignore[arg-type]

    return locked
