"""What a compiled function tells about its program is true, and telling changes nothing."""

from __future__ import annotations

import contextlib
from collections import Counter
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
from compiler.agree import assert_same

import koubai
from koubai import Variable, nn, optim
from koubai.compiler.passes import fusion
from koubai.compiler.program import Program
from koubai.compiler.report.explain import PARTS, Explanation
from koubai.compiler.report.text import size
from koubai.compiler.runtime.native import NativeProgram

pytestmark = pytest.mark.native

X = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)
T = np.array([0, 1, 2, 0, 1, 2, 0, 1])
GENERATOR = koubai.random.Generator(0)
VIEWS = {"constant", "copy", "permute_dims", "broadcast_to", "reshape", "getitem"}


def training_step() -> tuple[Any, Any]:
    """A compiled step, and all that it changes."""
    rng = np.random.default_rng(1)
    model = nn.Sequential(nn.Linear(6, 5, rng=rng), nn.ReLU(), nn.Linear(5, 3, rng=rng))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    state = SimpleNamespace(model=model, optimizer=optimizer, last=X[0], seen=np.zeros(6))

    @koubai.compile
    def step(x: Any, t: Any) -> Any:
        optimizer.zero_grad()
        loss = koubai.softmax_cross_entropy(model(x), t)
        loss.backward()
        optimizer.step()
        state.last = x[0]
        state.seen += koubai.sum(x, axis=0)
        return loss

    return step, state


def compiled(function: Any, *args: Any) -> tuple[Explanation, Program]:
    """What is told about it, and the program that is told about."""
    step = koubai.compile(function)
    return step.explain(*args), next(iter(step.cache.compiled.values())).native.program


def many(x: Any, i: Any) -> Any:
    """A bit of everything."""
    y = koubai.concat([koubai.sort(x[0]), x[1] * 2])
    z = y.copy()
    z[1] = 3.0
    picked = x[i]
    w = Variable(x)
    koubai.sum(w[i] ** 2).backward()
    grown = koubai.linalg.inv(koubai.matmul(x.T, x) + np.eye(6, dtype=np.float32))
    return z, grown, koubai.sum(picked, axis=0), w.grad, koubai.exp(x).T.reshape(-1)


def test_each_instruction_is_told_of_once() -> None:
    """Those in the kernels and those that take no work are the program's, all of them; only what
    is written part by part is in several kernels."""
    cases: list[tuple[Any, Any, Any]] = [(many, X, T), (lambda x, t: x, X, T)]
    cases.append((lambda x, t: koubai.softmax(x).T + 1, X, T))
    step, _ = training_step()
    cases.append((step.function, X, T))
    for function, *args in cases:
        x, program = compiled(function, *args)
        own = range(len(program.inputs), len(program.inputs) + len(program.instructions))
        counts = Counter(v for kernel in x.kernels for v in kernel.instructions if v in own)
        assert {*counts, *x.free} == set(own)
        assert not counts.keys() & set(x.free)
        ops = {v: program.instructions[v - len(program.inputs)].op for v in own}
        assert {ops[v] for v in x.free} <= VIEWS
        assert all(n == 1 or ops[v] in PARTS for v, n in counts.items())
        assert x.live == len(own)
        for kernel in x.kernels:
            lines = [op for line in kernel.lines for op in line.ops]
            assert sorted(lines) == sorted(i.op for i in kernel.instructions.values())


def test_lines_are_the_users() -> None:
    """A kernel names the lines that it computes, also of a backward pass, by function."""

    def f(x: Any) -> Any:
        v = Variable(x)
        y = koubai.tanh(v)
        y.sum().backward()
        return v.grad

    x, _ = compiled(f, X)
    first = f.__code__.co_firstlineno
    lines = {line.function: line for kernel in x.kernels for line in kernel.lines}
    assert lines["Tanh"].place == f"test_explain.py:{first + 2}"
    assert lines["the backward of Tanh"].place == f"test_explain.py:{first + 2}"
    assert lines["Tanh"].ops == ("tanh",)


def test_loops_and_stores() -> None:
    """Softmax of rows: one nest, split after the rows; its result alone is stored."""
    x, _ = compiled(lambda x: koubai.softmax(x), X)
    (kernel,) = x.kernels
    assert (kernel.kind, kernel.domain, kernel.split) == ("nest", (8, 6), 1)
    stored = {s.to: s for s in kernel.stored}
    assert stored["result"].bytes == X.nbytes
    assert str(stored["result"].type) == "float32[8, 6]"
    assert kernel.moved == sum(s.bytes for s in kernel.stored) + X.nbytes


def test_products() -> None:
    """A product tells its shapes and its floating point operations, also of a stack."""
    x, _ = compiled(lambda a, b: koubai.matmul(a, b), np.ones((4, 2, 3)), np.ones((4, 3, 5)))
    (kernel,) = x.kernels
    assert (kernel.kind, kernel.flops) == ("product", 4 * 2 * 3 * 5 * 2)
    assert kernel.loops == "4 times (2, 3) @ (3, 5)"
    assert kernel.moved == 8 * 4 * (6 + 15 + 10)


def test_products_with_what_is_added() -> None:
    """A product that is scaled and added to is one kernel of three instructions."""
    w = Variable(X.copy())

    def update(g: Any) -> None:
        w.data = w.data - 0.5 * (g @ g.T @ w.data)

    step = koubai.compile(update)
    first, second = step.explain(X).kernels
    assert [i.op for i in first.instructions.values()] == ["matmul"]
    assert [i.op for i in second.instructions.values()] == ["matmul", "multiply", "subtract"]
    assert second.moved == 4 * (8 * 8 + 2 * 8 * 6)  # reads g @ g.T and w, writes the new w
    assert ") @ (" in step.lower().kernels.splitlines()[1]
    assert "= -0.5 * %" in step.lower().kernels
    assert "+ %1[6i + j]  (8, 8)" in step.lower().kernels


def test_chunks() -> None:
    """A program that is cut for threads says into how many phases and chunks; all functions are
    told of, with the kernels that they are parts of; and its times are those of whole kernels."""
    w, x = Variable(np.ones((300, 200))), np.ones((400, 300))
    step = koubai.compile(lambda x: koubai.sum(koubai.softmax(x @ w), axis=0))
    step.explain(x)
    (one,) = step.cache.compiled.values()
    one.native = NativeProgram(one.native.program, processors=2)
    found = step.profile(x)
    assert (found.chunks, found.phases) == (2, len(one.native.schedule.phases))
    assert f"{found.phases} phases of 2 chunks" in found.text()
    assert all(kernel.seconds > 0 for kernel in found.kernels)
    stages = step.lower(x)
    assert {k for users in stages.users for k in users} == set(range(len(found.kernels)))
    llvm.parse_assembly(stages.llvm).verify()
    alone = koubai.compile(lambda x: x + 1).explain(X)
    assert (alone.chunks, "chunks" in alone.text()) == (1, False)


@pytest.mark.parametrize(
    ("why", "function"),
    [
        ("no kernel before it", lambda x, i: x + 1),
        ("after a product, where no nest goes on", lambda x, i: koubai.exp(x @ x.T)),
        ("after what NumPy runs, where no nest goes on", lambda x, i: koubai.linalg.inv(x[:6]) + 1),
        (fusion.OTHER_LOOPS, lambda x, i: (koubai.exp(x), koubai.exp(x[:4]))),
        ("a total, which is known only after those loops", lambda x, i: x / koubai.sum(x)),
        (fusion.OTHER_ORDER, lambda x, i: (y := koubai.exp(x[:6]), y + y.T)),
        (fusion.PICKED, lambda x, i: (y := koubai.exp(x), y[i])),
        (fusion.OF_ROWS, lambda x, i: koubai.argmax(koubai.max(x, axis=1))),
        (fusion.EMPTY, lambda x, i: (y := koubai.exp(x[:0]), y * 2)),
        (fusion.IS_FULL, lambda x, i: _long(x)),
        ("concat fills an array part by part", lambda x, i: koubai.concat([x[1:], x])),
        ("argsort goes from one element to the next", lambda x, i: koubai.sort(x[0])),
        ("each element needs the one before", lambda x, i: koubai.cumulative_sum(x, axis=0)),
        ("drawn by a function of their own", lambda x, i: GENERATOR.uniform((3,))),
        ("a product is a function of its own", lambda x, i: x @ x.T),
        ("the program may stop here", lambda x, i: koubai.softmax_cross_entropy(x, i)),
    ],
)
def test_why_kernels_are_apart(why: str, function: Any) -> None:
    """For each reason, a program that has it, and no other program's reason is it."""
    x, _ = compiled(function, X, T)
    assert any(why in reason for kernel in x.kernels for reason in kernel.why)
    assert why.split()[-1] in " ".join(x.text(80).split())
    alone, _ = compiled(lambda x: koubai.exp(x) * 2, X)
    reasons = [reason for kernel in alone.kernels for reason in kernel.why]
    assert len(reasons) == 1
    assert "no kernel before it" in reasons[0]


def _long(x: Any) -> Any:
    for i in range(fusion.MOST_NODES + 10):
        x = koubai.sin(x) + i
    return x


def test_a_total_is_named() -> None:
    """The kernel that needs it says which value, and which kernel has it."""
    x, _ = compiled(lambda x: x / koubai.sum(x), X)
    (total,) = [s.value for s in x.kernels[0].stored]
    assert x.kernels[1].why == [
        f"not in kernel 0, over 8 x 6: it needs %{total}, a total,"
        " which is known only after those loops"
    ]


def test_what_numpy_runs() -> None:
    """An instruction without native code is named, with its dtypes; so is a whole program."""
    x, _ = compiled(many, X, T)
    (kernel,) = [kernel for kernel in x.kernels if kernel.kind == "numpy"]
    assert kernel.why == ["there is no native code for inv of float32"]
    assert not x.one_call
    assert "Run by NumPy" in x.text()

    step = koubai.compile(lambda x: x * 2)
    wide = np.ones(3, np.longdouble)
    whole = step.explain(wide)
    assert str(wide.dtype) in whole.interpreted
    assert "NumPy runs all" in str(whole)
    assert (whole.kernels, step.profile(wide).seconds) == ([], None)


def test_inputs_and_state() -> None:
    """Each array that is read, by its path; what becomes of it; unused ones are left out."""
    step, _ = training_step()
    x = step.explain(X, T)
    states = {i.path: (str(i.type), i.state) for i in x.inputs}
    assert states["argument 0"] == ("float32[8, 6]", "")
    assert states["argument 1"] == ("int64[8]", "")
    assert states["model.layers[0].W.data"] == ("float32[6, 5]", "in place")
    assert states["optimizer.m[0]"] == ("float32[6, 5]", "in place")
    assert states["state.seen"] == ("float64[6]", "written")
    targets = {s.to for kernel in x.kernels for s in kernel.stored}
    assert {"model.layers[0].W.data", "optimizer.m[0]", "state.seen", "result"} <= targets

    v = Variable(X.copy())
    x, _ = compiled(lambda unused: koubai.sum(koubai.exp(v)).backward(), X)
    assert [i.path for i in x.inputs] == ["v.data"]
    assert "assigned as grad" in {s.to for kernel in x.kernels for s in kernel.stored}

    holder = SimpleNamespace(x=X.copy())

    def cumulate() -> Any:
        old = holder.x
        holder.x = koubai.exp(old)
        return holder.x @ old.T  # reads the old one when the new one is there

    cumulative, _ = compiled(cumulate)
    assert [i.state for i in cumulative.inputs] == ["replaced"]


def test_memory() -> None:
    """The workspace is what is allocated; without reuse it would be all intermediates; and what
    is fused is never in memory. Three products in a row: the third takes the room of the first."""

    def f(x: Any) -> Any:
        y = koubai.exp(x @ x)  # 32 x 32 float32: 4096 bytes each
        z = koubai.tanh(y @ x) + 1
        return koubai.exp(z @ x)

    step = koubai.compile(f)
    m = step.explain(np.zeros((32, 32), np.float32)).memory
    # Three products, exp and 1 + tanh are between kernels, two at a time; tanh alone is not.
    assert (m.workspace, m.unshared, m.never) == (2 * 4096, 5 * 4096, 4096)
    native = next(iter(step.cache.compiled.values())).native
    assert m.workspace == native.memory.size
    assert m.workspace <= native.code.workspace.nbytes


def arrays_of(state: Any) -> list[int]:
    """The identities of the arrays that a step changes."""
    tensors = [p.data for p in state.model.parameters()]
    optimizer = state.optimizer
    return [id(x) for x in (*tensors, *optimizer.m, *optimizer.v, state.last, state.seen)]


@pytest.mark.parametrize("warm", [False, True])
def test_nothing_changes(warm: bool) -> None:
    """Parameters, the optimizer and all else that a step changes are the same arrays with the same
    numbers afterwards, before the first call and later; and the next call is the eager one's."""
    step, state = training_step()
    if warm:
        step(X, T)
        step(X, T)
    before, arrays = deepcopy(state), arrays_of(state)
    x, t = X.copy(), T.copy()
    str(step.explain(x, t))
    str(step.profile(x, t))
    str(step.lower(x, t))
    assert_same(before.__dict__, state.__dict__)
    assert arrays_of(state) == arrays
    assert_same((x, t), (X, T))

    other, others = training_step()
    for _ in range(3 if warm else 1):
        other(X, T)
    step(X, T)
    assert_same(state.__dict__, others.__dict__)


def test_profile() -> None:
    """Each kernel has a time, and so has the whole; the text has them by kernel and by kind."""
    step, _ = training_step()
    x = step.profile(X, T)
    assert len(x.kernels) == len(step.explain(X, T).kernels)
    assert all(kernel.seconds > 0 for kernel in x.kernels)
    assert x.seconds > 0
    text = x.text(100)
    assert "GFLOP/s" in text
    assert "GB/s" in text
    products = sum(kernel.kind == "product" for kernel in x.kernels)
    assert f"all {products} of them" in text
    assert step.explain(X, T).seconds is None


def test_profile_runs_what_a_call_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels meet the numbers that they meet in a call, though each runs many times: what a
    scatter adds up picks an element here, and an index that is too large is an error."""

    def f(x: Any, i: Any) -> Any:
        w = Variable(x)
        koubai.sum(w[i]).backward()  # how often each index comes
        return x[w.grad.astype(np.int64)]

    step = koubai.compile(f)
    with monkeypatch.context() as patch:  # which is asked when something is wrong
        patch.setattr("koubai.compiler.report.profile.interpret", pytest.fail)
        step.profile(np.arange(3.0), np.array([0, 1, 1]))
    with pytest.raises(IndexError, match="index 3 is out of bounds"):
        step.profile(np.arange(3.0), np.array([1, 1, 1]))
    step, state = training_step()
    before = deepcopy(state)
    with contextlib.suppress(ValueError):
        step.profile(X, T + 5)
        pytest.fail("labels that are too large")
    assert_same(before.__dict__, state.__dict__)


def test_profile_leaves_the_program_alone() -> None:
    """It has memory of its own: a call in another thread finds its table as it was."""
    step, _ = training_step()
    step(X, T)
    step(X, T)  # the gradients are there now: another program
    native = list(step.cache.compiled.values())[-1].native
    table, work = native.code.table.copy(), native.code.workspace.copy()
    step.profile(X * 2, T)
    assert_same(native.code.table, table)
    assert_same(native.code.workspace, work)


def test_profile_makes_outputs_of_their_shapes() -> None:
    """What describes the outputs is in memory while they are made, however many there are."""
    shapes = [(n, 3, 2) for n in range(1, 60)]
    step = koubai.compile(lambda x: [x[:n] * 2 for n, _, _ in shapes])
    x = np.ones((60, 3, 2))
    step(x)
    (native,) = (compiled.native for compiled in step.cache.compiled.values())
    _, outputs = native.load([x])
    assert [y.shape for y in outputs] == shapes


def test_which_program() -> None:
    """That for the arguments, which is compiled if need be; without any, the one compiled last."""
    step = koubai.compile(lambda x: x * 2)
    step(np.ones(3))
    assert str(step.explain(np.ones(5)).inputs[0].type) == "float64[5]"
    assert len(step.programs) == 2
    assert str(step.explain().inputs[0].type) == "float64[5]"
    assert str(step.explain(np.ones(3)).inputs[0].type) == "float64[3]"
    assert len(step.programs) == 2
    assert "%0: float64[5]" in step.lower().program
    with pytest.raises(TypeError):
        koubai.compile(lambda x: x * 2).explain()

    held = Variable(np.ones(2))
    assert koubai.compile(lambda: held.data * 2).explain().inputs[0].path == "held.data"


def test_methods() -> None:
    """A compiled method is asked as it is called; so is a module."""

    class Net:
        def __init__(self) -> None:
            self.w = np.ones(3)

        @koubai.compile
        def step(self, x: Any) -> None:
            self.w = self.w - x

    net = Net()
    x = net.step.explain(np.ones(3))
    assert {i.path: i.state for i in x.inputs} == {"argument 0": "", "the function.w": "in place"}
    assert_same(net.w, np.ones(3))
    assert koubai.compile(nn.Linear(6, 2)).explain(X).name == "Linear"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_text(width: int) -> None:
    """No line is longer than the terminal; names with brackets and colons stay as they are."""
    params = {"[bold]:smile:[/bold]": np.ones((6, 3), np.float32)}
    x = koubai.compile(lambda x: koubai.softmax(x @ params["[bold]:smile:[/bold]"])).profile(X)
    lines = x.text(width).splitlines()
    assert max(map(len, lines)) <= width
    assert "\x1b" not in x.text(width)
    if width > 60:
        assert "params['[bold]:smile:[/bold]']" in x.text(width)
    for name in ("found at", "computes", "stores", "share", "rate"):
        assert any(name in line for line in lines)
    assert str(x) == repr(x) == x.text()


def test_lower() -> None:
    """The stages are those of the program: its own text, what the passes made of it, its kernels,
    and code that LLVM accepts, with a function for each kernel that is native."""
    step = koubai.compile(many)
    stages = step.lower(X, T)
    (one,) = step.cache.compiled.values()
    assert stages.program == one.program.text(locations=True)
    assert stages.optimized == one.native.program.text(locations=True)
    heads = [line for line in stages.kernels.splitlines() if line[0].isdigit()]
    kinds = [line.split()[1] for line in heads]
    assert kinds == [kernel.kind for kernel in step.explain().kernels]
    native = {kernel.number for kernel in step.explain().kernels if kernel.kind != "numpy"}
    assert {k for users in stages.users for k in users} == native
    assert len(set(stages.functions)) == len(stages.functions)

    module = llvm.parse_assembly(stages.llvm)
    module.verify()
    defined = [f.name for f in module.functions if not f.is_declaration]
    assert defined == [f"k{i}" for i in range(len(stages.functions))]
    assert all(f"\n{name}:" in stages.assembly for name in defined)
    assert ".kernels" in str(stages)


def test_kernels_as_text() -> None:
    """The softmax of rows, phase by phase, with what is read, reduced and stored."""
    step = koubai.compile(lambda x: koubai.softmax(x))
    print(step.lower(X).kernels)
    lines = [line.split("->")[0].strip() for line in step.lower(X).kernels.splitlines()]
    assert lines[0] == "0: nest over 8 x 6, rows of 6"
    assert lines[1:3] == ["phase 0", "%1 = max(%0[6i + j]) over j : float32"]
    assert [line for line in lines if "phase" in line] == ["phase 0", "phase 1", "phase 2"]
    running = koubai.compile(lambda x: koubai.cumulative_sum(x, axis=1)).lower(X).kernels
    assert running.startswith("0: scan %1 = cumulative_sum(%0[6i + j]) over j : float32[8, 6]")
    gathered = koubai.compile(lambda x, i: x[i, 1:]).lower(X, T).kernels
    assert "getitem(%0[1 + j + 6 * %1[i]])" in gathered


def test_sizes() -> None:
    """Three digits, and a unit."""
    assert [size(n) for n in (0, 999, 1000, 31_360, 1_234_567, 5 * 10**12)] == [
        "0 B",
        "999 B",
        "1 kB",
        "31.4 kB",
        "1.23 MB",
        "5e+03 GB",
    ]
