"""The log says why a function is compiled anew, in the user's names."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import koubai
from koubai import nn, optim

X = np.arange(3.0)
SCALE: Any = 2


@pytest.fixture
def reasons(caplog: Any) -> Any:
    """A function that returns the reasons logged since it was called last."""
    caplog.set_level(logging.INFO, "koubai.compile")

    def since() -> list[str]:
        records = [r for r in caplog.records if r.name == "koubai.compile"]
        messages = [r.getMessage() for r in records if r.levelno == logging.INFO]
        caplog.clear()
        assert all(m.startswith("compiling ") for m in messages)
        return [m.split(": ", 1)[1] for m in messages]

    return since


def test_the_first_call_and_the_shapes_and_dtypes_of_arguments(reasons: Any) -> None:
    """A new batch shape and a new dtype, and nothing for calls that are served."""
    f = koubai.compile(lambda x, t=None: x * 2)
    f(X)
    assert reasons() == ["first call"]
    f(X + 1)
    assert reasons() == []
    f(X[:2])
    assert reasons() == ["argument 0 was float64[3], is float64[2] now"]
    f(X.astype(np.float32))
    assert reasons() == ["argument 0 was float64[3], is float32[3] now"]
    f(X, t=X)
    assert reasons()[0].startswith("the call was one of 1 arguments with a graph, is one of 1")
    with koubai.no_grad():
        f(X)
    assert reasons() == [
        "the call was one of 1 arguments with a graph, is one of 1 arguments without a graph now"
    ]


def test_training(reasons: Any) -> None:
    """Another learning rate, eval(); a gradient where there was none."""
    model = nn.Sequential(nn.Linear(3, 2))
    optimizer = optim.SGD(model.parameters(), 0.1)

    @koubai.compile
    def step(x: Any) -> Any:
        model.zero_grad()
        loss = koubai.mean_squared_error(model(x), x[:, :2])
        loss.backward()
        optimizer.step()
        return loss

    x = np.ones((1, 3), np.float32)
    step(x)
    assert reasons() == ["first call"]
    step(x)
    assert reasons() == []
    optimizer.lr = 0.01
    step(x)
    assert reasons() == ["optimizer.lr was 0.1, is 0.01 now"]
    for lr in (0.001, 0.1, 0.25):
        optimizer.lr = lr
        step(x)
    assert reasons() == []
    model.eval()
    step(x)
    assert reasons() == ["model has got training"]
    accumulate = koubai.compile(lambda x: koubai.sum(model(x) ** 2).backward())
    model.zero_grad()
    for _ in range(2):
        accumulate(x)
    assert reasons() == [
        "first call",
        "model.layers[0].W.grad was None, is float32[3, 2] now;"
        " model.layers[0].b.grad was None, is float32[2] now",
    ]


def test_flags_numbers_texts_and_arrays(reasons: Any) -> None:
    """Of closures, globals and fields; a replaced array is no reason, unless its type differs."""
    global SCALE
    rate: Any = 1
    box = SimpleNamespace(flag=True, text="mean", w=X.copy(), items=[1, 2], f=np.exp)

    def f(x: Any) -> Any:
        return x * rate * SCALE * len(box.text) + box.w + box.flag + len(box.items) + box.f(x)

    compiled = koubai.compile(f)
    changes: list[tuple[Any, str]] = []
    compiled(X)
    assert reasons() == ["first call"]
    rate = 2
    compiled(X)
    assert reasons() == ["rate was 1, is 2 now"]
    SCALE = 3
    compiled(X)
    SCALE = 2
    assert reasons() == ["SCALE was 2, is 3 now"]
    changes = [
        (lambda: setattr(box, "w", X + 1), ""),
        (
            lambda: setattr(box, "w", X.astype(np.float32)),
            "box.w was float64[3], is float32[3] now",
        ),
        (lambda: setattr(box, "flag", False), "box.flag was True, is False now"),
        (lambda: setattr(box, "text", "sum"), "box.text was 'mean', is 'sum' now"),
        (lambda: box.items.append(3), "box.items has got 2"),
        (lambda: setattr(box, "f", np.tanh), "box.f is another ufunc"),
        (lambda: setattr(box, "new", 1), "box has got new"),
        (lambda: delattr(box, "new"), ""),
    ]
    for change, expected in changes:
        change()
        compiled(X)
        assert reasons() == [expected] * bool(expected)


def test_the_environment_variable() -> None:
    """KOUBAI_LOG=compile prints the log; without it nothing is printed."""
    program = (
        "import koubai, numpy as np\n"
        "f = koubai.compile(lambda x: x + 1)\n"
        "f(np.ones(2)); f(np.ones(3))"
    )
    for value, lines in (("compile", 2), ("", 0)):
        run = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "KOUBAI_LOG": value},
            capture_output=True,
            text=True,
            check=True,
        )
        assert len(run.stderr.splitlines()) == lines, run.stderr
        if lines:
            assert run.stderr.splitlines() == [
                "koubai: compiling <lambda>: first call",
                "koubai: compiling <lambda>: argument 0 was float64[2], is float64[3] now",
            ]


def test_the_nearest_world_is_compared(reasons: Any) -> None:
    """Among several known ones, the one with the fewest differences; few changes are named."""
    f = koubai.compile(lambda xs, n: sum(xs) * n)
    f([X, X + 1, X + 2, X + 3, X + 4], 1)
    f([X[:2]] + [X[:2] + i for i in range(1, 5)], 1)
    assert reasons()[1].endswith("; 2 more changes")
    f([X[:2]] + [X[:2] + i for i in range(1, 5)], 2)
    assert reasons() == ["argument 1 was 1, is 2 now"]
    f([X], 2)
    assert reasons() == ["argument 0 has lost 1, 2, 3, 4"]
