"""What the rows of ``linalg_table.py`` do not say: several results, equal values, np.linalg."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import koubai
from koubai import Variable
from koubai.compiler import TraceError


def _symmetric(seed: int = 0) -> Any:
    x = np.random.default_rng(seed).normal(size=(3, 3))
    return x + x.T


def test_results_have_the_names_of_the_standard() -> None:
    """As NumPy's results: slogdet, eigh, qr and svd, of Variables and of arrays."""
    x = _symmetric()
    for name in ("slogdet", "eigh", "qr", "svd"):
        expected = getattr(np.linalg, name)(x)
        for y in (getattr(koubai.linalg, name)(x), getattr(np.linalg, name)(Variable(x))):
            assert y._fields == expected._fields
            for field, theirs in zip(y._fields, expected, strict=True):
                ours = getattr(y, field)
                ours = ours.data if isinstance(ours, Variable) else ours
                np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


def test_results_together() -> None:
    """Each result contributes to one gradient: v diag(w) v^T is x again, and so is u diag(s) vh."""
    gy, x = np.random.default_rng(1).normal(size=(3, 3)), Variable(_symmetric())
    w, v = koubai.linalg.eigh(x)
    ((v * w) @ v.T).backward(gy)
    np.testing.assert_allclose(x.grad, (gy + gy.T) / 2, rtol=1e-10, atol=1e-12)
    x.cleargrad()
    u, s, vh = koubai.linalg.svd(x)
    ((u * s) @ vh).backward(gy)
    np.testing.assert_allclose(x.grad, gy, rtol=1e-10, atol=1e-12)


def test_the_sign_of_slogdet_gives_no_gradient() -> None:
    """It is constant where the determinant is not 0."""
    x = Variable(_symmetric())
    sign, logabsdet = koubai.linalg.slogdet(x)
    (sign * 3.0 + logabsdet).backward()
    np.testing.assert_allclose(x.grad, np.linalg.inv(x.data).T, rtol=1e-10)


def test_equal_eigenvalues_have_gradients() -> None:
    """The sum of their squares, the square of the Frobenius norm, has the gradient 2 x."""
    x = Variable(np.diag([2.0, 2.0, 1.0]))
    koubai.sum(koubai.linalg.eigvalsh(x) ** 2).backward()
    np.testing.assert_allclose(x.grad, 2 * x.data)
    x.cleargrad()
    koubai.sum(koubai.linalg.svdvals(x) ** 2).backward()
    np.testing.assert_allclose(x.grad, 2 * x.data)


def test_gradients_of_symmetric_matrices_are_symmetric() -> None:
    """Of cholesky and of eigh, whatever the gradient of their results is."""
    x = Variable(_symmetric() + 9 * np.eye(3))
    for y in (koubai.linalg.cholesky(x), koubai.linalg.eigh(x).eigenvectors):
        x.cleargrad()
        y.backward(np.random.default_rng(1).normal(size=(3, 3)))
        np.testing.assert_allclose(x.grad, x.grad.T, rtol=1e-10)


NEARLY_SINGULAR = np.arange(1.0, 10.0).reshape(3, 3)  # LAPACK's det of it is 7e-16


@pytest.mark.parametrize(
    "x",
    [
        NEARLY_SINGULAR,
        np.ones((3, 3)),
        np.zeros((3, 3)),
        np.diag([0.0, 2.0, 2.0]),
        np.diag([1e-9, 2.0, 2.0]),
        np.eye(3),
    ],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_derivatives_of_determinants(x: Any, compiled: bool) -> None:
    """Of first and second order, however singular x is: cofactors, and x's own elements."""
    permutations = np.zeros((3, 3, 3))  # the sign of each permutation of 0, 1, 2
    for i, j, k in [(0, 1, 2), (1, 2, 0), (2, 0, 1)]:
        permutations[i, j, k], permutations[j, i, k] = 1, -1
    hessian = np.einsum("ikm,jln,mn->ijkl", permutations, permutations, x)
    of_det = koubai.grad(koubai.linalg.det), koubai.hessian(koubai.linalg.det)
    gradient_, hessian_ = map(koubai.compile, of_det) if compiled else of_det
    cofactors = np.einsum("ijkl,kl->ij", hessian, x) / 2
    np.testing.assert_allclose(gradient_(x), cofactors, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(hessian_(x), hessian, rtol=1e-12, atol=1e-13)


def test_inverses_of_singular_matrices_are_errors() -> None:
    """Also the gradient of slogdet, which is one."""
    x = Variable([[1.0, 2.0], [2.0, 4.0]])
    with pytest.raises(ValueError, match="Singular matrix"):
        koubai.linalg.slogdet(x).logabsdet.backward()


def test_functions_that_have_no_counterpart_are_refused() -> None:
    """np.linalg.eig is not taken for another eig, nor np.fft.fft for one of the main namespace."""
    x = Variable(_symmetric())
    for function, name in [(np.linalg.eig, "numpy.linalg.eig"), (np.fft.fft, "numpy.fft.fft")]:
        with pytest.raises(TypeError, match=f"{name} would lose the history"):
            function(x)  # type: ignore[operator]


def by_hand(x: Any, b: Any) -> Any:
    """A text for NumPy that uses all of it."""
    a = np.einsum("ij,kj->ik", x, x) + np.outer(b, b) + np.tensordot(x, x.T, 1)
    lower, inverse = np.linalg.cholesky(a), np.linalg.inv(a)
    w, v = np.linalg.eigh(a)
    q, r = np.linalg.qr(x)
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    sign, logabsdet = np.linalg.slogdet(a)
    y = lower @ np.linalg.solve(a, b) + np.linalg.det(inverse) * np.linalg.matrix_power(a, 2) @ w
    y = y + v @ b + np.diagonal(q @ r) * np.trace(a) + (u * s) @ vh @ b + sign * logabsdet
    return y / np.linalg.norm(y) + np.linalg.norm(x, 1) + np.vecdot(b, np.linalg.pinv(x) @ b)


def test_numpys_functions_are_compiled() -> None:
    """A compiled function that calls np.linalg gives what it gives uncompiled."""
    rng = np.random.default_rng(3)
    x, b = rng.normal(size=(3, 3)), rng.normal(size=3)
    y = koubai.compile(by_hand)(x, b)
    np.testing.assert_allclose(y, by_hand(x, b), rtol=1e-9)
    np.testing.assert_allclose(by_hand(Variable(x), Variable(b)).data, y, rtol=1e-9)


def test_variables_and_traced_arrays_together() -> None:
    """np.linalg.solve of an array and a Variable is koubai's, also while it is compiled."""
    rng = np.random.default_rng(4)
    x, b = rng.normal(size=(3, 3)), rng.normal(size=3)

    def gradient(x: Any, b: Any) -> Any:
        v = Variable(b)
        np.linalg.norm(np.linalg.solve(x, v)).backward()
        return v.grad

    np.testing.assert_array_equal(koubai.compile(gradient)(x, b), gradient(x, b))


def test_what_is_singular_when_it_runs() -> None:
    """A compiled function raises what LAPACK finds, with the user's line."""
    inverse = koubai.compile(lambda x: np.linalg.inv(x))
    inverse(np.eye(2))
    with pytest.raises(ValueError, match=r"Singular matrix\n  at test_linalg.py:\d+"):
        inverse(np.ones((2, 2)))


def test_further_singular_vectors_are_not_compiled() -> None:
    """NumPy's default, full_matrices=True, is refused where it makes a difference."""
    with pytest.raises((TraceError, ValueError), match="full_matrices=False"):
        koubai.compile(lambda x: np.linalg.svd(x))(np.ones((3, 2)))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_one_variable_in_several_places_of_einsum(n: int) -> None:
    """Its gradients add up: of x . x it is 2 x."""
    x = Variable(np.array([1.0, 2.0, 3.0]))
    koubai.einsum(",".join("i" * n) + "->", *[x] * n).backward()
    np.testing.assert_allclose(x.grad, n * x.data ** (n - 1))


def test_einsum_takes_numpys_option() -> None:
    """optimize= is accepted, and makes no difference."""
    x = Variable(np.ones((2, 2)))
    y = np.einsum("ij,jk,kl", x, x, x, optimize=True)  # type: ignore[call-overload]
    np.testing.assert_array_equal(y.data, np.full((2, 2), 4.0))
