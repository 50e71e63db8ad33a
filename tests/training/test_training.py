"""The loop, its log, its interruption, accuracy, and files that are whole or not there."""

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from koubai import Variable, nn
from koubai.optim import SGD
from koubai.training import (
    JsonLines,
    accuracy,
    catch_interrupt,
    load_checkpoint,
    replacing,
    save_checkpoint,
    train,
)

# The loop


def test_train_calls_step_with_each_batch() -> None:
    """One call a batch, in order, with its arrays; numbers from 1, losses as Python floats."""
    seen: list[Any] = []

    def step(x: float, t: float) -> Any:
        seen.append((x, t))
        return (Variable(x), np.float32(x), np.array([x]), x)[len(seen) - 1]

    batches = [(float(i), 10.0 * i) for i in range(4)]
    result = list(train(step, batches))
    assert seen == batches
    assert result == [(1, 0.0), (2, 1.0), (3, 2.0), (4, 3.0)]
    assert all(type(loss) is float for _, loss in result)


def test_train_can_be_left() -> None:
    """The loop does nothing ahead: after a break no further batch has been used."""
    x = Variable(1.0)
    optimizer = SGD([x], lr=0.25)

    def step(target: float) -> Variable:
        loss: Variable = (x - target) ** 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    for iteration, _ in train(step, ((0.0,) for _ in range(100))):
        if iteration == 2:
            break
    assert x.item() == 0.25


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_train_ends_when_the_loss_is_not_finite(bad: float) -> None:
    """The first loss that is NaN or infinite is an error that tells which iteration it was."""
    losses = iter([1.0, 2.0, bad, 3.0])
    seen = []
    with pytest.raises(FloatingPointError, match=f"became {bad} in iteration 3.*learning rate"):
        seen.extend(train(lambda: next(losses), [()] * 4))
    assert next(losses) == 3.0


# Accuracy


def test_accuracy_counts_right_rows() -> None:
    """The share of rows with the largest score at the label, whatever the batch size."""
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(103, 5)), rng.integers(5, size=103)
    expected = float(np.mean([max(range(5), key=row.__getitem__) == k for row, k in zip(x, t)]))  # noqa: B905
    for batch_size in (1, 10, 103, 1000):
        assert accuracy(nn.Sequential(), x, t, batch_size=batch_size) == expected


def test_accuracy_evaluates_in_eval_mode_and_restores() -> None:
    """The model is in eval mode, records no graph, and has each module's own mode back after."""
    seen = []

    class Spy(nn.Module):
        def __init__(self) -> None:
            self.scale = nn.Parameter(1.0)

        def forward(self, x: Any) -> Any:
            y = x * self.scale
            seen.append((self.training, y.creator))
            return y

    frozen, spy = nn.ReLU().eval(), Spy()
    model = nn.Sequential(frozen, spy)
    assert accuracy(model, np.eye(3), np.arange(3)) == 1
    assert seen == [(False, None)]
    assert (model.training, spy.training, frozen.training) == (True, True, False)


def test_accuracy_refuses_what_has_no_answer() -> None:
    """No rows, or labels that don't match them."""
    for x, t in ((np.ones((0, 3)), np.ones(0, int)), (np.ones((2, 3)), np.ones((2, 1), int))):
        with pytest.raises(ValueError, match=f"one label for each of {len(x)} rows"):
            accuracy(nn.Sequential(), x, t)


# The log


def test_json_lines_are_on_disk_at_once(tmp_path: Path) -> None:
    """Each line can be read by others as soon as write() returns, not when the file closes."""
    path = tmp_path / "log.jsonl"
    with JsonLines(path) as log:
        for i in range(3):
            log.write(epoch=i, loss=0.5, name="日本")
            assert len(path.read_text(encoding="utf-8").splitlines()) == i + 1
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert lines == [{"epoch": i, "loss": 0.5, "name": "日本"} for i in range(3)]


def test_a_log_is_not_overwritten(tmp_path: Path) -> None:
    """A file that is there is an error, and stays as it was."""
    path = tmp_path / "log.jsonl"
    path.write_text("precious")
    with pytest.raises(FileExistsError):
        JsonLines(path)
    assert path.read_text() == "precious"


def test_json_lines_are_valid_json(tmp_path: Path) -> None:
    """NaN, which JSON lacks, is refused, and leaves no half a line."""
    with JsonLines(tmp_path / "log.jsonl") as log:
        with pytest.raises(ValueError, match="not JSON compliant"):
            log.write(loss=float("nan"))
        log.write(loss=1.0)
    assert (tmp_path / "log.jsonl").read_text() == '{"loss": 1.0}\n'


# Files


def test_replacing_shows_only_whole_files(tmp_path: Path) -> None:
    """Until the end the old content is there; a failure leaves it, and nothing beside it."""
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as beside:
        beside.write_text("new")
        assert beside.parent == path.parent
        assert beside.suffix == path.suffix
        assert path.read_text() == "old"
    assert path.read_text() == "new"

    def fail() -> None:
        with replacing(path) as beside:
            beside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


STATE = {
    "0.W": np.arange(6, dtype=np.float32).reshape(2, 3).T,  # not contiguous
    "0.b": np.array(2.5),
    "labels": np.array([], np.int64),
}
METADATA = {"layers": [2, 3], "name": "日本", "nothing": None, "lr": 0.1}


def test_checkpoint_returns_what_was_saved(tmp_path: Path) -> None:
    """Names, values, shapes, dtypes and metadata come back; saving again replaces the file."""
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, {"other": np.ones(3)}, {})
    save_checkpoint(path, STATE, METADATA)
    state, metadata = load_checkpoint(path)
    assert metadata == METADATA
    assert set(state) == set(STATE)
    for name, array in STATE.items():
        np.testing.assert_array_equal(state[name], array)
        assert (state[name].dtype, state[name].shape) == (array.dtype, array.shape)
    assert os.listdir(tmp_path) == ["model.safetensors"]


def test_checkpoint_is_ordinary_safetensors(tmp_path: Path) -> None:
    """The format's own library reads our files, and we read its."""
    from safetensors.numpy import load_file, save_file

    save_checkpoint(tmp_path / "ours.safetensors", STATE, METADATA)
    np.testing.assert_array_equal(load_file(tmp_path / "ours.safetensors")["0.W"], STATE["0.W"])
    save_file({"x": np.ones(3)}, tmp_path / "theirs.safetensors", {"by": "others"})
    state, metadata = load_checkpoint(tmp_path / "theirs.safetensors")
    np.testing.assert_array_equal(state["x"], np.ones(3))
    assert metadata == {}


def test_equal_checkpoints_are_equal_bytes(tmp_path: Path) -> None:
    """The same content gives the same file."""
    for i in range(5):
        save_checkpoint(tmp_path / f"{i}.safetensors", STATE, METADATA)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    """Truncated anywhere, or with any byte of the data changed: an error that names the file."""
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, STATE, METADATA)
    content = path.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    damaged = [content[:n] for n in range(0, len(content), 7)]
    damaged += [
        content[:i] + bytes([content[i] ^ 1]) + content[i + 1 :]
        for i in (*range(8), *range(header, len(content)))
    ]
    for bad in damaged:
        path.write_bytes(bad)
        with pytest.raises(ValueError, match=r"model\.safetensors: .*damaged"):
            load_checkpoint(path)
    with pytest.raises(FileNotFoundError, match="nowhere: no such file"):
        load_checkpoint(tmp_path / "nowhere")


# Ctrl-C


def test_the_first_interrupt_is_a_request() -> None:
    """Once: requested, no exception. Twice: KeyboardInterrupt. After: as before."""
    before = signal.getsignal(signal.SIGINT)
    with catch_interrupt() as interrupt:
        assert not interrupt.requested
        signal.raise_signal(signal.SIGINT)
        assert interrupt.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    with catch_interrupt() as another:
        assert not another.requested


def test_an_ignored_interrupt_stays_ignored() -> None:
    """Under nohup, or in the background of a script, SIGINT is ignored, and stays so."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with catch_interrupt() as interrupt:
            signal.raise_signal(signal.SIGINT)
        assert not interrupt.requested
    finally:
        signal.signal(signal.SIGINT, before)


def test_catch_interrupt_in_a_thread() -> None:
    """Where signals can't be handled, training works nevertheless."""
    seen = []

    def work() -> None:
        with catch_interrupt() as interrupt:
            seen.append(interrupt.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
