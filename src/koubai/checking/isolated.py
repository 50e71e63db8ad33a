"""Check a file in a process of its own: what crashes there, or never ends, is a line here.

The process goes from target to target (``worker.py``). Where it dies at one, or takes too long,
another process goes on with the next.
"""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_STARTING = 30.0  # seconds that Python and koubai may take to start, on a busy machine
_GRACE = 5.0  # seconds after which a worker is ended that should have ended itself


class FileError(Exception):
    """The file as a whole can't be checked: its import fails, or it has no such name.

    Attributes:
        is_usage: whether the name is wrong, and not the file.
    """

    def __init__(self, message: str, is_usage: bool = False) -> None:
        super().__init__(message)
        self.is_usage = is_usage


@dataclass(frozen=True)
class Result:
    """What came of one target.

    Attributes:
        name: of the target.
        status: "right"; "wrong", a gradient; "failed", the code itself; or "unchecked".
        text: the report, or a line that says why there is none.
        to_complete: of one for which no call could be made: the call, as code with gaps.
    """

    name: str
    status: str
    text: str
    to_complete: str = ""


def check_file(
    file: Path,
    name: str | None,
    seed: int,
    seconds: float,
    waiting: Callable[[str], None] = lambda what: None,
) -> Generator[Result, None, None]:
    """Check what there is in a file, one after the other.

    Args:
        file: of Python source.
        name: of a class, function or object in it; None for all.
        seed: of inputs and upstream gradients.
        seconds: that the import may take, and each target.
        waiting: called every second with what is being done: the name of a target, or the file's.

    Raises:
        FileError: if there is nothing to check.
    """
    names: list[str] | None = None
    done = 0

    def wait() -> None:
        waiting(names[done] if names else file.name)

    while names is None or done < len(names):
        with _worker(file, name, seed, seconds, first=done) as process:
            lines = _Lines(process, seconds)
            for line in lines.until_silence(wait):
                if "error" in line:
                    raise FileError(line["error"], is_usage=line["is_usage"])
                if "names" in line:
                    names = line["names"]
                    continue
                assert names is not None
                result = Result(names[done], **line)
                done += 1
                if result.status != "base class":
                    yield result
                if done == len(names):
                    return
        why = lines.why_silent(process, file)
        if names is None:
            raise FileError(f"its import {why}")
        if names:
            yield Result(names[done], "failed", why)
        done += 1


class _Lines:
    """What a worker writes, read by a thread, for a pipe can't be waited for with a time limit."""

    def __init__(self, process: subprocess.Popen[str], seconds: float) -> None:
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._seconds = seconds
        self._dump: list[str] = []  # of the stack, when it crashed or was too slow
        self._is_late = False
        threading.Thread(target=self._read, args=(process.stdout,), daemon=True).start()

    def _read(self, pipe: Any) -> None:
        with pipe:
            for line in pipe:
                self._queue.put(line)
        self._queue.put(None)

    def until_silence(self, waiting: Callable[[], None]) -> Iterator[dict[str, Any]]:
        """The facts that it tells, until it ends, or has not said anything for too long."""
        deadline = time.monotonic() + self._seconds + _STARTING
        while True:
            try:
                line = self._queue.get(timeout=1)
            except queue.Empty:
                waiting()
                self._is_late = time.monotonic() > deadline
                if self._is_late:
                    return
                continue
            if line is None:
                return
            try:
                facts = json.loads(line)
            except ValueError:
                self._dump.append(line)
                continue
            deadline = time.monotonic() + self._seconds + _GRACE
            yield facts

    def why_silent(self, process: subprocess.Popen[str], file: Path) -> str:
        """How it ended, and where it was."""
        path = str(file.absolute()).encode("ascii", "backslashreplace").decode()
        dump = "".join(self._dump)
        place = re.search(rf'File "{re.escape(path)}", line (\d+) in (\S+)', dump)
        where = f", in {place[2]}, {file.name}:{place[1]}" if place else ""
        if self._is_late or "Timeout (" in dump:
            return f"does not end within {self._seconds:g} s{where}"
        code = process.returncode
        if code < 0:
            name = signal.Signals(-code).name
            hint = "; out of memory?" if name == "SIGKILL" else ""
            return f"crashes the process, {name}{where}{hint}"
        return f"ends the process, with exit status {code}{where}"


@contextmanager
def _worker(
    file: Path, name: str | None, seed: int, seconds: float, first: int
) -> Iterator[subprocess.Popen[str]]:
    """Start a worker; afterwards it has ended, with all processes that it has started."""
    # -P: koubai must not import what lies in the working directory; the user's file may.
    command = [sys.executable, "-P", "-m", "koubai.checking.worker"]
    process = subprocess.Popen(
        [*command, str(file), name or "", str(seed), str(seconds), str(first)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"MPLBACKEND": "Agg"},  # plt.show() opens no window
        start_new_session=True,
    )
    try:
        yield process
    finally:
        # Before wait(), for until then the number of the process is not anybody else's.
        with suppress(OSError):
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
