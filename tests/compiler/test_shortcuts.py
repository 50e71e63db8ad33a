"""Later calls take the shortcut: natively, the same as by the long way, down to reference counts.

That a shortcut notices every change is what the whole of test_guards.py holds: it is taken there.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import gc
import pickle
import sys
import threading
import weakref
from collections import OrderedDict, defaultdict, deque, namedtuple
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from compiler.agree import agree, assert_same
from compiler.random_worlds import random_function, random_world

import koubai
from koubai import Function, Variable, nn, optim
from koubai.book import TwoLayerNet
from koubai.compiler import compiled as compiled_module
from koubai.compiler.runtime import layouts, walker
from koubai.compiler.runtime.placing import STEPS
from koubai.compiler.runtime.steps import numbered
from koubai.compiler.trace.world import World

X = np.arange(1.0, 4.0)
Pair = namedtuple("Pair", "left right")
TOTAL = np.zeros(3)
COUNT = {"n": X.copy()}


class LongWay(Exception):
    """A call looked at its world by Python."""


@pytest.fixture
def only_shortcuts(monkeypatch: Any) -> Any:
    """A function after whose call the long way is closed."""

    def refuse(*args: Any) -> Any:
        raise LongWay

    return lambda: monkeypatch.setattr(compiled_module, "World", refuse)


def test_layouts() -> None:
    """The memory of objects is as expected here; elsewhere there are no shortcuts."""
    assert layouts.as_expected()
    assert walker.available()


class Slots:
    __slots__ = ("empty", "w")

    def __init__(self) -> None:
        self.w = X.copy()


class Square(Function):
    def forward(self, x: Any) -> Any:
        self.x = x
        return x * x

    def backward(self, gy: Any) -> Any:
        self.dx = 2 * self.x * gy
        return self.dx


class Net:
    """A network as in the notebooks, with most kinds of things among its fields."""

    scale = 2.0
    table = X.copy()

    def __init__(self) -> None:
        self.params = {"W": X.copy(), "b": np.zeros(3)}
        self.layers: OrderedDict[str, Any] = OrderedDict(square=Square())
        self.recent = deque([X.copy(), 1], maxlen=3)
        self.numbers = {1, 2}
        self.frozen = frozenset({3, "a"})
        self.slots = Slots()
        self.defaults = defaultdict(list, a=[X.copy()])
        self.partial = functools.partial(np.multiply, X.copy())
        self.pair = Pair(X.copy(), (1.5, None, True))
        self.me = weakref.ref(self)
        self.get = self.params.get
        self.space = SimpleNamespace(y=np.float64(3.0), n=np.int8(2), text="text", z=1j)
        self.cached = functools.lru_cache(lambda n: n * 2)
        self.v = Variable(X.copy())

    @property
    def double(self) -> Any:
        return 2 * self.scale

    @staticmethod
    def static(x: Any) -> Any:
        return x + len(COUNT)

    @classmethod
    def of_class(cls, x: Any) -> Any:
        return x + cls.table

    def step(self, x: Any, shift: float = 1.0, *, flag: bool = True) -> Any:
        global TOTAL
        params = self.params
        y = self.layers["square"](Variable(x * params["W"] + self.recent[0]))
        koubai.sum(y).backward()
        y = self.static(self.of_class(y.data)) * self.double + shift + self.cached(3)
        y = y + self.slots.w + self.defaults["a"][0] + self.partial(x) + self.pair.left
        y = y + self.me().params["b"] + self.get("b") + self.space.y * self.space.n  # type: ignore[union-attr]
        params["W"] = params["W"] - 0.1 * self.layers["square"].dx
        params["b"] -= 0.1 * x
        self.slots.w = y
        self.defaults["a"][0] = y * 2
        self.view = y[1:]
        self.v.data = self.v.data + y
        TOTAL = TOTAL + x
        COUNT["n"] = COUNT["n"] + 1
        return {"y": [y, (x, self)], "v": Variable(y), "array": np.ones(2), "s": np.sum(y)}


def test_a_network_of_all_kinds_of_things(only_shortcuts: Any) -> None:
    """Fields of all kinds, methods of all kinds: the second call takes the shortcut."""
    net, eager = Net(), Net()
    start = TOTAL, COUNT["n"]
    compiled, results = koubai.compile(net.step), []
    for i in range(5):
        results.append(compiled(X + i, 2.0, flag=True))
        if i == 1:  # the first has made fields
            only_shortcuts()
    ends = TOTAL, COUNT["n"]
    globals()["TOTAL"], COUNT["n"] = start
    for i, actual in enumerate(results):
        expected = eager.step(X + i, 2.0, flag=True)
        assert actual.pop("y")[1][1] is net
        expected.pop("y")
        assert_same(expected, actual, f"call {i}")
    assert_same((TOTAL, COUNT["n"]), ends)
    assert_same(eager.params, net.params)
    assert_same(eager.slots, net.slots)
    assert_same(eager.defaults, net.defaults)
    assert_same(eager.v, net.v)
    assert_same(eager.layers["square"].x, net.layers["square"].x)
    assert_same(eager.layers["square"].dx, net.layers["square"].dx)


def make_training() -> Any:
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(1, 10, rng=rng), nn.Sigmoid(), nn.Linear(10, 1, rng=rng))
    optimizer = optim.Adam(model.parameters())

    def step(x: Any, t: Any) -> Any:
        model.zero_grad()
        loss = koubai.mean_squared_error(model(x), t)
        loss.backward()
        optimizer.step()
        return loss

    return step, (model, optimizer)


def batch(seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.random((20, 1), np.float32), rng.random((20, 1), np.float32)


def test_training(only_shortcuts: Any) -> None:
    """A step with Adam, by shortcuts from the third call on, which has gradients to begin with."""
    step, state = make_training()
    eager, expected = make_training()
    compiled = koubai.compile(step)
    for i in range(6):
        if i == 2:
            only_shortcuts()
        assert_same(eager(*batch(i)), compiled(*batch(i)), f"call {i}")
        assert_same(expected, state, f"call {i}")


def test_the_books_network(only_shortcuts: Any) -> None:
    """The notebooks' loop: gradient() and an update in place of each parameter."""

    def make() -> Any:
        net = TwoLayerNet(4, 5, 3)
        for i, name in enumerate(sorted(net.params)):
            net.params[name] = np.random.default_rng(i).normal(size=net.params[name].shape)

        def step(x: Any, t: Any) -> Any:
            grads = net.gradient(x, t)
            for key in ("W1", "b1", "W2", "b2"):
                net.params[key] -= 0.1 * grads[key]
            return net.loss(x, t)

        return step, net

    step, net = make()
    eager, expected = make()
    compiled = koubai.compile(step)
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(6, 4)), np.eye(3)[rng.integers(0, 3, 6)]
    for i in range(5):
        if i == 2:
            only_shortcuts()
        assert_same(eager(x, t), compiled(x, t), f"call {i}")
        assert_same(expected.params, net.params, f"call {i}")


def test_state_is_named() -> None:
    """Which output takes the place of which input: for the runtime, which may reuse its memory.

    Not where the old array is a result too, or the new one is at two places, or inside a tuple.
    """
    step, _ = make_training()
    compiled = koubai.compile(step)
    for i in range(2):
        compiled(*batch(i))
    *_, entry = compiled.cache.compiled.values()
    world = World(step, batch(0), {})
    pairs = {world.paths[i]: o for i, o in entry.results.state}
    assert len(pairs) == len(set(pairs.values())) == 4 * 3 + 1  # data, m, v; and t
    assert all("argument" not in path for path in pairs)
    types = entry.program
    for i, o in entry.results.state:
        assert types.inputs[i] == types.type_of(types.outputs[o])

    box = SimpleNamespace(**{name: X + i for i, name in enumerate("abcdefg")})

    def f(x: Any) -> Any:
        old = box.a
        box.a = box.a + x  # the old one is returned
        box.b = box.c = box.b * x  # at two places
        box.d = (box.d + 1, 1)  # inside a tuple
        box.e = box.e - x
        box.f = box.f.sum()  # of another type
        box.g += x  # in place
        return old

    compiled = koubai.compile(f)
    compiled(X)
    (entry,) = compiled.cache.compiled.values()
    box = SimpleNamespace(**{name: X + i for i, name in enumerate("abcdefg")})
    world = World(f, (X,), {})
    assert [world.paths[i] for i, _ in entry.results.state] == ["box.e"]


def test_methods(only_shortcuts: Any) -> None:
    """A compiled method, of several objects, and arguments of all kinds."""

    class Layer:
        def __init__(self, w: float) -> None:
            self.w = w * X

        @koubai.compile
        def apply(self, *xs: Any, **ys: Any) -> Any:
            self.w = self.w + sum(xs) + sum(ys.values())
            return self.w

    layers = [Layer(1.0), Layer(2.0)]
    layers[0].apply(X + 1, a=X, b=2.0)
    only_shortcuts()
    for _ in range(2):
        w = layers[1].w
        assert_same(layers[1].apply(X + 1, a=X, b=2.0), w + (X + 1) + (X + 2.0))
    assert len(Layer.apply.programs) == 1
    for args, named in [((X + 1,), {"b": 2.0, "a": X}), ((X,), {"a": X, "b": 2.0})]:
        with pytest.raises(LongWay):
            layers[1].apply(*args, **named)


def test_arrays_of_equal_types(only_shortcuts: Any) -> None:
    """New arrays, in any order in memory, and with dtypes that are equal but not the same."""
    f = koubai.compile(lambda x: x * 2 + 1)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    f(x)
    only_shortcuts()
    unpickled = pickle.loads(pickle.dumps(x))
    assert unpickled.dtype is not x.dtype
    for other in (x + 1, np.asfortranarray(x), np.tile(x, 2)[:, ::2], unpickled):
        assert_same(f(other), other * 2 + 1)
    for other in (x.astype(">f4"), x.astype("f8"), x.T, x[0], x.astype(np.int32)):
        with pytest.raises(LongWay):
            f(other)


def test_equal_texts_and_numbers(only_shortcuts: Any) -> None:
    """Equal numbers and texts serve, also where they are other objects; others don't."""
    f = koubai.compile(lambda x, d: x * d["number"] + len(d["text"]) + d["n"])
    f(X, {"number": 2.5, "text": "texts", "n": 12345})
    only_shortcuts()
    for _ in range(3):
        again = {"num" + "ber"[:]: float("2.5"), "text": "".join(["te", "xts"]), "n": int("12345")}
        assert_same(f(X, again), X * 2.5 + 5 + 12345)
    changes = ({"number": 2.0}, {"text": "other"}, {"n": 12345.0}, {"n": 1}, {"new": 1})
    for change in changes:
        with pytest.raises(LongWay):
            f(X, {**again, **change})
    with pytest.raises(LongWay):
        f(X, dict(reversed(again.items())))


def test_arrays_that_are_one(only_shortcuts: Any) -> None:
    """Two arguments that are the same array, if they were two; and the other way round."""
    f = koubai.compile(lambda a, b: (a + b, a is b))
    f(X, X + 1)
    only_shortcuts()
    f(X + 1, X)
    with pytest.raises(LongWay):
        f(X, X)


def test_changes_of_every_kind_of_container(only_shortcuts: Any) -> None:
    """More elements, fewer, others, another order, the same twice: the shortcut says no."""
    a, b = {"x": X}, {"x": X + 1}
    box: dict[str, Any] = {
        "ordered": OrderedDict(a=1, b=X, c=2),
        "deque": deque([1, X]),
        "set": {1, 2},
        "two": [a, b],
        "method": a.get,
        "weak": weakref.ref(Net),
        "twins": [[1], [1]],
        "pair": (1, 2),
        "keys": {1: 5, 0.0: 6, "text": 7},
    }
    twin = box["twins"][0]

    def change(name: str, new: Any) -> Any:
        box[name], old = new, box[name]
        return lambda: box.update({name: old})

    def run(f: Any, undo: Any) -> Any:
        f()
        return undo

    f = koubai.compile(lambda x: x + len(box["ordered"]))
    f(X + 2)
    only_shortcuts()
    ordered, recent, numbers = box["ordered"], box["deque"], box["set"]
    changes = [
        lambda: run(lambda: ordered.update(d=3), lambda: ordered.pop("d")),
        lambda: run(lambda: ordered.move_to_end("a"), lambda: ordered.move_to_end("a", last=False)),
        lambda: run(lambda: ordered.update(a=2), lambda: ordered.update(a=1)),
        lambda: run(lambda: recent.append(1), recent.pop),
        lambda: run(lambda: recent.rotate(1), lambda: recent.rotate(-1)),
        lambda: run(lambda: numbers.add(3), lambda: numbers.remove(3)),
        lambda: run(lambda: numbers.remove(2), lambda: numbers.add(2)),
        lambda: change("set", frozenset(numbers)),
        lambda: change("two", [a, a]),
        lambda: change("two", [b, a, a]),
        lambda: change("two", (a, b)),
        lambda: change("method", b.get),
        lambda: change("method", a.items),
        lambda: change("weak", weakref.ref(Slots)),
        lambda: change("twins", [twin, twin]),
        lambda: change("pair", Pair(1, 2)),
        lambda: change("keys", {True: 5, 0.0: 6, "text": 7}),
        lambda: change("keys", {1: 5, -0.0: 6, "text": 7}),
        lambda: change("keys", {1: 5, 0.0: 6, "test": 7}),
        lambda: change("keys", {12345: 5, 0.0: 6, "text": 7}),
        lambda: change("ordered", dict(ordered)),
        lambda: change("deque", list(recent)),
    ]
    for i, do in enumerate(changes):
        undo = do()
        with pytest.raises(LongWay):
            f(X + 2)
        undo()
        assert_same(f(X + 2), X + 5, f"change {i}")


def test_many_objects(only_shortcuts: Any) -> None:
    """That each of many arrays is another one is noticed for all of them."""
    f = koubai.compile(lambda xs: sum(xs))
    xs = [X + i for i in range(300)]
    f(xs)
    only_shortcuts()
    for _ in range(3):
        assert_same(f([X + i for i in range(300)]), sum(xs))
    for i, j in [(0, 299), (17, 18), (150, 3)]:
        ys = list(xs)
        ys[i] = ys[j]
        with pytest.raises(LongWay):
            f(ys)


def test_writes_in_place_and_memory(only_shortcuts: Any) -> None:
    """Arrays that are written to must be writeable, and apart from the others that are used."""

    def f(x: Any, y: Any) -> None:
        x += y

    compiled = koubai.compile(f)
    compiled(X.copy(), X)
    only_shortcuts()
    buffer = np.arange(12.0)
    for x, y in ((buffer[:3], buffer[3:6]), (buffer[9:], buffer[::-1][3:6]), (buffer[8:2:-2], X)):
        expected = x + y
        compiled(x, y)
        assert_same(x, expected)
    frozen = X.copy()
    frozen.flags.writeable = False
    for x, y in ((buffer[:3], buffer[2:5]), (buffer[5:2:-1], buffer[:6:2]), (frozen, X)):
        with pytest.raises(LongWay):
            compiled(x, y)


def test_an_error_in_the_program_changes_nothing(only_shortcuts: Any) -> None:
    """No state is written when the program raises."""
    count = {"n": np.zeros(())}

    @koubai.compile
    def f(x: Any, i: Any) -> Any:
        count["n"] = count["n"] + x[i]

    f(X, np.array(0))
    f(X, np.array(1))
    only_shortcuts()
    with pytest.raises(IndexError):
        f(X, np.array(7))
    assert count["n"] == 3.0


def references(*objects: Any) -> list[int]:
    return [sys.getrefcount(x) for x in objects]


def test_reference_counts() -> None:
    """Calls leave the counts of all they look at as they were: taken, or refused on the way."""
    net = Net()
    key, missing = "W", "".join(["mis", "sing"])
    compiled = koubai.compile(net.step)
    for _ in range(3):
        compiled(X, 2.0, flag=True)
    world = [net, net.params, key, missing, Net, net.layers, net.recent, net.numbers, net.frozen]
    world += [net.slots, net.defaults, net.partial, net.pair, net.space, net.v, net.step.__func__]
    world += [np.float64, Variable, tuple, dict, list, float, X.dtype, net.cached, net.partial.args]
    world += [globals(), vars(Net), net.me, net.params["b"], X, float.__add__]
    gc.collect()
    before = references(*world)
    for _ in range(100):
        compiled(X, 2.0, flag=True)
    assert references(*world) == before
    look = compiled.shortcuts[0]
    for args in ((X, 3.0), (X[:2], 2.0), (X, 2.0, 1), (X,)):
        for _ in range(100):
            assert look(compiled.function, args, {"flag": True}) is walker.NO
    del args
    net.params["new"] = 1
    for _ in range(100):
        assert look(compiled.function, (X, 2.0), {"flag": True}) is walker.NO
    assert references(*world) == before


def test_memory_does_not_grow() -> None:
    """Nothing is kept of a thousand calls."""
    step, _ = make_training()
    compiled = koubai.compile(step)
    x, t = batch(0)
    blocks = []
    gc.collect()
    gc.disable()
    try:
        for i in range(3_200):
            compiled(x.copy(), t.copy())
            if i in (2_199, 3_199):
                blocks.append(sys.getallocatedblocks())
    finally:
        gc.enable()
    assert blocks[1] - blocks[0] < 50


def test_the_collector_is_left_as_it_was() -> None:
    """It rests during the walk, and goes on after it if it was on before."""
    f = koubai.compile(lambda x: x + 1)
    for _ in range(3):
        f(X)
        f(X[:2])
        assert gc.isenabled()
    gc.disable()
    try:
        f(X)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_objects_that_are_gone() -> None:
    """Whatever comes to be where an object of an earlier call was in memory is looked at anew."""

    class Box:
        pass

    f = koubai.compile(lambda box: box.x * box.n)
    for i in range(200):
        box = Box()
        box.n = i % 3  # type: ignore[attr-defined]
        box.x = X + i if i % 5 else (X + i)[:2]  # type: ignore[attr-defined]
        assert_same(f(box), box.x * box.n)  # type: ignore[attr-defined]
        del box


class Box:
    """Anything."""

    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)


@pytest.mark.native
@pytest.mark.parametrize("held", [False, True])
def test_old_values_are_let_go_when_all_is_assigned(only_shortcuts: Any, held: bool) -> None:
    """Their finalizers see the new state, may call the function again, and empty the world.

    Whether the state is written in place, or somebody holds the arrays.
    """
    box: Any = Box(last=Box(x=X), items=[X, X + 1], table={"n": X}, n=X * 0)

    def f(x: Any) -> Any:
        box.n = box.n + x
        box.last = Box(x=x + 1)
        box.items[0] = box.items[0] + x
        box.table["n"] = box.table["n"] * 2
        box.items[1] = box.items[1] - x
        return box.last, {"all": (x + 2, box)}

    def state() -> Any:
        return copy.deepcopy((box.n, *box.items, box.table["n"]))

    compiled = koubai.compile(f)
    for _ in range(3):
        compiled(X)
    only_shortcuts()
    seen: list[Any] = []

    def look(_: Any) -> None:
        seen.append(state())
        seen.append(compiled(X)[0].x)
        seen.append(state())
        box.items[:] = []
        box.table.clear()

    n, first, second, table = state()
    kept = [box.n, *box.items, box.table["n"]] if held else []
    when_gone = weakref.ref(box.last, look)
    last, made = compiled(X)
    assert when_gone() is None
    once = n + X, first + X, second - X, table * 2
    twice = n + 2 * X, first + 2 * X, second - 2 * X, table * 4
    assert_same(seen, [once, X + 1, twice])
    assert_same((last.x, made["all"][0], box.items, box.table), (X + 1, X + 2, [], {}))
    if held:
        assert_same(kept, [n, first, second, table])


@pytest.mark.native
def test_the_collector_in_between() -> None:
    """It may run while a Box is made, by Python, and run code that calls the function again."""
    box = SimpleNamespace(n=np.zeros(3))

    def f(x: Any) -> Any:
        box.n = box.n + x
        return Variable(box.n * 2), (Variable(x), [x + 1]), Box(n=x)

    compiled, inside = koubai.compile(f), []

    def on_collection(phase: str, info: Any) -> None:
        if phase == "stop" and not inside:
            inside.append(True)
            compiled(X)
            inside.clear()
            calls.append(1)

    for _ in range(3):
        compiled(X)
    box.n, calls = np.zeros(3), []
    threshold = gc.get_threshold()
    gc.callbacks.append(on_collection)
    gc.set_threshold(1, 1, 1)
    try:
        kept = [compiled(X) for _ in range(300)]
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(on_collection)
    assert len(calls) > 50
    assert_same(box.n, X * (300 + len(calls)))
    assert all((made[0] == x.data + 1).all() for _, (x, made), _ in kept)
    doubled = np.stack([y.data / 2 / X for y, *_ in kept])
    assert (np.diff(doubled, axis=0) >= 1).all()


@pytest.mark.native
@pytest.mark.parametrize("held", [False, True])
def test_many_results(only_shortcuts: Any, held: bool) -> None:
    """More than there is room for on the stack: all are returned and assigned, nothing is kept."""
    box = SimpleNamespace(**{f"x{i}": X + i for i in range(50)})

    def f(x: Any) -> Any:
        for name, old in list(vars(box).items()):
            setattr(box, name, old + x)
        return [x * i for i in range(25)], Variable(x)

    compiled = koubai.compile(f)
    for _ in range(3):
        compiled(X)
    only_shortcuts()
    kept = list(vars(box).values()) if held else []
    numbers = copy.deepcopy(kept)
    before = references(X, *kept)
    for _ in range(50):
        made, v = compiled(X)
        assert_same((made, v.data), ([X * i for i in range(25)], X))
        del made, v
    assert_same(list(vars(box).values()), [X + i + 53 * X for i in range(50)])
    assert_same(kept, numbers)
    # The world's own references have gone to the new arrays.
    assert references(X, *kept) == [before[0], *(n - 1 for n in before[1:])]


def test_an_error_after_another_shortcut_has_said_no(only_shortcuts: Any) -> None:
    """It is raised, by the shortcut that is for this world."""
    f = koubai.compile(lambda x, i: x[i])
    for i in (np.array(0), np.array([0, 1])):
        f(X, i)
    only_shortcuts()
    counts = references(walker.NO)
    for _ in range(100):
        with pytest.raises(IndexError):
            f(X, np.array(7))
    assert_same(f(X, np.array(1)), X[1])
    after = references(walker.NO)
    assert after == counts


def test_it_is_called_like_any_function() -> None:
    """By position, by name, with what an object of another class passes on; or not at all."""
    f = koubai.compile(lambda x, *rest, k=1.0, **more: (x * k, rest, sorted(more)))
    for _ in range(3):
        for args, kwargs in (((X,), {}), ((X, 1), {"k": 2.0}), ((), {"x": X, "b": 1, "a": 2})):
            assert_same(f(*args, **kwargs), f.function(*args, **kwargs))
            assert_same(functools.partial(f, *args)(**kwargs), f.function(*args, **kwargs))
        assert_same(list(map(f, [X, X + 1])), list(map(f.function, [X, X + 1])))
    with pytest.raises(TypeError):
        f()
    with pytest.raises(AttributeError):
        object.__new__(type(f))(X)


def test_threads() -> None:
    """Calls in several threads, with programs that run Python code in between."""
    f = koubai.compile(lambda x, d: (x * d["a"], {"b": x + d["a"]}))
    f(X, {"a": X})
    errors: list[Any] = []

    def work(k: int) -> None:
        try:
            for i in range(200):
                a, x = X + k, X * i
                product, made = f(x, {"a": a})
                assert_same(product, x * a)
                assert_same(made, {"b": x + a})
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_shortcut_within_a_trace(only_shortcuts: Any) -> None:
    """A compiled function that is called by one that is being compiled is a part of it."""
    inner = koubai.compile(lambda x: x * 2)
    inner(X)
    inner(X)
    outer = koubai.compile(lambda x: inner(x) + inner(X))
    assert_same(outer(X), X * 4)
    assert len(inner.programs) == 1


def test_without_shortcuts(monkeypatch: Any) -> None:
    """Where native code can't look into objects, everything works the long way."""
    monkeypatch.setattr(walker, "available", lambda: False)
    compiled = agree(make_training, *[batch(i) for i in range(4)])
    assert compiled.shortcuts == []
    net, eager = Net(), Net()
    compiled = koubai.compile(net.step)
    for _ in range(3):
        actual, expected = compiled(X), eager.step(X)
        assert_same(expected["v"], actual["v"])
    assert compiled.shortcuts == []


def native_look(world: World) -> Any:
    """The native walk that a world's looks stand for: the arrays that it sees; None for no."""
    assert world.looks.complete
    seen: list[Any] = []

    def run(arrays: list[Any]) -> list[Any]:
        seen.append(arrays)
        return []

    looks = world.looks
    placing = walker.Placing(numbered(STEPS, "DONE", id(None)), 0, 0, False)
    call = walker.caller(
        *(looks.words, looks.places, len(world.arrays), 0),
        *(walker.Program(run, 0, None), placing, looks.kept),
    )
    return lambda *args: None if call(*args) is walker.NO else seen.pop()


def test_random_worlds_are_seen_alike() -> None:
    """The native walk says yes to a world if and only if it has the key of the one recorded."""
    answers = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        world = random_world(rng)
        changes = [random_function(rng, world, 1) for _ in range(4)]

        def f(x: Any) -> Any:
            return x

        before = World(f, (world,), {})
        look = native_look(before)
        for change in changes:
            with contextlib.suppress(KeyError, IndexError, AttributeError, TypeError, ValueError):
                change(world, X.copy())
            after = World(f, (world,), {})
            seen = look(f, (world,), {})
            assert (seen is not None) == (after.key == before.key), f"seed {seed}"
            if seen is not None:
                assert all(a is b for a, b in zip(seen, after.arrays, strict=True)), seed
            answers.append(seen is not None)
    assert 100 < sum(answers) < 500
