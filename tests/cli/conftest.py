"""What the tests of the command share: running it in-process, and one short run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from koubai.cli import main

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def koubai(capfd: pytest.CaptureFixture[str]) -> Command:
    """Run ``koubai ...``; the exit status and what was printed to stdout and stderr."""

    def command(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        return status, *capfd.readouterr()

    return command


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of one epoch; not to be written to."""
    folder = tmp_path_factory.mktemp("runs") / "trained"
    assert main(["train", "--epochs", "1", "--out", str(folder)]) == 0
    return folder
