"""What the compiler says when something can't be compiled: what, where, what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from koubai.location import Location, caller, describe_location, is_ours


class TraceError(Exception):
    """What cannot be compiled, the user's line, and the spelling that works.

    Attributes:
        message: it, without the line.
    """

    def __init__(self, message: str, location: Location | None = None) -> None:
        super().__init__(f"{message}\n  at {describe_location(location or caller())}")
        self.message = message


def definition(function: Callable[..., Any]) -> Location | None:
    """The first line of a function, or of a method; None of other things that can be called."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return None if code is None else (code, 0)


_KINDS = (ValueError, TypeError, IndexError)


def with_line(error: Exception) -> Exception:
    """``error``, with the user's line if koubai has raised it without one.

    What the user's own code has raised stays as it is.
    """
    lines: list[Location] = []
    innermost = error.__traceback__
    while innermost is not None:
        lines.append((innermost.tb_frame.f_code, innermost.tb_lasti))
        innermost = innermost.tb_next
    users = [line for line in lines if not is_ours[line[0].co_filename]]
    is_users = bool(users) and users[-1] is lines[-1]
    if type(error) not in _KINDS or is_users or "at " in str(error).rpartition("\n")[2]:
        return error
    where = describe_location(users[-1] if users else caller())
    return type(error)(f"{error}\n  at {where}")


def located(error: Exception, operation: str = "") -> Exception:
    """``error``, of the same built-in kind, with the operation and the user's line."""
    if "\n  at " in str(error):
        return error
    kind = next(k for k in _KINDS if isinstance(error, k))
    return kind(f"{operation}{error}\n  at {describe_location(caller())}")


class NeedsNumber(TraceError):
    """A number among the inputs decides what is compiled (a length, an axis): see compiled.py."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number
