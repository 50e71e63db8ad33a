"""The threads that share large programs: as many as there are processors, or as the user says.

Workers are Python's threads, which spend their lives in native code (codegen/sharing.py) without
the interpreter's lock. They are started with the first program that is worth sharing, look for
work for a moment after each job, and sleep then.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import platform
import sys
import threading

import numpy as np

from koubai.compiler.codegen.sharing import (
    GET_BLAS,
    LIVE,
    PATIENCE,
    POOL_WORDS,
    SET_BLAS,
    STOP,
    THREADS,
    can_share,
)
from koubai.compiler.runtime import blas, driver

LOOKING = 30e-6
"""Seconds for which a thread looks for work before it sleeps; waking it takes as long."""

PROCESSORS = (
    len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
)
"""That this process may use."""


class Pool:
    """The workers of this process.

    Attributes:
        words: the pool's memory, see codegen/sharing.py.
        wanted: how many threads shall take part.
    """

    def __init__(self) -> None:
        self._memory = np.zeros(POOL_WORDS + 8, np.int64)
        start = -self._memory.ctypes.data % 64 // 8
        self.words = self._memory[start : start + POOL_WORDS]
        self.wanted = _wanted()
        self.workers: list[threading.Thread] = []
        self._lock = threading.Lock()

    def start(self) -> None:
        """See that there are enough workers."""
        with self._lock:
            missing = self.wanted - 1 - len(self.workers)
            if missing > 0 and not self.words[PATIENCE]:
                self.words[PATIENCE] = max(1, int(LOOKING / driver.seconds_of_a_pause()))
                atexit.register(self.stop)
            for _ in range(missing):
                t = len(self.workers) + 1
                worker = threading.Thread(
                    target=driver.worker(), args=(self.words.ctypes.data, t), daemon=True
                )
                worker.start()
                self.workers.append(worker)
            self.words[THREADS] = self.wanted

    def stop(self) -> None:
        """Send the workers home, and wait for them."""
        with self._lock:
            self.words[THREADS] = 1
            if self.workers and self.words[LIVE]:
                driver.send_home(self.words)
                for worker in self.workers:
                    worker.join(timeout=1.0)
                self.words[STOP] = 0
            self.workers = []

    def limit_blas(self) -> None:
        """See that BLAS itself uses one thread while a program runs."""
        get, set_ = blas.thread_functions()
        self.words[GET_BLAS], self.words[SET_BLAS] = get, set_

    def forget(self) -> None:
        """In the child of a fork: there are no workers, and no job is under way."""
        self._lock = threading.Lock()
        kept = self.words[[PATIENCE, GET_BLAS, SET_BLAS]]
        self.words[:] = 0
        self.words[[PATIENCE, GET_BLAS, SET_BLAS]] = kept
        self.words[THREADS] = 1
        self.workers = []


def set_threads(n: int) -> None:
    """Let compiled functions use ``n`` threads, the one that calls included.

    Results are the same, to the bit, for any number. At first it is the number of processors that
    the process may use, or what the environment variable ``KOUBAI_THREADS`` says.

    Raises:
        TypeError: if n is no integer.
        ValueError: if it is less than 1.

    >>> import koubai
    >>> koubai.set_threads(1)
    """
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeError(f"set_threads takes an integer, not {n!r}")
    if n < 1:
        raise ValueError(f"set_threads takes 1 or more, not {n}")
    pool.stop()
    pool.wanted = n if _is_possible() else 1
    if pool.words[PATIENCE]:  # it has been needed
        pool.start()


def get_threads() -> int:
    """How many threads compiled functions may use."""
    return pool.wanted


def _is_possible() -> bool:
    """Threads are put to sleep as Linux does it; elsewhere the caller is alone."""
    return sys.platform == "linux" and can_share(platform.machine())


def _wanted() -> int:
    if not _is_possible():
        return 1
    text = os.environ.get("KOUBAI_THREADS", "")
    if not text:
        return PROCESSORS
    with contextlib.suppress(ValueError):
        if int(text) >= 1:
            return int(text)
    raise ValueError(f"KOUBAI_THREADS must be 1 or more, not {text!r}")


pool = Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pool.forget)
