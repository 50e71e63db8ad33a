"""A compiled function keeps nothing of its calls."""

from __future__ import annotations

import gc
import sys
import weakref
from fractions import Fraction
from typing import Any

import numpy as np

import koubai
from koubai import nn, optim
from koubai.compiler.trace.traced import Traced


def make_step() -> Any:
    model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    optimizer = optim.Adam(model.parameters())

    @koubai.compile
    def step(x: Any, t: Any) -> Any:
        model.zero_grad()
        loss = koubai.softmax_cross_entropy(model(x), t)
        loss.backward()
        optimizer.step()
        return loss

    return step


def test_a_thousand_calls() -> None:
    """Memory does not grow, with the garbage collector off: nothing is kept, no cycles are made."""
    step = make_step()
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(8, 5)).astype(np.float32), rng.integers(0, 3, 8)
    gc.collect()
    gc.disable()
    try:
        blocks = []
        for i in range(3_200):
            step(x.copy(), t.copy())
            if i in (2_199, 3_199):  # Python's free lists, of 2000 tuples, are full at the first
                blocks.append(sys.getallocatedblocks())
    finally:
        gc.enable()
    growth = blocks[1] - blocks[0]
    assert len(step.programs) == 1
    assert growth < 50, f"{growth} blocks in 1000 calls"


def test_functions_made_anew_for_each_call() -> None:
    """A lambda as an argument: the same program, and the lambdas are not kept."""

    @koubai.compile
    def apply(f: Any, x: Any) -> Any:
        return f(x)

    x, kept = np.ones(3), []
    for i in range(20):
        f = lambda x, y=float(i) * x: x * y  # noqa: E731
        kept.append(weakref.ref(f))
        assert apply(f, x)[0] == i
    del f
    gc.collect()
    assert len(apply.programs) == 1
    assert [ref() for ref in kept] == [None] * 20


def test_code_that_is_gone() -> None:
    """A function that is made where another one was in memory is not taken for it."""

    @koubai.compile
    def apply(f: Any, x: Any) -> Any:
        return f(x)

    x = np.ones(3)
    for i in range(50):
        assert apply(eval(f"lambda x: x * {i}"), x)[0] == i
    by = koubai.compile(lambda number, x: x * float(number))
    for i in range(50):
        assert by(Fraction(i), x)[0] == i  # known by identity


def test_nothing_is_kept_of_the_call_that_was_compiled() -> None:
    """The arrays and objects of the first call are free after it; no traced array is alive."""

    class Box:
        pass

    box = Box()
    box.w = np.ones(3)  # type: ignore[attr-defined]
    refs = [weakref.ref(box), weakref.ref(box.w)]  # type: ignore[attr-defined]

    @koubai.compile
    def f(box: Any, x: Any) -> Any:
        box.w = box.w * x
        box.made = [x + 1, {"a": x}]
        return box.w + 1, {"x": x * 2}, box

    gc.collect()
    # By type: isinstance asks x for its __class__, and some objects warn of that.
    before = sum(issubclass(type(x), Traced) for x in gc.get_objects())
    x = np.ones(3)
    refs.append(weakref.ref(x))
    f(box, x)
    del box, x
    gc.collect()
    assert [ref() for ref in refs] == [None] * 3
    assert sum(issubclass(type(x), Traced) for x in gc.get_objects()) == before
