"""What the compiler says when something can't be compiled: what, where, what to write instead."""

from __future__ import annotations

from koubai.location import Location, caller, describe_location


class TraceError(Exception):
    """What cannot be compiled, the user's line, and the spelling that works."""

    def __init__(self, message: str, location: Location | None = None) -> None:
        super().__init__(f"{message}\n  at {describe_location(location or caller())}")


def located(error: Exception, operation: str = "") -> Exception:
    """``error``, of the same built-in kind, with the operation and the user's line."""
    if "\n  at " in str(error):
        return error
    kind = next(k for k in (ValueError, TypeError, IndexError) if isinstance(error, k))
    return kind(f"{operation}{error}\n  at {describe_location(caller())}")


class NeedsNumber(TraceError):
    """A number among the inputs decides what is compiled (a length, an axis): see compiled.py."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number
