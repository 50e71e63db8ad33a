"""What the rows of the table do not say of reductions."""

import numpy as np
import pytest

import koubai
from koubai import Variable


@pytest.mark.parametrize("axis", [-1, None])
def test_products_that_leave_the_range_of_floats(axis: int | None) -> None:
    """Where a product is 0 or infinite, the products of its other elements are right still."""
    x = Variable([[1e-200, 1e-200, 2e200, 1e200]])
    koubai.prod(x, axis=axis).backward(np.ones(1 if axis else ()))
    np.testing.assert_allclose(x.grad, [[2e200, 2e200, 1e-200, 2e-200]])
    x = Variable([[1e-200, 1e-200, 1e-100, 1.0]])
    koubai.prod(x, axis=axis).backward(np.ones(1 if axis else ()))
    np.testing.assert_allclose(x.grad, [[1e-300, 1e-300, 0, 0]])


def test_products_of_nothing() -> None:
    """They are 1, and what they are of has no element to have a gradient."""
    for upstream in (0.0, 1.0):
        x = Variable(np.zeros((2, 0)))
        koubai.prod(x, axis=1).backward(np.full(2, upstream))
        assert x.grad.shape == (2, 0)


def test_products_with_and_without_zeros() -> None:
    """Each has its own gradient, and no division by 0 reaches that of another, of any order."""
    x = Variable([[2.0, 3.0, 4.0], [0.0, 3.0, 4.0], [0.0, 0.0, 4.0]])
    koubai.prod(x, axis=1).sum().backward(create_graph=True)
    gx = x.grad
    np.testing.assert_allclose(gx.data, [[12, 8, 6], [12, 0, 0], [0, 0, 0]])
    x.cleargrad()
    gx.sum().backward()
    np.testing.assert_allclose(x.grad, [[7, 6, 5], [7, 4, 3], [4, 4, 0]])
