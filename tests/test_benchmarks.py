"""``python -m benchmarks`` runs what it is asked to, and its table can be read anywhere."""

from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.measure import Row


def quick() -> list[Row]:
    """A benchmark that takes no time, with a name and figures as long as any."""
    return [Row("quick " * 10, 1234567.0, 7654321.0, "something else by hand", "µs/step", 1.25)]


def broken() -> list[Row]:
    raise AssertionError("it was not asked for")


broken.__module__ = "benchmarks.broken"


@pytest.fixture(autouse=True)
def _two_groups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command, "BENCHMARKS", (quick, broken))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "status", "text"), [(["--help"], 0, "GROUP"), (["nonsense"], 2, "nonsense")]
)
def test_asking_runs_nothing(
    capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, text: str
) -> None:
    """--help, and a name that does not exist, name the groups; no benchmark runs."""
    with pytest.raises(SystemExit) as end:
        command.main(arguments)
    assert end.value.code == status
    printed = "".join(capsys.readouterr())
    assert all(word in printed for word in (text, "test_benchmarks", "broken"))


def test_one_group_one_line_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    """A group that is named runs alone; piped, its rows are whole lines."""
    command.main(["test_benchmarks"])
    (row,) = (line for line in capsys.readouterr().out.splitlines() if "1234567.00 µs/step" in line)
    assert ("quick " * 10).strip() in row
    assert "something else by hand" in row
    assert "≤ 1.25 ✓" in row


def test_all_groups() -> None:
    """Without a name, all of them run."""
    with pytest.raises(AssertionError, match="it was not asked for"):
        command.main([])


def test_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    """With --markdown the output is the table and nothing else, ready to be put into a README."""
    command.main(["test_benchmarks", "--markdown"])
    head, rule, row = capsys.readouterr().out.splitlines()
    assert head.startswith("| what | koubai |")
    assert rule == "| --- | ---: | --- | ---: | ---: | --- |"
    assert row.startswith(f"| {'quick ' * 10} | 1234567.00 µs/step | something else by hand |")
