"""``koubai cache``: the machine code on disk."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from koubai.cli.errors import CommandError
from koubai.errors import counted

if TYPE_CHECKING:
    from koubai.compiler.runtime.cache import Entry

DESCRIPTION = """\
Show where the machine code of compiled functions is kept, and how much it is.

koubai.compile writes it there, and other processes need not make it again. It
is used only if it was made from the same program, for the same processor and
by the same compiler; what was not used for longest is removed when it is too
much. So there is no need to clear it, but it does no harm.
"""


def add_parser(commands: Any) -> None:
    """Add the subcommand and its options."""
    parser = commands.add_parser(
        "cache",
        help="show or clear the machine code kept on disk",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--clear", action="store_true", help="remove it")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand; the exit status."""
    from koubai.compiler.runtime import cache

    folder = cache.directory()
    if folder is None:
        raise CommandError("there is no place for it: set XDG_CACHE_HOME to a folder of your own")
    found = cache.clear(folder) if options.clear else list(cache.entries(folder))
    verb = "removed " if options.clear else ""
    print(f"{folder}: {verb}{_amount(found)}")
    return 0


def _amount(found: Sequence[Entry]) -> str:
    size = sum(entry.size for entry in found)
    return f"{counted(len(found), 'file')}, {size / 1e6:.1f} MB"
