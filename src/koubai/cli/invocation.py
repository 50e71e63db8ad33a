"""How the user started the command, for command lines that are printed to be copied."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path


def command_line(*arguments: object) -> str:
    """``koubai`` and its arguments, to be typed as this process was started.

    The script may not be on the PATH: ``.venv/bin/koubai`` and ``python -m koubai`` stay what they
    are.

    Args:
        arguments: what follows; quoted for the shell where that is needed.

    >>> command_line("predict", "my run")
    "koubai predict 'my run'"
    """
    return shlex.join([*_program(), *map(str, arguments)])


def _program() -> list[str]:
    path = Path(sys.argv[0])
    if path.parts[-2:] == ("koubai", "__main__.py"):
        return [sys.orig_argv[0], "-m", "koubai"]
    found = shutil.which("koubai")
    # Another name stands there when main() is called from a program of its own.
    if path.stem != "koubai" or (found and Path(found).absolute() == path.absolute()):
        return ["koubai"]
    return [sys.argv[0]]
