"""A log that programs can read: one JSON object a line."""

from __future__ import annotations

import json
import os
from types import TracebackType
from typing import Any, Self


class JsonLines:
    """A file to which lines are added, each on its way to the disk when ``write`` returns.

    Args:
        path: of the file, which must not exist yet.

    Raises:
        FileExistsError: if it does: a log is not overwritten.
        OSError: if it can't be made.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with JsonLines(Path(folder, "log.jsonl")) as log:
    ...         log.write(epoch=1, loss=0.5)
    ...         log.write(epoch=2, loss=0.25)
    ...     print(Path(folder, "log.jsonl").read_text(), end="")
    {"epoch": 1, "loss": 0.5}
    {"epoch": 2, "loss": 0.25}
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.file = open(path, "x", encoding="utf-8")  # noqa: SIM115  # closed by close()

    def write(self, **fields: Any) -> None:
        """Add a line.

        Raises:
            TypeError: for a value that JSON has no form for.
            ValueError: for a NaN or an infinity, which JSON lacks.
        """
        self.file.write(json.dumps(fields, allow_nan=False) + "\n")
        self.file.flush()

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
