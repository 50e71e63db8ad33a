"""Threads that share a program: the same bits for any number, and nothing left behind."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import koubai
from koubai import nn, optim
from koubai.compiler.passes import partition
from koubai.compiler.runtime import blas, threads

linux = pytest.mark.skipif(sys.platform != "linux", reason="one thread elsewhere")


@pytest.fixture(autouse=True)
def two_chunks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Programs are cut in two on every machine; afterwards the threads are as they were."""
    monkeypatch.setattr("koubai.compiler.runtime.code.PROCESSORS", 2)
    wanted = threads.pool.wanted
    yield
    threads.set_threads(wanted)


def make_step(width: int = 256, seed: int = 0) -> tuple[Any, Any, Any]:
    """A step that is worth sharing, what it is called with, and the model."""
    rng = np.random.default_rng(seed)
    model = nn.Sequential(
        nn.Linear(100, width, rng=rng, dtype=np.float32),
        nn.ReLU(),
        nn.Linear(width, 10, rng=rng, dtype=np.float32),
    )
    optimizer = optim.Adam(model.parameters())
    x = rng.normal(size=(500, 100)).astype(np.float32)
    t = rng.integers(0, 10, 500)

    @koubai.compile
    def step(rows: Any) -> Any:
        optimizer.zero_grad()
        loss = koubai.softmax_cross_entropy(model(x[rows]), t[rows])
        loss.backward()
        optimizer.step()
        return loss.data

    return step, rng.integers(0, 500, 101), model


def state(model: Any) -> dict[str, bytes]:
    return {name: x.tobytes() for name, x in model.state_dict().items()}


def phases(step: Any) -> Any:
    (compiled,) = {id(c): c for c in step.cache.compiled.values()}.values()
    return compiled.native.schedule.phases


@pytest.mark.native
def test_the_same_bits_for_every_number_of_threads() -> None:
    """Losses and parameters after ten steps, odd lengths among the rows."""
    found = []
    for n in (1, 2, 3):
        threads.set_threads(n)
        step, rows, model = make_step()
        losses = [step(rows) for _ in range(10)]
        assert len(phases(step)[0]) == 2
        found.append((np.array(losses).tobytes(), state(model)))
    assert found[0] == found[1] == found[2]


@pytest.mark.native
def test_cut_programs_compute_what_whole_ones_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the rounding of sums over rows."""
    results = []
    for worth in (0.0, np.inf):
        monkeypatch.setattr(partition, "WORTH", worth)
        step, rows, _ = make_step()
        results.append([step(rows) for _ in range(5)])
        assert (len(phases(step)) > 1) == (worth == 0)
    np.testing.assert_allclose(*results, rtol=1e-5)


@pytest.mark.native
def test_products_that_are_cut_by_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """What reads one waits for all of its chunks: the same bits for any number of threads, and but
    for rounding what a whole program computes."""
    results = {}
    for reordered in (0.0, np.inf):
        monkeypatch.setattr(partition, "REORDERED", reordered)
        for n in (1, 2):
            threads.set_threads(n)
            step, rows, model = make_step()
            losses = np.array([step(rows) for _ in range(5)])
            results[reordered, n] = losses, state(model), len(phases(step))
    (by_columns, state_1, many), (by_rows, _, few) = results[0.0, 1], results[np.inf, 1]
    assert many > few
    np.testing.assert_allclose(by_columns, by_rows, rtol=1e-5)
    assert by_columns.tobytes() == results[0.0, 2][0].tobytes()
    assert state_1 == results[0.0, 2][1]


@pytest.mark.native
def test_small_programs_are_for_one_thread() -> None:
    """They are one chunk of one phase."""
    step = koubai.compile(lambda x: koubai.tanh(x) * 2)
    step(np.ones((10, 10)))
    assert len(phases(step)) == len(phases(step)[0]) == 1


@pytest.mark.native
def test_an_index_out_of_range_stops_all_threads() -> None:
    """NumPy's error, nothing changed, and the next step is right."""
    threads.set_threads(2)
    step, rows, model = make_step()
    step(rows)
    before = state(model)
    wrong = rows.copy()
    wrong[70] = 500
    with pytest.raises(IndexError, match="out of bounds"):
        step(wrong)
    assert state(model) == before
    step(rows)
    assert state(model) != before


@pytest.mark.native
def test_several_python_threads_call_one_program() -> None:
    """Each call is whole: the sum over all is what one after the other gives."""
    threads.set_threads(2)
    rng = np.random.default_rng(0)
    a = rng.normal(size=(200, 100)).astype(np.float32)
    f = koubai.compile(lambda x: koubai.tanh(x @ a.T).sum(axis=0))
    xs = [rng.normal(size=(300, 100)).astype(np.float32) for _ in range(8)]
    expected = [f(x) for x in xs]
    wrong: list[int] = []

    def call(i: int) -> None:
        wrong.extend(i for _ in range(20) if f(xs[i]).tobytes() != expected[i].tobytes())

    callers = [threading.Thread(target=call, args=(i,)) for i in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


@linux
@pytest.mark.native
def test_right_after_fork() -> None:
    """In the child there are no workers; it computes the same alone. The parent goes on."""
    code = """
    import os
    import numpy as np
    import koubai
    from koubai.compiler.runtime import code
    code.PROCESSORS = 2
    koubai.set_threads(2)
    a = np.random.default_rng(0).normal(size=(400, 400))
    f = koubai.compile(lambda x: koubai.tanh(x @ a))
    y = f(a).tobytes()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, b"same" if f(a).tobytes() == y else b"other")
        koubai.set_threads(2)
        os.write(write, b"same" if f(a).tobytes() == y else b"other")
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert os.read(read, 8) == b"samesame"
    assert f(a).tobytes() == y
    """
    run(code)


@linux
@pytest.mark.native
def test_the_interpreter_ends_with_workers_asleep_and_awake() -> None:
    """At once, without a word."""
    for pause in ("", "import time; time.sleep(0.05)"):
        code = f"""
        import numpy as np
        import koubai
        from koubai.compiler.runtime import code
        code.PROCESSORS = 2
        koubai.set_threads(2)
        a = np.ones((400, 400))
        koubai.compile(lambda x: koubai.tanh(x @ a))(a)
        {pause}
        """
        run(code)


def run(code: str) -> None:
    """In a process of its own, which must end well and say nothing."""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        capture_output=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert (result.returncode, result.stderr, result.stdout) == (0, b"", b"")


@linux
def test_what_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """set_threads takes a number of threads, and so does the environment."""
    koubai.set_threads(3)
    assert koubai.get_threads() == 3
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="1 or more"):
            koubai.set_threads(wrong)
    for kind in (1.5, "2", None, True):
        with pytest.raises(TypeError, match="integer"):
            koubai.set_threads(kind)  # type: ignore[arg-type]
    monkeypatch.setenv("KOUBAI_THREADS", "5")
    assert threads.Pool().wanted == 5
    for text in ("0", "many"):
        monkeypatch.setenv("KOUBAI_THREADS", text)
        with pytest.raises(ValueError, match="KOUBAI_THREADS"):
            threads.Pool()


@linux
@pytest.mark.native
def test_blas_has_the_users_number_of_threads_again() -> None:
    """A program uses one thread of BLAS, and puts the user's setting back."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    a = np.ones((300, 300))
    f = koubai.compile(lambda x: koubai.tanh(x @ a))
    f(a)
    with threadpoolctl.threadpool_limits(2, "blas"):
        before = threadpoolctl.threadpool_info()
        f(a)
        assert threadpoolctl.threadpool_info() == before


@linux
def test_blas_is_the_one_that_products_use() -> None:
    """NumPy has a copy of its own, with a name that is nearly the same."""
    get, set_ = (
        ctypes.CFUNCTYPE(*types)(address)
        for types, address in zip(
            ((ctypes.c_int,), (None, ctypes.c_int)), blas.thread_functions(), strict=True
        )
    )
    threadpoolctl = pytest.importorskip("threadpoolctl")
    before = get()
    try:
        set_(3)
        found = [x for x in threadpoolctl.threadpool_info() if x["num_threads"] == 3]
    finally:
        set_(before)
    assert not any("numpy" in Path(x["filepath"]).parent.name for x in found)
    assert len(found) == 1


@pytest.mark.native
def test_rows_of_a_part_are_rows_of_the_whole() -> None:
    """A recurrence whose states are stacked, and then read as rows of another matrix, is cut from
    end to end: no thread waits while another does all of it."""
    rng = np.random.default_rng(0)
    W, V, x = (
        rng.normal(size=shape).astype(np.float32) for shape in ((64, 64), (64, 50), (32, 20, 64))
    )

    @koubai.compile
    def scores(x: Any) -> Any:
        h, states = np.zeros((32, 64), np.float32), []
        for t in range(20):
            h = koubai.tanh(x[:, t] @ W + h @ W)
            states.append(h)
        return koubai.softmax(koubai.reshape(koubai.stack(states, axis=1), (640, 64)) @ V)

    scores(x)
    first = phases(scores)[0]
    lengths = [stop - start for start, stop in first]
    assert len(phases(scores)) == 1
    assert lengths[0] == lengths[1] > 40
