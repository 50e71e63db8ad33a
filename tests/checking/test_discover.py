"""What ``koubai check`` finds in a module, and what it makes up to call it with."""

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from koubai import Variable, check
from koubai.checking.discover import NothingThere, discover
from koubai.checking.guess import CannotGuess, guess

Define = Callable[..., ModuleType]

HEAD = """
import numpy as np
import koubai
from koubai import Function, nn
from koubai.book import Affine
from abc import ABC, abstractmethod
"""


@pytest.fixture
def define() -> Iterator[Define]:
    """Make a module of some source."""

    def make(source: str) -> ModuleType:
        module = ModuleType("layers_under_test")
        sys.modules[module.__name__] = module
        exec(compile(HEAD + source, "layers_under_test.py", "exec"), vars(module))
        return module

    yield make
    sys.modules.pop("layers_under_test", None)


def names(module: ModuleType, name: str | None = None) -> list[str]:
    return [found.name for found in discover(module, name)]


LAYERS = """
class Plain:
    def forward(self, x):
        return x * 1.0
    def backward(self, dout):
        return dout * 1.0

class Node(Function):
    def forward(self, x):
        return x * 2
    def backward(self, gy):
        return gy * 2

class Net(nn.Module):
    def __init__(self, hidden_size):
        self.layer = nn.Linear(4, hidden_size)
    def forward(self, x):
        return self.layer(x)

class Book:
    def __init__(self):
        self.params = {"W": np.ones((4, 3))}
    def loss(self, x, t):
        return np.sum((x @ self.params["W"] - t) ** 2)
    def gradient(self, x, t):
        return {"W": 2 * x.T @ (x @ self.params["W"] - t)}

class Other:
    def forward(self, x):
        return x

class Abstract(ABC):
    @abstractmethod
    def forward(self): ...
    @abstractmethod
    def backward(self): ...

Again = Plain

def square(x):
    return x * x

layer = Plain()
net = nn.Sequential(nn.Linear(7, 3), nn.ReLU())
number = 3
"""


def test_classes_are_found(define: Define) -> None:
    """Layers, Functions, modules and networks that the file defines, each once, in its order; no
    imported or abstract classes, no functions; and modules that it puts together."""
    assert names(define(LAYERS)) == ["Plain", "Node", "Net", "Book", "net"]


def test_all_that_is_found_can_be_checked(define: Define) -> None:
    """Objects and inputs are made for each kind, and the gradients come out right."""
    for found in discover(define(LAYERS)):
        call = found.call()
        report = check(call.target, *call.inputs)
        assert report.ok
        assert report.checked


@pytest.mark.parametrize("name", ["Plain", "layer", "net", "square", "Affine"])
def test_by_name(define: Define, name: str) -> None:
    """A class, an object, a function, or an imported class can be named."""
    (found,) = discover(define(LAYERS), name)
    call = found.call()
    assert found.name == name
    assert check(call.target, *call.inputs).ok


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("Plian", "there is no Plian in it; did you mean Plain"),
        ("number", "it is 3"),
        ("Other", "backward"),
    ],
)
def test_a_name_of_nothing(define: Define, name: str, what: str) -> None:
    """A name that is not there, or of something without gradients, is an error that helps."""
    with pytest.raises(NothingThere, match=what):
        discover(define(LAYERS), name)


def test_a_variable_by_name(define: Define) -> None:
    """A Variable is checked with the graph behind it."""
    (found,) = discover(define("loss = koubai.exp(koubai.Variable(1.0))"), "loss")
    assert isinstance(found.call().target, Variable)


LISTED = """
class Power:
    def __init__(self, mode):
        self.n = {"square": 2, "cube": 3}[mode]
    def forward(self, x):
        self.x = x
        return x**self.n
    def backward(self, dout):
        return dout * self.n * self.x ** (self.n - 1)

class Same:
    def forward(self, x):
        return x * 1
    def backward(self, dout):
        return dout * 1

def half(x):
    return x / 2

def check_inputs():
    x = np.array([1.0, 2.0])
    return [(Power("square"), x), (Power("cube"), x), (half, x)]
"""


def test_check_inputs(define: Define) -> None:
    """What it lists is checked as it says; other classes are found besides."""
    module = define(LISTED)
    assert names(module) == ["Power", "Power", "half", "Same"]
    calls = [found.call() for found in discover(module, "Power")]
    assert [call.target.n for call in calls] == [2, 3]
    assert all(call.description == "float64[2]" for call in calls)


@pytest.mark.parametrize("wrong", ["3", "{'Power': 1}", "[1]", "[()]", "None"])
def test_check_inputs_that_are_none(define: Define, wrong: str) -> None:
    """Anything but a list of tuples is an error that shows one."""
    with pytest.raises(TypeError, match=r"a list of tuples, .* such as \[\(Affine\(W, b\), x\)"):
        discover(define(f"def check_inputs(): return {wrong}"))


def test_an_object_stands_in(define: Define) -> None:
    """Of a class that can't be made, an object of the module is checked."""
    module = define(LISTED.replace("def check_inputs", "power = Power('cube')\ndef _unused"))
    call = discover(module, "Power")[0].call()
    assert call.target.n == 3


def test_what_to_complete(define: Define) -> None:
    """A class that can't be made comes with the call, to be completed: it is Python."""
    module = define(LISTED.replace("def check_inputs", "def _unused"))
    (found,) = discover(module, "Power")
    with pytest.raises(CannotGuess, match="mode of its constructor could be anything"):
        found.call()
    assert found.to_complete == "Power(mode=...), np.random.randn(5, 4)"


def test_base_classes(define: Define) -> None:
    """A class that leaves its forward to others is known as such."""
    source = """
class Unwritten:
    def forward(self, x):
        raise NotImplementedError
    def backward(self, gy):
        raise NotImplementedError

class Passes:
    def forward(self, x):
        pass
    def backward(self, gy):
        pass

class NoInputs:
    def forward(self):
        pass
    def backward(self):
        pass
"""
    for found in discover(define(source)):
        with pytest.raises(CannotGuess) as error:
            found.call()
        assert error.value.is_base


# What is made up.


def layer(forward: str, init: str = "pass", backward: str = "return dout") -> str:
    """The source of a class."""
    arguments, _, body = forward.partition(": ")
    settings, _, made = init.rpartition(": ")
    return f"""
class Layer:
    def __init__(self{", " + settings if settings else ""}):
        {made}
    def forward(self, {arguments}):
        {body}
    def backward(self, dout):
        {backward}
"""


@pytest.mark.parametrize(
    ("source", "description"),
    [
        (layer("x: return x + 0"), "x: float64[5, 4]"),
        (layer("x, y: return x * y"), "x: float64[5, 4], y: float64[5, 4]"),
        (layer("a, b: return a + b"), "a: float64[5, 4], b: float64[5, 4]"),
        (layer("x, y: return x @ y"), "x: float64[5, 4], y: float64[4, 3]"),
        (layer("x: return float(x)"), "x: -1.68"),
        (layer("x: n, = x.shape; return x + 0"), "x: float64[4]"),
        (layer("x: n, t, d = x.shape; return x + 0"), "x: float64[2, 5, 4]"),
        (layer("x: n, c, h, w = x.shape; return x + 0"), "x: float64[2, 3, 6, 6]"),
        (layer("*xs: return xs[0] + 0"), "xs: float64[5, 4]"),
        (layer("x, train_flg=True: return x + 0"), "x: float64[5, 4]"),
        (layer("x, t: return -np.log(x[range(5), t] ** 2)"), "x: float64[5, 4], t: int64[5]"),
        (layer("y, t: return ((y - t) ** 2).sum()"), "y: float64[5, 4], t: int64[5, 4]"),
        (
            layer("x: return x @ self.W + self.b", "W, b: self.W, self.b = W, b"),
            "Layer(W: float64[4, 3], b: float64[3]), x: float64[5, 4]",
        ),
        (
            layer(
                "x, h_prev: return x @ self.p[0] + h_prev @ self.p[1] + self.p[2]",
                "Wx, Wh, b: self.p = Wx, Wh, b",
            ),
            "Layer(Wx: float64[4, 3], Wh: float64[3, 3], b: float64[3]),"
            " x: float64[5, 4], h_prev: float64[5, 3]",
        ),
        (
            layer(
                "x, h_prev: return np.split(x @ self.p[0] + h_prev @ self.p[1], 4, 1)[3] * h_prev",
                "Wx, Wh: assert Wh.shape[1] == 4 * len(Wh); self.p = Wx, Wh",
            ),
            "Layer(Wx: float64[4, 12], Wh: float64[3, 12]),"
            " x: float64[5, 4], h_prev: float64[5, 3]",
        ),
        (
            layer("x: return x @ self.W", "input_size, output_size: "
                  "self.W = np.ones((input_size, output_size))"),
            "Layer(input_size: 4, output_size: 3), x: float64[5, 4]",
        ),
        (layer("idx: return self.W[idx]", "W: self.W = W"),
         "Layer(W: float64[4, 3]), idx: int64[5, 4]"),
        (layer("x: return x * self.a", "alpha, n: self.a = alpha"),
         "Layer(alpha: 0.5, n: 4), x: float64[5, 4]"),
        (layer("x: return x * self.a", "q: float, r: int, s: bool: self.a = q"),
         "Layer(q: 0.5, r: 4, s: False), x: float64[5, 4]"),
    ],
)  # fmt: skip
def test_guesses(define: Define, source: str, description: str) -> None:
    """From names and annotations, of shapes with which the forward runs."""
    assert guess(define(source).Layer).description == description


@pytest.mark.parametrize("f", ["np.log", "np.sqrt", "np.arcsin", "np.arccosh"])
def test_domains(define: Define, f: str) -> None:
    """Inputs lie where the forward is finite."""
    call = guess(define(layer(f"x: return {f}(x)")).Layer)
    with np.errstate(all="raise"):
        assert np.isfinite(call.target.forward(*call.inputs)).all()


def test_a_function_of_inputs_with_names_of_weights(define: Define) -> None:
    """A w is a matrix where that fits, else an array like x."""
    module = define("def f(x, W): return x @ W\ndef g(x, w): return x * w")
    assert guess(module.f).description == "x: float64[5, 4], W: float64[4, 3]"
    assert guess(module.g).description == "x: float64[5, 4], w: float64[5, 4]"


def test_a_module_is_called_with_what_its_weights_take(define: Define) -> None:
    """x is as wide as the first weight is high."""
    assert guess(define(LAYERS).net).description == "x: float64[5, 7]"


def test_a_backward_that_raises(define: Define) -> None:
    """The call is the first with which the forward runs, if the backward raises with all."""
    call = guess(define(layer("x: return x + 0", backward="raise ValueError('no')")).Layer)
    assert call.description == "x: float64[5, 4]"
    assert not call.doubt


def test_a_backward_for_vectors(define: Define) -> None:
    """A forward that takes more shapes than the backward is checked, with a doubt."""
    call = guess(define(layer("x: return x + 0", backward="n, = dout.shape; return dout")).Layer)
    assert call.description == "x: float64[4]"
    assert call.doubt.startswith("with x: float64[5, 4] forward runs, but backward raises ValueErr")


def test_the_same_each_time(define: Define) -> None:
    """A seed gives the same numbers, in the weights that a constructor draws too."""
    cls = define(layer("x: return x * self.W", "n: self.W = np.random.randn(n)")).Layer
    first, again, other = (guess(cls, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.inputs[0], again.inputs[0])
    np.testing.assert_array_equal(first.target.W, again.target.W)
    assert not np.array_equal(first.inputs[0], other.inputs[0])
    assert not np.array_equal(first.target.W, other.target.W)


def test_an_object_stays_as_it_is(define: Define) -> None:
    """Trying out is done on copies."""
    one: Any = define(layer("x: self.x = x; return x + 0")).Layer()
    guess(one)
    assert not vars(one)


OWN_VARIABLES = """
class Variable:
    def __init__(self, data):
        self.data = data

class Function:
    def __call__(self, input):
        output = Variable(self.forward(input.data))
        self.input = input
        return output
    def forward(self, x):
        raise NotImplementedError
    def backward(self, gy):
        raise NotImplementedError

class Square(Function):
    def forward(self, x):
        return x**2
    def backward(self, gy):
        return FACTOR * self.input.data * gy
"""


@pytest.mark.parametrize(("factor", "ok"), [(2, True), (3, False)])
def test_functions_of_somebodys_own_variables(define: Define, factor: int, ok: bool) -> None:
    """A backward that reads the inputs that __call__ keeps is checked through __call__."""
    module = define(OWN_VARIABLES.replace("FACTOR", str(factor)))
    call = discover(module, "Square")[0].call()
    report = check(call.target, *call.inputs)
    assert report.ok is ok
    assert report.name == "Square"
    assert report.checked == {"x": 20}
