"""The command ``koubai``. Each subcommand has a file, and imports what it needs when it runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from koubai import __version__
from koubai.cli.arguments import ArgumentParser
from koubai.cli.cache import add_parser as add_cache
from koubai.cli.check import add_parser as add_check
from koubai.cli.errors import CommandError
from koubai.cli.predict import add_parser as add_predict
from koubai.cli.train import add_parser as add_train

EXAMPLES = """\
examples:
  koubai train                       about ten seconds, to 97 % on MNIST
  koubai train --epochs 2 --seed 1   shorter, and from other random numbers
  koubai predict runs/... seven.png  which digit is in the picture
  koubai check layers.py             are the gradients in it right?

Each command has its own help: koubai train --help
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the arguments, without the program's name; None for the process's own.

    Returns:
        The exit status: 0 done, 1 something is wrong with a file, a gradient or the training, 2 the
        command line is wrong, 130 ended by Ctrl-C.
    """
    parser = _parser()
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as end:  # argparse has said why; after --help the status is 0
        return int(end.code or 0)
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except CommandError as error:
        print(f"koubai {arguments.command}: error: {error}", file=sys.stderr)
        return error.status
    except BrokenPipeError:  # the reader of a pipe (head) has had enough
        # What is still in the buffer must not raise the same again at the end of the process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, MemoryError) as error:  # no space left on the device, for instance
        print(f"koubai {arguments.command}: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"koubai {arguments.command}: interrupted", file=sys.stderr)
        return 130


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="koubai",
        description="Backpropagation that you can see, check and run at full speed.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"koubai {__version__}")
    commands = parser.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", required=True
    )
    for add in (add_train, add_predict, add_check, add_cache):
        add(commands)
    return parser
