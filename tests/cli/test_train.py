"""``koubai train`` trains, shows and keeps a run; refuses bad options; ends well on Ctrl-C."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import koubai.datasets
from koubai.cli import report, train
from koubai.training import load_checkpoint

PACKAGE_DATA = Path(koubai.datasets.__file__).with_name("data")
Command = Any


def log_of(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log."""
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_a_run_learns_and_keeps_all(trained: Path) -> None:
    """An epoch on the real MNIST: above 90 %, and log, curve and parameters in the folder."""
    assert sorted(os.listdir(trained)) == ["curve.png", "log.jsonl", "model.safetensors"]
    start, end = log_of(trained)
    assert (start["epoch"], start["iteration"], start["loss"]) == (0, 0, None)
    assert start["test_accuracy"] < 0.3
    assert (end["epoch"], end["iteration"]) == (1, 600)
    assert end["train_accuracy"] > 0.9
    assert end["test_accuracy"] > 0.9
    assert 0.2 < end["loss"] < 1
    assert end["images_per_second"] > 0
    with Image.open(trained / "curve.png") as picture:
        picture.load()
        assert min(picture.size) > 300
    state, metadata = load_checkpoint(trained / "model.safetensors")
    assert {name: (a.shape, a.dtype) for name, a in state.items()} == {
        "0.W": ((784, 50), np.float32),
        "0.b": ((50,), np.float32),
        "2.W": ((50, 10), np.float32),
        "2.b": ((10,), np.float32),
    }
    assert metadata == {
        "layers": [784, 50, 10],
        "activation": "relu",
        "koubai": koubai.__version__,
        "seed": 0,
        "batch_size": 100,
        "lr": 0.1,
        "iterations": 600,
        "test_accuracy": end["test_accuracy"],
    }


def test_the_table_can_be_read_in_a_file(koubai: Command, tmp_path: Path) -> None:
    """Piped, there are lines of at most 80 columns, a row an epoch, no bar and no control codes."""
    status, out, err = koubai(
        "train", "--epochs", 0.02, "--batch-size", 120, "--hidden", 5, "--out", tmp_path / "run"
    )
    assert (status, err) == (0, "")
    assert "\x1b" not in out
    lines = out.splitlines()
    assert lines[0] == "Training 784-5-10 on MNIST, learning rate 0.1, seed 0"
    assert lines[1] == "10 iterations of 120 images; an epoch is 500 of them"
    assert lines[2].split()[:3] == ["epoch", "iteration", "loss"]
    assert lines[3].split()[:3] == ["0.00", "0", "-"]
    assert lines[4].split()[:2] == ["0.02", "10"]
    row = log_of(tmp_path / "run")[1]
    assert lines[4].split()[2:5] == [
        f"{row['loss']:.4g}",
        f"{row['train_accuracy']:.2%}",
        f"{row['test_accuracy']:.2%}",
    ]
    assert f"Saved in {tmp_path / 'run'}: curve.png, log.jsonl, model.safetensors" in lines
    assert max(len(line) for line in lines[:6]) <= 80


def test_one_iteration_of_one_image(koubai: Command, tmp_path: Path) -> None:
    """One of a kind is no plural."""
    out = koubai("train", "--epochs", 1e-9, "--batch-size", 1, "--out", tmp_path)[1]
    assert "\n1 iteration of 1 image; an epoch is 60,000 of them\n" in out


def test_the_bar_in_a_terminal(
    koubai: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a terminal there is a bar with loss and images a second; the rows stay above it."""
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "xterm"), ("COLUMNS", "100")):
        monkeypatch.setenv(name, value)
    out = koubai("train", "--epochs", 0.05, "--out", tmp_path)[1]
    assert re.search(r"\d+ of 30.*loss \d\.\d{4}.*[\d,]+ images/s", out)
    assert re.search(r" 0\.05 +30 .*%", out)


def test_the_same_seed_gives_the_same_bytes(koubai: Command, tmp_path: Path) -> None:
    """Two runs with equal options have equal parameter files; another seed, another file."""
    files = []
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        options = ("--epochs", 0.05, "--seed", seed, "--out", tmp_path / name)
        assert koubai("train", *options)[0] == 0
        files.append((tmp_path / name / "model.safetensors").read_bytes())
    assert files[0] == files[1]
    assert files[0] != files[2]


def test_compiled_and_eager_runs_are_one(
    koubai: Command, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The same start, batches and rows of the table; losses and parameters differ in rounding.

    The step is compiled once, however many epochs there are; not with --eager or --watch.
    """
    caplog.set_level("INFO", "koubai.compile")
    logs, states, compiled = {}, {}, {}
    for option in ("", "--eager", "--watch"):
        out = tmp_path / f"run{option}"
        caplog.clear()
        options = ("--epochs", 2.1, "--batch-size", 700, "--hidden", 20, *option.split())
        assert koubai("train", *options, "--out", out)[0] == 0
        compiled[option] = sum(m.startswith("compiling step:") for m in caplog.messages)
        logs[option] = log_of(out)
        states[option] = load_checkpoint(out / "model.safetensors")[0]
    assert compiled == {"": 1, "--eager": 0, "--watch": 0}
    for option in ("--eager", "--watch"):
        for line, other in zip(logs[""], logs[option], strict=True):
            assert (line["epoch"], line["iteration"]) == (other["epoch"], other["iteration"])
            for name in ("loss", "train_accuracy", "test_accuracy") if line["iteration"] else ():
                assert line[name] == pytest.approx(other[name], rel=1e-3)
        for name, x in states[""].items():
            np.testing.assert_allclose(x, states[option][name], rtol=1e-4, atol=1e-5)


def test_epochs_need_not_be_whole(koubai: Command, tmp_path: Path) -> None:
    """A row after each whole epoch and one at the end, also when batches don't divide the data."""
    options = ("--epochs", 2.5, "--batch-size", 25001, "--hidden", 3, "--out", tmp_path / "run")
    assert koubai("train", *options)[0] == 0
    # 60000 / 25001 is 2.3999 iterations an epoch.
    assert [line["iteration"] for line in log_of(tmp_path / "run")] == [0, 2, 5, 6]


def test_the_default_is_ten_thousand_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --epochs: 16 2/3 epochs, 10 000 batches of 100, as in the notebooks."""
    plans = []

    class Stop(Exception):
        pass

    def stop(out: Any) -> Any:
        raise Stop

    init = train.Training.__init__

    def spy(self: Any, *args: Any) -> None:
        init(self, *args)
        plans.append((self.iterations, self.batch_size, self.options.lr, self.options.hidden))

    monkeypatch.setattr(train.Training, "__init__", spy)
    monkeypatch.setattr(train, "_new_run", stop)
    with pytest.raises(Stop):
        train_main()
    assert plans == [(10_000, 100, 0.1, 50)]


def train_main() -> int:
    """``koubai train`` without options."""
    from koubai.cli import main

    return main(["train"])


def test_the_default_folder(
    koubai: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --out each run gets a folder of its own in runs/, two in one second too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "strftime", lambda form: "now")
    for _ in range(2):
        assert koubai("train", "--epochs", 0.002)[0] == 0
    assert sorted(os.listdir("runs")) == ["now", "now_2"]


def test_data_from_a_folder(koubai: Command, tmp_path: Path) -> None:
    """--data with MNIST's files gives the run that the package's own files give."""
    shutil.copytree(PACKAGE_DATA, tmp_path / "mnist")
    for name, options in (("a", ()), ("b", ("--data", tmp_path / "mnist"))):
        out = tmp_path / name
        assert koubai("train", "--epochs", 0.01, "--out", out, *options)[0] == 0
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in "ab"]
    assert files[0] == files[1]


@pytest.mark.parametrize("fault", ["no folder", "missing", "truncated", "changed"])
def test_data_that_is_missing_or_damaged(koubai: Command, tmp_path: Path, fault: str) -> None:
    """One line that names the file, exit status 1, and no run folder."""
    data, file = tmp_path / "mnist", tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz"
    if fault != "no folder":
        shutil.copytree(PACKAGE_DATA, data)
    if fault == "missing":
        file.unlink()
    elif fault == "truncated":
        file.write_bytes(file.read_bytes()[:-10])
    elif fault == "changed":
        other = (PACKAGE_DATA / "train-labels-idx1-ubyte.gz").read_bytes()
        file.write_bytes(other)
    status, out, err = koubai("train", "--data", data, "--out", tmp_path / "run")
    assert (status, out) == (1, "")
    assert err.startswith("koubai train: error: argument --data: ")
    assert str(data if fault == "no folder" else file) in err
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--lr", v) for v in ("-1", "0", "nan", "inf", "-inf", "fast", "")),
        *(("--epochs", v) for v in ("0", "-2", "nan", "inf", "two")),
        *(("--batch-size", v) for v in ("0", "-100", "2.5", "60001", "1e2")),
        *(("--hidden", v) for v in ("0", "-1", "1.5", str(10**30))),
        *(("--seed", v) for v in ("-1", "0.5", "x")),
    ],
)
def test_bad_values(koubai: Command, tmp_path: Path, option: str, value: str) -> None:
    """One line that names the option and the value, exit status 2, and no run folder."""
    status, out, err = koubai("train", f"{option}={value}", "--out", tmp_path / "run")
    assert (status, out) == (2, "")
    assert err.startswith(f"koubai train: error: argument {option}: ")
    assert value in err or option == "--hidden"
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", ["--nonsense", "--epoch=3", "-x"])
def test_unknown_options(koubai: Command, option: str) -> None:
    """One line that names it, exit status 2; an abbreviation is unknown too."""
    status, out, err = koubai("train", option)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert option in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--epohcs", 3), "unrecognized argument --epohcs; did you mean --epochs?"),
        (("--bathc-size=3",), "unrecognized argument --bathc-size=3; did you mean --batch-size?"),
        (("--zzz", 3), "unrecognized argument --zzz"),
        (("runs/mine",), "unrecognized argument runs/mine"),
    ],
)
def test_misspelt_options(koubai: Command, arguments: tuple[Any, ...], message: str) -> None:
    """The error names the nearest option, if one is near, and the help of this command."""
    expected = f"koubai train: error: {message} (see koubai train --help)\n"
    assert koubai("train", *arguments) == (2, "", expected)


def test_a_folder_with_something_in_it_is_not_written_to(koubai: Command, tmp_path: Path) -> None:
    """An --out that is not empty is refused before training, and stays as it was."""
    (tmp_path / "precious.txt").write_text("content")
    status, out, err = koubai("train", "--out", tmp_path)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert f"argument --out: {tmp_path} is not empty" in err
    assert os.listdir(tmp_path) == ["precious.txt"]


def test_an_empty_folder_will_do(koubai: Command, tmp_path: Path) -> None:
    """An --out that is there and empty is used."""
    assert koubai("train", "--epochs", 0.002, "--out", tmp_path)[0] == 0
    assert (tmp_path / "model.safetensors").is_file()


def test_an_unwritable_folder_is_found_before_training(
    koubai: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that can't be made or written to: one line that names --out, nothing trained."""
    (tmp_path / "file").write_text("")
    status, out, err = koubai("train", "--out", tmp_path / "file" / "run")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert f"argument --out: {tmp_path / 'file' / 'run'} can't be written to" in err

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(train, "JsonLines", refuse)
    status, out, err = koubai("train", "--out", tmp_path / "run")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert f"argument --out: {tmp_path / 'run'} can't be written to (Permission denied)" in err


@pytest.mark.parametrize("lr", ["1e30", "1e300"])
def test_divergence_is_an_error(koubai: Command, tmp_path: Path, lr: str) -> None:
    """A learning rate far too large ends in one line that says so, not in a run of NaNs."""
    status, _, err = koubai("train", "--lr", lr, "--out", tmp_path / "run")
    assert (status, err.count("\n")) == (1, 1)
    assert "diverged" in err
    assert "--lr" in err
    assert os.listdir(tmp_path / "run") == ["log.jsonl"]


def test_parameters_that_are_no_longer_finite(
    koubai: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step may spoil the parameters with no loss after it: the same error."""

    class Spoil(train.SGD):
        def update(self, i: int, x: Any, g: Any) -> Any:
            return x + np.nan

    monkeypatch.setattr(train, "SGD", Spoil)
    status, _, err = koubai("train", "--epochs", 1 / 600, "--out", tmp_path / "run")
    assert status == 1
    assert "parameters are infinite or NaN after iteration 1" in err
    assert os.listdir(tmp_path / "run") == ["log.jsonl"]


def test_without_matplotlib(
    koubai: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so and what to install before the first row, and trains without the picture."""
    monkeypatch.setattr("koubai.cli.curve.find_spec", lambda name: None)
    status, out, err = koubai("train", "--epochs", 0.002, "--out", tmp_path)
    assert (status, err) == (0, "")
    hint = out.index("No curve.png: matplotlib is not installed (pip install 'koubai[plot]')")
    assert hint < out.index("train accuracy")
    assert sorted(os.listdir(tmp_path)) == ["log.jsonl", "model.safetensors"]


def test_a_curve_that_cannot_be_drawn(
    koubai: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken matplotlib costs the picture, not the run."""

    def fail(*args: Any) -> None:
        raise ImportError("libfreetype is missing")

    monkeypatch.setattr(train, "draw_curve", fail)
    status, out, _ = koubai("train", "--epochs", 0.002, "--out", tmp_path)
    assert status == 0
    assert "No curve.png: libfreetype is missing" in out
    assert sorted(os.listdir(tmp_path)) == ["log.jsonl", "model.safetensors"]


def test_a_full_disk_costs_no_parameters(
    koubai: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected end (the terminal closes, the log can't be written) keeps the parameters."""
    row = report.Report.row

    def fail(self: report.Report, line: dict[str, Any]) -> None:
        row(self, line)
        if line["iteration"]:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(report.Report, "row", fail)
    status, _, err = koubai("train", "--epochs", 0.01, "--out", tmp_path)
    assert (status, err.count("\n")) == (1, 1)
    assert "No space left on device" in err
    assert load_checkpoint(tmp_path / "model.safetensors")[1]["iterations"] == 6


def test_ctrl_c_in_process(
    koubai: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends after the present step with all files saved; the next run knows nothing of it."""
    progress = report.Report.progress

    def press(self: report.Report, iteration: int, loss: float, rate: float) -> None:
        progress(self, iteration, loss, rate)
        if iteration == 3:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(report.Report, "progress", press)
        status, out, err = koubai("train", "--out", tmp_path / "a")
    assert (status, err) == (130, "")
    assert "Interrupted after 3 of 10,000 iterations" in out
    assert sorted(os.listdir(tmp_path / "a")) == ["curve.png", "log.jsonl", "model.safetensors"]
    assert log_of(tmp_path / "a")[-1]["iteration"] == 3
    assert signal.getsignal(signal.SIGINT) is before

    status, out, _ = koubai("train", "--epochs", 3 / 600, "--out", tmp_path / "b")
    assert status == 0
    assert "Interrupted" not in out
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in "ab"]
    assert files[0] == files[1], "three iterations are three iterations"


def test_ctrl_c_in_a_process_of_its_own(tmp_path: Path) -> None:
    """SIGINT to a running command: exit status 130, no traceback, and the run can be used."""
    run = tmp_path / "run"
    # A process started in the background may have been told to ignore SIGINT.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from koubai.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "train", "--epochs", "1000", "--out", str(run)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    for line in process.stdout:
        if line.split()[:1] == ["0.00"]:
            break
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert "Interrupted after" in out
    assert sorted(os.listdir(run)) == ["curve.png", "log.jsonl", "model.safetensors"]
    state, metadata = load_checkpoint(run / "model.safetensors")
    assert metadata["iterations"] == log_of(run)[-1]["iteration"] > 0
    assert all(np.isfinite(array).all() for array in state.values())


def test_a_reader_that_leaves(tmp_path: Path) -> None:
    """``koubai train | head``: no traceback, and the parameters so far are kept."""
    run = tmp_path / "run"
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", "import sys; from koubai.cli import main; sys.exit(main())"),
            *("train", "--epochs", "1000", "--out", str(run)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    for line in process.stdout:
        if line.split()[:1] == [b"0.00"]:
            break
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) == 1
    assert (run / "model.safetensors").is_file()


def test_the_input_gets_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch is an array, so the first layer computes no gradient for it."""
    from koubai.cli.network import network
    from koubai.ops.linalg import Linear

    wanted = []
    backward = Linear.backward

    def spy(self: Linear, gy: Any) -> Any:
        wanted.append(self.needs_grad(0))
        return backward(self, gy)

    monkeypatch.setattr(Linear, "backward", spy)
    network(5)(np.ones((2, 784), np.float32)).sum().backward()
    assert wanted == [True, False]


@pytest.mark.parametrize(
    ("lr", "words"),
    [
        ("1e30", ("Linear made", "W '2.W': float32[50, 10], from", "in step: loss")),
        ("1e300", ("made parameter 0 '0.W'", "in step: optimizer.step()")),
    ],
)
def test_watch_explains_a_divergence(
    koubai: Command, tmp_path: Path, lr: str, words: tuple[str, ...]
) -> None:
    """With --watch the operation that left the finite numbers is named, with ranges and line."""
    status, out, err = koubai("train", "--watch", "--lr", lr, "--out", tmp_path / "run")
    assert (status, err.count("\n")) == (1, 1)
    assert "stopped by --watch after iteration" in err
    assert "--lr" in err
    for word in words:
        assert word in out
    assert os.listdir(tmp_path / "run") == ["log.jsonl"]


def test_watch_changes_nothing_else(koubai: Command, tmp_path: Path) -> None:
    """A watched run, which is eager, ends with the parameters of an eager one."""
    files = []
    for name, options in (("a", ("--eager",)), ("b", ("--watch",))):
        arguments = ("--epochs", 0.02, *options, "--out", tmp_path / name)
        assert koubai("train", *arguments)[0] == 0
        files.append((tmp_path / name / "model.safetensors").read_bytes())
    assert files[0] == files[1]
