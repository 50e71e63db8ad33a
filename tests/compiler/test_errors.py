"""What can't be compiled: an error with the user's line and the spelling that works."""

from __future__ import annotations

import functools
import operator
import random
import threading
import time
from typing import Any

import numpy as np
import pytest
from compiler.agree import assert_same, assert_untraced

import koubai
from koubai import Variable, nn, optim
from koubai.compiler import TraceError
from koubai.compiler.runtime import threads
from koubai.compiler.trace.traced import Traced

X = np.arange(1.0, 7.0).reshape(2, 3)
T = np.array([2, 0])
ESCAPED: Any = None
LIST: list[Any] = []
RNG = np.random.default_rng(0)


def refused(f: Any, *words: str, args: tuple[Any, ...] = (X, T)) -> None:
    """``f`` compiled raises a TraceError with ``words``, this file and the line of f."""
    with pytest.raises(TraceError) as caught:
        koubai.compile(f)(*args)
    message = str(caught.value)
    for word in (*words, "test_errors.py:"):
        assert word in message, message
    line = f.__code__.co_firstlineno
    number = int(message.rpartition("test_errors.py:")[2].split(",")[0])
    assert line <= number <= line + 8, message
    assert_untraced((f, args))


def test_decisions() -> None:
    """if, while, and, or, not, in, comparisons in a chain."""
    words = ("a decision (if, while, and, or)", "Traced(bool[])", "where(condition, a, b)")
    refused(lambda x, t: 1 if np.sum(x) > 1 else 2, *words)
    refused(lambda x, t: x.sum() > 1 and x, *words)
    refused(lambda x, t: not np.any(x), *words)
    refused(lambda x, t: 0 < x.sum() < 1, *words)
    refused(lambda x, t: max(x.sum(), x.mean()), *words)
    refused(lambda x, t: x.sum() in [1, 2], *words)

    def with_variables(x: Any, t: Any) -> Any:
        loss = koubai.sum(Variable(x))
        if loss > 1:
            return loss
        return None

    refused(with_variables, *words)


def test_numbers() -> None:
    """float(), int(), item(), and what calls them."""
    refused(lambda x, t: float(x.sum()), "float() of Traced(float64[])", "return it, and write")
    refused(lambda x, t: int(x.sum()), "int() of Traced", "int(...) on what the call returns")
    refused(lambda x, t: x.sum().item(), "item() of Traced", "on what the call returns")
    refused(lambda x, t: Variable(x).data.sum().item(), "item()")
    refused(lambda x, t: koubai.sum(Variable(x)).item(), "item()", "on what the call returns")
    refused(lambda x, t: __import__("math").exp(x.sum()), "float()")
    for number in (float, int, np.asarray):
        refused(lambda x, t, f=number: f(koubai.sum(Variable(x))), "of Traced(float64[])")
    refused(lambda x, t: x.tolist(), "tolist() of Traced(float64[2, 3])", ".tolist() on what")
    refused(lambda x, t: float(koubai.sum(Variable(x))), "float()", "return it, and write float(")
    refused(lambda x, t: np.asarray(Variable(x)), "np.asarray()", "leave it out")


def test_shapes_that_depend_on_numbers() -> None:
    """Masks that select, nonzero, lengths and ranges."""
    mask = ("mask Traced(bool[2, 3])", "how many elements", "write where(mask, x, 0)")
    refused(lambda x, t: x[x > 0], *mask)
    refused(lambda x, t: x[x > 0] + 1, *mask)
    refused(lambda x, t: x[x[:, 0] > 0, 1], "mask Traced(bool[2])", "np.nonzero(mask)")
    nonzero = ("how many elements it finds", "where(condition, a, b)")
    refused(lambda x, t: np.nonzero(x), *nonzero)
    refused(lambda x, t: np.where(x > 0), *nonzero)
    refused(lambda x, t: koubai.nonzero(x), *nonzero)
    index = ("an index, a length or a shape of Traced(int64[])", "pass a Python number, int(n)")
    refused(lambda x, t: list(range(t[0])), *index)
    refused(lambda x, t: np.zeros(t[0]), *index)
    refused(lambda x, t: x[: t[0]], *index)
    refused(lambda x, t: [1, 2, 3][t[0]], *index)
    refused(lambda x, t: x.reshape(t[0], -1), *index)

    def masked_write(x: Any, t: Any) -> None:
        x[x > 0] = x[0]

    refused(masked_write, "x[mask] = value with a value of the shape (3,)", "where(mask, value, x)")

    def masked_update(x: Any, t: Any) -> None:
        x[x > 0] += 1

    refused(masked_update, *mask)


def test_numpy_arrays_meet_traced_ones() -> None:
    """asarray, an index into an array that was made inside, a write into one."""
    words = ("np.array() or np.asarray()", "np.stack(...)", "np.zeros(shape, like=x)")
    refused(lambda x, t: np.asarray(x), *words)
    refused(lambda x, t: np.array([x.sum(), 1]), *words)
    refused(lambda x, t: np.take(np.eye(10), t, axis=0), *words)
    refused(lambda x, t: np.full((2,), x), *words)
    index = ("an index into a NumPy array that was made inside", "np.eye(10, like=x)", "a global")
    refused(lambda x, t: np.eye(10)[t], *index)
    refused(lambda x, t: np.eye(10)[:, t], *index)
    into = ("a write into a NumPy array that was made inside", "np.zeros(shape, like=x)")

    def write(x: Any, t: Any) -> Any:
        out = np.zeros((2, 3))
        out[...] = x
        return out

    def write_rows(x: Any, t: Any) -> Any:
        out = np.zeros((2, 3))
        out[:2] = x
        return out

    def write_number(x: Any, t: Any) -> Any:
        out = np.zeros(3)
        out[0] = x.sum()
        return out

    def write_at(x: Any, t: Any) -> Any:
        one_hot = np.zeros((2, 3))
        one_hot[[0, 1], t] = 1
        return one_hot

    def update(x: Any, t: Any) -> Any:
        out = np.zeros((2, 3))
        out += x
        return out

    for f in (write, write_rows, write_number, write_at):
        refused(f, *into)
    refused(update, "np.zeros_like(x) or np.zeros(shape, like=x)")
    refused(lambda x, t: np.add(x, 1, out=np.zeros((2, 3))), "np.zeros_like(x)")
    refused(lambda x, t: np.add.at(np.zeros(3), t, 1), "np.zeros_like(x)")


def test_the_spellings_that_work() -> None:
    """What the messages say to write instead."""
    eye = np.eye(10)

    @koubai.compile
    def f(x: Any, t: Any) -> Any:
        out = np.zeros((2, 3), like=x)
        out[...] = x
        out[0, 0] = x.sum()
        counts = np.zeros(3, like=x)
        np.add.at(counts, t, 1)
        one_hot = (t[:, None] == np.arange(10)).astype(float)
        rows = (eye[t], np.eye(10, like=t)[t], one_hot)
        parts = (np.floor(x / 4), x - 4 * np.floor(x / 4))
        return out, rows, np.where(x > 2, x, 0), counts, parts

    out, rows, chosen, counts, parts = f(X, T)
    for one_hot in rows:
        assert_same(one_hot, np.eye(10)[T])
    assert_same(counts, np.array([1.0, 0.0, 1.0]))
    assert_same(parts, (X // 4, X % 4))
    assert_same(chosen, np.where(X > 2, X, 0))
    assert out[0, 0] == X.sum()


def test_functions_that_are_not_known() -> None:
    """NumPy's other functions, keywords, methods of ufuncs, modules; and of other libraries."""
    words = "cannot be compiled: it is not among the functions that the compiler knows"
    refused(lambda x, t: np.trapezoid(x), "np.trapezoid", words, "compute it outside")
    refused(lambda x, t: np.linalg.eigvals(x), "numpy.linalg.eigvals", words)
    refused(lambda x, t: np.kron(x, x), "np.kron", words)
    refused(lambda x, t: np.cbrt(x), "np.cbrt", words)
    refused(lambda x, t: np.hstack([x, x]), "np.hstack", words)
    refused(lambda x, t: np.add.reduce(x), "np.add.reduce")
    refused(lambda x, t: np.subtract.at(x, 0, 1), "np.subtract.at")
    refused(lambda x, t: np.unique(t), "numpy.unique", words)
    for f in (lambda x, t: x // 2, lambda x, t: 2 // x, lambda x, t: operator.ifloordiv(x, 2)):
        refused(f, "write np.floor(x / y)")
    for f in (lambda x, t: t % 2, lambda x, t: 3 % x):
        refused(f, "write x - y * np.floor(x / y)")
    refused(lambda x, t: np.exp(x, dtype=np.float32), "np.exp with dtype=")
    refused(lambda x, t: np.sum(x, dtype=np.float32), "np.sum", "dtype")
    refused(lambda x, t: np.round(x, 2), "np.round")
    refused(lambda x, t: np.isclose(x, 1), "np.isclose", words)
    refused(lambda x, t: t & 1, "bitwise_and of Traced(int64[2])", "only that of booleans")
    refused(lambda x, t: 1 | t, "bitwise_or")
    refused(lambda x, t: ~t, "invert")
    refused(lambda x, t: np.array([1, 2]) ^ t, "bitwise_xor")
    with pytest.raises(
        AttributeError, match=r"(?s)Traced\(float64\[2, 3\]\) has no 'swapaxes'.*np\..*errors\.py"
    ):
        koubai.compile(lambda x: x.swapaxes(0, 1))(X)
    with pytest.raises(
        TypeError, match=r"(?s)numpy\.percentile would lose.*test_errors\.py:\d+, in"
    ):
        koubai.compile(lambda x: np.percentile(Variable(x), 50))(X)
    with pytest.raises(TypeError, match="real numbers"):
        koubai.compile(lambda x: x * 1j)(X)


def test_arrays_that_are_reached_on_ways_that_are_not_looked_at() -> None:
    """They could change unnoticed: refused, where they meet a traced array or are returned."""
    scaler = threading.local()  # an object of an installed package
    scaler.mean = np.ones(3)
    table = functools.cache(lambda: np.ones(3))
    words = ("float64[3] was reached through something that is not looked into", "scaler.mean_")
    refused(lambda x, t: x - scaler.mean, *words)
    refused(lambda x, t: x[:, 0] * 0 + table()[:2] if t is None else x - table(), *words)
    refused(lambda x, t: np.maximum(scaler.mean, x), *words)
    with pytest.raises(TraceError, match=words[1]):
        koubai.compile(lambda x: scaler.mean)(X)
    mean = scaler.mean
    assert_same(koubai.compile(lambda x: x - mean)(X), X - 1)
    total = mean.sum
    with pytest.raises(TraceError, match="total is a method of an array; keep the array"):
        koubai.compile(lambda x: x * total())(X)


def test_keys_and_members() -> None:
    """An array is no key of a dict and no member of a set, a traced one neither."""
    for f in (lambda x: {x: 1}, lambda x: {x}, lambda x: functools.cache(lambda y: y)(x)):
        for run in (f, koubai.compile(f)):
            with pytest.raises(TypeError, match="unhashable type"):
                run(X)


def test_what_differs_from_run_to_run() -> None:
    """Random numbers, also where they decide only, or are only returned; time; a counter."""
    words = ("something else each time", "random numbers, time, a counter", "pass it in as an")
    refused(lambda x, t: x * np.random.rand(3), *words)  # noqa: NPY002
    refused(lambda x, t: x * RNG.normal(), *words)
    refused(lambda x, t: np.random.rand(3), *words)  # noqa: NPY002
    refused(lambda x, t: {"a": [RNG.normal()]}, *words)
    refused(lambda x, t: x + random.random(), *words)
    refused(lambda x, t: x + time.perf_counter(), *words)
    for _ in range(8):  # two traces may draw the same
        refused(lambda x, t: x if RNG.random() < 0.5 else t, *words)
        refused(lambda x, t: x if np.random.rand() < 0.5 else t, *words)  # noqa: NPY002

    def two_lines(x: Any, t: Any) -> Any:
        y = x * 2
        return y + np.random.rand()  # noqa: NPY002

    with pytest.raises(TraceError, match=r"return y \+ np\.random\.rand\(\)"):
        koubai.compile(two_lines)(X, T)


def test_random_decisions_beside_koubais_own_threads() -> None:
    """They draw no numbers, so that random decisions are found as without them."""
    wanted = threads.pool.wanted
    threads.set_threads(2)
    threads.pool.start()
    try:
        for _ in range(8):
            refused(lambda x, t: x if random.random() < 0.5 else t, "something else each time")
    finally:
        threads.set_threads(wanted)


def test_a_seed_inside() -> None:
    """A function that draws the same numbers in each run can be compiled."""

    def f(x: Any) -> Any:
        return x * np.random.default_rng(0).normal(size=3)

    compiled = koubai.compile(f)
    assert_same(compiled(X), f(X))


def test_wrong_shapes() -> None:
    """In a loss, an operator, a NumPy call: the line, the shapes and the operation."""

    def loss(x: Any, t: Any) -> Any:
        return koubai.mean_squared_error(Variable(x), t)

    with pytest.raises(ValueError, match=r"(?s)MeanSquaredError.*same shape.*test_errors\.py"):
        koubai.compile(loss)(X, np.ones(3))
    for f in (lambda x, t: x + t, lambda x, t: x @ x, lambda x, t: np.maximum(x, t)):
        with pytest.raises(
            ValueError, match=r"(?s)float64\[2, 3\].*at test_errors\.py:\d+, in"
        ) as e:
            koubai.compile(f)(X, T)
        assert str(e.value).count("\n") == 1, "the line is named once"
    with pytest.raises(ValueError, match=r"axis 2 is out of bounds"):
        koubai.compile(lambda x: np.sum(x, axis=2))(X)
    with pytest.raises(IndexError, match=r"(?s)out of bounds.*test_errors\.py"):
        koubai.compile(lambda x: x[5])(X)
    with pytest.raises(ValueError, match=r"(?s)there is no max of nothing.*test_errors\.py"):
        koubai.compile(lambda x: np.max(x[:0], axis=0))(X)


def test_found_when_it_runs() -> None:
    """Labels and indices out of range: by the program, in every call, with the user's line."""

    @koubai.compile
    def f(x: Any, t: Any) -> Any:
        return koubai.softmax_cross_entropy(Variable(x), t)

    f(X, T)
    for wrong in ([3, 0], [-1, 0]):
        with pytest.raises(
            ValueError, match=r"(?s)between 0 and 2.*test_errors\.py.*cross_entropy"
        ):
            f(X, np.array(wrong))
    assert len(f.programs) == 1

    @koubai.compile
    def gather(x: Any, t: Any) -> Any:
        return x[t]

    with pytest.raises(IndexError, match=r"(?s)out of bounds.*test_errors\.py.*return x\[t\]"):
        gather(X, T)


def test_backward_on_a_result() -> None:
    """It has no history: the error says so, on the result and on what is computed from it."""
    layer = nn.Linear(3, 2)
    model = koubai.compile(layer)
    x = X.astype(np.float32)
    words = r"(?s)computed inside.*no history.*compile the whole step.*test_errors\.py"
    for y in (model(x), model(x) * 2):
        with pytest.raises(TraceError, match=words):
            koubai.sum(y).backward()
    with pytest.raises(TraceError, match=words):
        koubai.sum(model(x)).backward(create_graph=True)
    assert layer.W.grad is None
    constant = Variable(model(x).data)
    koubai.sum(constant).backward()
    assert constant.grad is not None


def test_gradients_do_not_leave_the_function() -> None:
    """A Variable that was computed before the call: its history is not the program's."""
    w = Variable(X)
    h = w * 2

    @koubai.compile
    def f(v: Any) -> Any:
        loss = koubai.sum(v * v)
        loss.backward()
        return v.grad

    with pytest.raises(TraceError, match=r"(?s)computed before the call.*test_errors\.py"):
        f(h)
    assert w.grad is None
    assert_untraced((w, h))
    koubai.sum(h).backward()
    assert_same(w.grad, np.full((2, 3), 2.0))
    assert_same(f(Variable(h.data)), 4 * X)
    assert_same(koubai.compile(lambda v: v * 3)(h).data, X * 6)


def test_an_array_that_escaped() -> None:
    """A traced array kept where nobody looks is no use later: the error says so."""
    hidden: Any = iter([])

    def f(x: Any) -> Any:
        nonlocal hidden
        hidden = (y for y in [x * 2])
        return x

    koubai.compile(f)(X)
    escaped = next(hidden)
    assert isinstance(escaped, Traced)
    words = "belongs to another compiled call, which has ended"
    for use in (lambda: escaped + 1, lambda: np.exp(escaped), lambda: koubai.exp(escaped)):
        with pytest.raises(TraceError, match=words):
            use()
    holder = iter([escaped])
    with pytest.raises(TraceError, match=words):
        koubai.compile(lambda x: x + next(holder))(X)
    for f, where in ((lambda x: escaped * 2, "escaped"), (lambda x: x, "argument 0")):
        with pytest.raises(TraceError, match=rf"{where} is Traced.* of another compiled call"):
            koubai.compile(f)(escaped if where == "argument 0" else X)


def test_lists_that_grow() -> None:
    """An append would happen once, in the trace: refused, and the list is as it was."""

    def append(x: Any, t: Any) -> None:
        LIST.append(x.sum())

    def of_a_set(x: Any, t: Any) -> None:
        numbers.add(3)

    numbers = {1, 2}
    with pytest.raises(TraceError, match=r"(?s)a list.*, LIST, .*0 elements and has 1.*in append"):
        koubai.compile(append)(X, T)
    with pytest.raises(TraceError, match=r"(?s)a set in.*, numbers, .*in of_a_set"):
        koubai.compile(of_a_set)(X, T)
    assert LIST == []
    assert numbers == {1, 2}


def test_a_world_that_is_too_large() -> None:
    """The error says what to pass as an argument."""
    table = list(range(50_000))
    small = {"other": 1}

    def f(x: Any) -> Any:
        return x + len(table) + small["other"]

    with pytest.raises(TraceError, match=r"(?s)'f' is too large.*50000 of them in table.*pass"):
        koubai.compile(f)(X)
    with pytest.raises(TraceError, match=r"in argument 1\['rows'\].*numbers as an array"):
        koubai.compile(lambda x, d: x)(X, {"rows": [[i] for i in range(10_000)]})
    assert_same(koubai.compile(lambda x, t: x + t[0])(X, np.arange(50_000.0)), X)


def test_things_that_are_no_arrays_of_numbers() -> None:
    """Matrices, masked arrays, objects, other libraries' arrays: the error says where they are."""
    import array_api_strict

    holder = {"x": np.ma.masked_array(X, X > 2)}
    with pytest.raises(TraceError, match=r"holder\['x'\] is a MaskedArray"):
        koubai.compile(lambda: holder["x"] * 2)()
    with pytest.raises(TraceError, match=r"argument 0 is a ndarray of dtype object"):
        koubai.compile(lambda x: x)(np.array([X, None], dtype=object))
    with pytest.raises(TraceError, match=r"argument 0.*is a Array; write np\.asarray"):
        koubai.compile(lambda x: x)(array_api_strict.asarray([1.0]))
    with pytest.raises(TraceError, match=r"argument 0\.data is a Array"):
        koubai.compile(lambda x: x)(Variable(array_api_strict.asarray([1.0])))


def test_print(capsys: Any) -> None:
    """print shows dtype and shape, also of a Variable, with a format, and of an element."""

    @koubai.compile
    def f(x: Any) -> Any:
        print(x, f"{x.sum():.3f}", Variable(x), [x[0]])
        return x

    f(np.ones((100, 50), np.float32))
    line, again = capsys.readouterr().out.splitlines()
    assert line == again
    assert line.startswith("Traced(float32[100, 50]) Traced(float32[]) Variable(Traced(float32[100")
    assert line.endswith("[Traced(float32[50])]")


def test_an_exception_leaves_the_world_as_it_was() -> None:
    """Also Ctrl-C: parameters, gradients, state and attributes are the very objects they were."""

    class Layer:
        def __init__(self) -> None:
            self.W, self.kept = Variable(X.copy()), {"x": X, "calls": 0}
            self.error: Any = None

        def step(self, x: Any) -> Any:
            loss = koubai.sum(koubai.exp(self.W) * x)
            loss.backward()
            optimizer.step()
            self.kept["x"] = x * 2
            self.kept["calls"] += 1
            self.other = x
            x += 1
            if self.error is not None:
                raise self.error
            return loss

    layer, x = Layer(), X.copy()
    optimizer = optim.Adam([layer.W])
    compiled = koubai.compile(layer.step)
    for error in (KeyboardInterrupt(), SystemExit(), MemoryError(), ValueError("mine")):
        layer.error = error
        before = (layer.W.data, layer.kept["x"], dict(vars(optimizer)), list(vars(layer)))
        with pytest.raises(type(error)) as caught:
            compiled(x)
        assert caught.value is error
        after = (layer.W.data, layer.kept["x"], dict(vars(optimizer)), list(vars(layer)))
        assert before[0] is after[0]
        assert before[1] is after[1]
        assert before[2:] == after[2:]
        assert layer.W.grad is None
        assert layer.kept["calls"] == 0
        assert_same(x, X)
        assert_untraced((layer, optimizer, x))
        assert not compiled.programs
    layer.error = None
    expected = np.exp(layer.W.data) * X
    np.testing.assert_allclose(compiled(x).data, expected.sum(), rtol=1e-14)
    np.testing.assert_allclose(layer.W.grad, expected, rtol=1e-14)


def test_ctrl_c_while_the_program_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The world is as it was, and the next call compiles."""

    def stop(*args: Any) -> Any:
        raise KeyboardInterrupt

    def f(x: Any) -> Any:
        x *= 2
        return x.sum()

    compiled, x = koubai.compile(f), X.copy()
    for name in ("verify", "native_program", "shortcut"):
        with monkeypatch.context() as patch:
            patch.setattr(f"koubai.compiler.compiled.{name}", stop)
            with pytest.raises(KeyboardInterrupt):
                compiled(x)
        assert_same(x, X)
    assert_same(compiled(x), X.sum() * 2)
    assert_same(x, X * 2)


def test_exceptions_of_the_user() -> None:
    """They come through as they are."""

    class Mine(Exception):
        pass

    def f(x: Any) -> Any:
        raise Mine(f"{x}")

    with pytest.raises(Mine, match=r"Traced\(float64\[2, 3\]\)"):
        koubai.compile(f)(X)

    def recovers(x: Any) -> Any:
        try:
            return float(x.sum())
        except TraceError:
            return x.sum()

    assert_same(koubai.compile(recovers)(X), X.sum())
