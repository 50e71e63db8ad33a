"""Derivatives of functions: vjp, jvp, jacobian, hessian, hvp, over nested arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import koubai
from koubai import Variable, grad, hessian, hvp, jacobian, jvp, nn, value_and_grad, vjp

RNG = np.random.default_rng(20)
X, V = RNG.normal(size=5), RNG.normal(size=5)


def smooth(x: Any) -> Any:
    """Five numbers of five, each of all."""
    return koubai.tanh(x) * koubai.exp(-(x * x).sum()) + x


def scalar(x: Any) -> Any:
    return (smooth(x) ** 3).sum()


def numerical(f: Any, x: Any, v: Any, h: float = 1e-6) -> Any:
    """The derivative of f at x in the direction v."""
    return (f(x + h * v) - f(x - h * v)) / (2 * h)


def test_jvp_is_the_numerical_derivative_in_a_direction() -> None:
    """jvp's second result is the limit of (f(x + hv) - f(x)) / h, its first is f(x)."""
    y, dy = jvp(smooth, [X], [V])
    np.testing.assert_allclose(y, smooth(X))
    np.testing.assert_allclose(dy, numerical(smooth, X, V), rtol=1e-7, atol=1e-9)


def test_vjp_and_jvp_agree() -> None:
    """gy . (J v) = (gy J) . v for random directions."""
    gy = RNG.normal(size=5)
    _, pullback = vjp(smooth, X)
    np.testing.assert_allclose(gy @ jvp(smooth, [X], [V])[1], pullback(gy)[0] @ V, rtol=1e-12)


def test_jacobian_has_jvps_as_products() -> None:
    """J v is jvp's result for every v."""
    np.testing.assert_allclose(jacobian(smooth)(X) @ V, jvp(smooth, [X], [V])[1], rtol=1e-12)


def test_jacobian_of_shapes() -> None:
    """Output (2, 3), argument (4,): (2, 3, 4); an empty output gives an empty Jacobian."""
    A = RNG.normal(size=(6, 4))
    x = RNG.normal(size=4)
    J = jacobian(lambda x: koubai.reshape(koubai.matmul(A, x), (2, 3)))(x)
    np.testing.assert_allclose(J, A.reshape(2, 3, 4))
    assert jacobian(lambda x: x[:0])(x).shape == (0, 4)


def test_hessian_is_symmetric_and_numerical() -> None:
    """The Hessian is the derivative of the gradient, and symmetric."""
    H = hessian(scalar)(X)
    np.testing.assert_allclose(H, H.T, atol=1e-12)
    np.testing.assert_allclose(H @ V, numerical(grad(scalar), X, V), rtol=1e-6, atol=1e-8)


def test_hvp_is_the_hessian_times_a_vector() -> None:
    """H v without H."""
    np.testing.assert_allclose(hvp(scalar, [X], [V])[0], hessian(scalar)(X) @ V, rtol=1e-10)


def test_several_arguments() -> None:
    """Derivatives with respect to chosen arguments, in the order that they are named."""
    f = lambda a, b, c: (a * b * b + c).sum()  # noqa: E731
    a, b, c = RNG.normal(size=(3, 4))
    gc, ga = grad(f, argnums=(2, 0))(a, b, c)
    np.testing.assert_allclose(ga, b * b)
    np.testing.assert_allclose(gc, np.ones(4))
    _, pullback = vjp(f, a, b, c)
    np.testing.assert_allclose(pullback(2.0)[1], 4 * a * b)
    np.testing.assert_allclose(jvp(f, [a, b, c], [0 * a, b, c])[1], (2 * a * b * b + c).sum())


def test_nested_arguments() -> None:
    """Dicts, lists and tuples come back as gradients of the same form."""
    params = {"W": RNG.normal(size=(3, 2)), "rest": [RNG.normal(size=2), (2.0,)]}
    x = RNG.normal(size=(4, 3))
    f = lambda p: (koubai.matmul(x, p["W"]) * p["rest"][0]).sum() * p["rest"][1][0]  # noqa: E731
    value, g = value_and_grad(f)(params)
    assert list(g) == ["W", "rest"]
    assert type(g["rest"][1]) is tuple
    np.testing.assert_allclose(g["rest"][1][0], value / 2)
    np.testing.assert_allclose(g["rest"][0], 2 * (x @ params["W"]).sum(0))


def test_modules() -> None:
    """The gradient of a module is a dict by the names of its parameters."""
    model = nn.Sequential(nn.Linear(3, 4, dtype=np.float64), nn.Tanh(), nn.Linear(4, 1))
    x = RNG.normal(size=(5, 3))
    g = grad(lambda m: (m(x) ** 2).sum())(model)
    loss = (model(x) ** 2).sum()
    loss.backward()
    assert list(g) == [name for name, _ in model.named_parameters()]
    for name, p in model.named_parameters():
        np.testing.assert_array_equal(g[name], p.grad)


def test_outputs_may_be_nested() -> None:
    """vjp and jvp of a function with several outputs."""
    f = lambda a, b: {"product": a * b, "sum": [a + b]}  # noqa: E731
    _, pullback = vjp(f, X, V)
    ga, gb = pullback({"product": X, "sum": [V]})
    np.testing.assert_allclose(ga, X * V + V)
    np.testing.assert_allclose(gb, X * X + V)
    _, dy = jvp(f, [X, V], [V, X])
    np.testing.assert_allclose(dy["product"], V * V + X * X)


def test_they_nest() -> None:
    """jvp of grad, grad of jvp, hessian of hvp's function: third derivatives."""
    f = lambda x: x**4  # noqa: E731
    assert grad(lambda x: jvp(f, [x], [1.0])[1])(2.0) == pytest.approx(48)
    assert jvp(grad(grad(f)), [2.0], [1.0])[1] == pytest.approx(48)
    third = grad(lambda x: hvp(lambda y: (y**3).sum(), [x], [V])[0].sum())(X)
    np.testing.assert_allclose(third, 6 * V)


def test_an_output_that_does_not_depend() -> None:
    """Zeros, of the argument's shape."""
    g = grad(lambda a, b: (a * a).sum(), argnums=(0, 1))(X, V)
    np.testing.assert_array_equal(g[1], np.zeros(5))
    assert jvp(lambda x: Variable(np.ones(3)) * 2 + 0 * x.sum(), [X], [V])[1].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: grad(smooth)(X), "single number"),
        (lambda: grad(scalar, argnums=3)(X), "names argument 3"),
        (lambda: grad(scalar)(np.arange(5)), "only real numbers"),
        (lambda: grad(lambda x: 3.0)(X), "does not depend"),
        (lambda: jvp(smooth, [X], [V[:2]]), "shapes of the primals"),
        (lambda: vjp(lambda x: (x, x), X)[1](X), "one for each output"),
    ],
)
def test_errors(call: Any, says: str) -> None:
    """What is wrong is said in the caller's terms."""
    with pytest.raises(ValueError, match=says):
        call()
