"""What a compiled function changes in its world, and that a trace leaves it as it was."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import OrderedDict, deque
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from compiler.agree import agree, assert_same, assert_untraced

import koubai
from koubai import Function, Variable, nn
from koubai.compiler import TraceError

X = np.arange(1.0, 4.0)
COUNT = 0
TOTAL = np.zeros(3)


def test_state_is_written_back_on_every_call() -> None:
    """Attributes, items, elements, Variables, gradients: after each call, not only the first."""

    def make() -> Any:
        state = SimpleNamespace(a=X.copy(), d={"b": X.copy()}, items=[X.copy(), 1], v=Variable(X))

        def f(x: Any) -> Any:
            state.a = state.a + x
            state.d["b"] = state.d["b"] * x
            state.items[0] = state.items[0] - x
            koubai.sum(state.v * x).backward()
            state.v.data = state.v.data - 0.1 * state.v.grad

        return f, state

    compiled = agree(make, *[(X * i,) for i in range(5)])
    assert len(compiled.programs) == 2


def test_globals_and_closures_that_are_assigned() -> None:
    """``global`` and ``nonlocal``, numbers and arrays."""
    mine: Any = X

    def f(x: Any) -> None:
        nonlocal mine
        global COUNT, TOTAL
        COUNT += 1
        TOTAL = TOTAL + x
        mine = mine * 2

    compiled = koubai.compile(f)
    for i in range(1, 4):
        compiled(X)
        assert i == COUNT
        assert_same(TOTAL, i * X)
        assert_same(mine, X * 2**i)


def test_a_global_that_the_function_makes() -> None:
    """A name that did not exist before: assigned by the call, not by the trace."""

    def f(x: Any) -> None:
        global MADE
        MADE = x * 2  # type: ignore[name-defined]

    koubai.compile(f)(X)
    assert_same(globals().pop("MADE"), X * 2)


def test_class_attributes_that_are_assigned() -> None:
    """A counter of a class."""

    class Net:
        calls = 0
        total = np.zeros(3)

        def f(self, x: Any) -> None:
            Net.calls += 1
            type(self).total = Net.total + x

    compiled = koubai.compile(Net().f)
    for i in range(1, 4):
        compiled(X)
        assert Net.calls == i
        assert_same(Net.total, i * X)


def test_snapshots_do_not_change() -> None:
    """A parameter's array that was saved before an update that assigns keeps its numbers."""
    W = Variable(X.copy())
    params = {"W": X.copy()}

    @koubai.compile
    def f() -> None:
        W.data = W.data - 1
        params["W"] = params["W"] - 1

    saved = [(W.data, params["W"])]
    for _ in range(3):
        f()
        saved.append((W.data, params["W"]))
    for i, (a, b) in enumerate(saved):
        assert_same((a, b), (X - i, X - i))


def test_writes_in_place_reach_everybody() -> None:
    """Whoever holds the array, or a view of it, sees a write in place."""
    holder = {"W": X.copy()}
    same, view = holder["W"], holder["W"][1:]

    @koubai.compile
    def f(x: Any) -> None:
        holder["W"] -= x
        x[0] = 99

    for i in range(1, 4):
        x = np.ones(3)
        f(x)
        assert holder["W"] is same
        assert_same(same, X - i)
        assert_same(view, (X - i)[1:])
        assert_same(x, np.array([99.0, 1, 1]))


def test_order_of_keys() -> None:
    """A key that is removed and put back is the last one, as in eager."""

    def make() -> Any:
        d = {"a": X.copy(), "b": 1, "c": X.copy()}
        ordered = OrderedDict(d)

        def f(x: Any) -> Any:
            for mapping in (d, ordered):
                mapping["a"] = mapping.pop("a") + x
            ordered["new"] = x
            ordered.move_to_end("c", last=False)
            return list(d), list(ordered)

        return f, (d, ordered)

    agree(make, (X,), (X,), (X,))


def test_attributes_that_are_made_and_removed() -> None:
    """``hasattr`` and ``del`` of attributes, also of slots."""

    class Slots:
        __slots__ = ("a", "b")

    def make() -> Any:
        slots, plain = Slots(), SimpleNamespace()
        slots.a = X.copy()

        def f(x: Any) -> Any:
            for owner in (slots, plain):
                if hasattr(owner, "b"):
                    owner.a = owner.b + x
                    del owner.b
                else:
                    owner.b = x * 2
            return hasattr(slots, "b"), hasattr(plain, "b")

        return f, plain

    agree(make, *[(X * i,) for i in range(5)])


def test_functions_keep_their_calls_apart() -> None:
    """A kept Function: a graph made before a compiled call still has its own gradients."""

    class Scale(Function):
        def forward(self, x: Any) -> Any:
            self.x = x
            return x * x

        def backward(self, gy: Any) -> Any:
            return 2 * self.x * gy

    f = Scale()
    x = Variable(X.copy())
    y = f(x)  # eagerly, before

    def step(x: Any) -> Any:
        x = Variable(x)
        koubai.sum(f(x)).backward()
        return x.grad

    compiled = koubai.compile(step)
    for i in (1, 2, 3):
        assert_same(compiled(X * i), 2 * X * i)
        assert_same(f.x, X * i)
    y.backward(np.ones(3))
    assert_same(x.grad, 2 * X)
    z = f(x)
    assert f.output is z
    z.backward(np.ones(3))
    assert_same(x.grad, 4 * X)
    assert_untraced((f, x, y, z))


class Node:
    __slots__ = ("child", "value")


class Square(Function):
    def forward(self, x: Any) -> Any:
        self.x = x
        return x * x

    def backward(self, gy: Any) -> Any:
        return 2 * self.x * gy


class Net(nn.Module):
    def __init__(self) -> None:
        self.linear = nn.Linear(3, 2, rng=np.random.default_rng(0))
        self.cache = {"x": X.copy(), 1: [X.copy(), (X.copy(), {"y": X.copy()})]}
        self.me = self
        self.act = Square()


def world_of_everything() -> Any:
    """Objects of all kinds with arrays in them, and cycles."""
    node = Node()
    node.value, node.child = X.copy(), node
    net = Net()
    return SimpleNamespace(
        net=net,
        node=node,
        ordered=OrderedDict(a=X.copy(), b=2),
        deque=deque([X.copy()]),
        set={1, 2},
        outside=net.act(Variable(X.copy())),
        list=[X.copy()],
        scalar=np.float64(3.0),
    )


def picture(x: Any, seen: Any = None) -> Any:
    """All that there is in a world, down to identities: equal before and after if it is as was."""
    seen = {} if seen is None else seen
    if isinstance(x, np.ndarray):
        return id(x), x.tobytes()
    if isinstance(x, int | float | str | np.generic | type | None):
        return x
    if id(x) in seen:
        return seen[id(x)][0]
    seen[id(x)] = len(seen), x  # kept, for the id of what is gone may be used again
    if isinstance(x, dict):
        return [(k, picture(v, seen)) for k, v in x.items()]
    if isinstance(x, list | tuple | deque | set):
        return id(x), [picture(v, seen) for v in x]
    slots = [s for cls in type(x).__mro__ for s in getattr(cls, "__slots__", ())]
    fields = {s: getattr(x, s) for s in slots if s != "__weakref__" and hasattr(x, s)}
    return id(x), picture({**fields, **getattr(x, "__dict__", {})}, seen)


def disturb(w: Any, x: Any) -> Any:
    """Change whatever can be changed."""
    w.net.cache["x"] = x
    w.net.cache["new"] = x * 2
    del w.net.cache[1]
    w.net.cache[1] = x
    w.net.training = False
    w.node.value, w.node.child = x, None
    w.ordered["c"] = w.ordered.pop("a")
    w.list[0] = x
    w.set = {3}
    w.made = x
    del w.scalar
    x += 1
    w.deque[0] -= 1
    loss = koubai.sum(w.net.act(w.net.linear(koubai.astype(x, np.float32))))
    loss.backward()
    w.net.linear.W.data = w.net.linear.W.data - w.net.linear.W.grad
    w.outside.grad = x
    w.outside = loss
    return loss


class Stop(Exception):
    pass


def test_an_exception_in_a_trace_leaves_the_world_as_it_was() -> None:
    """After an error everything is as before: values, identities, order; nothing traced is left."""
    for how in ("raise", "float", "random", "append"):
        world = world_of_everything()

        def f(x: Any) -> Any:
            loss = disturb(world, x)  # noqa: B023
            if how == "raise":  # noqa: B023
                raise Stop
            if how == "append":  # noqa: B023
                world.deque.append(loss)  # noqa: B023
            if how == "float":  # noqa: B023
                return float(loss.data)
            return loss * np.random.rand()  # noqa: NPY002

        x = X.copy()
        before = picture(world), picture(x)
        with pytest.raises((Stop, TraceError)):
            koubai.compile(f)(x)
        assert (picture(world), picture(x)) == before
        assert_untraced(world)


def test_all_that_is_changed_is_changed() -> None:
    """The same disturbance, compiled: the world is as eager leaves it; nothing traced is left."""

    def make() -> Any:
        world = world_of_everything()
        return (lambda x: disturb(world, x)), world

    agree(make, (X.copy(),))


def test_an_error_while_it_runs_changes_nothing() -> None:
    """A label out of range, found by the program: no state is written."""
    model = nn.Linear(3, 2, rng=np.random.default_rng(0))
    count = {"n": np.zeros(())}

    @koubai.compile
    def step(x: Any, t: Any) -> Any:
        count["n"] += 1
        loss = koubai.softmax_cross_entropy(model(x), t)
        loss.backward()
        return loss

    x = np.ones((2, 3), np.float32)
    step(x, np.array([0, 1]))
    before = picture(model), picture(count)
    with pytest.raises(ValueError, match="labels t must lie between 0 and 1"):
        step(x, np.array([0, 2]))
    assert (picture(model), picture(count)) == before
    step(x, np.array([1, 1]))
    assert count["n"] == 2


def test_user_code_is_not_run_by_the_walk() -> None:
    """Properties, __setattr__, __setitem__ and __getattr__ of the user are left alone."""
    calls = []

    class Proud:
        def __init__(self) -> None:
            object.__setattr__(self, "w", X.copy())

        @property
        def loud(self) -> Any:
            calls.append("property")
            return 1

        def __setattr__(self, name: str, value: Any) -> None:
            calls.append(name)
            object.__setattr__(self, name, value)

        def __getattr__(self, name: str) -> Any:
            calls.append(name)
            raise AttributeError(name)

        def __eq__(self, other: object) -> bool:
            calls.append("==")
            return True

        __hash__ = None  # type: ignore[assignment]

    class Strict(dict):  # type: ignore[type-arg]
        def __setitem__(self, key: Any, value: Any) -> None:
            calls.append(key)
            raise TypeError("read-only")

    proud, strict = Proud(), Strict(w=X.copy())
    compiled = koubai.compile(lambda x: x * proud.w + strict["w"])
    compiled(X)
    assert calls == []


def test_a_thread_that_needs_what_another_traces() -> None:
    """It waits until the other has run on traced arrays: the same model, in two functions."""
    started, go_on = threading.Event(), threading.Event()
    layer = nn.Linear(3, 2, rng=np.random.default_rng(0))
    x = X.astype(np.float32)

    def slow(x: Any) -> Any:
        started.set()
        assert go_on.wait(10)
        return layer(x)

    results: dict[str, Any] = {}

    def call(name: str, f: Any) -> threading.Thread:
        thread = threading.Thread(target=lambda: results.update({name: f(x)}))
        thread.start()
        return thread

    known = koubai.compile(lambda x: layer(x) * 3)
    known(x)
    threads = [call("slow", koubai.compile(slow))]
    assert started.wait(10)
    threads += [call("new", koubai.compile(lambda x: layer(x) * 2)), call("known", known)]
    time.sleep(0.05)
    assert not results
    go_on.set()
    for thread in threads:
        thread.join(10)
    expected = layer(x).data
    assert_same(results["slow"].data, expected)
    assert_same(results["new"].data, expected * 2)
    assert_same(results["known"].data, expected * 3)
    assert_untraced((layer, x))


def test_threads_that_start_at_once() -> None:
    """In a new process: what is made once is made by one thread, and LLVM serves one at a time."""
    code = """if True:
        import threading
        import numpy as np
        import koubai

        X = np.arange(12.0).reshape(3, 4)
        functions = [lambda x: np.exp(x) @ x.T, lambda x: np.tanh(x).sum(), lambda x: x[::2] * 2]
        functions = [*functions, *functions]
        barrier = threading.Barrier(len(functions))

        def call(f):
            barrier.wait()
            compiled = koubai.compile(f)
            for i in range(3):
                np.testing.assert_allclose(compiled(X + i), f(X + i))
            right.append(f)

        right = []
        threads = [threading.Thread(target=call, args=(f,)) for f in functions]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert len(right) == len(functions)
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.native
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # of JAX, if another test uses it
def test_a_process_that_is_forked_off() -> None:
    """It runs what was compiled before, and compiles anew."""
    import multiprocessing

    context = multiprocessing.get_context("fork")
    f = koubai.compile(lambda x: x[:, None] @ np.exp(x)[None])
    g = koubai.compile(lambda x: np.tanh(x) + 1)
    expected = f(X)
    receiver, sender = context.Pipe()
    process = context.Process(target=lambda: sender.send((f(X), g(X))))
    process.start()
    assert receiver.poll(20)
    old, new = receiver.recv()
    process.join()
    assert_same(old, expected)
    assert_same(new, g(X))


def test_two_threads() -> None:
    """A trace belongs to its thread: another may compute eagerly meanwhile."""
    started, go_on = threading.Event(), threading.Event()

    def f(x: Any) -> Any:
        started.set()
        assert go_on.wait(10)
        return np.exp(x)

    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(koubai.compile(f)(X)))
    thread.start()
    assert started.wait(10)
    other = koubai.compile(lambda x: x + 1)(X)
    eager = koubai.exp(Variable(X))
    go_on.set()
    thread.join()
    assert_same(results[0], np.exp(X))
    assert_same(other, X + 1)
    assert_same(eager.data, np.exp(X))
