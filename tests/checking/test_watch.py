"""``watch()`` stops at the first NaN or Inf and says where it comes from; after it, no trace."""

import contextlib
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from core.random_graphs import random_graph
from op_table import OPERATIONS
from ops.checks import Call
from ops.row import Operation

import koubai
from koubai import Function, Variable, watch
from koubai.checking import NotFinite
from koubai.compiler import TraceError
from koubai.core import propagate
from koubai.nn import Linear
from koubai.optim import SGD, Optimizer

INF = np.inf


def stopped(f: Callable[[], Any]) -> str:
    """What watch() says about f."""
    with pytest.raises(NotFinite) as caught, watch():
        f()
    return str(caught.value)


class Double(Function):
    def forward(self, x: Any) -> Any:
        return 2 * x

    def backward(self, gy: Any) -> Any:
        return 2 * gy


# Forward.


def test_the_operation_that_made_it() -> None:
    """The message has the operation, ranges, names, the element, the line, and what to do."""
    x, y = Variable(np.array([1.0, 5.0, 3.0], np.float32), name="x"), np.array([1.0, 0.0, 2.0])

    def f() -> None:
        x.reshape(3) / y  # the line

    assert stopped(f).splitlines() == [
        "Divide made Inf of finite numbers; the first at [1]",
        "  x1: float32[3], from 1 to 5; there 5",
        "  x2: float64[3], from 0 to 2; there 0",
        "  result: float64[3], from 1 to 1.5, 1 Inf",
        f"  called at test_watch.py:{f.__code__.co_firstlineno + 1}, in f: x.reshape(3) / y  # the"
        " line",
        "  Try: keep what you divide by away from 0: a / (b + 1e-8), or where(b == 0, 1, b)",
    ]


def test_nan_in_the_data() -> None:
    """NaN that was in a leaf, or an array: the operation passed it on, and the leaf is named."""
    x = Variable([[1.0, np.nan]], name="data")
    said = stopped(lambda: x.sum(axis=1) + 1)
    assert said.startswith("Sum was given NaN, in x 'data', and passed it on; the first at [0]")
    assert "x 'data' is the leaf 'data': data or a parameter that holds NaN" in said
    assert "Try" not in said
    said = stopped(lambda: Variable([1.0, 2.0]) * np.array([np.nan, 1.0]))
    assert "x2 is an array that was passed in" in said


def test_nan_from_before() -> None:
    """NaN that was computed outside watch() is followed back to the leaf, or to who made it."""
    x = Variable([1.0, np.nan], name="data")
    h = koubai.exp(x * 2)
    assert "it comes from the leaf 'data'" in stopped(lambda: h + 1)
    with np.errstate(all="ignore"):
        h = koubai.log(Variable([-1.0])) * 2
    assert "x1 has its NaN from before watch(): Log, made it" in stopped(lambda: h + 1)


def test_inf_on_purpose() -> None:
    """Inf that came in may be passed on: masks with -inf work, forward and backward."""
    scores, mask = Variable([[1.0, 2.0, 3.0]]), np.array([[0.0, -INF, 0.0]])
    with watch():
        (koubai.softmax(scores + mask) * np.arange(3.0)).sum().backward()
        koubai.log_softmax(koubai.where(mask == 0, scores, -INF)).max().backward()
        assert koubai.maximum(Variable([-INF]), 0.0).data == 0
        assert (-Variable([INF])).data == -INF


def test_inf_that_was_made() -> None:
    """Inf of finite numbers stops; so does NaN that is made of Inf."""
    assert stopped(lambda: koubai.exp(Variable([1.0, 800.0]))).startswith("Exp made Inf")
    said = stopped(lambda: koubai.softmax(Variable([[1.0, 2.0]]) + np.full((1, 2), -INF)))
    assert said.startswith("Softmax made NaN of Inf, which is in x")
    assert "leave one of its places unmasked" in said


def test_without_a_graph() -> None:
    """Inside no_grad() and with integers all is the same."""

    def f() -> None:
        with koubai.no_grad():
            koubai.log(Variable([0.0]))

    assert stopped(f).startswith("Log made Inf")
    with watch():
        assert (Variable([1, 2]) * 2).data.tolist() == [2, 4]


def test_several_outputs() -> None:
    """Each output of a function is looked at."""

    class Two(Function):
        def forward(self, x: Any) -> Any:
            return x, x / 0

        def backward(self, *gys: Any) -> Any:
            return gys[0]

    assert stopped(lambda: Two()(Variable([1.0]))).startswith("Two made Inf")


# Backward.


def test_backward_names_the_function_and_the_way() -> None:
    """The function, the gradient that it got, where it was called, the way to the loss."""
    x = Variable([4.0, 0.0], name="x")

    def f() -> None:
        y = koubai.sqrt(x)
        z = y * 3.0
        z.sum().backward()

    line = f.__code__.co_firstlineno
    assert stopped(f).splitlines() == [
        "the backward of Sqrt made Inf of finite numbers; the first at [1]",
        "  the gradient it was given: float64[2], all 3; there 3",
        "  x 'x': float64[2], from 0 to 4; there 0",
        "  the gradient it gave x 'x': float64[2], from 0.75 to 0.75, 1 Inf",
        f"  Sqrt was called at test_watch.py:{line + 1}, in f: y = koubai.sqrt(x)",
        "  from there to the result of Sum:",
        f"    Multiply, called at test_watch.py:{line + 2}, in f: z = y * 3.0",
        f"    Sum, called at test_watch.py:{line + 3}, in f: z.sum().backward()",
        "  Try: keep x above 0, where the derivative is infinite: sqrt(x + 1e-8)",
    ]


def test_the_one_of_several_uses() -> None:
    """Where a Variable has several uses, the function that gave NaN is named, not the others."""

    class Wrong(Double):
        def backward(self, gy: Any) -> Any:
            return gy * np.nan

    x = Variable([1.0, 2.0])
    said = stopped(lambda: (Double()(x) + Wrong()(x) + koubai.exp(x)).sum().backward())
    assert said.startswith("the backward of Wrong made NaN of finite numbers")


def test_what_is_not_chosen() -> None:
    """The trap of where(): a gradient of 0 times an infinite derivative is NaN."""
    x = Variable([0.0, 4.0])
    said = stopped(lambda: koubai.where(x.data > 0, koubai.sqrt(x), 0.0).sum().backward())
    assert "the backward of Sqrt made NaN" in said
    assert "the gradient it was given: float64[2], from 0 to 1; there 0" in said


def test_too_large_for_the_dtype() -> None:
    """A gradient that is finite in float64 and not in the float32 of its Variable."""
    x = Variable(np.ones(2, np.float32))
    said = stopped(lambda: (x * np.full(2, 1e300)).sum().backward())
    assert "does not fit into float32" in said


def test_sums_of_gradients() -> None:
    """Finite gradients whose sum is not, and a backward pass that starts from NaN."""
    x, y = Variable([1.0], name="x"), Variable([1.0, 1.0])
    big = np.array([1e308])
    assert "the gradient of 'x' became Inf when it was summed" in stopped(
        lambda: (x * big + x * big * 0.5).backward(np.array([1.5]))
    )
    assert "starts from NaN" in stopped(lambda: (y * 2).backward(np.array([1.0, np.nan])))


def test_higher_orders() -> None:
    """With create_graph=True, in grad(), and inside a checkpoint."""
    x = Variable([0.0])

    def higher() -> None:
        koubai.sqrt(x).backward(create_graph=True)

    with pytest.raises(NotFinite, match="Divide made Inf") as caught, watch():
        higher()
    assert any("backward of Sqrt" in note for note in caught.value.__notes__)
    assert "the backward of Sqrt" in stopped(lambda: koubai.grad(lambda x: koubai.sqrt(x).sum())(x))
    part = koubai.checkpoint(lambda x: koubai.sqrt(x).sum())
    assert "the backward of Sqrt" in stopped(lambda: part(x).backward())


def test_a_step_of_an_optimizer() -> None:
    """A parameter that an update made infinite: before, gradient, optimizer and line."""
    x = Variable([1e30], name="W")
    optimizer = SGD([x], lr=1e300)

    def f() -> None:
        (x * x).backward()
        optimizer.step()

    said = stopped(f)
    assert said.startswith("SGD(1 parameter, lr=1e+300, momentum=0.0).step() made parameter 0 'W'")
    assert "its gradient: float64[1], from 2e+30 to 2e+30" in said
    assert "in f: optimizer.step()" in said


# Compiled.


def test_compiled_forward() -> None:
    """In a compiled function the instruction is named, the function and the user's line."""

    @koubai.compile
    def f(x: Any) -> Any:
        return koubai.log(x * 2) + 1

    said = stopped(lambda: f(np.array([1.0, 0.0])))
    assert said.startswith("log made Inf of finite numbers; the first at [1]")
    for words in ("; there 0", "a part of Log", "in f: return koubai.log(x * 2) + 1", "Try: keep"):
        assert words in said
    said = stopped(lambda: f(np.array([1.0, np.nan])))
    assert "multiply was given NaN" in said
    assert "it came in with input %0 of the program" in said
    with watch():
        f(np.array([1.0, 2.0]))
    with np.errstate(all="ignore"):
        assert f(np.array([0.0])) == -INF  # nobody watches


def test_compiled_backward() -> None:
    """In a backward pass also the line that called the function; nothing has been assigned."""
    W = Variable([4.0, 1.0])
    optimizer = SGD([W], lr=1.0)

    @koubai.compile
    def step(x: Any) -> Any:
        optimizer.zero_grad()
        y = koubai.sqrt(W * x)
        loss = y.sum()
        loss.backward()
        optimizer.step()
        return loss

    said = stopped(lambda: step(np.array([1.0, 0.0])))
    assert "a part of the backward of Sqrt, which was called at test_watch.py" in said
    assert "in step: y = koubai.sqrt(W * x)" in said
    assert W.data.tolist() == [4.0, 1.0]
    with watch():
        step(np.ones(2))
    assert W.data.tolist() == [3.75, 0.5]


def test_compiled_what_nobody_needs() -> None:
    """Inf in the gradient of a constant, which nobody uses, does not stop; nor does a mask."""
    x, mask = Variable([1.0, 2.0]), np.array([0.0, -INF])

    @koubai.compile
    def f(mask: Any) -> Any:
        x.cleargrad()
        y = koubai.where(mask == 0, x * koubai.where(mask == 0, 1.0, 0.0), mask)
        koubai.softmax(y + mask).max().backward()
        (x * koubai.exp(mask)).sum().backward()
        return x.grad

    with watch():
        assert np.isfinite(f(mask)).all()

    large = Variable([1e200])

    @koubai.compile
    def g(c: Any) -> Any:
        (c * large * 1e200).sum().backward()  # dy/dc would be 1e400
        return large.grad

    with watch():
        assert g(np.array([1e-200])) == 1


def test_compiled_once() -> None:
    """Watching compiles nothing anew, also if the function uses a class of the user's."""

    class Keeps(Double):
        def forward(self, x: Any) -> Any:
            self.x = x
            return 2 * x

    x = Variable([1.0, 2.0])
    double = Keeps()

    @koubai.compile
    def f() -> Any:
        y = double(x).sum()
        y.backward()
        return y

    with watch():
        double(x).sum().backward()
    x.cleargrad()
    f()
    for _ in range(2):
        x.cleargrad()
        x.data = x.data + 1
        with watch():
            double(x)
            f()
    assert len(f.programs) == 1


# No false alarms, no traces.


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_operations_do_not_stop(operation: Operation) -> None:
    """The table's ordinary samples run through, forward and backward, the first three compiled."""
    for i, sample in enumerate(operation.samples):
        call = Call(operation, sample)

        def run(*xs: Any, call: Call = call) -> Any:
            variables = [Variable(x) for x in xs]
            y = call.ours(*variables)
            for part in y if isinstance(y, (tuple, list)) else (y,):
                part.backward(np.ones_like(part.data))
            return [v.grad for v in variables]

        with watch():
            run(*call.xs)
            if i < 3:
                with contextlib.suppress(TraceError):  # a mask as an index
                    koubai.compile(run)(*call.xs)


def test_the_same_gradients() -> None:
    """Watched gradients are the others to the bit."""
    for seed in range(30):
        leaves, y = random_graph(seed)
        y.backward()
        expected = [x.grad for x in leaves]
        with watch():
            leaves, y = random_graph(seed)
            y.backward()
        for x, g in zip(leaves, expected, strict=True):
            np.testing.assert_array_equal(x.grad, g)


def test_nothing_is_left_behind() -> None:
    """After watch(), nested and ended by an error too, the engine is as it was."""

    def engine() -> list[Any]:
        modules = [m for name, m in list(sys.modules.items()) if name.startswith("koubai.")]
        passes = [vars(m)["propagate"] for m in modules if "propagate" in vars(m)]
        return [Function.__call__, Optimizer.step, *passes]

    before = engine()
    assert before[2:].count(propagate) == len(before[2:]) > 3
    with watch(), watch():
        assert engine() != before
    assert engine() == before
    stopped(lambda: koubai.log(Variable(0.0)))
    assert engine() == before
    with watch():
        with watch():
            pass
        with pytest.raises(NotFinite):
            koubai.log(Variable(0.0))

    @watch()
    def decorated() -> None:
        koubai.log(Variable(0.0))

    with pytest.raises(NotFinite):
        decorated()


def test_other_threads() -> None:
    """Another thread is not watched."""
    results: list[Any] = []

    def other() -> None:
        with np.errstate(all="ignore"):
            y = koubai.log(Variable([0.0], name="x"))
            y.backward()
            results.append(y.data)

    with watch():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert results == [-INF]


# Arrays that were written into.


def test_an_array_that_was_written_into() -> None:
    """Between forward and backward: the function, its word for the array, the line, the way out."""
    x, W = Variable(np.ones((2, 3)), name="x"), Variable(np.ones((3, 2)), name="W")

    def f() -> None:
        y = x @ W
        W.data -= 0.1
        y.sum().backward()

    with pytest.raises(ValueError, match="written into") as caught, watch():
        f()
    said = str(caught.value)
    assert "Matmul keeps for backward was written into after the call: its x2" in said
    assert "the array of its input x2 'W'" in said
    assert "in f: y = x @ W" in said
    assert "x.data = x.data - step" in said
    assert W.grad is None


@pytest.mark.parametrize("where", ["input", "output", "view", "list"])
def test_what_counts_as_written(where: str) -> None:
    """An input, an output that is kept, a view of an array, one in a list of the function's."""

    class Keeps(Double):
        def forward(self, x: Any) -> Any:
            self.kept = [x, {"x": x}]
            return 2 * x

    base = np.ones((2, 2))
    x = Variable(base[0] if where == "view" else base)
    with watch():
        y = koubai.tanh(x) if where == "output" else Keeps()(x) if where == "list" else x * x
        (y.data if where == "output" else base)[...] = 0
        with pytest.raises(ValueError, match="written into"):
            y.sum().backward()


def test_writes_that_do_no_harm() -> None:
    """A new array, a write after backward, and one to what nobody keeps are fine."""
    x, W = Variable(np.ones(3)), Variable(np.ones(3))
    with watch():
        y = x * W
        W.data = W.data - 0.1
        y.sum().backward()
        W.data -= 0.1
        y = x + W
        W.data -= 0.1
        y.sum().backward()
        y = x * 2
        y[0] = 0
        y.sum().backward()


def test_a_function_that_reads_its_input() -> None:
    """A user's backward that says self.input.data keeps the input's array."""

    class Square(Function):
        def forward(self, x: Any) -> Any:
            return x * x

        def backward(self, gy: Any) -> Any:
            return 2 * self.input.data * gy

    x = Variable(np.ones(3))
    with watch():
        y = Square()(x)
        x.data *= 2
        with pytest.raises(ValueError, match=r"Square keeps .* its x\.data"):
            y.sum().backward()


def test_a_functions_own_writes() -> None:
    """What a function writes into its own arrays, forward or backward, is its own business."""

    class Norm(Function):
        def __init__(self) -> None:
            self.running, self.grads = np.zeros(3), [np.zeros(3)]

        def forward(self, x: Any) -> Any:
            self.running += 0.1 * x
            return x * 1.0

        def backward(self, gy: Any) -> Any:
            self.grads[0][...] = gy
            return gy

    norm, x = Norm(), Variable(np.ones(3))
    with watch():
        y = norm(norm(norm(x)))
        y.sum().backward()
        y.sum().backward()
        norm(x).sum().backward()


def test_an_older_call() -> None:
    """Of an instance that was called again, the older call is checked as well."""

    class Keeps(Double):
        def forward(self, x: Any) -> Any:
            self.x = x
            return 2 * x

    f, first, second = Keeps(), Variable(np.ones(2)), Variable(np.ones(2))
    with watch():
        y = f(first)
        z = f(second)
        first.data += 1
        z.sum().backward()
        with pytest.raises(ValueError, match="written into"):
            y.sum().backward()


def test_a_training_step() -> None:
    """Modules and optimizers run through, step after step."""
    model = Linear(3, 2, rng=np.random.default_rng(0))
    optimizer = SGD(model.parameters(), lr=0.1)
    x, t = np.ones((4, 3), np.float32), np.array([0, 1, 0, 1])
    with watch():
        for _ in range(3):
            loss = koubai.softmax_cross_entropy(model(x), t)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
