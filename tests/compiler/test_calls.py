"""What a compiled function may be, take and return."""

from __future__ import annotations

import functools
from collections import OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from compiler.agree import agree, assert_same, assert_same_function

import koubai
from koubai import Variable, nn

X = np.arange(6.0).reshape(2, 3)
Pair = namedtuple("Pair", "left right")


def test_function_of_arrays() -> None:
    """A plain function of arrays, with positional and keyword arguments and defaults."""

    @koubai.compile
    def f(x: Any, scale: float = 2.0, *, shift: Any = None) -> Any:
        y = np.exp(x) * scale
        return y if shift is None else y + shift

    np.testing.assert_array_equal(f(X), np.exp(X) * 2)
    np.testing.assert_array_equal(f(X, 3.0), np.exp(X) * 3)
    np.testing.assert_array_equal(f(X, scale=4.0), np.exp(X) * 4)
    np.testing.assert_array_equal(f(X, shift=X), np.exp(X) * 2 + X)


def test_keywords_are_told_from_each_other() -> None:
    """f(x, a=y), f(x, b=y) and f(x, y) are three programs."""

    @koubai.compile
    def f(x: Any, a: Any = 0, b: Any = 0) -> Any:
        return x + 10 * a + 100 * b

    x = np.ones(2)
    assert f(x, a=x)[0] == 11
    assert f(x, b=x)[0] == 101
    assert f(x, x)[0] == 11
    assert f(a=x, x=2 * x)[0] == 12
    assert f(x=2 * x, a=x)[0] == 12


def test_it_looks_like_the_function() -> None:
    """Name, docstring and signature are the function's; its repr says what it is."""

    def f(x: Any) -> Any:
        """Doubles."""
        return 2 * x

    compiled = koubai.compile(f)
    assert (compiled.__name__, compiled.__doc__) == ("f", "Doubles.")
    assert compiled.__wrapped__ is f
    assert repr(compiled) == "<compiled f>"


class Net:
    def __init__(self, w: float) -> None:
        self.w = np.full(3, w)

    @koubai.compile
    def forward(self, x: Any) -> Any:
        self.x = x
        return x * self.w

    def plain(self, x: Any) -> Any:
        return x * self.w

    @staticmethod
    @koubai.compile
    def double(x: Any) -> Any:
        return x * 2

    @classmethod
    @koubai.compile
    def named(cls, x: Any) -> Any:
        return x, cls.__name__


def test_decorated_method() -> None:
    """A decorated method works on its own object; objects alike share the program."""
    one, two = Net(1.0), Net(2.0)
    for net in (one, two, one):
        np.testing.assert_array_equal(net.forward(X), X * net.w)
        assert net.x is X
    assert len(one.forward.programs) == 2  # without x among the attributes, and with it
    np.testing.assert_array_equal(Net.forward(two, X), X * 2)
    np.testing.assert_array_equal(Net.double(X), X * 2)
    np.testing.assert_array_equal(Net.named(X)[0], X)
    assert Net.named(X)[1] == "Net"


def test_bound_method() -> None:
    """A bound method can be compiled."""
    net = Net(3.0)
    compiled = koubai.compile(net.plain)
    np.testing.assert_array_equal(compiled(X), X * 3)
    net.w = np.full(3, 4.0)
    np.testing.assert_array_equal(compiled(X), X * 4)
    assert len(compiled.programs) == 1


def test_callable_objects() -> None:
    """A module, a functools.partial and a class can be compiled; what they hold is reached."""
    layer = nn.Linear(3, 2, rng=np.random.default_rng(0))
    model = koubai.compile(layer)
    x = X.astype(np.float32)
    assert_same(layer(x).data, model(x).data)
    layer.W.data = layer.W.data * 2
    assert_same(layer(x).data, model(x).data)

    held = X.copy()
    partial = functools.partial(lambda a, b, c: a + 10 * b + c, held, c=X)
    compiled = koubai.compile(partial)
    assert_same(partial(X), compiled(X))
    held[...] = 0
    assert_same(partial(X), compiled(X))
    assert partial.args[0] is held

    made = koubai.compile(Net)(5.0)
    assert_same(made.w, np.full(3, 5.0))
    with pytest.raises(TypeError, match="compile takes a function, not 3"):
        koubai.compile(3)  # type: ignore[arg-type]


def test_containers_as_arguments() -> None:
    """Arrays in dicts, lists, tuples, named tuples and objects, nested, are inputs."""

    @dataclass
    class Batch:
        x: Any
        t: Any

    def f(a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
        return a["x"] + b[0] * b[1][0] + c[1]["y"] + d.left * d.right + e.x / e.t

    compiled = koubai.compile(f)
    for scale in (1.0, 2.0):
        args = (
            {"x": X * scale},
            [X, (X + scale, 3)],
            (1, {"y": X * scale}),
            Pair(X, X + scale),
            Batch(X, X + scale),
        )
        assert_same(f(*args), compiled(*args))
    assert len(compiled.programs) == 1


def test_containers_as_results() -> None:
    """Results have the structure that the function gives them, and are new in each call."""

    def f(x: Any) -> Any:
        both = [x + 1]
        twice: Any = {"a": both, "b": both}
        twice["self"] = twice
        return {
            "list": [x * 2, "text", None, 3],
            "tuple": (x, {"y": Pair(x + 1, x.shape)}),
            "ordered": OrderedDict(b=x, a=x + 1),
            "default": defaultdict(list, a=[x]),
            "deque": deque([x + 1], maxlen=2),
            "namespace": SimpleNamespace(y=x + 1),
            "set": {1, 2},
            "variable": Variable(x * 3, name="v"),
            "constant": np.ones(2),
            "net": Net(1.0),
            "twice": twice,
        }

    compiled = koubai.compile(f)
    one, two = compiled(X), compiled(X + 1)
    expected = f(X)
    assert_same(expected, one)
    assert_same(f(X + 1), two)
    assert one["default"]["missing"] == []
    assert one["deque"].maxlen == 2
    assert one["variable"].name == "v"
    assert one["twice"]["a"] is one["twice"]["b"]
    assert one["twice"]["self"] is one["twice"]
    for name in ("list", "ordered", "default", "deque", "set", "constant", "net", "twice"):
        assert one[name] is not two[name]
    assert not np.shares_memory(one["constant"], two["constant"])
    one["constant"][:] = 7
    assert_same(compiled(X)["constant"], np.ones(2))


def test_results_that_are_arguments() -> None:
    """What is returned unchanged is the very object that was passed in."""
    layer = nn.Linear(3, 2)

    @koubai.compile
    def f(x: Any, d: Any, v: Any, s: Any) -> Any:
        d["new"] = x
        return x, d, v, v.data, layer, s

    x, d, v, s = X, {"a": X}, Variable(X), np.float64(3.0)
    results = f(x, d, v, s)
    for result, given in zip(results, (x, d, v, x, layer, s), strict=True):
        assert result is given
    assert d["new"] is x


def test_results_belong_to_the_caller() -> None:
    """Writing into a result changes no later result, no argument, and no other result."""

    def f(x: Any) -> Any:
        zeros = np.zeros_like(x)
        return zeros, zeros.T, np.zeros((2, 3)), koubai.broadcast_to(x[0], (2, 3)), x + 0, +x

    compiled = koubai.compile(f)
    x = X.copy()
    expected = [np.array(y) for y in f(X)]
    for _ in range(2):
        results = compiled(x)
        for y, z in zip(results, expected, strict=True):
            np.testing.assert_array_equal(y, z)
        for y in (results[0], results[2], *results[4:]):  # eager's broadcast_to is read-only too
            y[...] = 99
        assert_same(x, X)


def test_results_are_detached() -> None:
    """A Variable that is returned has its value and its gradient; leaves stay leaves."""

    def f(x: Any) -> Any:
        leaf = Variable(x)
        y = leaf * 2
        koubai.sum(y).backward()
        return leaf, y

    leaf, y = koubai.compile(f)(X)
    assert_same((leaf, y), f(X))
    assert leaf.creator is None
    koubai.sum(leaf).backward()
    assert_same(leaf.grad, np.full((2, 3), 3.0))


def test_compiled_functions_call_each_other() -> None:
    """A compiled function that is called by one that is being compiled becomes a part of it."""
    scale = np.array(2.0)

    @koubai.compile
    def inner(x: Any) -> Any:
        return np.exp(x) * scale

    def outer(x: Any) -> Any:
        return inner(x) + inner(2 * x)

    compiled = koubai.compile(outer)
    expected = np.exp(X) * 2 + np.exp(2 * X) * 2
    np.testing.assert_array_equal(compiled(X), expected)
    assert inner.programs == []
    scale[...] = 4
    np.testing.assert_array_equal(compiled(X), 2 * expected)
    np.testing.assert_array_equal(inner(X), np.exp(X) * 4)


def test_functions_as_arguments() -> None:
    """A function may be an argument; another code is another program, the same one is not."""

    @koubai.compile
    def apply(f: Any, x: Any) -> Any:
        return f(x)

    for scale in (1.0, 1.0, 2.0):
        for result in (apply(lambda x: x * scale, X), apply(lambda x: x + scale, X)):  # noqa: B023
            assert result.shape == (2, 3)
    np.testing.assert_array_equal(apply(lambda x: x * scale, X), X * 2)
    assert len(apply.programs) == 5  # each in its place in the text, each for both scales
    np.testing.assert_array_equal(apply(np.exp, X), np.exp(X))
    np.testing.assert_array_equal(apply(np.tanh, X), np.tanh(X))


def test_structures_of_state() -> None:
    """State may be made, replaced and removed: attributes, items, elements, in order."""

    class State:
        def __init__(self) -> None:
            self.count = 0
            self.items: dict[Any, Any] = {"a": X.copy(), "b": X.copy(), ("t", 1): 1}
            self.list = [X.copy(), X.copy()]

    def make() -> Any:
        state = State()

        def f(x: Any) -> Any:
            state.count += 1
            state.list[0], state.list[1] = state.list[1] + 1, state.list[0]
            state.items["c"] = x
            first = state.items.pop("a")
            state.items["a"] = first * 2
            del state.items["b"]
            state.items["b"] = x
            state.made = {"list": [x + 1]}  # type: ignore[attr-defined]
            state.pair = (x, Pair(x + 2, None))  # type: ignore[attr-defined]

        return f, state

    agree(make, (X,), (X + 1,), (X + 2,))


def test_empty_function() -> None:
    """Nothing in, nothing out."""
    assert_same_function(lambda: None)
    assert_same_function(lambda: 3)
    assert_same_function(lambda x: x, X)
