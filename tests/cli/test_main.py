"""``koubai`` itself: version, help, and what it costs to start."""

import subprocess
import sys
from typing import Any

import pytest

import koubai as package

Command = Any


def test_version(koubai: Command) -> None:
    """--version prints name and version."""
    assert koubai("--version") == (0, f"koubai {package.__version__}\n", "")


def test_help_names_every_command(koubai: Command) -> None:
    """--help shows the commands with a line each, and examples; lines fit a terminal."""
    status, out, _ = koubai("--help")
    assert status == 0
    for text in ("train ", "predict ", "check ", "cache ", "examples:", "koubai train --help"):
        assert text in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("train", "--epochs --batch-size --lr --hidden --seed --out --data"),
        ("predict", "RUN IMAGE"),
        ("check", "FILE[:NAME] --seed --timeout"),
        ("cache", "--clear"),
    ],
)
def test_help_of_commands(koubai: Command, command: str, options: str) -> None:
    """Every option is explained."""
    status, out, _ = koubai(command, "--help")
    assert status == 0
    assert all(f"\n  {option}" in out for option in options.split())
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["--nonsense"]])
def test_a_command_line_that_is_none(koubai: Command, arguments: list[str]) -> None:
    """One line that leads to the help, exit status 2."""
    status, out, err = koubai(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "koubai --help" in err


def test_starting_is_light() -> None:
    """The command line is parsed without rich, matplotlib, Pillow or safetensors."""
    code = (
        "import sys; import koubai.cli;"
        "print(*{'rich', 'matplotlib', 'PIL', 'safetensors'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == ""


def test_interrupt_outside_training(koubai: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C where there is nothing to save yet: one line, exit status 130."""

    def press(folder: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("koubai.cli.train.mnist", press)
    assert koubai("train") == (130, "", "koubai train: interrupted\n")
