"""The races of training steps: all entrants compute the same, and what differs is named."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks.training import mlp, mlp1k, race, rnn, tiny
from benchmarks.training.frameworks import FRAMEWORKS
from benchmarks.training.workload import Workload

WORKLOADS = {"tiny": tiny, "mlp": mlp, "mlp1k": mlp1k, "rnn": rnn}


def losses(workload: Workload, name: str, steps: int) -> list[float]:
    """Of the first steps of one entrant."""
    entrant = workload.entrants[name]
    numbers = FRAMEWORKS[entrant.framework]().numbers
    step = entrant.build(workload.start())
    return [float(numbers(step(*batch))) for batch in islice(workload.batches(), steps)]


def only(workload: Workload, *names: str) -> Workload:
    return replace(workload, entrants={name: workload.entrants[name] for name in names})


@pytest.mark.parametrize("name", WORKLOADS)
def test_compiled_and_eager_agree(name: str) -> None:
    """koubai's losses are the same eager and compiled, and they change: the network learns."""
    workload = WORKLOADS[name].WORKLOAD
    eager = losses(workload, "koubai", 4)
    np.testing.assert_allclose(losses(workload, "koubai compiled", 4), eager, rtol=1e-5)
    assert len(set(eager)) == 4
    start = workload.start()
    assert {p.dtype for p in start.values()} == {np.dtype(np.float32)}


@pytest.mark.native
@pytest.mark.parametrize("name", ["tiny", "rnn"])
def test_scan_agrees(name: str) -> None:
    """By koubai.scan the losses are those of the loop in Python."""
    workload = WORKLOADS[name].WORKLOAD
    entrant = workload.entrants["koubai scan"]
    step = entrant.build(workload.start())
    batches = (entrant.batches or workload.batches)()
    found = np.ravel([step(*batch).data for batch in batches[:4]])[:4]
    np.testing.assert_allclose(found, losses(workload, "koubai", 4), rtol=1e-5)


def test_by_hand_agrees() -> None:
    """The step by hand in NumPy gives koubai's losses."""
    by_hand = losses(mlp.WORKLOAD, "NumPy by hand", 4)
    np.testing.assert_allclose(by_hand, losses(mlp.WORKLOAD, "koubai", 4), rtol=1e-5)


@pytest.mark.parametrize("name", ["mlp1k", "rnn"])
def test_bare_products(name: str) -> None:
    """They run, and have no loss."""
    module = WORKLOADS[name]
    assert module.WORKLOAD.entrants["bare products"].build({})() is None


def test_scanned_batches_are_the_same() -> None:
    """What ``lax.scan`` goes through begins with the batches of all others."""
    ((x, t),) = tiny.scanned()
    assert len(x) == tiny.SCANNED
    for i, (batch, targets) in enumerate(tiny.batches()):
        np.testing.assert_array_equal(x[i], batch)
        np.testing.assert_array_equal(t[i], targets)


def test_race(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each runs in its own process and gets its figures; one whose framework is missing is left
    out, with the reason."""
    (tmp_path / "jax.py").write_text("raise ImportError('no jax here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    names = "koubai compiled", "koubai", "JAX jit"
    compiled, eager, jax = race.race("tiny", only(tiny.WORKLOAD, *names), rounds=2, turn=0.001)
    assert (compiled.name, eager.name, jax.name) == names
    assert compiled.ratio == 1
    assert eager.ratio == eager.step / compiled.step
    assert min(x for r in (compiled, eager) for x in (r.first, r.second, r.step)) > 0
    assert jax == race.Result("tiny", "JAX jit", left_out="no jax here")
    assert len(race.table([compiled, eager, jax]).rows) == 2


def test_a_process_that_fails_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A framework that is broken is an error, and nobody waits for it."""
    (tmp_path / "jax.py").write_text("raise ValueError('broken')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    with pytest.raises(RuntimeError, match="tiny, JAX jit: its process failed"):
        race.race("tiny", only(tiny.WORKLOAD, "koubai", "JAX jit"))


def test_race_checks_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are no figures of entrants whose losses are too far from one another."""
    monkeypatch.setattr(race, "TOLERANCE", -1.0)
    with pytest.raises(AssertionError, match="step 1 differs: koubai compiled and koubai from"):
        race.race("tiny", only(tiny.WORKLOAD, "koubai compiled", "koubai"))


def test_who_differs_is_named() -> None:
    """Losses beyond the tolerance, and NaN, name the one, the step and all losses."""
    same = {"A": [1.0, 2.0], "B": [1.0, 2.0 * (1 + 1e-5)], "C": [1.0, 2.0]}
    race.check(same)
    for wrong in (2.001, float("nan")):
        with pytest.raises(AssertionError, match=r"step 2 differs: D from .*A 2, .*, D"):
            race.check(same | {"D": [1.0, wrong]})


def test_groups() -> None:
    """``training`` is all four workloads, the name of one is that one."""

    def chosen(*names: str) -> list[str]:
        return [benchmark.__module__ for benchmark in command._command_line(names)[0]]

    assert chosen("training") == [f"benchmarks.training.{name}" for name in WORKLOADS]
    assert chosen("rnn") == ["benchmarks.training.rnn"]
    assert chosen() == [benchmark.__module__ for benchmark in command.BENCHMARKS]
