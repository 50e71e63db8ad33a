"""The fixture ``check_gradients``, as other people's test suites have it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import sys
import numpy as np

class Square:
    def __init__(self, factor):
        self.factor = factor

    def forward(self, x):
        self.x = x
        return x * x

    def backward(self, dout):
        return self.factor * dout * self.x

def test_right(check_gradients):
    report = check_gradients(Square(2.0), np.array([1.0, 2.0]))
    assert report.checked == {"x": 2}

def test_wrong(check_gradients):
    check_gradients(Square(1.0), np.array([1.0, 2.0]))
"""


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest with the plug-in alone, and warnings as errors."""
    command = [sys.executable, "-W", "error", "-m", "pytest", "-p", "pytest_koubai"]
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
    )


def environment() -> dict[str, str]:
    """Only the named plug-in is loaded, from where this process has it."""
    source = str(Path(__file__).parents[2] / "src")
    return os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": source}


def test_the_fixture(tmp_path: Path) -> None:
    """A right gradient passes and gives the report; a wrong one fails with the report alone."""
    (tmp_path / "test_square.py").write_text(TESTS)
    result = run_pytest(tmp_path)
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert "1 failed, 1 passed" in result.stdout
    assert "check of Square, test_square.py:13" in result.stdout
    assert "the gradient of x is wrong: factor" in result.stdout
    assert "def test_wrong" not in result.stdout  # no traceback


def test_a_run_without_it(tmp_path: Path) -> None:
    """Where no test asks for the fixture, nothing of koubai or NumPy is imported."""
    (tmp_path / "test_nothing.py").write_text(
        "import sys\ndef test_light():\n    assert not {'koubai', 'numpy'} & set(sys.modules)\n"
    )
    assert run_pytest(tmp_path).returncode == pytest.ExitCode.OK


def test_it_is_documented(tmp_path: Path) -> None:
    """``pytest --fixtures`` says what it does."""
    assert "koubai.check" in run_pytest(tmp_path, "--fixtures").stdout
