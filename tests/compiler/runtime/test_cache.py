"""Machine code on disk: found again where it is the same, and never where it is not."""

from __future__ import annotations

import errno
import logging
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import koubai
from koubai.compiler.runtime import cache, functions, jit

KEY = cache.key("a program")
CODE = bytes(range(256)) * 20
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no owners and modes")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the machine code, which is not there yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache._warn.cache_clear()
    return tmp_path / "koubai"


@pytest.fixture
def path(folder: Path) -> Path:
    """The file of ``CODE``, which is there."""
    cache.store(KEY, CODE)
    return folder / f"{KEY}.code"


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


# Found again.


def test_found_again() -> None:
    """What is stored is loaded; of another key there is nothing."""
    assert cache.load(KEY) is None
    cache.store(KEY, CODE)
    assert cache.load(KEY) == CODE
    assert cache.load(cache.key("another")) is None


@POSIX
def test_private(path: Path, folder: Path) -> None:
    """Others may neither read nor write; nothing but the file is left in the folder."""
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(folder.iterdir()) == [path]


PROGRAM = """
import sys
import numpy as np
import koubai
from koubai.compiler.runtime import jit

if "found" in sys.argv:
    def compiled(text):
        raise AssertionError("compiled again")
    jit.optimized = compiled

class State:
    def __init__(self):
        self.total = np.zeros((3, 40), np.float32)

@koubai.compile
def step(state, x, W):
    state.total = state.total + koubai.tanh(x @ W)
    return state.total.sum()

state, x, W = State(), np.ones((3, 40), np.float32), np.eye(40, dtype=np.float32)
for _ in range(3):  # by the long way, the shortcut's native walk, and again
    y = step(state, x, W)
(compiled,) = step.cache.compiled.values()
assert compiled.native is not None and compiled.shortcuts
print(repr(float(y)))
"""


def process(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> float:
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert not err
    return float(out)


def test_a_second_process_compiles_nothing() -> None:
    """Nor does it find addresses of the first process in the code: they differ in each."""
    first = finished(process())
    assert finished(process("found")) == first == pytest.approx(120 * 3 * np.tanh(1), rel=1e-6)


def test_two_processes_at_once(folder: Path) -> None:
    """All write the same files at the same time; all compute the same; the files are good."""
    runs = [process() for _ in range(3)]
    assert len({finished(run) for run in runs}) == 1
    assert all(x.suffix == ".code" for x in folder.iterdir())
    finished(process("found"))


WRITER = """
import sys, threading
from koubai.compiler.runtime import cache

key, wrong = cache.key("a program"), []
code = [bytes([i]) * 30_000 for i in range(10)]

def run():
    for i in range(150):
        cache.store(key, code[i % 10])
        if cache.load(key) not in code:
            wrong.append(i)

threads = [threading.Thread(target=run) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not wrong, wrong
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is being read stays as it is")
def test_a_race(folder: Path) -> None:
    """Who reads a file while others write it gets all of what one of them wrote."""
    runs = [subprocess.Popen([sys.executable, "-c", WRITER]) for _ in range(2)]
    assert [run.wait() for run in runs] == [0, 0]
    assert [x.name for x in folder.iterdir()] == [f"{KEY}.code"]


# Never where it is not the same.


def test_keys() -> None:
    """Texts that only run together the same way are different programs."""
    assert cache.key("ab", "c") != cache.key("a", "bc") != cache.key("a", "bc", "")


TEXT = "define void @f() {\n  ret void\n}"


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("llvm.get_host_cpu_name", lambda: "x86-64"),
        ("llvm.get_host_cpu_features", lambda: jit.llvm.FeatureMap(avx2=False)),
        ("llvm.llvm_version_info", (1, 2, 3)),
        ("llvmlite.__version__", "0.0.1"),
        ("_OPTIONS", {"opt": 0, "reloc": "pic", "codemodel": "default"}),
        ("_PASSES", ("sroa",)),
        ("cache.FORMAT", 0),
    ],
)
def test_another_processor_or_version(
    name: str, other: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code is not used but on such a processor, by such a version, made in such a way."""
    jit.object_code(TEXT)
    jit.object_code(TEXT)
    assert len(list(folder.iterdir())) == 1
    owner: Any = jit
    *path, last = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    monkeypatch.setattr(owner, last, other)
    monkeypatch.setattr(jit, "backend", jit.backend.__wrapped__)
    code = jit.object_code(TEXT)
    assert len(list(folder.iterdir())) == 2
    assert jit.object_code(TEXT) == code
    assert len(list(folder.iterdir())) == 2


def damages() -> list[Any]:
    def cut(x: bytes) -> bytes:
        return x[:-1]

    def empty(x: bytes) -> bytes:
        return b""

    def only_a_head(x: bytes) -> bytes:
        return x[:64]

    def one_bit(x: bytes) -> bytes:
        return x[:1000] + bytes([x[1000] ^ 1]) + x[1001:]

    def longer(x: bytes) -> bytes:
        return x + b"\0"

    def of_another_key(x: bytes) -> bytes:
        return cache._head(cache.key("another"), CODE) + CODE

    return [cut, empty, only_a_head, one_bit, longer, of_another_key]


@pytest.mark.parametrize("damage", damages())
def test_damaged(path: Path, damage: Any) -> None:
    """A file that is not as it was written is as good as none, and is written anew."""
    path.write_bytes(damage(path.read_bytes()))
    assert cache.load(KEY) is None
    cache.store(KEY, CODE)
    assert cache.load(KEY) == CODE


def test_damaged_code_is_compiled_again(folder: Path) -> None:
    """From the text, and kept."""
    code = jit.object_code(TEXT)
    (path,) = folder.iterdir()
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    assert jit.object_code(TEXT) == code
    assert path.read_bytes() == content


# Nobody else's.


@POSIX
def test_another_owner(path: Path, folder: Path, monkeypatch: Any, caplog: Any) -> None:
    """What belongs to somebody else is neither read nor written; that is said once."""
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    before = path.stat()
    for _ in range(2):
        assert cache.load(KEY) is None
        cache.store(cache.key("another"), CODE)
    assert list(folder.iterdir()) == [path]
    assert path.stat() == before
    (message,) = warnings(caplog)
    assert message.startswith(f"{folder} belongs to another user")
    assert "XDG_CACHE_HOME" in message


@POSIX
def test_a_file_of_another_owner(path: Path, monkeypatch: Any, caplog: Any) -> None:
    """In a folder of one's own it is not used, and replaced."""
    theirs, fstat = path.stat().st_ino, os.fstat

    def seen(descriptor: int) -> os.stat_result:
        found = fstat(descriptor)
        fields = list(found)
        fields[stat.ST_UID] += found.st_ino == theirs
        return os.stat_result(fields)

    monkeypatch.setattr(os, "fstat", seen)
    assert cache.load(KEY) is None
    assert warnings(caplog)[0].startswith(f"{path} belongs to another user")
    cache.store(KEY, CODE)
    assert cache.load(KEY) == CODE


@POSIX
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o720, 0o702])
def test_a_folder_open_to_others(path: Path, folder: Path, mode: int, caplog: Any) -> None:
    """A folder that others may write to is not used, until the message is followed."""
    folder.chmod(mode)
    for _ in range(2):
        assert cache.load(KEY) is None
        cache.store(cache.key("another"), CODE)
    assert list(folder.iterdir()) == [path]
    (message,) = warnings(caplog)
    command = message.partition("if they never have: ")[2].partition(", else")[0]
    subprocess.run(command, shell=True, check=True)
    assert cache.load(KEY) == CODE


@POSIX
@pytest.mark.parametrize("mode", [0o660, 0o606, 0o620, 0o602])
def test_a_file_open_to_others(path: Path, mode: int, caplog: Any) -> None:
    """A file that others may write to is not used, and replaced by one that they may not."""
    path.chmod(mode)
    assert cache.load(KEY) is None
    assert len(warnings(caplog)) == 1
    cache.store(KEY, CODE)
    assert cache.load(KEY) == CODE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@POSIX
def test_others_may_read(path: Path, folder: Path, caplog: Any) -> None:
    """That does no harm."""
    folder.chmod(0o755)
    path.chmod(0o644)
    assert cache.load(KEY) == CODE
    assert not warnings(caplog)


@POSIX
def test_another_umask(folder: Path) -> None:
    """A user whose files others may write to by default has a private folder all the same."""
    before = os.umask(0)
    try:
        cache.store(KEY, CODE)
    finally:
        os.umask(before)
    assert cache.load(KEY) == CODE


# A disk that is not as it should be.


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
@pytest.mark.parametrize("where", ["mkdir", "open", "replace"])
@pytest.mark.native
def test_nothing_can_be_written(
    error: int, where: str, folder: Path, monkeypatch: Any, caplog: Any
) -> None:
    """A full or read-only disk: compiled functions run, nothing is said, nothing is left over."""

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(Path if where == "mkdir" else os, where, fail)
    monkeypatch.setattr(functions, "_known", {})
    compiled = koubai.compile(lambda x: x + 1)
    np.testing.assert_array_equal(compiled(np.zeros(3)), [1, 1, 1])
    monkeypatch.undo()
    assert not warnings(caplog)
    assert not folder.exists() or not list(folder.iterdir())


def test_interrupted(folder: Path, monkeypatch: Any) -> None:
    """Ctrl-C while writing leaves nothing behind."""

    def press(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", press)
    with pytest.raises(KeyboardInterrupt):
        cache.store(KEY, CODE)
    assert not list(folder.iterdir())


def test_left_half_written(folder: Path) -> None:
    """What a killed process left does not stay in the way of one with the same numbers."""
    folder.mkdir(0o700)
    (folder / f"{KEY}.{os.getpid()}-{threading.get_native_id()}").write_bytes(b"co")
    for _ in range(2):
        cache.store(KEY, CODE)
    assert cache.load(KEY) == CODE
    assert len(list(folder.iterdir())) == 1


@POSIX
@pytest.mark.skipif(sys.platform != "win32" and os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_read(path: Path, folder: Path) -> None:
    """Code that is there is used, also where its last use can't be noted."""
    folder.chmod(0o500)
    path.chmod(0o400)
    try:
        assert cache.load(KEY) == CODE
    finally:
        folder.chmod(0o700)


def test_a_file_in_the_place_of_the_folder(folder: Path) -> None:
    """No folder, no files: that is all."""
    folder.write_text("mine")
    cache.store(KEY, CODE)
    assert cache.load(KEY) is None
    assert folder.read_text() == "mine"


# Where, and how much.


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, "/home/me/.cache/koubai"),
        ("linux", {"XDG_CACHE_HOME": "/fast"}, "/fast/koubai"),
        ("linux", {"XDG_CACHE_HOME": "not/absolute"}, "/home/me/.cache/koubai"),
        ("linux", {"HOME": "nowhere"}, None),
        ("darwin", {}, "/home/me/Library/Caches/koubai"),
        ("darwin", {"XDG_CACHE_HOME": "/fast"}, "/fast/koubai"),
        ("win32", {"LOCALAPPDATA": "/users/me/local"}, "/users/me/local/koubai/Cache"),
        ("win32", {}, None),
    ],
)
@POSIX
def test_places(platform: str, variables: Any, expected: Any, monkeypatch: Any) -> None:
    """The system's folder for caches, unless the user has set another."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"HOME": "/home/me"} | variables).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache.directory() == (expected and Path(expected))


def test_no_place(monkeypatch: Any) -> None:
    """A user without a home has no cache, and nothing is wrong."""
    monkeypatch.setattr(cache, "directory", lambda: None)
    cache.store(KEY, CODE)
    assert cache.load(KEY) is None


def test_the_longest_unused_go_first(folder: Path) -> None:
    """A file counts as new when it is used; whole blocks count, and other files do not."""
    keys = [cache.key(str(i)) for i in range(5)]
    for age, key in enumerate(reversed(keys)):
        cache.store(key, CODE)  # two blocks
        then = time.time() - 3600 * (age + 1)
        os.utime(folder / f"{key}.code", (then, then))
    (folder / "mine").write_bytes(bytes(10**6))
    assert cache.load(keys[0]) == CODE  # the oldest
    cache.trim(folder, limit=3 * 8192 + 100)
    assert [cache.load(key) is not None for key in keys] == [True, False, False, True, True]
    cache.trim(folder, limit=3 * 8192)
    assert len(list(folder.iterdir())) == 4


def test_a_process_that_writes_looks_at_the_size(folder: Path) -> None:
    """What is too much is removed without a command."""
    old = folder / f"{cache.key('another')}.code"
    folder.mkdir(0o700)
    with old.open("wb") as file:
        file.truncate(cache.LIMIT)  # no block of it is on the disk
    os.utime(old, (0, 0))
    cache._trim_once.cache_clear()
    cache.store(KEY, CODE)
    assert not old.exists()
    assert cache.load(KEY) == CODE
