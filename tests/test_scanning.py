"""``koubai.scan``: Python's loop in eager execution; compiled, the same as a native loop."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import koubai
from koubai import Variable, nn, optim
from koubai.book import RNN

Array = np.ndarray[Any, Any]
pytestmark = pytest.mark.native


def values(tree: Any) -> list[Array]:
    """The arrays in what a function returned."""
    if isinstance(tree, tuple | list):
        return [x for part in tree for x in values(part)]
    if isinstance(tree, dict):
        return [x for part in tree.values() for x in values(part)]
    return [] if tree is None else [np.asarray(tree.data if isinstance(tree, Variable) else tree)]


def assert_same(one: Any, two: Any, rtol: float = 1e-12) -> None:
    found, expected = values(one), values(two)
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        assert (x.dtype, x.shape) == (y.dtype, y.shape)
        scale = max(1.0, float(np.abs(y).max(initial=0.0)))
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol * scale)


class Cell:
    """A tanh RNN, with its parameters."""

    def __init__(self, seed: int = 0, dtype: str = "float64") -> None:
        rng = np.random.default_rng(seed)
        self.W = Variable((rng.normal(size=(3, 3)) / 2).astype(dtype), name="W")
        self.b = Variable(rng.normal(size=3).astype(dtype), name="b")
        self.xs = rng.normal(size=(6, 2, 3)).astype(dtype)
        self.h = np.zeros((2, 3), dtype)

    def __call__(self, h: Any, x: Any) -> tuple[Any, Any]:
        h = koubai.tanh(h @ self.W + x + self.b)
        return h, h

    def clear(self) -> None:
        self.W.cleargrad()
        self.b.cleargrad()


# Eager and compiled.


def test_it_is_a_loop() -> None:
    """The carry after the last step, and the results of all, by hand and in both ways."""

    def step(carry: Any, x: Any) -> Any:
        total, count = carry["total"] + x["a"], carry["count"] + 1
        return {"total": total, "count": count}, (total * 2, {"seen": count})

    def run(xs: Array) -> Any:
        return koubai.scan(step, {"total": np.zeros(2), "count": 0}, {"a": xs})

    xs = np.arange(8.0).reshape(4, 2)
    carry, (doubled, more) = run(xs)
    np.testing.assert_array_equal(carry["total"], [12, 16])
    assert carry["count"] == 4
    np.testing.assert_array_equal(doubled, 2 * np.cumsum(xs, axis=0))
    np.testing.assert_array_equal(more["seen"], [1, 2, 3, 4])
    assert_same(koubai.compile(run)(xs), (carry, (doubled, more)))


@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_backwards(length: int) -> None:
    """reverse=True begins with the last element, and leaves results beside their xs."""

    def run(xs: Array) -> Any:
        return koubai.scan(lambda c, x: (c * 2 + x, c * 2 + x), np.array(1.0), xs, reverse=True)

    xs = np.arange(1.0, length + 1)
    expected, c = [], 1.0
    for x in xs[::-1]:
        c = 2 * c + x
        expected.insert(0, c)
    for found in (run(xs), koubai.compile(run)(xs)):
        assert_same(found, (np.array(c), np.array(expected)))


def test_only_a_length() -> None:
    """Without xs the number of steps is given; None for y and for init is nothing at all."""

    def run(x: Array) -> Any:
        return koubai.scan(lambda c, _: (c * x, None), x, length=5)

    x = np.array([2.0, 3.0])
    for f in (run, koubai.compile(run)):
        carry, ys = f(x)
        assert ys is None
        np.testing.assert_array_equal(carry, x**6)


def test_no_steps_assign_nothing() -> None:
    """What a step would assign is as it was."""

    class Box:
        kept, kind = None, "old"

    box = Box()
    box.kept, box.kind = None, "old"

    @koubai.compile
    def run(xs: Array) -> Any:
        def step(c: Any, x: Any) -> Any:
            box.kept, box.kind = x, "new"
            return c, None

        return koubai.scan(step, np.zeros(2), xs)[0]

    run(np.zeros((0, 2)))
    assert (box.kept, box.kind) == (None, "old")
    run(np.ones((1, 2)))
    assert_same(box.kept, np.ones(2))
    assert box.kind == "new"


def test_no_steps() -> None:
    """Compiled, the carry stays and the results are empty; eagerly nobody knows their shape."""

    def run(xs: Array) -> Any:
        return koubai.scan(lambda c, x: (c + x, c * x), np.ones(3), xs)

    assert_same(koubai.compile(run)(np.zeros((0, 3))), (np.ones(3), np.zeros((0, 3))))
    with pytest.raises(ValueError, match="no steps to make"):
        run(np.zeros((0, 3)))


@pytest.mark.parametrize("reverse", [False, True])
def test_gradients(reverse: bool) -> None:
    """Of parameters that the step uses, of init and of xs: compiled, eager and numerical."""
    cell = Cell()
    weights = np.random.default_rng(1).normal(size=cell.xs.shape)

    def loss(h: Any, xs: Any) -> Any:
        last, hs = koubai.scan(cell, h, xs, reverse=reverse)
        return (hs * weights).sum() + (last**3).sum()

    def step(h: Any, xs: Any) -> Any:
        cell.clear()
        h, xs = Variable(h), Variable(xs)
        y = loss(h, xs)
        y.backward()
        return y, cell.W.grad, cell.b.grad, h.grad, xs.grad

    eager = step(cell.h + 0.1, cell.xs)
    assert_same(koubai.compile(step)(cell.h + 0.1, cell.xs), eager)
    report = koubai.check(lambda W: _with(cell, W, loss), cell.W.data)
    assert report.ok, str(report)


def _with(cell: Cell, W: Any, loss: Callable[..., Any]) -> Any:
    kept, cell.W = cell.W, W
    try:
        return loss(cell.h, cell.xs)
    finally:
        cell.W = kept


@pytest.mark.parametrize("order", [2, 3])
def test_higher_orders(order: int) -> None:
    """Gradients of gradients: compiled as eager."""

    def scalar(w: Any) -> Any:
        xs = np.array([0.3, -0.5, 0.8, 0.1])
        last, ys = koubai.scan(lambda c, x: (koubai.sin(c * w + x), c * c), w * 0.5, xs)
        return last + koubai.sum(ys)

    def derivative(w: Any) -> Any:
        f = scalar
        for _ in range(order):
            f = koubai.grad(f)
        return f(w)

    w = np.array(0.7)
    eager = derivative(w)
    assert_same(koubai.compile(derivative)(w), eager, rtol=1e-10)
    step = 1e-5
    f = scalar
    for _ in range(order - 1):
        f = koubai.grad(f)
    numerical = (values(f(w + step))[0] - values(f(w - step))[0]) / (2 * step)
    np.testing.assert_allclose(values(eager)[0], numerical, rtol=1e-5)


def test_a_loop_in_a_loop() -> None:
    """And its gradient."""
    w = Variable(np.array([0.5, -0.3]))

    def inner(c: Any, x: Any) -> Any:
        return koubai.tanh(c * w + x), c

    def outer(c: Any, row: Any) -> Any:
        c, ys = koubai.scan(inner, c, row)
        return c, koubai.sum(ys)

    def step(c: Array, rows: Array) -> Any:
        w.cleargrad()
        last, ys = koubai.scan(outer, c, rows)
        loss = koubai.sum(last) + koubai.sum(ys * ys)
        loss.backward()
        return loss, w.grad

    rng = np.random.default_rng(0)
    c, rows = rng.normal(size=2), rng.normal(size=(4, 3, 2))
    assert_same(koubai.compile(step)(c, rows), step(c, rows))


def test_users_functions() -> None:
    """A hand-written Function in a step: its gradient, and what it keeps is of the last step."""

    class Squash(koubai.Function):
        def forward(self, x: Any) -> Any:
            self.out = np.tanh(x)
            return self.out

        def backward(self, gy: Any) -> Any:
            return gy * (1 - self.out**2)

    f, w = Squash(), Variable(np.array([0.5, 0.2]))

    def step(xs: Array) -> Any:
        w.cleargrad()
        last, ys = koubai.scan(lambda c, x: (f(c * w + x), c), np.ones(2), xs)
        loss = koubai.sum(last) + koubai.sum(ys)
        loss.backward()
        return loss, w.grad

    xs = np.random.default_rng(0).normal(size=(5, 2))
    eager, kept = step(xs), f.out
    f.out = None
    assert_same(koubai.compile(step)(xs), eager)
    assert_same(f.out, kept)


def test_what_two_loops_compute_is_computed_once() -> None:
    """The derivative's loop has no tanh, and no sum of products: one product of all steps."""
    cell = Cell()

    @koubai.compile
    def step(h: Array, xs: Array) -> Any:
        cell.clear()
        _, hs = koubai.scan(cell, h, xs)
        loss = koubai.sum(hs * hs)
        loss.backward()
        return loss, cell.W.grad

    stages = step.lower(cell.h, cell.xs)
    assert stages.optimized.count("= loop") == 2
    assert stages.optimized.count("= tanh") == 1
    backward = stages.optimized.partition("reverse=True")[2]
    assert backward.partition("outputs")[0].count("matmul") == 1
    assert "matmul" in backward.partition("outputs")[2]


# State.


def _trainer(seed: int) -> tuple[Callable[..., Any], nn.Module, Any]:
    rng = np.random.default_rng(seed)
    model = nn.Sequential(nn.Linear(4, 8, rng=rng), nn.ReLU(), nn.Linear(8, 2, rng=rng))
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    def step(_: None, batch: Any) -> Any:
        x, t = batch
        optimizer.zero_grad()
        loss = koubai.softmax_cross_entropy(model(x), t)
        loss.backward()
        optimizer.step()
        return None, loss

    def epoch(xs: Array, ts: Array) -> Any:
        return koubai.scan(step, None, (xs, ts))[1]

    return epoch, model, optimizer


def test_an_epoch_of_training() -> None:
    """Parameters and the optimizer's state go from step to step: as eager, epoch by epoch."""
    rng = np.random.default_rng(0)
    xs, ts = rng.normal(size=(20, 5, 4)).astype(np.float32), rng.integers(0, 2, (20, 5))
    eager, model, optimizer = _trainer(1)
    function, other, others = _trainer(1)
    compiled = koubai.compile(function)
    for _ in range(3):
        assert_same(compiled(xs, ts), eager(xs, ts), rtol=1e-5)
        pairs = zip(other.parameters(), model.parameters(), strict=True)
        for p, q in pairs:
            np.testing.assert_allclose(p.data, q.data, rtol=1e-4, atol=1e-6)
        assert others.t == optimizer.t
    assert len(compiled.programs) == 1
    found = compiled.explain(xs, ts)
    assert [kernel.kind for kernel in found.kernels] == ["loop"]
    assert all(kernel.kind != "numpy" for kernel in found.kernels[0].inside)


def test_snapshots_and_errors_leave_the_world_alone() -> None:
    """A parameter saved before an epoch stays; a wrong label in the middle changes nothing."""
    rng = np.random.default_rng(0)
    xs, ts = rng.normal(size=(20, 5, 4)).astype(np.float32), rng.integers(0, 2, (20, 5))
    function, model, optimizer = _trainer(1)
    compiled = koubai.compile(function)
    compiled(xs, ts)
    saved = [p.data for p in model.parameters()]
    copies = [x.copy() for x in saved]
    compiled(xs, ts)
    for x, y in zip(saved, copies, strict=True):
        np.testing.assert_array_equal(x, y)
    before, t = [p.data.copy() for p in model.parameters()], optimizer.t.copy()
    wrong = ts.copy()
    wrong[13, 2] = 7
    with pytest.raises(ValueError, match="labels t must lie between 0 and 1"):
        compiled(xs, wrong)
    assert optimizer.t == t
    for p, old in zip(model.parameters(), before, strict=True):
        np.testing.assert_array_equal(p.data, old)


def test_attributes_dicts_and_writes_in_place() -> None:
    """Whatever a step assigns: numbers that become arrays, elements of dicts, x[i] = ..., +=."""

    class Seen:
        def __init__(self) -> None:
            self.total, self.kinds = 0.0, {"a": np.zeros(2)}
            self.buffer, self.last = np.zeros(3), None

    def run(seen: Seen, xs: Array) -> Any:
        def step(c: Any, x: Any) -> Any:
            seen.total = seen.total + x
            seen.kinds["a"] = seen.kinds["a"] * 2 + x
            seen.buffer[1:] += x
            seen.last = (x, c)
            return c + seen.total, x

        return koubai.scan(step, np.array(0.0), xs)

    xs = np.array([1.0, 2.0, 3.0])
    one, two = Seen(), Seen()
    eager, compiled = run(one, xs), koubai.compile(run)(two, xs)
    assert_same(compiled, eager)
    assert_same([two.total, two.kinds, two.buffer], [one.total, one.kinds, one.buffer])
    assert_same(two.last, one.last)


def test_gradients_with_state() -> None:
    """A step of the derivative sees the world as the step did: dropout, running means."""

    def build() -> Any:
        generator, w = koubai.random.Generator(3), Variable(np.linspace(0.5, 1.0, 4))
        mean = {"value": np.zeros(4)}

        def step(xs: Array) -> Any:
            w.cleargrad()

            def inside(c: Any, x: Any) -> Any:
                mean["value"] = 0.9 * mean["value"] + 0.1 * x
                c = koubai.dropout(koubai.tanh(c * w + mean["value"]), 0.3, generator=generator)
                return c, c

            last, ys = koubai.scan(inside, np.ones(4), xs)
            loss = koubai.sum(last**2) + koubai.sum(ys * ys)
            loss.backward()
            return loss, w.grad, mean, generator.counter

        return step

    xs = np.random.default_rng(0).normal(size=(5, 4))
    eager, compiled = build(), koubai.compile(build())
    for _ in range(2):
        assert_same(compiled(xs), eager(xs))


def _first_is_another(s: Any) -> Any:
    def step(c: Any, x: Any) -> Any:
        c = x if s.first else c + x
        s.first = False
        return c, None

    return step


def _old_is_a_number(s: Any) -> Any:
    def step(c: Any, x: Any) -> Any:
        k, s.k = s.k, 1
        return c + k * x, None

    return step


def _old_goes_on(s: Any) -> Any:
    def step(c: Any, x: Any) -> Any:
        s.first, s.k = s.k == 2, 1
        return c + x, None

    return step


@pytest.mark.parametrize("make", [_first_is_another, _old_is_a_number, _old_goes_on])
def test_a_first_step_that_differs_is_refused(make: Any) -> None:
    """A decision on what another step has assigned can't be compiled; eagerly it can."""

    class State:
        first, k = True, 2

    def run(state: Any, xs: Array) -> Any:
        return koubai.scan(make(state), np.array(100.0), xs)[0]

    xs, state = np.array([1.0, 2.0, 4.0]), State()
    state.first, state.k = True, 2
    with pytest.raises(koubai.compiler.TraceError, match="the first step of scan finds another"):
        koubai.compile(run)(state, xs)
    assert (state.first, state.k) == (True, 2)
    assert run(state, xs) in (7.0, 108.0, 107.0)


def test_numbers_that_are_written_before_they_are_read() -> None:
    """They may be something else before the first step: a shape that is kept, a mode."""

    class Layer:
        shape = mode = None

    layer = Layer()
    layer.shape = layer.mode = None

    def run(xs: Array) -> Any:
        def step(c: Any, x: Any) -> Any:
            layer.shape, layer.mode = x.shape, "train"
            return c + koubai.sum(x) * layer.shape[0], layer.mode == "train"

        return koubai.scan(lambda c, x: (step(c, x)[0], None), 0.0, xs)[0]

    xs = np.ones((3, 2))
    assert_same(koubai.compile(run)(xs), run(xs))
    assert (layer.shape, layer.mode) == ((2,), "train")


def test_writes_in_place_stay_in_the_step() -> None:
    """What a step gets is its own, and what it returns is what it is then: both ways alike."""
    buffer = np.zeros(3)

    def run(init: Array, xs: Array) -> Any:
        seen = np.zeros(3) + init[0]

        def step(c: Any, x: Any) -> Any:
            c += x
            c[0] = x[1] * 2
            x *= 3
            buffer[:] += x
            seen[1:] += c[:-1]
            return c, (buffer, seen, c)

        return *koubai.scan(step, init, xs), seen

    xs = np.random.default_rng(0).normal(size=(4, 3))
    given, init = xs.copy(), np.ones(3)
    eager, after = run(init, given), buffer.copy()
    np.testing.assert_array_equal(given, xs)
    np.testing.assert_array_equal(init, np.ones(3))
    buffer[:] = 0
    assert_same(koubai.compile(run)(init, given), eager)
    assert_same(buffer, after)


def test_parameters_as_results() -> None:
    """A Variable that a later step changes is what it was in its step."""
    w = Variable(np.ones(1))
    optimizer = optim.SGD([w], lr=0.1)

    def run(xs: Array) -> Any:
        def step(_: Any, x: Any) -> Any:
            optimizer.zero_grad()
            koubai.sum((w * x - 1) ** 2).backward()
            optimizer.step()
            return None, w

        return koubai.scan(step, None, xs)[1]

    xs = np.array([[2.0], [3.0], [4.0]])
    eager = run(xs)
    np.testing.assert_allclose(eager.data[:, 0], [0.6, 0.12, 0.536])
    w.data = np.ones(1)
    assert_same(koubai.compile(run)(xs), eager)


def test_sums_that_are_used_on_the_way() -> None:
    """A running sum of products is no single product if its steps are results too."""

    def run(xs: Array) -> Any:
        def step(c: Any, x: Any) -> Any:
            c = c + x.T @ x
            return c, (c, koubai.sum(c))

        return koubai.scan(step, np.zeros((3, 3)), xs)

    xs = np.random.default_rng(0).normal(size=(4, 2, 3))
    assert_same(koubai.compile(run)(xs), run(xs))


def test_layers_in_inner_loops_and_local_state() -> None:
    """An inner loop's layer keeps its last input; arrays made in the function are state, too."""

    class Square(koubai.Function):
        def forward(self, x: Any) -> Any:
            self.x = x
            return x * x

        def backward(self, gy: Any) -> Any:
            return 2 * self.x * gy

    square, w = Square(), Variable(np.array([0.5, 0.2]))

    def run(rows: Array) -> Any:
        w.cleargrad()
        local = {"n": np.zeros(2)}

        def inner(c: Any, x: Any) -> Any:
            local["n"] = local["n"] + x
            return square(c * w + x), None

        def outer(c: Any, row: Any) -> Any:
            return koubai.scan(inner, c, row)

        last, _ = koubai.scan(outer, np.zeros(2), rows)
        koubai.sum(last).backward()
        return last, w.grad, local["n"]

    rows = np.random.default_rng(0).normal(size=(3, 2, 2)) / 4
    assert_same(koubai.compile(run)(rows), run(rows))


def test_gradients_that_add_up() -> None:
    """Over steps, if they begin with zeros; the error says so."""
    w = Variable(np.ones(2))

    def run(xs: Array) -> Any:
        def step(_: Any, x: Any) -> Any:
            koubai.sum(w * x).backward()
            return None, None

        koubai.scan(step, None, xs)
        return w.grad

    xs = np.ones((3, 2))
    with pytest.raises(koubai.compiler.TraceError, match="A gradient that is to add up begins"):
        koubai.compile(run)(xs)
    w.grad = np.zeros(2)
    assert_same(koubai.compile(run)(xs), np.full(2, 3.0))


def test_no_gradient_through_assigned_variables() -> None:
    """Their history ends with the step: an error, not half a gradient."""

    class Memory:
        h = Variable(np.ones(2))

    memory = Memory()
    memory.h = Variable(np.ones(2))
    w = Variable(np.ones(2))

    @koubai.compile
    def step(xs: Array) -> Any:
        def inside(c: Any, x: Any) -> Any:
            memory.h = memory.h * w + x
            return c, memory.h

        loss = koubai.sum(koubai.scan(inside, None, xs)[1])
        loss.backward()
        return loss

    with pytest.raises(ValueError, match=r"reads memory\.h, a Variable"):
        step(np.ones((3, 2)))


# Bad input.


@pytest.mark.parametrize("compiled", [False, True])
def test_bad_input(compiled: bool) -> None:
    """What is wrong, and where."""

    def scan(*args: Any, **kwargs: Any) -> Any:
        def call(x: Any) -> Any:
            return koubai.scan(*[x if a is Ellipsis else a for a in args], **kwargs)

        return (koubai.compile(call) if compiled else call)(np.ones((4, 2)))

    with pytest.raises(ValueError, match=r"carry 0 is float64\[2\] before .*float64\[2, 2\] after"):
        scan(lambda c, x: (koubai.stack([x, x]), x), np.zeros(2), ...)
    with pytest.raises(ValueError, match=r"carry 0 is float32\[2\] before .*float64\[2\] after"):
        scan(lambda c, x: (c + x, x), np.zeros(2, np.float32), ...)
    with pytest.raises(ValueError, match="the same structure"):
        scan(lambda c, x: ((c, x), x), np.zeros(2), ...)
    with pytest.raises(ValueError, match="the same structure"):
        scan(lambda c, x: ({"b": c["a"]}, x), {"a": np.zeros(2)}, ...)
    with pytest.raises(TypeError, match=r"two values, \(carry, y\), not float64\[2\]"):
        scan(lambda c, x: c + x, np.zeros(2), ...)
    with pytest.raises(ValueError, match="4 elements, for 3 steps"):
        scan(lambda c, x: (c, x), np.zeros(2), ..., length=3)
    with pytest.raises(ValueError, match="5 elements, for 4 steps"):
        scan(lambda c, x: (c, None), None, (np.ones(4), np.ones(5)))
    with pytest.raises(ValueError, match="first axis"):
        scan(lambda c, x: (c, x), None, 3.0)
    with pytest.raises(ValueError, match="length="):
        scan(lambda c, x: (c, x), None)
    with pytest.raises(TypeError, match=r"length must be a whole number, not 6\.0"):
        scan(lambda c, x: (c, x), None, length=6.0)
    with pytest.raises(ValueError, match=r"write np\.array\(xs\)"):
        scan(lambda c, x: (c, x), None, [[1.0, 2.0], [3.0, 4.0]])


def test_what_can_not_be_carried() -> None:
    """Numbers that count, arrays that come to be, values that get out: it says what to do."""

    class Box:
        count, grad, kept = 0, None, None

    box, out = Box(), []

    def counts(c: Any, x: Any) -> Any:
        box.count += 1
        return c + x, None

    def begins(c: Any, x: Any) -> Any:
        box.kept = x if box.kept is None else box.kept + x
        return c, None

    def leaks(c: Any, x: Any) -> Any:
        out.append(x)
        return c, None

    def run(step: Any) -> Any:
        return koubai.compile(lambda xs: koubai.scan(step, np.zeros(2), xs))(np.ones((3, 2)))

    with pytest.raises(koubai.compiler.TraceError, match=r"box\.count is another thing after each"):
        run(counts)
    assert box.count == 0
    with pytest.raises(koubai.compiler.TraceError, match=r"a step of scan reads box\.kept"):
        run(begins)
    with pytest.raises(koubai.compiler.TraceError, match="changes the length of a list, out"):
        run(leaks)
    assert box.kept is None
    assert not out


# While it runs.


def test_ctrl_c_stops_a_long_loop() -> None:
    """With KeyboardInterrupt, long before its end; what it assigns is as it was before."""
    code = """
import os, signal, threading
import numpy as np
import koubai

state = {"n": np.zeros(())}

@koubai.compile
def run(x):
    def step(c, _):
        state["n"] = state["n"] + 1
        return koubai.sin(c) + x, None
    return koubai.scan(step, x, length=10**9)[0]

x = np.ones(1000)
run.explain(x)  # compiles
threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    run(x)
except KeyboardInterrupt:
    print("stopped", state["n"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "stopped 0.0\n"


def test_others_run_during_a_long_loop() -> None:
    """Another Python thread goes on; it may call the same function, and waits for it then."""

    @koubai.compile
    def run(x: Array) -> Any:
        return koubai.scan(lambda c, _: (koubai.sin(c) + x, None), x, length=30_000)[0]

    x = np.ones(20_000)
    run.explain(x)  # compiles
    ticks = 0
    done = threading.Event()

    def other() -> None:
        nonlocal ticks
        while not done.is_set():
            ticks += 1
            time.sleep(0.01)

    thread = threading.Thread(target=other)
    thread.start()
    run(x)
    done.set()
    thread.join()
    assert ticks > 5


def test_watch_looks_into_loops() -> None:
    """koubai.watch() names the first NaN within a step."""

    @koubai.compile
    def run(xs: Array) -> Any:
        return koubai.scan(lambda c, x: (c + koubai.log(x), None), np.zeros(()), xs)[0]

    with np.errstate(all="ignore"), koubai.watch(), pytest.raises(FloatingPointError, match="log"):
        run(np.array([1.0, -1.0, 2.0]))


def test_the_books_rnn_by_scan() -> None:
    """The notebooks' RNN layer as a step has the gradients of the loop by hand."""
    rng = np.random.default_rng(0)
    Wx, Wh, b = rng.normal(size=(3, 4)), rng.normal(size=(4, 4)) / 2, rng.normal(size=4)
    xs, h0 = rng.normal(size=(5, 2, 3)), np.zeros((2, 4))
    layers = [RNN(Wx, Wh, b) for _ in xs]
    h = h0
    for layer, x in zip(layers, xs, strict=True):
        h = layer.forward(x, h)
    dh, total = np.ones_like(h), np.zeros_like(Wh)
    for layer in reversed(layers):
        _, dh = layer.backward(dh)
        total += layer.grads[1]
    w = Variable(Wh)
    last, _ = koubai.scan(lambda h, x: (koubai.tanh(x @ Wx + h @ w + b), None), h0, xs)
    last.sum().backward()
    np.testing.assert_allclose(w.grad, total, rtol=1e-10)
