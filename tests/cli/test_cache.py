"""``koubai cache``: what is there, and that only that is removed."""

from pathlib import Path
from typing import Any

import pytest

from koubai.compiler.runtime import cache

Command = Any


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the machine code, which is not there yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "koubai"


def test_show_and_clear(koubai: Command, folder: Path) -> None:
    """It says where the files are, how many and how much; --clear removes them."""
    assert koubai("cache") == (0, f"{folder}: 0 files, 0.0 MB\n", "")
    keys = [cache.key(text) for text in "ab"]
    for key in keys:
        cache.store(key, bytes(300_000))
    assert koubai("cache") == (0, f"{folder}: 2 files, 0.6 MB\n", "")
    assert koubai("cache", "--clear") == (0, f"{folder}: removed 2 files, 0.6 MB\n", "")
    assert koubai("cache") == (0, f"{folder}: 0 files, 0.0 MB\n", "")
    assert [cache.load(key) for key in keys] == [None, None]


def test_clear_removes_its_own_files_only(koubai: Command, folder: Path) -> None:
    """A folder of this name may be somebody's project."""
    cache.store(cache.key("a"), b"code")
    (folder / "setup.py").write_text("mine")
    (folder / ("0" * 63 + ".code")).write_text("mine")
    assert koubai("cache", "--clear")[0] == 0
    assert sorted(x.name for x in folder.iterdir()) == ["0" * 63 + ".code", "setup.py"]


def test_clear_removes_what_was_left_half_written(koubai: Command, folder: Path) -> None:
    """By a process that was killed."""
    folder.mkdir()
    (folder / f"{cache.key('a')}.123-456").write_bytes(b"co")
    assert koubai("cache", "--clear")[1].endswith("removed 1 file, 0.0 MB\n")
    assert not list(folder.iterdir())


def test_clear_what_cannot_be_cleared(koubai: Command, folder: Path) -> None:
    """One line, and a status that says so."""
    cache.store(cache.key("a"), b"code")
    (folder / f"{cache.key('b')}.code").mkdir()
    status, out, err = koubai("cache", "--clear")
    assert (status, out, err.count("\n")) == (1, "", 1)


def test_a_word_for_the_option(koubai: Command) -> None:
    """``koubai cache clear`` is led to the option."""
    status, _, err = koubai("cache", "clear")
    assert status == 2
    assert "did you mean --clear?" in err


def test_no_place(koubai: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a home is told what to do."""
    monkeypatch.setattr(cache, "directory", lambda: None)
    status, out, err = koubai("cache")
    assert (status, out) == (1, "")
    assert "XDG_CACHE_HOME" in err
