"""What is checked, whatever it is, seen in one way: named values in, outputs, and gradients out.

    subject.values                      {"x": ..., "W": ...}: what has a gradient
    subject.forward(values)             the outputs there
    subject.backward(values, gys)       what the code under check says the gradients are

Both leave no traces: every call works on a fresh copy, with random numbers as at the first call.
The kinds of subject, one for each way in which people write gradients: an object with ``forward``
and ``backward`` that knows nothing of koubai (``Layer``), a ``Function`` of koubai (``Node``), an
object with ``params`` and ``gradient(x, t)`` (``Network``), and a function of Variables or a
module, whose graph computes the gradients (``Graph``).
"""

from __future__ import annotations

import contextlib
import inspect
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from koubai import random

Array = Any
Values = dict[str, Array]


@dataclass
class Outcome:
    """What one forward and one backward gave.

    Attributes:
        outputs: of the forward.
        gradients: by the name of the value; whatever the code returned, or nothing.
        changed: the names of values, and "upstream", whose arrays were written into.
        shared: pairs of names whose arrays overlap in memory.
        count: how many gradients backward returned, if that is a wrong number.
    """

    outputs: list[Array]
    gradients: dict[str, Any]
    changed: list[str] = field(default_factory=list)
    shared: list[tuple[str, str]] = field(default_factory=list)
    count: int | None = None


class Subject:
    """One thing to check; see the subclasses.

    Attributes:
        name: for the report.
        values: what has a gradient, by name.
        args: what the forward is called with.
        arguments: which of them have a gradient: the place of each, by name.
        culprit: the function or object whose backward is at fault if a gradient is wrong.
        upstream: gradients to begin with; None for random ones.
        draws: whether it draws from a global generator, whose state takes long to save.
        cache_lost: of a layer inside another: there were more forwards than backwards, so that a
            backward sees what the last forward stored.
        path: of a layer inside another, where it stands.
        whole: the object under check, of layers and networks.
    """

    name: str
    values: Values
    args: list[Any]
    arguments: dict[str, int]
    culprit: Any = None
    upstream: list[Array] | None = None
    draws = True
    cache_lost = False
    path = ""
    whole: Any = None

    def forward(self, values: Values) -> list[Array]:
        raise NotImplementedError

    def backward(self, values: Values, gys: list[Array]) -> Outcome:
        raise NotImplementedError

    def run(self, instance: Any) -> None:
        """A forward and a backward of a fresh copy of the object."""

    def fresh(self, values: Values, memo: dict[int, Any] | None = None) -> Any:
        """A copy of the object under check, as it was before its first call."""
        return None

    def parameter(self, name: str) -> Any:
        """The object's own array of that name, if it is a parameter and can be replaced."""
        return None

    def after_another(
        self, others: Values, values: Values, gys: list[Array]
    ) -> dict[str, Any] | None:
        """The gradients where a forward with others went before; None where that says nothing."""
        return None

    def draws_anew(self) -> bool:
        """Whether a second forward of the same object gives other outputs."""
        return False

    def reuses(self, others: Values, values: Values, gys: list[Array]) -> bool:
        """Whether gradients that were returned change when the object is used again."""
        return False

    def repeatable(self) -> contextlib.AbstractContextManager[None]:
        """Around a forward: the same random numbers each time, if it draws any."""
        return same_random_numbers() if self.draws else contextlib.nullcontext()

    def find_out_whether_it_draws(self) -> None:
        """By one forward."""
        self.draws = False
        with same_random_numbers():
            before = _draws()
            self.forward(self.values)
            self.draws = _draws() != before

    @property
    def where(self) -> str:
        """The file and line of the backward."""
        return source_line(self.culprit)


S = TypeVar("S", bound=Subject)


def first_that_runs(kind: Callable[..., S], target: Any, inputs: Sequence[Any]) -> S:
    """In float64, for precision, unless the code takes only the dtypes that it was given."""
    subject = kind(target, inputs)
    try:
        with np.errstate(all="ignore"):
            subject.forward(subject.values)
    except Exception:
        narrow = kind(target, inputs, promote=False)
        try:
            with np.errstate(all="ignore"):
                narrow.forward(narrow.values)
        except Exception:
            return subject  # examine says what it raises
        return narrow
    return subject


def source_line(x: Any) -> str:
    """``layers.py:12``: where the backward of ``x``, or ``x`` itself, is written."""
    for name in ("backward", "gradient"):
        if not isinstance(x, types.FunctionType) and hasattr(type(x), name):
            x = getattr(type(x), name)
            break
    try:
        file, line = inspect.getsourcefile(x), inspect.getsourcelines(x)[1]
    except (TypeError, OSError):  # typed into a console, or built in
        return getattr(x, "__qualname__", type(x).__name__)
    return f"{Path(file or '?').name}:{line}"


@contextlib.contextmanager
def same_random_numbers() -> Iterator[None]:
    """What draws from NumPy's or koubai's global generator draws the same at every call."""
    ours, numpys = random.default.state(), np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.default.restore(ours)
        np.random.set_state(numpys)  # noqa: NPY002


def _draws() -> bytes:
    """Where the global generators stand."""
    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    numpys = bytes(state["state"]["key"]), state["state"]["pos"]
    return repr((numpys, random.default.state())).encode()
