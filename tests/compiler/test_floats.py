"""A Python float that has changed once is an input: no program for each of its values.

It stays a Python float to the function: weak beside arrays, and where its number is needed the
function is compiled for each value after all.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from compiler.agree import assert_same, assert_untraced

import koubai
from koubai import Variable, nn, optim
from koubai.compiler import compiled as compiled_module

X = np.arange(1.0, 4.0)
RATE = 0.5


def values(n: int) -> list[float]:
    rng = np.random.default_rng(n)
    return [*rng.normal(size=n).tolist(), 0.0, -0.0, 1e-30, 1e30]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int32, np.bool_])
@pytest.mark.parametrize(
    "f",
    [
        lambda x, a: x * a,
        lambda x, a: a - x,
        lambda x, a: x / (a + 3) + 2 * a,
        lambda x, a: a**x,
        lambda x, a: x - (1 - a) * x * a,
        lambda x, a: np.maximum(x, -a),
        lambda x, a: np.where(x > 1, x, a),
        lambda x, a: (x > a, a == x),
        lambda x, a: np.sqrt(a * a) * x,
        lambda x, a: x * np.float32(2) * a,
        lambda x, a: x[0] * a,
        lambda x, a: (Variable(x + 0.5) * a).data,
        lambda x, a: koubai.grad(lambda v: koubai.sum(v * v * a))(x + 0.5),
        lambda x, a: (a, a * 2, [-a, {"a": a + 1}], x),
        lambda x, a: x.__imul__(a) if x.dtype.kind == "f" else x,
        lambda x, a: koubai.clip(x, -abs(1.5), 2.5) * a,
    ],
)
def test_arithmetic(f: Any, dtype: Any) -> None:
    """Results have the types and bits of eager ones, for a float argument that changes."""
    compiled = koubai.compile(f)
    with np.errstate(all="ignore"):
        for a in values(4):
            x = X.astype(dtype)
            assert_same(f(x.copy(), a), compiled(x.copy(), a), f"a = {a}")
    assert len(compiled.programs) == 2


@pytest.mark.parametrize(
    "f",
    [
        lambda x, a: x if a > 0 else -x,
        lambda x, a: x * float(a) + int(a),
        lambda x, a: x * math.exp(min(a, 1)),
        lambda x, a: x * {0.0: 1}.get(a, 2),
        lambda x, a: x * len(f"{a}{a!r}{a:.1f}"),
        lambda x, a: x * (1 / (a or 1)) ** 2,
        lambda x, a: x**a,
        lambda x, a: x * (a // 1 + a % 1 + round(a)),
        lambda x, a: x * np.full(3, a),
        lambda x, a: x * (a.is_integer() + a.real),
        lambda x, a: x * (a == 0.0),
        lambda x, a: x if a else -x,
        lambda x, a: x * np.array([a, 1.0]).sum(),
    ],
)
def test_where_the_number_is_needed(f: Any) -> None:
    """Decisions, conversions, texts, keys: compiled for each value, and right."""
    compiled = koubai.compile(f)
    with np.errstate(all="ignore"):
        for a in (0.5, 1.5, 2.0, 0.0, 0.5, 2.0):
            assert_same(f(X, a), compiled(X, a), f"a = {a}")
    assert len(compiled.programs) == 4


def test_it_is_a_float_to_isinstance() -> None:
    """What asks for the kind of the number gets the answer of a float."""

    def f(x: Any, a: Any) -> Any:
        return x * a if isinstance(a, float) and not isinstance(a, np.ndarray) else x

    compiled = koubai.compile(f)
    for a in (0.5, 1.5, 2.5):
        assert_same(f(X, a), compiled(X, a))
    assert len(compiled.programs) == 2


def test_every_place() -> None:
    """Fields, items, elements, closures, globals, class attributes, slots, keyword arguments."""
    global RATE

    class Config:
        rate = 0.5

    class Slots:
        __slots__ = ("rate",)

    rate = 0.5
    slots, space, config = Slots(), SimpleNamespace(rate=0.5), Config()
    slots.rate = 0.5
    held: dict[str, Any] = {"rate": 0.5, "list": [0.5, 1]}

    def f(x: Any, *, scale: float) -> Any:
        y = x * config.rate + x / 2 * slots.rate - space.rate * x * rate
        return y * held["rate"] + held["list"][0] * x + RATE * scale

    def set_rate(x: float) -> None:
        nonlocal rate
        rate = x

    compiled = koubai.compile(f)
    places = [
        lambda x: setattr(Config, "rate", x),
        lambda x: setattr(slots, "rate", x),
        lambda x: setattr(space, "rate", x),
        set_rate,
        lambda x: held.update(rate=x),
        lambda x: held["list"].__setitem__(0, x),
        lambda x: globals().update(RATE=x),
    ]
    scale = 1.0
    for round_ in range(3):
        for i, put in enumerate(places):
            put(0.25 + i + round_)
            assert_same(f(X, scale=scale), compiled(X, scale=scale))
        scale = 2.0 + round_
        assert_same(f(X, scale=scale), compiled(X, scale=scale))
    # The first world, and one for the first change of each, of scale too.
    assert len(compiled.programs) == 2 + len(places)
    for put in places:
        put(0.5)
    assert_same(f(X, scale=1.0), compiled(X, scale=1.0))
    assert len(compiled.programs) == 2 + len(places)


def test_one_object_in_two_places() -> None:
    """The same float object at two places is two floats: only one of them changes."""
    value = float("0.125")
    box = SimpleNamespace(a=value, b=value)
    compiled = koubai.compile(lambda x: x * box.a - box.b)
    for a in (value, 0.5, 0.25, value):
        box.a = a
        assert_same(compiled(X), X * a - value)
    box.b = 1.0
    assert_same(compiled(X), X * value - 1.0)


def test_a_schedule_inside_the_function() -> None:
    """A float that the function itself changes is a float afterwards, of the same value."""

    class Trainer:
        def __init__(self) -> None:
            self.lr, self.w, self.last = 0.5, X.copy(), None

        def step(self, x: Any) -> Any:
            self.w = self.w - self.lr * x
            self.last, self.lr = self.lr, self.lr * 0.9
            return self.lr

    eager, trainer = Trainer(), Trainer()
    compiled = koubai.compile(trainer.step)
    for _ in range(6):
        assert_same(eager.step(X), compiled(X))
        assert_same(vars(eager), vars(trainer))
        assert type(trainer.lr) is type(trainer.last) is float
        assert_untraced(trainer)
    assert len(compiled.programs) <= 4


def test_a_learning_rate_schedule() -> None:
    """Adam with another learning rate at each step: compiled once for it, equal to eager."""

    def make() -> Any:
        rng = np.random.default_rng(0)
        model = nn.Linear(3, 2, rng=rng)
        optimizer = optim.Adam(model.parameters(), 0.1)

        def step(x: Any, t: Any) -> Any:
            model.zero_grad()
            loss = koubai.mean_squared_error(model(x), t)
            loss.backward()
            optimizer.step()
            return loss

        return step, model, optimizer

    rng = np.random.default_rng(1)
    x, t = rng.random((4, 3), np.float32), rng.random((4, 2), np.float32)
    eager, expected, its_optimizer = make()
    step, model, optimizer = make()
    compiled = koubai.compile(step)
    for i in range(8):
        optimizer.lr = its_optimizer.lr = 0.1 * 0.7**i
        assert_same(eager(x, t), compiled(x, t))
        assert_same([p.data for p in expected.parameters()], [p.data for p in model.parameters()])
    assert len(compiled.programs) == 2  # with the first learning rate, and with any


def test_it_takes_the_shortcut(monkeypatch: Any) -> None:
    """Other values of such a float don't lead the long way round."""
    box = SimpleNamespace(rate=0.5, big=1e300)
    compiled = koubai.compile(lambda x: (x * box.rate, box.rate))
    compiled(X)
    box.rate = 0.25
    compiled(X)
    monkeypatch.setattr(compiled_module, "World", None)
    for rate in (0.125, -0.0, math.inf, 0.5, 3.0):
        box.rate = rate
        product, same = compiled(X)
        assert_same(product, X * rate)
        assert same is rate
    box.rate = 3  # type: ignore[assignment]
    with pytest.raises(TypeError):
        compiled(X)


@pytest.mark.native
def test_scalars_of_numpys_and_floats_run_natively() -> None:
    """They are read where they are: the program is entered as for arrays."""
    box = SimpleNamespace(a=0.5, b=np.float64(2.0), c=np.float32(3.0), n=np.int8(4))
    compiled = koubai.compile(lambda x: x * box.a - x.astype(np.float32) * box.c + box.n / box.b)
    for a in (0.5, 0.25, -3.0, 1e30):
        box.a, box.b, box.c, box.n = a, np.float64(a), np.float32(a / 2), np.int8(int(a % 7))
        np.testing.assert_allclose(compiled.function(X), compiled(X), rtol=1e-15)
    *_, entry = compiled.cache.compiled.values()
    inputs = [X, box.b, box.c, box.n, box.a]
    assert entry.native is not None
    assert entry.native.entry.call(inputs) is not None


def test_an_error_of_the_user() -> None:
    """An error that has nothing to do with a float is raised, with floats as inputs or not."""

    def f(x: Any, a: float) -> Any:
        return x * a + np.ones(x.shape[0] + (a > 1))

    compiled = koubai.compile(f)
    for a in (0.5, 0.75):
        assert_same(f(X, a), compiled(X, a))
    with pytest.raises(ValueError, match="shape mismatch"):
        compiled(X, 1.5)
    assert_same(f(X, 0.25), compiled(X, 0.25))
