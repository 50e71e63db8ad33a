"""The parser of the command line, and the kinds of numbers that options take."""

from __future__ import annotations

import argparse
import difflib
import math
from typing import Any, NoReturn


class ArgumentParser(argparse.ArgumentParser):
    """``argparse``'s, with errors of one line (the usage is in ``--help``), and whole names only.

    An abbreviation that works today would be ambiguous with the next option.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, **kwargs)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Nothing may be left over, here rather than in ``parse_args``: a subcommand's parser
        knows which options were nearly right, and where its help is."""
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:
            near = difflib.get_close_matches(unknown[0].partition("=")[0], self._names(), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            self.error(f"unrecognized argument {unknown[0]}{hint}")
        return namespace, unknown

    def _names(self) -> list[str]:
        return [name for action in self._actions for name in action.option_strings]

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def positive(text: str) -> float:
    """A positive finite number, such as 0.1."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a positive finite number, not {text!r}")
    return number


def count(text: str) -> int:
    """A whole number from 1."""
    return _whole(text, 1)


def seed(text: str) -> int:
    """A whole number from 0."""
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise argparse.ArgumentTypeError(f"must be a whole number, {least} or more, not {text!r}")
    return number
