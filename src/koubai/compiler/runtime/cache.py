"""Machine code on disk, so that a second process need not make it again.

A file for each piece of code, named by its key, which says all that the code was made from and by:

    ~/.cache/koubai/<key>.code        key, SHA-256 of key and code, code

Code that is loaded runs with all that the user may do, so only the user may be able to write it: a
folder or a file that belongs to somebody else, or that others may write to, is not used. The
checksum is for accidents: a file that is damaged is as good as none.

There is no lock. A file is written beside and renamed, so it is whole or not there; of two
processes that write the same one, the later wins, with the same code. Whatever goes wrong with the
disk, compiled functions work; they are compiled in each process.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger("koubai.compile")

FORMAT = 1
"""A part of each key; to be raised when files are written in another way."""

LIMIT = 128 * 2**20
"""Bytes on disk. More are removed, those first whose last use is longest ago."""

_BLOCK = 4096  # a small file takes as much
_NAME = re.compile(r"[0-9a-f]{64}\.(code|\d+-\d+)")  # the second while it is written


def key(*parts: str) -> str:
    """The name of the code that is made from ``parts``: from what, by what, for which processor."""
    return hashlib.sha256(repr((FORMAT, *parts)).encode()).hexdigest()


def directory() -> Path | None:
    """Where the files are; None if the user has no such place.

    In the folder for caches: ``$XDG_CACHE_HOME`` on all systems where it is set; else
    ``~/.cache``, on macOS ``~/Library/Caches``, on Windows ``%LOCALAPPDATA%``.
    """
    given, home = os.environ.get("XDG_CACHE_HOME", ""), os.path.expanduser("~")
    if os.path.isabs(given):
        found = Path(given, "koubai")
    elif sys.platform == "win32":
        found = Path(os.environ.get("LOCALAPPDATA", ""), "koubai", "Cache")
    elif sys.platform == "darwin":
        found = Path(home, "Library", "Caches", "koubai")
    else:
        found = Path(home, ".cache", "koubai")
    return found if found.is_absolute() else None


def load(key: str) -> bytes | None:
    """The code of this key; None if there is none that can be used."""
    folder = directory()
    try:
        if folder is None or not _is_private(folder, os.stat(folder)):
            return None
        path = _path(folder, key)
        with path.open("rb") as file:
            if not _is_private(path, os.fstat(file.fileno())):
                return None
            content = file.read()
        with contextlib.suppress(OSError):
            os.utime(path)  # the time of its last use
    except FileNotFoundError:
        return None
    except OSError as error:
        log.debug("no machine code from the disk: %s", error)
        return None
    head, code = content[:64], content[64:]
    if head != _head(key, code):
        log.debug("damaged: %s", path)
        return None
    return code


def store(key: str, code: bytes) -> None:
    """Keep ``code`` for other processes, if the disk allows."""
    folder = directory()
    if folder is None:
        return
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
        if _is_private(folder, os.stat(folder)):
            _write(_path(folder, key), _head(key, code) + code)
            _trim_once(folder)
    except OSError as error:
        log.debug("no machine code to the disk: %s", error)


def _path(folder: Path, key: str) -> Path:
    return folder / f"{key}.code"


def _head(key: str, code: bytes) -> bytes:
    name = bytes.fromhex(key)
    return name + hashlib.sha256(name + code).digest()


def _write(path: Path, content: bytes) -> None:
    beside = path.with_suffix(f".{os.getpid()}-{threading.get_native_id()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(beside, flags, 0o600), "wb") as file:
            file.write(content)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _is_private(path: Path, found: os.stat_result) -> bool:
    """Whether only the user can have written what is there.

    Windows has no such modes; the folder is within the user's own there.
    """
    if sys.platform == "win32":
        return True
    if found.st_uid != os.geteuid():
        _warn(
            f"{path} belongs to another user, so compiled functions are compiled in each process;"
            " remove it, or set XDG_CACHE_HOME to a folder of your own"
        )
        return False
    if found.st_mode & 0o022:
        _warn(
            f"others may write to {path}, so compiled functions are compiled in each process;"
            f" if they never have: chmod go-w '{path}', else remove it"
        )
        return False
    return True


@functools.cache
def _warn(message: str) -> None:
    """Say so once in a process."""
    log.warning(message)


# What is there, and how it is removed.


@dataclass(frozen=True)
class Entry:
    """A file; its size is in bytes, its last use in seconds since 1970."""

    path: Path
    size: int
    used: float


def entries(folder: Path) -> Iterator[Entry]:
    """The files with code, and those that were left half written; none if there is no folder."""
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as found:
        for file in found:
            if _NAME.fullmatch(file.name):
                with contextlib.suppress(FileNotFoundError):  # removed by somebody else
                    stat = file.stat(follow_symlinks=False)
                    yield Entry(Path(file.path), stat.st_size, stat.st_mtime)


def clear(folder: Path) -> list[Entry]:
    """Remove all of these files, and nothing else; what was removed.

    Raises:
        OSError: if one can't be removed.
    """
    removed = list(entries(folder))
    for entry in removed:
        entry.path.unlink(missing_ok=True)
    return removed


def trim(folder: Path, limit: int = LIMIT) -> None:
    """Remove what was not used for longest, until the rest takes no more than ``limit`` bytes."""
    found = sorted(entries(folder), key=lambda entry: entry.used)
    sizes = [-(-entry.size // _BLOCK) * _BLOCK for entry in found]
    left = sum(sizes)
    for entry, size in zip(found, sizes, strict=True):
        if left <= limit:
            break
        with contextlib.suppress(OSError):
            entry.path.unlink()
        left -= size


_trim_once = functools.cache(trim)  # in a process: it looks at all files
