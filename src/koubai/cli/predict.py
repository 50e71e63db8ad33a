"""``koubai predict``: which digits are in some pictures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koubai import softmax
from koubai.cli.errors import CommandError
from koubai.cli.network import load_run, rows
from koubai.nn import Sequential

DESCRIPTION = """\
Say which digits are in pictures, with a network that koubai train has trained.

A picture holds one digit, dark on bright or bright on dark: the border tells
which. One of 28 by 28 pixels, MNIST's size, is taken as it is; in one of
another size the digit is found, scaled and centred as MNIST's were.
"""


def add_parser(commands: Any) -> None:
    """Add the subcommand and its options."""
    parser = commands.add_parser(
        "predict",
        help="say which digits are in PNG files",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path, metavar="RUN", help="folder of a run of koubai train")
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="PNG file")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand; the exit status, 1 if there was a picture that could not be read."""
    from koubai.cli.images import read_digit

    try:
        model = load_run(options.model)
    except (OSError, ValueError) as error:
        raise CommandError(error) from error
    digits, status = [], 0
    for path in options.images:
        try:
            digits.append((path, read_digit(path)))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            print(f"koubai predict: error: {path}: {reason}", file=sys.stderr)
            status = 1
    if digits:
        _print_table(model, digits)
    return status


def _print_table(model: Sequential, digits: list[tuple[Path, NDArray[np.uint8]]]) -> None:
    width = max(len("file"), *(len(str(path)) for path, _ in digits))
    print(f"{'file':<{width}}  digit  probability")
    for path, digit in digits:
        probabilities = softmax(model(rows(digit))).data[0]
        best = int(np.argmax(probabilities))
        print(f"{path!s:<{width}}  {best:>5}  {probabilities[best]:>11.2%}")
