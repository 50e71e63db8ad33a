"""Optimizers follow their formulas, keep dtypes, and neither write into nor keep what they get."""

from collections.abc import Callable, Iterator
from typing import Any

import array_api_strict
import numpy as np
import pytest

from koubai import Variable, nn
from koubai.optim import SGD, Adam, Optimizer

SHAPES = [(4, 3), (3,), ()]
STEPS = 200

OPTIMIZERS: list[Callable[..., Optimizer]] = [
    lambda parameters: SGD(parameters, lr=0.05),
    lambda parameters: SGD(parameters, lr=0.05, momentum=0.9),
    lambda parameters: Adam(parameters, lr=0.05),
]


def gradients(seed: int, dtype: Any = np.float64) -> Iterator[list[Any]]:
    """Steps of random gradients, of sizes from 1e-6 to 1e3."""
    rng = np.random.default_rng(seed)
    for _ in range(STEPS):
        yield [np.asarray(10 ** rng.uniform(-6, 3) * rng.normal(size=s), dtype) for s in SHAPES]


def parameters(dtype: Any = np.float64) -> list[Variable]:
    """One of each shape, random but the same at every call."""
    rng = np.random.default_rng(99)
    return [Variable(np.asarray(rng.normal(size=s), dtype)) for s in SHAPES]


def run(optimizer: Optimizer, dtype: Any = np.float64) -> list[Any]:
    """The parameters after all steps."""
    for gs in gradients(0, dtype):
        for p, g in zip(optimizer.parameters, gs, strict=True):
            p.grad = g
        optimizer.step()
    return [p.data for p in optimizer.parameters]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_follows_its_formula(momentum: float) -> None:
    """Every parameter is where a NumPy loop of its own puts it, with and without momentum."""
    result = run(SGD(parameters(), lr=0.01, momentum=momentum))
    for i, (x, y) in enumerate(zip(parameters(), result, strict=True)):
        expected, velocity = np.array(x.data), 0.0
        for gs in gradients(0):
            velocity = momentum * velocity + gs[i]
            expected -= 0.01 * velocity
        np.testing.assert_allclose(y, expected, rtol=1e-12)


def test_adam_follows_its_formula() -> None:
    """Every parameter is where algorithm 1 of the paper, written out in NumPy, puts it."""
    lr, beta1, beta2, eps = 0.02, 0.8, 0.99, 1e-4
    result = run(Adam(parameters(), lr=lr, betas=(beta1, beta2), eps=eps))
    for i, (x, y) in enumerate(zip(parameters(), result, strict=True)):
        expected, m, v = np.array(x.data), 0.0, 0.0
        for t, gs in enumerate(gradients(0), 1):
            m = beta1 * m + (1 - beta1) * gs[i]
            v = beta2 * v + (1 - beta2) * gs[i] ** 2
            m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
            expected -= lr * m_hat / (np.sqrt(v_hat) + eps)
        np.testing.assert_allclose(y, expected, rtol=1e-10)


@pytest.mark.parametrize("name", ["SGD", "momentum", "Adam"])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-10), (np.float32, 2e-4)])
def test_against_torch(name: str, dtype: Any, rtol: float) -> None:
    """PyTorch's optimizer of the same name and settings arrives at the same parameters."""
    torch = pytest.importorskip("torch")
    peers = [torch.tensor(p.data, requires_grad=True) for p in parameters(dtype)]
    ours, peer = {
        "SGD": (SGD(parameters(dtype), lr=0.01), torch.optim.SGD(peers, lr=0.01)),
        "momentum": (
            SGD(parameters(dtype), lr=0.01, momentum=0.9),
            torch.optim.SGD(peers, lr=0.01, momentum=0.9),
        ),
        "Adam": (Adam(parameters(dtype)), torch.optim.Adam(peers)),
    }[name]
    for gs in gradients(0, dtype):
        for q, g in zip(peers, gs, strict=True):
            q.grad = torch.tensor(g)
        peer.step()
    for x, q in zip(run(ours, dtype), peers, strict=True):
        np.testing.assert_allclose(x, q.detach().numpy(), rtol=rtol)


@pytest.mark.parametrize("make", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_parameters_and_state_keep_their_dtype(make: Any, dtype: Any) -> None:
    """Arrays stay arrays, 0-d ones too, of the dtype that they had; the step count is float64."""
    optimizer = make(parameters(dtype))
    for p in optimizer.parameters:
        p.grad = np.ones(p.shape, dtype)
    for _ in range(3):
        optimizer.step()
    state = [x for xs in vars(optimizer).values() if isinstance(xs, list) for x in xs]
    for x in state:
        array = x.data if isinstance(x, Variable) else x
        assert isinstance(array, np.ndarray)
        assert array.dtype == dtype
    if isinstance(optimizer, Adam):
        assert isinstance(optimizer.t, np.ndarray)
        assert (optimizer.t.shape, optimizer.t.dtype, optimizer.t) == ((), np.float64, 3)


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_a_float64_learning_rate_or_gradient_leaves_float32(make: Any) -> None:
    """np.float64 numbers and gradients, which are not weak, don't turn float32 into float64."""
    optimizer = make(parameters(np.float32))
    optimizer.lr = np.float64(0.1)
    for p in optimizer.parameters:
        p.grad = np.ones(p.shape, np.float64)
    optimizer.step()
    assert all(p.dtype == np.float32 for p in optimizer.parameters)


def test_update_gets_arrays_of_the_parameters_dtype() -> None:
    """A subclass's update sees value and gradient as arrays of one dtype, whatever grad holds."""

    class Own(Optimizer):
        def update(self, i: int, x: Any, g: Any) -> Any:
            assert isinstance(g, np.ndarray)
            assert (g.dtype, g.shape) == (x.dtype, x.shape) == (np.float32, SHAPES[i])
            return x - self.lr * g

    optimizer = Own(parameters(np.float32), lr=0.5)
    before = [p.data for p in optimizer.parameters]
    for p, g in zip(optimizer.parameters, next(gradients(0)), strict=True):
        p.grad = Variable(g)
    optimizer.step()
    for p, x, g in zip(optimizer.parameters, before, next(gradients(0)), strict=True):
        np.testing.assert_array_equal(p.data, x - np.float32(0.5) * g.astype(np.float32))


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_nothing_is_mutated_or_aliased(make: Any) -> None:
    """Read-only gradients, parameters and state are enough, and no new array shares memory."""
    optimizer = make(parameters())
    for gs in list(gradients(0))[:3]:
        before = [p.data for p in optimizer.parameters]
        before += [x for xs in vars(optimizer).values() if isinstance(xs, list) for x in xs]
        before = [x for x in before if isinstance(x, np.ndarray)] + gs
        copies = [x.copy() for x in before]
        for x in before:
            x.flags.writeable = False
        for p, g in zip(optimizer.parameters, gs, strict=True):
            p.grad = g
        optimizer.step()
        for x, copy in zip(before, copies, strict=True):
            np.testing.assert_array_equal(x, copy)
        held = [p.data for p in optimizer.parameters]
        held += [x for xs in vars(optimizer).values() if isinstance(xs, list) for x in xs]
        held = [x for x in held if isinstance(x, np.ndarray)]
        for i, x in enumerate(held):
            assert not any(np.shares_memory(x, g) for g in gs)
            assert not any(np.shares_memory(x, y) for y in held[:i])


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_parameters_without_gradient_stay(make: Any) -> None:
    """grad None: the parameter's array is the same object, its state untouched."""
    optimizer = make(parameters())
    first, second, third = optimizer.parameters
    before = [p.data for p in optimizer.parameters]
    second.grad = np.ones(3)
    optimizer.step()
    assert first.data is before[0]
    assert third.data is before[2]
    assert second.data is not before[1]


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_zero_grad_and_a_step_from_backward(make: Any) -> None:
    """The usual three lines lower a loss, also with gradients that are Variables themselves."""
    x = Variable(np.array([3.0, -2.0]))
    optimizer = make([x])
    losses = []
    for i in range(50):
        loss = (x * x).sum()
        optimizer.zero_grad()
        assert x.grad is None
        loss.backward(create_graph=i % 2 == 1)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert isinstance(x.data, np.ndarray)


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_on_another_array_library(make: Any) -> None:
    """The update uses the standard's functions only: array-api-strict gets the same numbers."""
    xs = [Variable(array_api_strict.asarray(p.data)) for p in parameters()]
    strict, ours = make(xs), make(parameters())
    for gs in list(gradients(0))[:5]:
        for p, q, g in zip(strict.parameters, ours.parameters, gs, strict=True):
            p.grad, q.grad = array_api_strict.asarray(g), g
        strict.step()
        ours.step()
    for p, q in zip(strict.parameters, ours.parameters, strict=True):
        assert hasattr(p.data, "__array_namespace__")
        assert not isinstance(p.data, np.ndarray)
        np.testing.assert_allclose(np.from_dlpack(p.data), q.data, rtol=1e-12)


def test_a_wrong_gradient_is_refused_before_anything_changes() -> None:
    """A grad of another shape names the parameter and both shapes; no parameter has moved."""
    for make in OPTIMIZERS:
        optimizer = make(parameters())
        before = [p.data for p in optimizer.parameters]
        for p in optimizer.parameters:
            p.grad = np.ones(p.shape)
        optimizer.parameters[1].grad = np.ones((1, 3))
        with pytest.raises(ValueError, match=r"parameter 1 is float64\[1, 3\].*float64\[3\]"):
            optimizer.step()
        assert all(p.data is x for p, x in zip(optimizer.parameters, before, strict=True))
        assert not isinstance(optimizer, Adam) or optimizer.t == 0
        optimizer.parameters[1].grad = [1.0, 2.0, 3.0]
        with pytest.raises(ValueError, match="parameter 1 is list"):
            optimizer.step()


x0 = Variable([1.0])


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([], ValueError, "got no parameters"),
        (x0, TypeError, r"takes a list of Variables, not float64\[1\]"),
        (None, TypeError, "takes a list of Variables"),
        ([x0, np.ones(3)], TypeError, r"parameter 1 is float64\[3\], not a Variable"),
        (list(nn.Linear(1, 1).named_parameters()), TypeError, "parameter 0 is tuple"),
        (
            nn.Sequential(nn.Linear(1, 1)),
            TypeError,
            r"not the module, a Sequential; write model\.parameters\(\)",
        ),
        (
            nn.Linear(1, 1),
            TypeError,
            r"not the module, a Linear; write model\.parameters\(\)",
        ),
        (
            nn.Linear(1, 1).parameters,
            TypeError,
            r"not the method itself; write model\.parameters\(\), with parentheses",
        ),
        ({"W": x0}, TypeError, r"not a dict; write list\(params\.values\(\)\)"),
        ([Variable(np.array([1, 2]))], TypeError, "parameter 0 is int64.*no gradient"),
        ([x0, x0 * 2], ValueError, r"parameter 1, float64\[1\], was computed from"),
        ([Variable([1.0]), x0, x0], ValueError, "parameters 1 and 2 are the same Variable"),
    ],
)
@pytest.mark.parametrize("optimizer", [SGD, Adam])
def test_parameters_that_are_refused(
    optimizer: Any, given: Any, error: type[Exception], message: str
) -> None:
    """Each kind of wrong parameter is an error that names the optimizer and the place."""
    with pytest.raises(error, match=f"{optimizer.__name__}.*{message}"):
        optimizer(iter(given) if isinstance(given, list) else given, lr=0.1)


@pytest.mark.parametrize("value", [0, -0.1, np.nan, np.inf, -np.inf, "0.1", None, np.ones(2)])
@pytest.mark.parametrize("name", ["lr", "eps"])
def test_lr_and_eps_must_be_positive_and_finite(name: str, value: Any) -> None:
    """Anything but a positive finite number is refused, by name."""
    with pytest.raises(ValueError, match=f"Adam: {name} must be a positive finite number"):
        Adam([x0], **{name: value})
    if name == "lr":
        with pytest.raises(ValueError, match="SGD: lr must be a positive finite number"):
            SGD([x0], lr=value)


@pytest.mark.parametrize("value", [-0.1, 1.0, np.nan, "0.9"])
def test_decay_rates_must_lie_below_1(value: Any) -> None:
    """momentum and both betas: from 0 to below 1."""
    with pytest.raises(ValueError, match="SGD: momentum must be a number from 0 to below 1"):
        SGD([x0], lr=0.1, momentum=value)
    with pytest.raises(ValueError, match=r"Adam: betas\[0\] must be"):
        Adam([x0], betas=(value, 0.9))
    with pytest.raises(ValueError, match=r"Adam: betas\[1\] must be"):
        Adam([x0], betas=(0.9, value))


def test_numpy_numbers_become_python_floats() -> None:
    """A learning rate from np.geomspace is as weak as one that was written down."""
    optimizer = SGD([x0], lr=np.float64(0.1), momentum=np.float32(0.5))
    assert type(optimizer.lr) is float
    assert type(optimizer.momentum) is float


def test_repr() -> None:
    """Kind, number of parameters and settings."""
    assert repr(SGD(parameters(), lr=0.1)) == "SGD(3 parameters, lr=0.1, momentum=0.0)"
    assert repr(SGD([Variable(1.0)], lr=0.1)) == "SGD(1 parameter, lr=0.1, momentum=0.0)"
    assert repr(Adam(parameters())) == "Adam(3 parameters, lr=0.001, betas=(0.9, 0.999), eps=1e-08)"
