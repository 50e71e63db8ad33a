"""Commands that the user is told to type work as they stand, however koubai was started."""

import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from koubai.cli.invocation import command_line

SCRIPT = f"#!{sys.executable}\nimport sys\nfrom koubai.cli import main\nsys.exit(main())\n"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The command as a file in a folder that is not on the PATH."""
    path = tmp_path / "bin" / "koubai"
    path.parent.mkdir()
    path.write_text(SCRIPT)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("way", ["script", "module"])
def test_the_command_that_training_ends_with(way: str, script: Path, tmp_path: Path) -> None:
    """Copied from the last line, with a picture's name filled in, it classifies the picture."""
    start = {"script": "bin/koubai", "module": f"{sys.executable} -m koubai"}[way]
    Image.fromarray(np.eye(28, dtype=np.uint8) * 255).save(tmp_path / "a.png")

    def run(command: str) -> str:
        return subprocess.run(
            shlex.split(command), cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    out = run(f"{start} train --epochs 1e-9 --out 'my run'")
    hint = out.splitlines()[-1].removeprefix("To classify pictures: ")
    assert hint == f"{start} predict 'my run' IMAGE.png"
    assert run(hint.replace("IMAGE.png", "a.png")).splitlines()[1].split()[0] == "a.png"


def test_a_command_on_the_path(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the shell finds this very script by its name, the name is enough."""
    monkeypatch.setattr(sys, "argv", [str(script), "train"])
    assert command_line("predict", 1) == f"{script} predict 1"
    monkeypatch.setenv("PATH", str(script.parent))
    assert command_line("predict", 1) == "koubai predict 1"
    monkeypatch.setattr(sys, "argv", ["/elsewhere/koubai"])
    assert command_line("predict", 1) == "/elsewhere/koubai predict 1", "another koubai"
