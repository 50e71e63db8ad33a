"""Deep graphs need no recursion; graphs are freed at once, by reference counting alone."""

import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from core.functions import Affine, Square, SumAndDifference

import koubai
from koubai import Variable, grad


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    """The garbage collector is off: what it would clean up stays, and shows."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_a_million_nodes() -> None:
    """Forward, backward and the end of a chain of 1 000 000 nodes, without a recursion."""
    n = 1_000_000
    x = Variable(np.array([1.0, 2.0, 3.0, 4.0]))
    y = x
    for _ in range(n // 2):
        y = (y + x) * 1.0
    first = weakref.ref(y.creator.input.creator.input)  # type: ignore[union-attr]
    y.backward(np.ones(4))
    np.testing.assert_array_equal(x.grad, np.full(4, n // 2 + 1.0))
    assert first() is not None
    del y
    assert first() is None


def test_a_deep_graph_of_a_users_functions() -> None:
    """One instance called 20 000 times in a chain: a snapshot for each, and no recursion."""
    f, x = Square(), Variable(1.0)
    y = x
    for _ in range(20_000):
        y = f(y) * 0.5 + 0.5
    y.backward()
    assert x.grad == 1
    del y


def _by_operators(x: Variable) -> None:
    y = koubai.tanh(x * 2.0 + 1.0)
    (y * y).sum().backward()


def _by_users_functions(x: Variable) -> None:
    f = Square()
    total, _ = SumAndDifference()(f(x), f(x * 2.0))
    total.sum().backward()


def _by_writing(x: Variable) -> None:
    y = x * 2.0
    z = y * y
    y[0] = z[1]
    y[1] = y[0] * z[0]
    z[...] = y * z
    y[...] = y + z
    (y * z).sum().backward()


def _by_higher_orders(x: Variable) -> None:
    grad(lambda x: (grad(lambda x: (x * x * x).sum())(x)).sum())(x.data)
    (x * x).sum().backward(create_graph=True)
    gx = x.grad
    x.cleargrad()  # x.grad refers to x: without this they would keep each other alive
    gx.sum().backward()


def _by_errors(x: Variable) -> None:
    for wrong in (lambda: x + "a", lambda: x @ x.reshape(1, -1), lambda: (x * x).backward()):
        try:
            wrong()
        except (ValueError, TypeError):
            continue
        raise AssertionError("no error")


@pytest.mark.parametrize(
    ("step", "times"),
    [
        (_by_operators, 100_000),
        (_by_users_functions, 5_000),
        (_by_writing, 5_000),
        (_by_higher_orders, 2_000),
        (_by_errors, 2_000),
    ],
)
def test_steps_without_growth(step: Callable[[Variable], None], times: int) -> None:
    """Steps of training leave nothing behind: no object, so no array either.

    Python's count of allocated blocks is exact; a leak of one object a step would add ``times``.
    The first steps fill Python's own free lists (of tuples: 2000 of each length).
    """
    x = Variable(np.array([0.5, -0.25]))

    def run(times: int) -> int:
        for _ in range(times):
            x.cleargrad()
            step(x)
        return sys.getallocatedblocks()

    before = run(3_000)
    assert run(times) - before < times / 4


def _watch(y: Variable, depth: int) -> list[Callable[[], Any]]:
    """Weak references to a result, its function, its input, and so on back."""
    links: list[Callable[[], Any]] = []
    for _ in range(depth):
        links += [weakref.ref(y), weakref.ref(y.creator)]  # type: ignore[arg-type]
        y = y.creator.input  # type: ignore[union-attr]
    return links


@pytest.mark.parametrize("backward", [False, True])
def test_no_cycles(backward: bool) -> None:
    """With the last reference to a result its whole graph dies, before or after a pass."""
    x = Variable([1.0, 2.0])
    total, difference = SumAndDifference()(Square()(x), x * x)
    y = (total * difference).sum()
    links = _watch(y, 4)
    if backward:
        y.backward()
    del y, total, difference
    assert [link() for link in links] == [None] * len(links)


def test_no_cycles_in_a_layer_that_is_used_again() -> None:
    """A layer that lives on does not keep the graphs that it was used in alive."""
    affine = Affine()
    x, W, b = np.ones((4, 3)), Variable(np.ones((3, 2))), Variable(np.zeros(2))
    links = []
    for _ in range(3):
        y = affine(x, W, b)
        z = y.sum()
        links += [weakref.ref(y), weakref.ref(z)]
        z.backward()
        del y, z
    assert [link() for link in links] == [None] * 6


def test_no_cycles_of_higher_orders() -> None:
    """grad(grad(f)) leaves nothing; x.grad with a history is freed by x.cleargrad()."""
    x = Variable([1.0, 2.0])
    y = (x * x * x).sum()
    y.backward(create_graph=True)
    gx = x.grad
    links = [*_watch(y, 2), weakref.ref(gx), weakref.ref(gx.creator)]
    x.cleargrad()
    del y, gx
    assert [link() for link in links] == [None] * len(links)


def test_no_cycles_after_an_error() -> None:
    """An error in a pass, once handled, keeps nothing alive."""

    class Broken(koubai.Function):
        def forward(self, x: Any) -> Any:
            return x * 2

        def backward(self, gy: Any) -> Any:
            raise ValueError("no")

    y = Broken()(Variable(1.0))
    link = weakref.ref(y)
    with pytest.raises(ValueError, match="no"):
        y.backward()
    del y
    assert link() is None


def test_the_users_line_keeps_no_frame_alive() -> None:
    """Where forward was called is kept without the caller's local variables."""

    class Large:
        pass

    def call() -> tuple[Variable, Any]:
        large = Large()
        return Square()(Variable(2.0)), weakref.ref(large)

    y, link = call()
    assert y.creator is not None
    assert link() is None


def test_inner_gradients_are_dropped_during_the_pass() -> None:
    """An inner gradient dies as soon as it has been used: memory does not grow with depth."""
    alive: list[Any] = []
    most = 0

    class Watched(koubai.Function):
        def forward(self, x: Any) -> Any:
            return x * 1.0

        def backward(self, gy: Any) -> Any:
            nonlocal most
            gx = gy * 1.0
            alive.append(weakref.ref(gx))
            most = max(most, sum(link() is not None for link in alive))
            return gx

    x = Variable(np.ones(3))
    y = x
    for _ in range(20):
        y = Watched()(y)
    y.backward(np.ones(3))
    assert most <= 3
