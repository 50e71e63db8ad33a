"""What the rows of the table do not say of elementwise operations and losses."""

from typing import Any

import numpy as np
import pytest

import koubai
from koubai import Variable, grad


def _mixed(f: Any, *point: float) -> tuple[float, float]:
    """The derivatives d/dx2 df/dx1 and d/dx1 df/dx2 of a function of two numbers."""
    args = [Variable(x) for x in point]
    return (
        grad(lambda x2: grad(f, 0)(args[0], x2))(point[1]).item(),
        grad(lambda x1: grad(f, 1)(x1, args[1]))(point[0]).item(),
    )


@pytest.mark.parametrize("x2", [0.0, 1.0, 2.0, -1.5])
@pytest.mark.parametrize("x1", [0.5, 1.0, 3.0])
def test_mixed_derivatives_of_pow(x1: float, x2: float) -> None:
    """Both are x1 ** (x2 - 1) * (1 + x2 log x1), also where the exponent is 0."""
    expected = x1 ** (x2 - 1) * (1 + x2 * np.log(x1))
    np.testing.assert_allclose(_mixed(koubai.pow, x1, x2), expected, rtol=1e-12)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4])
def test_derivatives_of_every_order_of_pow_at_zero(n: int) -> None:
    """x ** n is a polynomial: its n-th derivative at 0 is n!, all others are 0."""
    f: Any = lambda x: x**n  # noqa: E731
    for order in range(1, 6):
        f = grad(f)
        expected = float(np.prod(np.arange(1, n + 1))) if order == n else 0.0
        assert f(0.0) == expected


def test_integers_stay_integers() -> None:
    """Operations on integers give what NumPy gives, also for unsigned ones, in a graph."""
    x = np.array([[0, 250], [7, 3]], dtype=np.uint8)
    for name in ("max", "min", "sum", "copy", "square", "transpose"):
        expected = getattr(np, name)(x)
        ours = getattr(koubai, name)(Variable(x))
        np.testing.assert_array_equal(ours.data, expected)
        assert ours.dtype == expected.dtype


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_second_derivatives_of_large_scores_are_finite(size: float) -> None:
    """sigmoid, softmax, log_softmax and cross entropy at +-1e4 in float32, to second order."""
    functions: list[Any] = [
        lambda x: koubai.sum(koubai.sigmoid(x)),
        lambda x: koubai.softmax(x)[0, 0],
        lambda x: koubai.log_softmax(x)[0, 0],
        lambda x: koubai.softmax_cross_entropy(x, np.array([1])),
    ]
    for f in functions:
        x = Variable(np.array([[size, 0]], np.float32))
        f(x).backward(create_graph=True)
        first = x.grad
        x.cleargrad()
        koubai.sum(first * first).backward()
        assert np.isfinite(first.data).all()
        np.testing.assert_array_equal(x.grad, [[0, 0]])
        assert first.dtype == x.grad.dtype == np.float32


def test_where_hides_a_nan() -> None:
    """Where log is NaN and not chosen, its gradient is that of the other branch alone."""
    x = Variable([-1.0, 2.0])
    with np.errstate(invalid="ignore"):
        y = koubai.where(x > 0, koubai.log(x), 3 * x)
    y.backward(np.ones(2))
    np.testing.assert_array_equal(x.grad, [3, 0.5])


def test_cross_entropy_of_integer_scores() -> None:
    """Integer scores are converted; the probabilities are not cut off to integers with them."""
    t = np.array([[0.25, 0.75]])
    loss = koubai.softmax_cross_entropy(np.array([[1, 2]]), Variable(t))
    expected = koubai.softmax_cross_entropy(np.array([[1.0, 2.0]]), t)
    assert loss.item() == expected


def test_labels_of_any_integer_type() -> None:
    """Labels may be unsigned, short, or a list; the loss does not depend on it."""
    x = Variable([[1.0, 2.0, 3.0], [3.0, 1.0, 0.0]])
    expected = koubai.softmax_cross_entropy(x, np.array([2, 1])).item()
    for t in ([2, 1], np.array([2, 1], np.uint8), np.array([2, 1], np.int16), np.eye(3)[[2, 1]]):
        assert koubai.softmax_cross_entropy(x, t).item() == expected


def test_more_classes_than_the_labels_type_can_count() -> None:
    """Labels 0 to 255 of 300 classes: the places of the row do not start again at 256."""
    x = Variable(np.zeros((1, 300)))
    koubai.softmax_cross_entropy(x, np.array([5], np.uint8)).backward()
    np.testing.assert_allclose(x.grad, (1 / 300) - (np.arange(300) == 5)[None])


def test_astype() -> None:
    """To float32 and back, the gradient keeps the input's dtype; to integers, there is none."""
    x = Variable(np.array([1.5, 2.5]))
    y = x.astype(np.float32)
    assert y.dtype == np.float32
    y.backward(np.array([1.0, 2.0]))
    assert x.grad.dtype == np.float64
    np.testing.assert_array_equal(x.grad, [1, 2])
    assert koubai.astype(x, np.float64, copy=False) is x
    assert koubai.astype(x, np.float32, copy=False) is not x
    whole = x.astype(int)
    np.testing.assert_array_equal(whole.data, [1, 2])
    with pytest.raises(ValueError, match="nothing differentiable"):
        (whole * 1.5).backward(np.ones(2))


@pytest.mark.parametrize(
    ("name", "at", "slope"),
    [
        ("sqrt", 0.0, np.inf),
        ("reciprocal", 0.0, -np.inf),
        ("asin", -1.0, np.inf),
        ("acos", 1.0, -np.inf),
        ("acosh", 1.0, np.inf),
        ("atanh", 1.0, np.inf),
        ("log1p", -1.0, np.inf),
        ("log2", 0.0, np.inf),
        ("log10", 0.0, np.inf),
    ],
)
def test_infinite_derivatives(name: str, at: float, slope: float) -> None:
    """Where the derivative is infinite it is so, as in PyTorch, with NumPy's warning."""
    x = Variable(at)
    with np.errstate(divide="ignore"):
        getattr(koubai, name)(x).backward()
    assert x.grad == slope


def test_abs_and_clip_as_in_python() -> None:
    """abs(v) and v.clip(...) are the operations."""
    x = Variable([-2.0, 3.0])
    np.testing.assert_array_equal(abs(x).data, [2, 3])
    np.testing.assert_array_equal(x.clip(-1, max=1).data, [-1, 1])
    assert koubai.clip(x).data is not x.data


def test_clip_as_in_numpy() -> None:
    """np.clip with NumPy's older keywords, and of a constant between bounds that are not."""
    x = Variable([-2.0, 0.5, 3.0])
    np.testing.assert_array_equal(np.clip(x, a_min=0, a_max=None).data, [0, 0.5, 3])
    constant = np.array([1.0, 1.0, 1.0])
    np.testing.assert_array_equal(np.clip(constant, min=x).data, [1, 1, 3])
    compiled = koubai.compile(lambda x: np.clip(np.ones(3), min=x))
    np.testing.assert_array_equal(compiled(x.data), [1, 1, 3])


def test_where_does_not_protect_what_its_choices_are_computed_from() -> None:
    """0 times an infinite derivative is NaN, as in PyTorch; protected inside, it is 0."""
    x = Variable([0.0, 2.0])
    with np.errstate(divide="ignore", invalid="ignore"):
        koubai.where(x > 0, koubai.log(x), 0.0).sum().backward()
    np.testing.assert_array_equal(x.grad, [np.nan, 0.5])
    x.cleargrad()
    koubai.log(koubai.where(x > 0, x, 1.0)).sum().backward()
    np.testing.assert_array_equal(x.grad, [0, 0.5])
