"""grad and value_and_grad: functions from functions."""

from typing import Any

import array_api_strict
import numpy as np
import pytest

import koubai
from koubai import Variable, grad, value_and_grad


def test_arrays_in_arrays_out() -> None:
    """Of numbers, arrays and lists: the value and the gradient are arrays."""
    value, gradient = value_and_grad(lambda x: (x * x).sum())(np.array([1.0, 2.0]))
    assert type(value) is type(gradient) is np.ndarray
    assert value == 5
    np.testing.assert_array_equal(gradient, [2, 4])
    assert grad(lambda x: x**3)(2) == 12
    np.testing.assert_array_equal(grad(lambda x: koubai.exp(x[0]))([0.0, 1.0]), [1, 0])


def test_the_argument_is_not_written_to() -> None:
    """Neither the array nor a Variable given as the argument: no .grad, no aliasing."""
    data = np.array([1.0, 2.0])
    gradient = grad(lambda x: x.sum())(data)
    gradient += 7
    np.testing.assert_array_equal(data, [1, 2])
    x = Variable(data)
    assert grad(lambda x: x.sum())(x) is not x
    assert x.grad is None


def test_argnums() -> None:
    """One argument or several, in the order asked, negative numbers from the end."""

    def f(x: Any, y: Any, *, scale: float = 1.0) -> Any:
        return (x * x * y * scale).sum()

    x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    np.testing.assert_array_equal(grad(f)(x, y), 2 * x * y)
    np.testing.assert_array_equal(grad(f, argnums=1)(x, y), x * x)
    np.testing.assert_array_equal(grad(f, argnums=-1)(x, y, scale=3.0), 3 * x * x)
    value, (gy, gx) = value_and_grad(f, argnums=(1, 0))(x, y)
    assert value == (x * x * y).sum()
    np.testing.assert_array_equal(gy, x * x)
    np.testing.assert_array_equal(gx, 2 * x * y)
    (single,) = grad(f, argnums=[0])(x, y)
    np.testing.assert_array_equal(single, 2 * x * y)


def test_grad_of_grad() -> None:
    """Nested as deep as one likes, of polynomials and of NumPy's functions."""
    f: Any = lambda x: x**5  # noqa: E731
    for expected in (5 * 16, 20 * 8, 60 * 4, 120 * 2, 120, 0):
        f = grad(f)
        assert f(2.0) == expected
    second = grad(grad(lambda x: np.exp(2 * x)))
    np.testing.assert_allclose(second(0.3), 4 * np.exp(0.6))


def test_a_hessian_by_rows() -> None:
    """The gradient of one entry of a gradient."""
    x = np.array([1.0, 2.0, 3.0])

    def f(x: Any) -> Any:
        return koubai.exp(x[0] * x[1]) + x[2] ** 3 * x[0]

    rows = [grad(lambda x, i=i: grad(f)(x)[i])(x) for i in range(3)]
    e = np.exp(2.0)
    expected = [[4 * e, e + 2 * e, 27], [e + 2 * e, e, 0], [27, 0, 18]]
    np.testing.assert_allclose(rows, expected, atol=1e-12)


def test_a_gradient_inside_a_gradient() -> None:
    """The inner function uses the outer variable from its closure, its own argument is a number.

    d/dx (x * d/dy (x y**2)) = d/dx (2 x**2 y) = 4 x y, also three levels deep.
    """
    outer = grad(lambda x: x * grad(lambda y: x * y * y)(3.0))
    assert outer(2.0) == 4 * 2 * 3
    assert grad(outer)(2.0) == 4 * 3
    deep = grad(lambda x: grad(lambda y: grad(lambda z: x * x * y * y * z * z)(5.0))(3.0))
    assert deep(2.0) == 2 * 2 * 2 * 3 * 2 * 5

    def through_a_result(x: Any) -> Any:
        h = x * x
        return grad(lambda y: h * y)(1.0) * 2

    assert grad(through_a_result)(3.0) == 12


def test_an_inner_gradient_that_does_not_depend_on_the_outer() -> None:
    """It is a constant: arrays, as if nothing was around it."""
    kinds = []

    def f(x: Any) -> Any:
        inner = grad(lambda y: y * y)(3.0)
        kinds.append(type(inner))
        return x * inner

    assert grad(f)(2.0) == 6
    assert kinds == [np.ndarray]


def test_closures() -> None:
    """A Variable from outside takes part as a constant and keeps its .grad."""
    w = Variable([2.0, 3.0])
    w.grad = np.array([7.0, 7.0])
    np.testing.assert_array_equal(grad(lambda x: (x * w).sum())(np.ones(2)), [2, 3])
    np.testing.assert_array_equal(w.grad, [7, 7])


def test_the_argument_used_from_outside_as_well() -> None:
    """Only the uses of the argument count, not those of the same Variable outside."""
    x = Variable(3.0)
    gradient = grad(lambda z: z * x)(x)
    assert gradient.item() == 3
    gradient.backward()
    assert x.grad == 1


def test_variables_in_variables_out() -> None:
    """With a Variable as an argument the results have a history, as f itself would have."""
    x = Variable([1.0, 2.0])
    value, gradient = value_and_grad(lambda x: (x * x * x).sum())(x)
    assert isinstance(value, Variable)
    assert isinstance(gradient, Variable)
    (gradient * gradient).sum().backward()  # sum of 9 x**4
    np.testing.assert_array_equal(x.grad, [36, 36 * 8])
    both = grad(lambda x, y: (x * y).sum(), argnums=(0, 1))(x, np.array([5.0, 6.0]))
    assert all(isinstance(g, Variable) for g in both)


def test_an_argument_without_influence() -> None:
    """Its gradient is zero, of its own shape and dtype; a Variable among Variables."""
    unused = np.ones((2, 3), np.float32)
    gx, gu = grad(lambda x, u: x * x, argnums=(0, 1))(3.0, unused)
    assert gx == 6
    assert (gu.shape, gu.dtype, gu.any()) == ((2, 3), np.float32, False)
    assert grad(grad(lambda x: Variable(3.0) * 2.0))(2.0) == 0
    strict = array_api_strict.ones(2)
    _, gu = grad(lambda x, u: x * x, argnums=(0, 1))(3.0, strict)
    assert isinstance(gu, type(strict))


def test_inside_no_grad() -> None:
    """grad records what it needs, and nothing is recorded afterwards."""
    x = Variable(3.0)
    with koubai.no_grad():
        assert grad(lambda x: x * x)(3.0) == 6
        assert (x * x).creator is None


@pytest.mark.parametrize(
    ("f", "args", "words"),
    [
        (lambda x: x * x, (np.ones(2),), ["must return a single number, not float64[2]"]),
        (lambda x: 3.0, (1.0,), ["returned 3.0, which does not depend on the arguments"]),
        (lambda x: None, (1.0,), ["returned NoneType None"]),
        (lambda x: x.data, (1.0,), ["returned float64[]", "does not depend"]),
        (lambda x: x * 1.0, (np.array(3),), ["argument 0 is int64[]", "write x.astype(float)"]),
        (lambda x: x * 1.0, (np.array([True]),), ["argument 0 is bool[1]"]),
        (lambda x: x, (), ["argnums names argument 0", "called with 0"]),
        (lambda x: x.astype(int), (1.0,), ["integers and booleans have no gradient"]),
    ],
)
def test_errors(f: Any, args: tuple[Any, ...], words: list[str]) -> None:
    """What the function must return, and what it can be differentiated with respect to."""
    with pytest.raises(ValueError, match=r".") as caught:
        grad(f)(*args)
    for word in words:
        assert word in str(caught.value)


def test_text_has_no_gradient() -> None:
    """Nor have complex numbers."""
    for wrong in ("text", 1j, np.array([1j])):
        with pytest.raises(TypeError, match="real numbers are needed"):
            grad(lambda x: x)(wrong)


def test_an_error_in_the_function_leaves_nothing_behind() -> None:
    """After it, gradients are computed and recorded as before."""

    def broken(x: Any) -> Any:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        grad(broken)(1.0)
    assert type(grad(lambda x: x * x)(3.0)) is np.ndarray
