"""The line that says what is being checked: in a terminal only, after a second, and gone again."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from koubai import check
from koubai.checking import progress


class Screen(io.StringIO):
    """A standard error that may be a terminal."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


class Square:
    def forward(self, x: Any) -> Any:
        self.x = x
        return x * x

    def backward(self, dout: Any) -> Any:
        return 2 * dout * self.x


class Twice:
    """Two layers, one after the other."""

    def __init__(self) -> None:
        self.first, self.second = Square(), Square()

    def forward(self, x: Any) -> Any:
        return self.second.forward(self.first.forward(x))

    def backward(self, dout: Any) -> Any:
        return self.first.backward(self.second.backward(dout))


def shown(monkeypatch: pytest.MonkeyPatch, is_terminal: bool, seconds: float) -> str:
    """What a check writes, if the clock goes on by ``seconds`` each time it is read."""
    screen, times = Screen(is_terminal), iter(np.arange(100) * seconds)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(times)))
    assert check(Twice(), np.array([1.0, 2.0])).ok
    return screen.getvalue()


def test_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, written over for each part, and taken away at the end."""
    parts = ["checking Square, the layer first", "checking Square, the layer second", ""]
    text = shown(monkeypatch, is_terminal=True, seconds=2)
    assert text == "".join(f"\r\x1b[K{part}" for part in parts)


@pytest.mark.parametrize(("is_terminal", "seconds"), [(False, 2), (True, 0.1)])
def test_nothing(monkeypatch: pytest.MonkeyPatch, is_terminal: bool, seconds: float) -> None:
    """A file gets nothing, nor does a terminal before a second is over."""
    assert shown(monkeypatch, is_terminal, seconds) == ""


def test_a_long_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cut off, so that the line stays one line of 80 columns."""
    screen, times = Screen(True), iter([0.0, 2.0])
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(times)))
    progress.Progress().say("x" * 200)
    assert len(screen.getvalue().removeprefix("\r\x1b[K")) < 80
