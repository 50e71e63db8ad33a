"""Which function of a graph an instruction is a part of.

Its location is the user's line, and in a backward pass that is the line of ``backward()`` for all.
"""

from __future__ import annotations

import sys
import weakref

from koubai.core import Function
from koubai.location import Location, is_ours

Origin = tuple[str, Location | None]


class Origins:
    """Remembers where functions were called, until their backward."""

    def __init__(self) -> None:
        # By id, for a user's class may have no hash; the reference tells whether it is the same.
        self._calls: dict[int, tuple[weakref.ref[Function], Location]] = {}

    def of_this_instruction(self, location: Location) -> Origin | None:
        """What to call the function that is running: the innermost ``forward`` or ``backward``."""
        frame = sys._getframe(1)
        while frame is not None:
            code = frame.f_code
            if code.co_name in ("forward", "backward"):
                f = frame.f_locals.get("self")
                if isinstance(f, Function):
                    return self._origin(f, code.co_name, location)
            if not is_ours[code.co_filename]:
                return None
            frame = frame.f_back  # type: ignore[assignment]
        return None

    def _origin(self, f: Function, method: str, location: Location) -> Origin:
        if method == "forward":
            self._calls[id(f)] = weakref.ref(f), location
            return type(f).__name__, None
        same, called = self._calls.get(id(f), (lambda: None, None))
        return f"the backward of {type(f).__name__}", called if same() is f else None
