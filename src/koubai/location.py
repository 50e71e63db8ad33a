"""Which line of the user's code called an operation, kept as (code object, offset).

A frame would keep every local variable of the caller alive, and with them whole graphs; a code
object and an offset cost nothing to keep and become ``file:line`` only when an error needs it.
"""

from __future__ import annotations

import linecache
import os
import sys
from pathlib import Path
from types import CodeType

import numpy as np

Location = tuple[CodeType, int]

_PACKAGES = tuple(str(Path(file).parent) + os.sep for file in (__file__, np.__file__))
_COMMAND = str(Path(__file__).parent / "cli") + os.sep


class _IsOurs(dict[str, bool]):
    """Whether a file belongs to koubai, or to NumPy, which calls it; found out once for each.

    The command line is a user of the package like any other.
    """

    def __missing__(self, filename: str) -> bool:
        self[filename] = filename.startswith(_PACKAGES) and not filename.startswith(_COMMAND)
        return self[filename]


is_ours = _IsOurs()


def caller() -> Location:
    """The innermost call site outside koubai and NumPy."""
    frame = sys._getframe(1)
    while is_ours[frame.f_code.co_filename] and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code, frame.f_lasti


def describe_location(location: Location) -> str:
    """``train.py:12, in step: y = matmul(x, W)``."""
    code, line = location[0], _line(location)
    source = linecache.getline(code.co_filename, line).strip()
    where = f"{file_and_line(location)}, in {code.co_name}"
    return f"{where}: {source[:80]}" if source else where


def file_and_line(location: Location) -> str:
    """``train.py:12``."""
    return f"{Path(location[0].co_filename).name}:{_line(location)}"


def _line(location: Location) -> int:
    code, offset = location
    # The instruction at the offset: positions come one for each two bytes of bytecode.
    for position, (line, *_) in enumerate(code.co_positions()):
        if position * 2 == offset and line is not None:
            return line
    return code.co_firstlineno
