"""Gradients that a compiled step uses up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import koubai
from koubai import Variable, optim
from koubai.compiler.errors import TraceError


def make_step() -> tuple[Any, Variable, Any]:
    x = Variable(np.array([1.0, 2.0]))
    optimizer = optim.SGD([x], lr=0.25)

    @koubai.compile
    def step() -> Any:
        optimizer.zero_grad()
        loss = (x * x).sum()
        loss.backward()
        optimizer.step()
        return loss.data

    return step, x, optimizer


@pytest.mark.parametrize(
    "use",
    [
        lambda g: g + 1,
        lambda g: 2.0 * g,
        lambda g: -g,
        lambda g: g.sum(),
        lambda g: g.shape,
        lambda g: np.linalg.norm(g),
        lambda g: np.asarray(g),
        lambda g: float(g[0]),
        lambda g: bool(g),
        lambda g: g > 0,
        lambda g: len(g),
        lambda g: koubai.exp(g),
    ],
)
def test_reading_one_is_an_error(use: Callable[[Any], Any]) -> None:
    """Each use names this line, and what to do; asking for None, and printing, are fine."""
    step, x, _ = make_step()
    step()
    assert x.grad is not None
    assert "not stored" in repr(x.grad)
    with pytest.raises(
        TraceError, match=r"(?s)return it from the step.*zero_grad.*\n  at test_not"
    ):
        use(x.grad)


def test_what_would_go_on_with_it_is_an_error() -> None:
    """An eager backward() would add to it, an eager step() read it; cleared, it is as any."""
    step, x, optimizer = make_step()
    step()
    with pytest.raises(TraceError, match="not stored"):
        optimizer.step()
    with pytest.raises(TraceError, match="not stored"):
        (x * x).sum().backward()
    optimizer.zero_grad()
    (x * x).sum().backward()
    np.testing.assert_allclose(x.grad, 2 * x.data)
    step()
    np.testing.assert_allclose(x.data, [0.25, 0.5])


def test_one_program_serves_the_first_step_and_all_others() -> None:
    """There is no gradient at first, and one that is not stored afterwards."""
    step, x, _ = make_step()
    for _ in range(3):
        step()
    np.testing.assert_allclose(x.data, [0.125, 0.25])
    assert len(step.programs) == 1


def test_a_gradient_that_is_returned_is_there() -> None:
    """As an array of its own."""
    x = Variable(np.array([1.0, 2.0]))

    @koubai.compile
    def step() -> Any:
        x.cleargrad()
        (x * x).sum().backward()
        x.data = x.data - 0.25 * x.grad
        return x.grad

    np.testing.assert_allclose(step(), [2.0, 4.0])
    np.testing.assert_allclose(step(), [1.0, 2.0])


def test_a_gradient_that_nothing_was_updated_with_is_stored() -> None:
    """For an eager optimizer, or to be looked at."""
    x = Variable(np.array([1.0, 2.0]))

    @koubai.compile
    def gradient() -> None:
        x.cleargrad()
        (x * x).sum().backward()

    gradient()
    np.testing.assert_allclose(x.grad, [2.0, 4.0])


def test_a_step_that_accumulates_stores_them() -> None:
    """Without zero_grad() a step adds to the last gradient, as eager steps do."""

    def make() -> tuple[Variable, Any]:
        x = Variable(np.array([1.0, 2.0]))

        def step() -> None:
            (x * x).sum().backward()
            x.data = x.data - 0.1 * x.grad

        return x, step

    (x, compiled), (y, eager) = make(), make()
    compiled = koubai.compile(compiled)
    for _ in range(4):
        compiled()
        eager()
        np.testing.assert_allclose(x.grad, y.grad)
        np.testing.assert_allclose(x.data, y.data)


def test_another_program_that_accumulates_says_so() -> None:
    """It was compiled when there was no gradient, and is called when one is not stored."""
    step, x, optimizer = make_step()

    @koubai.compile
    def accumulate() -> None:
        (x * x).sum().backward()

    accumulate()
    step()
    with pytest.raises(TraceError, match="not stored"):
        accumulate()
    optimizer.zero_grad()
    accumulate()
    np.testing.assert_allclose(x.grad, 2 * x.data)


def test_a_step_that_looks_at_the_last_gradient_in_its_own_way() -> None:
    """What is tried with hidden gradients may fail in any way: the function is as it is."""
    x = Variable(np.array([1.0, 2.0]))

    @koubai.compile
    def step() -> Any:
        before = None if x.grad is None else memoryview(x.grad)
        (x * x).sum().backward()
        x.data = x.data - 0.25 * x.grad
        return before

    assert step() is None
    np.testing.assert_allclose(x.grad, [2.0, 4.0])
