"""Whatever changes in a function's world is noticed: no program serves a world it wasn't made for.

Each case is a function with something that it depends on, and changes of that. After each change
the compiled function equals the function itself; after going back, the old program serves again.
"""

from __future__ import annotations

import argparse
import enum
import functools
import sys
import types
import weakref
from collections import OrderedDict, UserDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from compiler.agree import assert_same, assert_untraced

import koubai
from koubai import Variable, nn, optim

X = np.arange(1.0, 4.0)
Pair = namedtuple("Pair", "left right")

RATE = 2.0
TABLE = np.array([1.0, 2.0, 3.0])
SETTINGS: dict[str, Any] = {"rate": 2.0}
LATE: Any = None


def follows(f: Any, changes: list[Any], *args: Any, programs: int | None = None) -> None:
    """``f`` compiled equals f itself at first, after each change, and after all of them again.

    Args:
        f: the function.
        changes: functions; each changes the world. The last leads back to the beginning.
        args: its arguments.
        programs: how many there are in the end, if that matters.
    """
    args = args or (X,)
    compiled = koubai.compile(f)
    for change in [lambda: None, *changes]:
        change()
        assert_same(f(*args), compiled(*args))
    count = len(compiled.programs)
    for change in changes:
        change()
        assert_same(f(*args), compiled(*args))
    assert len(compiled.programs) == count, "a world of before was compiled again"
    assert programs in (None, count)


def setter(owner: Any, name: Any, *values: Any) -> list[Any]:
    """Changes of an attribute or an item; the last value should be the first."""

    def change(value: Any) -> None:
        if isinstance(owner, dict | list | deque) and name != "extra":
            owner[name] = value
        else:
            setattr(owner, name, value)

    return [functools.partial(change, value) for value in values]


def module_global(name: str, *values: Any) -> list[Any]:
    return setter(sys.modules[__name__], name, *values)


NUMBERS = [3.0, 2, True, 1, 1.0, "a", None, float("nan"), -0.0, 0.0, 2.0]


def kinds(x: Any, value: Any) -> Any:
    """Something else for each value, also for equal ones of different types."""
    return x * len(f"{value!r}") + sum(map(ord, repr(value)))


def test_a_global_number() -> None:
    """Values and types: 2.0, 2 and True are three programs, 0.0 and -0.0 two."""
    follows(lambda x: kinds(x, RATE), module_global("RATE", *NUMBERS))


def test_a_closure_number() -> None:
    """A variable of the enclosing function."""
    rate: Any = 2.0

    def set_rate(value: Any) -> None:
        nonlocal rate
        rate = value

    follows(lambda x: kinds(x, rate), [functools.partial(set_rate, v) for v in NUMBERS])


def test_a_closure_that_is_not_there_yet() -> None:
    """A variable that is assigned after the first call; an empty one is no mistake."""

    def make() -> Any:
        def f(x: Any) -> Any:
            try:
                return x * rate
            except NameError:
                return x

        def g(value: Any) -> None:
            nonlocal rate
            rate = value

        if not X.size:
            rate = 0
        return f, g

    f, g = make()
    compiled = koubai.compile(f)
    assert_same(compiled(X), X)
    g(3.0)
    assert_same(compiled(X), X * 3)


def test_a_global_that_is_not_there_yet() -> None:
    """A name that becomes a global later, and goes again; which names there are is in the key."""

    def f(x: Any) -> Any:
        if "LATER_A" in globals():
            return x * LATER_A  # type: ignore[name-defined] # noqa: F821
        if "LATER_B" in globals():
            return x + LATER_B  # type: ignore[name-defined] # noqa: F821
        return x

    space = globals()
    follows(
        f,
        [
            lambda: space.update(LATER_A=2.0),
            lambda: (space.pop("LATER_A"), space.update(LATER_B=2.0)),
            lambda: space.pop("LATER_B"),
        ],
    )


def test_default_arguments() -> None:
    """Positional and keyword defaults, and arrays and containers among them."""
    table = X.copy()

    def f(
        x: Any, rate: float = 2.0, *, shift: float = 1.0, t: Any = table, d: Any = SETTINGS
    ) -> Any:
        return x * rate + shift + t + d["rate"]

    follows(f, setter(f, "__defaults__", (3.0,), (2.0,)))
    keyword = dict(f.__kwdefaults__ or {})
    follows(f, setter(f, "__kwdefaults__", {**keyword, "shift": 5.0}, keyword))
    compiled = koubai.compile(f)
    assert_same(f(X), compiled(X))
    table += 10
    assert_same(f(X), compiled(X))
    SETTINGS["rate"] = 7.0
    assert_same(f(X), compiled(X))
    SETTINGS["rate"] = 2.0


def test_function_attributes() -> None:
    """What is stored on a function."""

    def f(x: Any) -> Any:
        return x * f.rate  # type: ignore[attr-defined]

    f.rate = 2.0  # type: ignore[attr-defined]
    follows(f, setter(f, "rate", 3.0, 2.0))


class Base:
    shared = 1.0

    def bonus(self) -> Any:
        return RATE


class Config(Base):
    rate = 2.0
    table = X.copy()

    def __init__(self) -> None:
        self.own = 3.0

    def apply(self, x: Any) -> Any:
        return x * self.rate + self.own * self.shared + self.table + self.bonus()

    @property
    def double(self) -> Any:
        return 2 * RATE

    @functools.cached_property
    def cached(self) -> Any:
        return 5 * RATE

    @classmethod
    def of_class(cls, x: Any) -> Any:
        return x * cls.rate * RATE

    @staticmethod
    def static(x: Any) -> Any:
        return x * RATE

    def __matmul__(self, x: Any) -> Any:
        return x - RATE


def test_attributes_of_objects_and_their_classes() -> None:
    """Attributes of an instance, of its class and its base; one that shadows the class's."""
    config = Config()
    changes = [
        *setter(config, "own", 4.0),
        *setter(Config, "rate", 5.0),
        *setter(Base, "shared", 6.0),
        *setter(config, "rate", 7.0),
        lambda: delattr(config, "rate"),
        *setter(config, "own", 3.0),
        *setter(Config, "rate", 2.0),
        *setter(Base, "shared", 1.0),
    ]
    follows(config.apply, changes)
    follows(lambda x: Config.of_class(x), setter(Config, "rate", 5.0, 2.0))


def test_arrays_of_classes() -> None:
    """An array that is an attribute of a class is an input: written to, replaced."""
    config = Config()
    compiled = koubai.compile(config.apply)
    for change in (
        lambda: None,
        lambda: np.add(Config.table, 1, out=Config.table),
        *setter(Config, "table", X * 3),
    ):
        change()
        assert_same(config.apply(X), compiled(X))
    assert len(compiled.programs) == 1


@pytest.mark.parametrize(
    "f",
    [
        lambda c, x: c.apply(x),
        lambda c, x: x * c.double,
        lambda c, x: x * c.cached if "cached" not in vars(c) else x * vars(c).pop("cached"),
        lambda c, x: c.of_class(x),
        lambda c, x: c.static(x),
        lambda c, x: c @ x,
        lambda c, x: Config().apply(x),
    ],
    ids=["method", "property", "cached", "class", "static", "operator", "made-inside"],
)
def test_globals_of_methods(f: Any) -> None:
    """Globals named in methods, also inherited ones, properties, operators, and constructors."""
    config = Config()

    def g(x: Any) -> Any:
        vars(config).pop("cached", None)
        return f(config, x)

    follows(g, module_global("RATE", 3.0, 2.0))


POWER = 2


class Powers:
    """A special method is the only one that uses the global."""

    def __call__(self, x: Any) -> Any:
        return x**POWER


def test_special_methods_and_classes_made_inside() -> None:
    """``__call__`` of an object; the body of a class that the function makes."""
    powers = Powers()

    def f(x: Any) -> Any:
        class Inside:
            power = POWER

        return x * Inside.power

    for g in (lambda x: powers(x), f):
        follows(g, module_global("POWER", 3, 2), programs=2)


def helper(x: Any) -> Any:
    return x * RATE + second(x)


def second(x: Any) -> Any:
    return SETTINGS["rate"] * x * TABLE


def decorated(f: Any) -> Any:
    @functools.wraps(f)
    def wrapper(x: Any) -> Any:
        return f(x) + 1

    return wrapper


third = decorated(helper)
fourth = functools.lru_cache(lambda n: n * RATE)


def test_functions_that_it_calls() -> None:
    """The globals of functions that a function names, of those that they name, and decorated."""
    for f in (
        lambda x: helper(x),
        lambda x: third(x),
        lambda x: (lambda y: helper(y))(x),
        lambda x: [helper(y) for y in [x]],
        lambda x: sum(helper(y) for y in (x, x)),
        lambda x: koubai.value_and_grad(lambda v: koubai.sum(helper(v)))(x),
        lambda x: functools.reduce(lambda a, b: a + helper(b), [x, x]),
    ):
        follows(f, [*module_global("RATE", 3.0), *setter(SETTINGS, "rate", 3.0), _restore])
        follows(f, module_global("TABLE", X * 2, TABLE), programs=1)


def _restore() -> None:
    global RATE
    RATE = SETTINGS["rate"] = 2.0


def test_what_stands_for_a_function() -> None:
    """Cached functions, koubai's transforms, partials, bound and built-in methods."""
    scale = [2.0]
    held = {"a": X.copy()}
    gradient = koubai.grad(lambda v: koubai.sum(v * v * scale[0] * held["a"]))
    partial = functools.partial(lambda a, x, b: x * a * b * scale[0], 3.0, b=held["a"])
    method = held.get
    for f in (gradient, partial, lambda x: gradient(x) + partial(x) + method("a") + scale[0]):
        follows(f, setter(scale, 0, 3.0, 2.0), programs=2)
        follows(f, [_add_one(held)], programs=1)
    follows(lambda x: x * fourth(1), [fourth.cache_clear], programs=1)
    follows(lambda x: x * fourth.__wrapped__(1), module_global("RATE", 3.0, 2.0), programs=2)


def _add_one(held: Any) -> Any:
    return lambda: np.add(held["a"], 1, out=held["a"])


def test_functions_themselves() -> None:
    """A function that is replaced by another."""
    chosen = {"f": np.exp}
    follows(
        lambda x: chosen["f"](x),
        setter(chosen, "f", np.tanh, lambda x: x * 2, koubai.exp, Config.static, np.exp),
    )


def test_a_class_of_ours_that_is_replaced() -> None:
    """A layer of koubai's by another one: they have no attributes to be told from each other."""
    model = nn.Sequential(nn.ReLU())
    relu = model.layers
    follows(model, setter(model, "layers", (nn.Tanh(),), relu), Variable(X - 2), programs=2)


def test_a_class_that_is_replaced() -> None:
    """Another class with the same attributes has other methods."""

    class One:
        def __call__(self, x: Any) -> Any:
            return x + 1

    class Two:
        def __call__(self, x: Any) -> Any:
            return x + 2

    holder = SimpleNamespace(f=One())
    follows(lambda x: holder.f(x), setter(holder, "f", Two(), One()))
    follows(lambda x: holder.f(x), [lambda: setattr(holder.f, "__class__", Two)] * 1, programs=2)


@pytest.fixture
def settings_module() -> Any:
    """A module of the user's, as ``import settings`` would make it."""
    module = types.ModuleType("settings_of_a_user")
    module.rate, module.table, module.unused = 2.0, X.copy(), 1  # type: ignore[attr-defined]
    exec("def scaled(x): return x * rate", vars(module))
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


def test_modules_imported_inside(settings_module: Any) -> None:
    """``import settings`` in the function itself."""

    def f(x: Any) -> Any:
        import settings_of_a_user as settings  # type: ignore[import-not-found]
        from settings_of_a_user import rate

        return x * settings.rate + rate + settings.table

    follows(f, setter(settings_module, "rate", 3.0, 2.0), programs=2)
    follows(f, setter(settings_module, "table", X * 3, X.copy()), programs=1)


def test_modules_of_the_user(settings_module: Any, monkeypatch: Any) -> None:
    """``settings.rate`` of the user's own module, its arrays, and the globals of its functions."""
    monkeypatch.setitem(globals(), "settings", settings_module)
    f = eval("lambda x: x * settings.rate + settings.table + settings.scaled(x)")
    follows(f, setter(settings_module, "rate", 3.0, 2.0))
    follows(f, setter(settings_module, "unused", 2, 1), programs=1)
    compiled = koubai.compile(f)
    for change in (lambda: None, lambda: np.add(settings_module.table, 1, settings_module.table)):
        change()
        assert_same(f(X), compiled(X))


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


class Weight(float):
    def __repr__(self) -> str:
        return "always the same"


class Slotted:
    __slots__ = ("__private", "rate")

    def __init__(self) -> None:
        self.rate, self.__private = 2.0, 3.0

    def apply(self, x: Any) -> Any:
        return x * self.rate + self.__private

    def set_private(self, value: float) -> None:
        self.__private = value


class Both(Slotted):
    """Slots of the base, and a __dict__."""

    def __init__(self) -> None:
        super().__init__()
        self.own = 4.0

    def apply(self, x: Any) -> Any:
        return super().apply(x) * self.own


@dataclass(frozen=True)
class Frozen:
    rate: float = 2.0
    table: Any = field(default_factory=lambda: X.copy())


class UsersDict(dict):  # type: ignore[type-arg]
    rate = 1.0


class UsersList(list):  # type: ignore[type-arg]
    pass


@pytest.mark.parametrize("slotted", [Slotted, Both])
def test_slots(slotted: Any) -> None:
    """Slots, also private ones, and together with a __dict__."""
    s = slotted()
    follows(s.apply, [*setter(s, "rate", 5.0), lambda: s.set_private(6.0), *setter(s, "rate", 2.0)])
    if slotted is Both:
        follows(s.apply, setter(s, "own", 5.0, 4.0))


@pytest.mark.parametrize(
    ("owner", "name", "values", "read"),
    [
        (UserDict(rate=2.0), "data", [{"rate": 3.0}], lambda o: o["rate"]),
        (SimpleNamespace(rate=2.0), "rate", [3.0, 2.0], lambda o: o.rate),
        (argparse.Namespace(rate=2.0), "rate", [3.0, 2.0], lambda o: o.rate),
        ({"rate": 2.0}, "rate", [3.0, 2.0], lambda o: o["rate"]),
        ({1: 2.0}, 1, [3.0, 2.0], lambda o: o[1]),
        ([2.0, 5.0], 0, [3.0, 2.0], lambda o: o[0]),
        (OrderedDict(rate=2.0), "rate", [3.0, 2.0], lambda o: o["rate"]),
        (defaultdict(float, rate=2.0), "rate", [3.0, 2.0], lambda o: o["rate"]),
        (deque([2.0]), 0, [3.0, 2.0], lambda o: o[0]),
        (UsersDict(rate=2.0), "rate", [3.0, 2.0], lambda o: o["rate"]),
        (UsersDict(rate=2.0), "extra", [3.0, 2.0], lambda o: getattr(o, "extra", 2.0)),
        (UsersList([2.0]), 0, [3.0, 2.0], lambda o: o[0]),
        (UsersList([2.0]), "extra", [3.0, 2.0], lambda o: getattr(o, "extra", 2.0)),
        ({"c": {"d": [{"e": 2.0}]}}, "c", [{"d": [{"e": 3.0}]}], lambda o: o["c"]["d"][0]["e"]),
        ({"t": (1, Pair(2.0, 3))}, "t", [(1, Pair(3.0, 3))], lambda o: o["t"][1].left),
        ({"s": {1, 2}}, "s", [{1, 3}], lambda o: sum(o["s"])),
        ({"s": frozenset({1, 2})}, "s", [frozenset({1, 3})], lambda o: sum(o["s"])),
        ({"r": range(3)}, "r", [range(4)], lambda o: sum(o["r"])),
        ({"e": Level.LOW}, "e", [Level.HIGH], lambda o: o["e"].value),
        ({"w": Weight(2.0)}, "w", [Weight(3.0)], lambda o: float(o["w"])),
        ({"t": "adam"}, "t", ["sgd"], lambda o: len(o["t"])),
        ({"t": b"ab"}, "t", [b"c"], lambda o: len(o["t"])),
        ({"d": np.dtype("f4")}, "d", [np.dtype("f8")], lambda o: np.ones(3, o["d"])),
        ({"d": np.float32}, "d", [np.float64], lambda o: np.ones(3, o["d"])),
        ({"b": np.bool_(True)}, "b", [np.bool_(False)], lambda o: 2.0 if o["b"] else 1.0),
        ({"n": np.array(["a", "b"])}, "n", [np.array(["a", "c"])], lambda o: ord(o["n"][1])),
        ({"z": 1 + 2j}, "z", [1 + 3j], lambda o: o["z"].imag),
        ({"z": np.array([1j])}, "z", [np.array([2j])], lambda o: float(o["z"].imag[0])),
        ({"f": Frozen()}, "f", [Frozen(rate=3.0)], lambda o: o["f"].rate),
        ({"i": slice(0, 2)}, "i", [slice(1, 2)], lambda o: np.ones(3)[o["i"]].sum()),
    ],
    ids=lambda x: type(x).__name__ if not isinstance(x, list) and not callable(x) else "",
)
def test_kinds_of_things(owner: Any, name: Any, values: Any, read: Any) -> None:
    """Numbers, texts and flags in all kinds of containers."""
    if len(values) == 1:
        values = [*values, owner.data if isinstance(owner, UserDict) else owner[name]]
    follows(lambda x: x * read(owner), setter(owner, name, *values))


def test_changes_in_place() -> None:
    """Containers that are changed, not replaced: more elements, other ones, another order."""
    owner: Any = {"set": {1, 2}, "list": [1.0], "dict": {"a": 1.0, "b": 2.0}}

    def f(x: Any) -> Any:
        first = next(iter(owner["dict"].values()))
        return x * sum(owner["set"]) + sum(owner["list"]) * first

    follows(
        f,
        [
            lambda: owner["set"].add(5),
            lambda: owner["list"].append(3.0),
            lambda: owner["dict"].update(a=owner["dict"].pop("a")),
            lambda: owner["set"].remove(5),
            lambda: owner["list"].pop(),
            lambda: owner["dict"].update(b=owner["dict"].pop("b")),
        ],
    )


def test_arrays_in_every_place_are_inputs() -> None:
    """New numbers in an array, or a new array: no new program, and the new numbers."""

    class Holder:
        def __init__(self) -> None:
            self.attribute = X.copy()

    holder, slotted, frozen = Holder(), Slotted(), Frozen()
    slotted.rate = X.copy()  # type: ignore[assignment]
    variable = Variable(X.copy())
    box: dict[Any, Any] = {
        "array": X.copy(),
        "list": [X.copy()],
        "tuple": (1, (X.copy(), Pair(X.copy(), 2))),
        "namespace": SimpleNamespace(y=X.copy()),
        "users list": UsersList([X.copy()]),
        "users dict": UsersDict(y=X.copy()),
        "deque": deque([X.copy()]),
        "partial": functools.partial(np.add, X.copy()),
        "0-d": np.array(3.0),
        "scalar": np.float64(3.0),
        "float32": np.float32(3.0),
    }

    def f(x: Any) -> Any:
        y = box["array"] + box["list"][0] + box["tuple"][1][0] + box["tuple"][1][1].left
        y = y + box["namespace"].y + box["users list"][0] + box["users dict"]["y"]
        y = y + box["deque"][0] + box["partial"](x) + box["0-d"] + box["scalar"] * box["float32"]
        return y + holder.attribute + slotted.rate + variable.data + frozen.table

    arrays = [
        box["array"],
        box["list"][0],
        box["tuple"][1][0],
        box["tuple"][1][1].left,
        box["namespace"].y,
        box["users list"][0],
        box["users dict"]["y"],
        box["deque"][0],
        box["partial"].args[0],
        box["0-d"],
        holder.attribute,
        slotted.rate,
        variable.data,
        frozen.table,
    ]
    compiled = koubai.compile(f)
    before = compiled(X)
    for array in arrays:
        array += 1
        after = compiled(X)
        assert_same(f(X), after)
        assert (after == before + 1).all()
        before = after
    for change in (
        *setter(box, "array", X * 7),
        *setter(box, "tuple", (1, (X * 2, Pair(X * 4, 2)))),
        *setter(box, "scalar", np.float64(9.0)),
        *setter(box, "partial", functools.partial(np.add, X * 2)),
        *setter(holder, "attribute", X * 9),
        *setter(slotted, "rate", X * 8),
        *setter(variable, "data", X * 5),
        lambda: box.update(list=[X * 3]),
    ):
        change()
        assert_same(f(X), compiled(X))
    assert len(compiled.programs) == 1


def test_shapes_and_dtypes() -> None:
    """A new batch size, rank or dtype is a new program; the old ones stay."""

    def f(x: Any) -> Any:
        return np.sum(x / x.shape[0], axis=0)

    compiled = koubai.compile(f)
    xs: list[Any] = [np.ones(s, d) for s in [(3, 2), (4, 2), (3,), (3, 2, 1)] for d in "fdi"]
    for x in [*xs, *xs]:
        assert_same(f(x), compiled(x))
    assert len(compiled.programs) == len(xs)


def test_arrays_that_are_one_or_two() -> None:
    """Whether two places hold the same array, or equal ones, makes a difference."""

    def f(a: Any, b: Any) -> Any:
        a += 1
        return a * b, a is b

    compiled = koubai.compile(f)
    for _ in range(2):
        a, b = X.copy(), X.copy()
        result = compiled(a, b)
        assert_same((result, a, b), (((X + 1) * X, False), X + 1, X))
        result = compiled(a, a)
        assert_same((result, a), (((X + 2) * (X + 2), True), X + 2))
    assert len(compiled.programs) == 2


def test_training_and_evaluation() -> None:
    """``eval()`` is a flag of the world; so is the learning rate of an optimizer."""

    class Dropout(nn.Module):
        def forward(self, x: Any) -> Any:
            return x * 0.5 if self.training else x

    model = nn.Sequential(nn.Linear(3, 2), Dropout())
    x = np.ones((1, 3), np.float32)
    follows(model, [model.eval, model.train], x, programs=3)  # unset, False and True

    parameter = Variable(X.copy())
    optimizer = optim.SGD([parameter], 0.1)

    def step() -> Any:
        parameter.cleargrad()
        koubai.sum(parameter * parameter).backward()
        optimizer.step()

    compiled = koubai.compile(step)
    for lr in (0.1, 0.1, 0.5, 0.1):
        optimizer.lr = lr
        before = parameter.data
        compiled()
        np.testing.assert_allclose(parameter.data, before - lr * 2 * before, rtol=1e-12)
    assert len(compiled.programs) == 2  # for training and for evaluation


def test_recording_is_a_part_of_the_world() -> None:
    """The same function inside and outside no_grad()."""

    def f(x: Any) -> Any:
        y = Variable(x) * 2
        return y.creator is None

    compiled = koubai.compile(f)
    for _ in range(2):
        assert compiled(X) is False
        with koubai.no_grad():
            assert compiled(X) is True


def test_objects_that_are_replaced() -> None:
    """An object like the old one is served by the same program, with its own arrays."""

    class Net:
        def __init__(self, w: float) -> None:
            self.layers = [{"W": np.full(3, w)}]
            self.count = 0

    holder = {"net": Net(1.0)}

    def f(x: Any) -> Any:
        net = holder["net"]
        net.layers[0]["W"] = net.layers[0]["W"] * x
        return net

    compiled = koubai.compile(f)
    for w in (1.0, 2.0, 3.0):
        holder["net"] = net = Net(w)
        assert compiled(X) is net
        assert_same(net.layers[0]["W"], w * X)
    assert len(compiled.programs) == 1


def test_numbers_of_numpy_that_decide() -> None:
    """A NumPy scalar is an input; one on which lengths or decisions hang is a guard."""
    holder: dict[str, Any] = {"n": np.int64(2), "axis": np.int32(0), "lr": np.float64(0.5)}

    def f(x: Any) -> Any:
        y = np.zeros((holder["n"], 3)) + x * holder["lr"]
        y = np.sum(y, axis=holder["axis"])
        return y if holder["n"] > 2 else y[: int(holder["n"])] + [1] * holder["n"]

    compiled = koubai.compile(f)
    for n, lr in [(2, 0.5), (3, 0.5), (2, 0.25), (3, 0.125), (2, 0.5)]:
        holder["n"], holder["lr"] = np.int64(n), np.float64(lr)
        assert_same(f(X), compiled(X))
    assert len(compiled.programs) == 2

    taken = koubai.compile(lambda x, i: x[i])  # an index of an array is an input
    for i in range(3):
        assert_same(taken(X, np.int64(i)), X[i])
    assert len(taken.programs) == 1


def test_weak_references() -> None:
    """What a weak reference refers to is reached, as the ``parent`` of a layer."""

    class Net:
        def __init__(self) -> None:
            self.w, self.rate = X.copy(), 2.0

    net = Net()
    parent = weakref.ref(net)
    follows(lambda x: x * parent().w * parent().rate, setter(net, "rate", 3.0, 2.0), programs=2)  # type: ignore[union-attr]
    follows(lambda x: x * parent().w, setter(net, "w", X * 5, X * 2), programs=1)  # type: ignore[union-attr]


def test_the_order_of_keywords() -> None:
    """A function sees it: ``**kwargs`` is a dict."""

    @koubai.compile
    def f(**xs: Any) -> Any:
        total = np.zeros(3)
        for name, x in xs.items():
            total = total * 2 + x + len(name)
        return total

    one, two = X, X * 10
    assert_same(f(a=one, b=two), 2 * (one + 1) + two + 1)
    assert_same(f(b=two, a=one), 2 * (two + 1) + one + 1)


def test_keys_of_dicts() -> None:
    """Variables and objects as keys: they are in the world, and state is found by them."""
    W = Variable(X.copy())
    velocity = {W: np.zeros(3), ("a", 1): 1.0, 2.5: 3, None: 4}

    def f(x: Any) -> Any:
        for p, v in velocity.items():
            if isinstance(p, Variable):
                velocity[p] = v + x
                p.data = p.data - velocity[p]

    compiled = koubai.compile(f)
    for i in range(1, 4):
        before = W.data
        compiled(X)
        assert_same(velocity[W], i * X)
        assert_same(W.data, before - i * X)
    assert len(compiled.programs) == 1


def test_keys_of_dicts_that_are_made() -> None:
    """A Variable as a key is the one of this call, in new dicts and in new items of old ones."""

    @koubai.compile
    def f(model: Any, old: Any) -> Any:
        state = {p: p.data * 2 for p in model}
        old[model[0]] = state[model[0]] + 1
        fresh = Variable(model[0].data)
        return state, {fresh: fresh, "frozen": frozenset({fresh})}

    for i in range(1, 4):
        model, old = [Variable(X * i), Variable(X + i)], {"a": 1}
        state, made = f(model, old)
        assert list(state) == model
        assert_same([*state.values()], [p.data * 2 for p in model])
        assert list(old) == ["a", model[0]]
        assert_same(old[model[0]], X * i * 2 + 1)
        fresh = made[next(iter(made))]
        assert made["frozen"] == {fresh}
        assert_same(fresh.data, X * i)
        assert_untraced((state, made, old))
    assert len(f.programs) == 1


def test_a_function_that_is_compiled_again_and_again_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Once, at the ninth program: the user's name of what changes, and what to do about it."""

    @koubai.compile
    def double(x: Any) -> Any:
        return x * 2

    for i in range(8):
        double(np.ones(i))
    assert not caplog.records
    for i in range(8, 12):
        double(np.ones(i))
    (message,) = caplog.messages
    assert message.startswith("double is compiled for the 9th time, now because argument 0 was")
    assert "float64[8] now" in message
    assert "Give all batches one shape" in message


def test_a_schedule_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A float that changes is an input."""
    v = Variable(np.ones(3, np.float32))
    optimizer = optim.SGD([v], lr=1.0)

    @koubai.compile
    def step(x: Any) -> None:
        koubai.sum(v * x).backward()
        optimizer.step()
        optimizer.zero_grad()

    for i in range(20):
        optimizer.lr = 0.5**i
        step(np.ones(3, np.float32))
    assert len(step.programs) == 2
    assert not caplog.messages
