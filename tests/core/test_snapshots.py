"""An instance is its latest call; older results that are alive keep a snapshot of it."""

from typing import Any

import numpy as np
import pytest
from core.functions import Affine, Exp, Square

import koubai
from koubai import Function, Variable


def test_one_instance_called_twice() -> None:
    """f(f(x)): both calls have the gradient of their own input."""
    f, x = Square(), Variable(3.0)
    a = f(x)
    b = f(a)
    assert b.creator is f
    assert f.input is a
    assert a.creator is not f
    assert a.creator.input is x
    b.backward()
    assert x.grad == 4 * 3.0**3


def test_one_instance_in_a_loop() -> None:
    """Used in iteration after iteration, a layer has the dW of the latest."""
    rng = np.random.default_rng(0)
    affine = Affine()
    W, b = Variable(rng.normal(size=(3, 2))), Variable(np.zeros(2))
    for _ in range(3):
        x, gy = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
        W.cleargrad()
        y = affine(x, W, b)
        y.backward(gy)
        np.testing.assert_allclose(affine.dW, x.T @ gy)
        np.testing.assert_allclose(W.grad, x.T @ gy)
        np.testing.assert_allclose(affine.db, gy.sum(axis=0))


def test_one_instance_over_time() -> None:
    """Like a recurrent cell: ten calls in one graph, differentiated at the end, any order."""
    f, x = Exp(), Variable(0.1)
    ys, h = [], x
    for _ in range(3):
        h = f(h * 0.5)
        ys.append(h)
    own, z = koubai.exp, Variable(0.1)
    expected, h = [], z
    for _ in range(3):
        h = own(h * 0.5)
        expected.append(h)
    for i in (1, 0, 2):
        x.cleargrad()
        z.cleargrad()
        ys[i].backward()
        expected[i].backward()
        assert x.grad == z.grad


def test_what_forward_keeps_in_containers() -> None:
    """Caches in dicts, lists and tuples, nested, are those of the call, not of the latest one."""

    class Cached(Function):
        def __init__(self) -> None:
            self.cache: dict[str, Any] = {"inner": {}, "pair": ([None], {})}

        def forward(self, x: Any) -> Any:
            self.cache["x"] = x
            self.cache["inner"]["x"] = x
            self.cache["pair"][0][0] = x
            return x * x * x

        def backward(self, gy: Any) -> Any:
            c = self.cache
            return (c["x"] * c["inner"]["x"] + 2 * c["x"] * c["pair"][0][0]) * gy

    f, x = Cached(), Variable(2.0)
    a = f(x)
    b = f(a)
    b.backward()
    assert x.grad == 9 * 2.0**8


def test_functions_kept_by_a_function() -> None:
    """A layer made of layers: the inner instances' state is part of the call too."""

    class Twice(Function):
        def __init__(self) -> None:
            self.square = Square()

        def forward(self, x: Any) -> Any:
            return self.square.forward(x)

        def backward(self, gy: Any) -> Any:
            return self.square.backward(gy)

    f, x = Twice(), Variable(3.0)
    b = f(f(x))
    b.backward()
    assert x.grad == 4 * 3.0**3


def owned_by(owner: Any) -> Any:
    """A function that knows whose it is."""
    square: Any = Square()
    square.owner = owner
    return square


@pytest.mark.parametrize(
    ("wrap", "unwrap"),
    [
        (lambda f: f, lambda me: me),
        (lambda f: [f], lambda me: me[0]),
        (lambda f: ([f],), lambda me: me[0][0]),
        (lambda f: {"me": f}, lambda me: me["me"]),
        (owned_by, lambda me: me.owner),
    ],
    ids=["itself", "list", "tuple", "dict", "inner function"],
)
def test_functions_that_hold_themselves(wrap: Any, unwrap: Any) -> None:
    """The copy of a function that is in reach of itself is in reach of itself, not of the other."""

    class Selfish(Function):
        def __init__(self) -> None:
            self.me = wrap(self)

        def forward(self, x: Any) -> Any:
            self.x = x
            return x * x

        def backward(self, gy: Any) -> Any:
            return 2 * unwrap(self.me).x * gy

    f, x = Selfish(), Variable(3.0)
    a = f(x)
    b = f(a)
    older: Any = a.creator
    assert older is not f
    assert unwrap(older.me) is older
    b.backward(create_graph=True)
    assert x.grad.data == 4 * 3.0**3


def test_one_thing_under_two_names() -> None:
    """What a function holds twice is one thing in the copy, too."""
    f: Any = Square()
    x = Variable(3.0)
    f.cache = f.same = {}
    y, _z = f(x), f(x)
    older: Any = y.creator
    assert older.cache is older.same is not f.cache


def test_results_that_are_gone_cost_no_snapshot() -> None:
    """The instance itself is the creator again and again, while no older result is alive."""
    f, x = Square(), Variable(3.0)
    for _ in range(3):
        y = f(x)
        assert y.creator is f
        del y


def test_a_call_that_fails_harms_nothing() -> None:
    """An older result keeps its gradient when a later call of its function raises."""
    f, x = Square(), Variable(3.0)
    y = f(x)
    try:
        f("no number")
    except TypeError:
        y.backward()
    assert x.grad == 6


def test_calls_outside_the_graph_harm_nothing() -> None:
    """Nor when it is called on arrays, or inside no_grad()."""
    f, x = Square(), Variable(3.0)
    y = f(x)
    f(np.array(7.0))
    with koubai.no_grad():
        f(Variable(8.0))
    y.backward()
    assert x.grad == 6
