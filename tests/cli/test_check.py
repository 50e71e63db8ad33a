"""``koubai check``: reports, exit statuses, and code that does not behave."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Any
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of Python."""

    def make(source: str, name: str = "layers.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(source, encoding="utf-8")
        return path

    return make


RIGHT = """
class Double:
    def forward(self, x):
        return 2 * x
    def backward(self, dout):
        return 2 * dout
"""
WRONG = """
class Square:
    def forward(self, x):
        self.x = x
        return x * x
    def backward(self, dout):
        return dout * self.x
"""
UNKNOWN = """
class Mystery:
    def __init__(self, mode):
        self.mode = mode.value
    def forward(self, x):
        return x * 1
    def backward(self, dout):
        return dout * 1
"""


def limit(source: str) -> list[object]:
    """A short time limit for what never ends; not for others, on a busy machine."""
    return ["--timeout", 2] if "while True" in source else []


def broken(name: str, forward: str, backward: str = "return dout * 1") -> str:
    """The source of a layer."""
    return f"""
class {name}:
    def forward(self, x):
        {forward}
    def backward(self, dout):
        {backward}
"""


def test_right(koubai: Command, write: Write) -> None:
    """A report for each class, and their number; exit status 0."""
    path = write(RIGHT + RIGHT.replace("Double", "Triple").replace("2", "3"))
    assert koubai("check", path) == (
        0,
        "check of Double, layers.py:5\n"
        "  with x: float64[5, 4]\n"
        "  x       20 elements  right\n"
        "\n"
        "check of Triple, layers.py:11\n"
        "  with x: float64[5, 4]\n"
        "  x       20 elements  right\n"
        "\n"
        "2 targets: 2 right\n",
        "",
    )


def test_wrong(koubai: Command, write: Write) -> None:
    """The wrong gradient is explained, the others are checked too; exit status 1."""
    status, out, err = koubai("check", write(WRONG + RIGHT))
    assert (status, err) == (1, "")
    assert "  x       20 elements  WRONG  factor\n" in out
    assert "the gradient of x is wrong: factor" in out
    assert "check of Double" in out
    assert out.endswith("\n2 targets: 1 right, 1 wrong\n")
    assert max(map(len, out.splitlines())) <= 80


def test_inputs_that_do_not_fit(koubai: Command, write: Write) -> None:
    """A forward that raises with what check_inputs() says is a failure, with the inputs."""
    listed = "import numpy as np\ndef check_inputs(): return [(Double(), None)]\n"
    status, out, err = koubai("check", write(listed + RIGHT))
    assert (status, out.count("\n"), err) == (1, 1, "")
    assert out.startswith("failed: Double: forward raises TypeError: unsupported operand")


def test_one_of_them(koubai: Command, write: Write) -> None:
    """FILE:NAME checks one, a function too."""
    path = write(WRONG + RIGHT + "\ndef cube(x):\n    return x * x * x\n")
    status, out, _ = koubai("check", f"{path}:Double")
    assert (status, out.count("check of"), "Double" in out) == (0, 1, True)
    status, out, _ = koubai("check", f"{path}:cube")
    assert (status, "check of cube" in out) == (0, True)


def test_seed(koubai: Command, write: Write) -> None:
    """The same seed gives the same numbers."""
    path = write(WRONG)
    first, again, other = (koubai("check", path, "--seed", seed)[1] for seed in (1, 1, 2))
    assert first == again != other


def test_not_checked(koubai: Command, write: Write) -> None:
    """What can't be called is no success: it says why, and what to write into the file."""
    path = write("import numpy as np\n" + UNKNOWN + RIGHT)
    status, out, _ = koubai("check", path)
    assert status == 1
    assert "not checked: Mystery: mode of its constructor could be anything" in out
    assert out.endswith("2 targets: 1 right, 1 not checked\n")
    start = out.index("  def check_inputs():")
    snippet = out[start : out.index("\n\n", start)]
    lines = "\n".join(line[2:] for line in snippet.splitlines())
    completed = lines.replace("mode=...", "mode=np.float64(1)").replace("value", "real")
    path = write(path.read_text().replace(".value", ".real") + "\n" + completed)
    status, out, _ = koubai("check", path)
    assert (status, "2 right" in out) == (0, True)


def test_base_classes_are_left_out(koubai: Command, write: Write) -> None:
    """A class that leaves forward to others is not mentioned, unless it is named."""
    base = broken("Base", "raise NotImplementedError")
    path = write(base + RIGHT)
    assert "Base" not in koubai("check", path)[1]
    status, out, _ = koubai("check", f"{path}:Base")
    assert status == 1
    assert out.startswith("not checked: Base")


@pytest.mark.parametrize(
    ("forward", "said"),
    [
        ("while True: pass", "does not end within 2 s, in forward, layers.py:4"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV, in forward, layers.py:4"),
        ("import os; os._exit(3)", "ends the process, with exit status 3"),
        ("import sys; sys.exit('enough')", "calls sys.exit('enough'), layers.py:4"),
        ("return self.forward(x)", "forward raises RecursionError"),
        ("return x * float(input())", "forward raises EOFError"),
        ("return x.nothing", "AttributeError: 'numpy.ndarray' object has no attribute 'nothing'"),
        ("print('loud' * 2**20); import os; os.abort()", "SIGABRT, in forward, layers.py:4"),
    ],
)
def test_code_that_does_not_behave(koubai: Command, write: Write, forward: str, said: str) -> None:
    """One line that names it; the next one is checked all the same."""
    path = write(broken("Bad", forward) + RIGHT)
    status, out, err = koubai("check", path, *limit(forward))
    assert (status, err) == (1, "")
    (line,) = [line for line in out.splitlines() if "Bad:" in line]
    assert said in line
    assert "check of Double" in out
    assert "1 right" in out


@pytest.mark.parametrize(
    ("backward", "said"),
    [
        ("while True: pass", "Bad: does not end within 2 s, in backward, layers.py:6"),
        ("import os; os.abort()", "Bad: crashes the process, SIGABRT, in backward, layers.py:6"),
        ("raise ValueError('oh')", "backward raises ValueError: oh (at layers.py:6)"),
    ],
)
def test_a_backward_that_does_not_behave(
    koubai: Command, write: Write, backward: str, said: str
) -> None:
    """The same of the backward."""
    status, out, _ = koubai("check", write(broken("Bad", "return x", backward)), *limit(backward))
    assert status == 1
    assert said in out


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nothing_here", "its import raises ModuleNotFoundError: No module named"),
        ("x = = 1", "its import raises SyntaxError: invalid syntax, layers.py:1"),
        ("import sys; sys.exit()", "its import calls sys.exit(), layers.py:1"),
        ("while True: pass", "its import does not end within 2 s, in <module>, layers.py:1"),
        ("import os; os.abort()", "its import crashes the process, SIGABRT"),
        ("def check_inputs(): return 1 / 0", "its check_inputs() raises ZeroDivisionError"),
        ("def check_inputs(): return {}", "it must return a list of tuples"),
    ],
)
def test_a_file_that_fails(koubai: Command, write: Write, source: str, said: str) -> None:
    """One line, exit status 1."""
    status, out, err = koubai("check", write(source), *limit(source))
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert said in err


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("none.py", "there is no file none.py"),
        (".", ". is a folder; name a Python file in it"),
        ("layers.py:Squared", "there is no Squared in it; did you mean Square?"),
        ("layers.py:number", "number can't be checked: it is 3"),
        ("none.py:Square", "there is no file none.py"),
        ("empty.py", "nothing to check in it"),
        ("a.ipynb", "nbconvert --to script a.ipynb"),
    ],
)
def test_wrong_usage(
    koubai: Command, write: Write, monkeypatch: pytest.MonkeyPatch, target: str, said: str
) -> None:
    """One line that says what to do, exit status 2."""
    monkeypatch.chdir(write(WRONG + "number = 3\n").parent)
    write("", "empty.py")
    write("{}", "a.ipynb")
    status, out, err = koubai("check", target)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_imports_as_python_does(koubai: Command, write: Write) -> None:
    """From beside the file; of its package, if it is in one; never of what lies elsewhere."""
    write("factor = 2", "constants.py")
    path = write("from constants import factor\n" + RIGHT, "random.py")  # a name of Python's
    assert koubai("check", path)[0] == 0
    write("", "package/__init__.py")
    write(RIGHT, "package/base.py")
    path = write("from .base import Double\nclass Two(Double): pass\n", "package/two.py")
    status, out, _ = koubai("check", path)
    assert status == 0
    assert out.startswith("check of Two, base.py:5")


def test_what_the_file_prints(koubai: Command, write: Write) -> None:
    """It is not shown, and does not disturb."""
    path = write('print("{}")\nimport os\nos.write(1, b"loud")\nos.write(2, b"loud")\n' + RIGHT)
    status, out, err = koubai("check", path)
    assert (status, "loud" in out, err) == (0, False, "")


def has_ended(number: int) -> bool:
    """Whether a process is gone, or a zombie; it may take a moment to die."""
    for _ in range(100):
        try:
            os.kill(number, 0)
            state = Path(f"/proc/{number}/stat").read_text()
        except OSError:
            return True
        if state.rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


CHILDREN = """
        import subprocess, pathlib, time, os
        child = subprocess.Popen(["sleep", "60"])
        pathlib.Path(__file__).with_name("numbers").write_text(f"{child.pid} {os.getpid()}")
        while True: time.sleep(1)
"""


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks into /proc")
def test_nothing_stays_behind(koubai: Command, write: Write, tmp_path: Path) -> None:
    """Neither the process nor what the user's code has started in it."""
    path = write(broken("Starts", CHILDREN.strip()))
    assert "does not end" in koubai("check", path, "--timeout", 1)[1]
    for number in (tmp_path / "numbers").read_text().split():
        assert has_ended(int(number))


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks into /proc")
def test_interrupt(write: Write, tmp_path: Path) -> None:
    """Ctrl-C ends it all, with one line and exit status 130."""
    path = write(broken("Starts", CHILDREN.strip()))
    command = [sys.executable, "-m", "koubai", "check", str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not (numbers := tmp_path / "numbers").exists() or not numbers.read_text():
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "koubai check: interrupted\n")
    for number in numbers.read_text().split():
        assert has_ended(int(number))


def test_in_a_terminal(write: Write) -> None:
    """There are colours, and what takes long is shown, and taken away."""
    pty: Any = pytest.importorskip("pty")
    path = write(WRONG + broken("Slow", "while True: pass"))
    terminal, end = pty.openpty()
    command = [sys.executable, "-m", "koubai", "check", str(path), "--timeout", "3"]
    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"TERM": "xterm"}
    process = subprocess.Popen(command, stdout=end, stderr=end, env=environment)
    os.close(end)
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # Linux's way to say that it is closed
            break
        if not piece:
            break
        shown += piece
    os.close(terminal)
    assert process.wait() == 1
    assert b"\x1b[1;31mWRONG" in shown
    assert b"\rchecking Slow" in shown.replace(b"\x1b[K", b"")
    assert shown.rpartition(b"checking Slow")[2].partition(b"failed")[0].endswith(b"\x1b[1;31m")
