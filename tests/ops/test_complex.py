"""Complex numbers are refused, everywhere, until they are supported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import array_api_strict
import numpy as np
import pytest
from op_table import OPERATIONS
from ops.checks import Call
from ops.row import Operation

import koubai
from koubai import Function, Variable
from koubai.ops import constants

REFUSED = "complex numbers are not supported yet"
LIBRARIES = [np, array_api_strict]
DTYPES = ["complex64", "complex128"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "operation",
    [operation for operation in OPERATIONS if operation.name != "setitem"],  # see test_writes
    ids=lambda operation: operation.name,
)
def test_operations(operation: Operation, dtype: str) -> None:
    """Every operation, in the place of each array that has a gradient; in a graph and by hand."""
    for sample in operation.samples:
        call = Call(operation, sample)
        for i, x in enumerate(call.xs):
            xs = call.xs
            xs[i] = x.astype(dtype)
            _assert_refused(call.ours, *xs)
            _assert_refused(call.ours, *[x if i == j else Variable(x) for j, x in enumerate(xs)])
    _assert_refused(call.ours, *[array_api_strict.asarray(x.astype(dtype)) for x in call.xs])


CREATION: dict[str, Callable[..., Any]] = {
    "arange": lambda xp, dtype: koubai.arange(3, dtype=dtype),
    "asarray": lambda xp, dtype: koubai.asarray(xp.asarray([1.0]), dtype=dtype),
    "full_like": lambda xp, dtype: koubai.full_like(xp.asarray([1.0]), 2.0, dtype=dtype),
    "one_hot": lambda xp, dtype: koubai.one_hot(xp.asarray([1]), 2, dtype=dtype),
    "ones": lambda xp, dtype: koubai.ones(2, dtype=dtype),
    "ones_like": lambda xp, dtype: koubai.ones_like(xp.asarray([1.0]), dtype=dtype),
    "zeros": lambda xp, dtype: koubai.zeros(2, dtype=dtype),
    "zeros_like": lambda xp, dtype: koubai.zeros_like(xp.asarray([1.0]), dtype=dtype),
    "astype": lambda xp, dtype: koubai.astype(xp.asarray([1.0]), dtype),
    "method": lambda xp, dtype: Variable(xp.asarray([1.0])).astype(dtype),
}
OF_NO_ARRAY = {"arange", "ones", "zeros"}
BINARY = {"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"}
BINARY |= {"logical_and", "logical_or", "logical_xor", "full_like"}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("xp", LIBRARIES)
def test_functions_without_a_derivative(xp: Any, dtype: str) -> None:
    """What passes arrays through to their library: arrays, numbers, and dtypes of what it makes."""
    x = xp.asarray([1.0, 2.0], dtype=getattr(xp, dtype))
    names = {name for name in vars(constants) if name in koubai.__all__} - OF_NO_ARRAY
    assert {"argmax", "argsort", "asarray", "equal", "isnan", "one_hot", "shape"} <= names
    for name in names - {"isdtype"}:  # which is about a dtype, and takes no array
        function = getattr(koubai, name)
        more = {"one_hot": (3,)}.get(name, ())
        if name in BINARY:
            _assert_refused(function, xp.asarray([1.0, 2.0]), x)
            _assert_refused(function, Variable(xp.asarray([1.0, 2.0])), 1j)
            more = (xp.asarray([1.0, 2.0]),)
        _assert_refused(function, x, *more)
    for name, create in CREATION.items():
        if xp is np or name not in OF_NO_ARRAY:
            _assert_refused(create, xp, getattr(xp, dtype))


@pytest.mark.parametrize("xp", LIBRARIES)
def test_variables_and_gradients(xp: Any) -> None:
    """No Variable holds them; no gradient does, whoever brings it."""
    real, x = xp.asarray([1.0, 2.0]), xp.asarray([1.0, 2.0j])

    class Complex(Function):
        def forward(self, x: Any) -> Any:
            return x * 1.0

        def backward(self, gy: Any) -> Any:
            return xp.astype(gy, xp.complex128)

    y = Variable(real) * 2
    for create_graph in (False, True):
        _assert_refused(y.backward, x, create_graph)
    y.grad = x
    _assert_refused(y.backward)
    _assert_refused(Complex()(Variable(real)).backward, real)
    _assert_refused(Variable, x)
    _assert_refused(Variable, [1j])
    _assert_refused(setattr, y, "data", x)


def test_writes() -> None:
    """Into a Variable with a history, and into one of integers, which has none."""
    y = Variable([1.0, 2.0]) * 2
    for value in (1j, np.complex64(1j), [1j], np.array(1j)):
        _assert_refused(koubai.setitem, y, 0, value)
        _assert_refused(koubai.setitem, Variable(np.array([1, 2])), 0, value)
        _assert_refused(koubai.pad, y, 1, constant_values=value)


def test_numbers_beside_variables() -> None:
    """Python's, NumPy's, on either side of an operator, and NumPy's functions."""
    v = Variable([1.0, 2.0])
    for z in (1j, np.complex64(1j), np.array([1j, 2])):
        _assert_refused(lambda z: v + z, z)
        _assert_refused(lambda z: z * v, z)
        _assert_refused(lambda z: v == z, z)
        _assert_refused(np.equal, v, z)
        _assert_refused(np.maximum, z, v)


def test_transforms_and_random_numbers() -> None:
    """Derivatives of functions, and what the generator is asked for."""
    x, real = np.array([1.0, 2.0j]), np.ones(2)

    def f(x: Any) -> Any:
        return koubai.sum(x * x)

    for transform in ("grad", "value_and_grad", "jacobian", "hessian"):
        _assert_refused(getattr(koubai, transform)(f), x)
    _assert_refused(koubai.checkpoint(f), x)
    _assert_refused(koubai.vjp, f, x)
    for pair in ((x, real), (real, x)):
        _assert_refused(koubai.jvp, f, *[(a,) for a in pair])
        _assert_refused(koubai.hvp, f, *[(a,) for a in pair])
    random = koubai.random.Generator(0)
    _assert_refused(koubai.dropout, x)
    for draw in (random.uniform, random.normal):
        _assert_refused(draw, (2,), 1j)
        _assert_refused(draw, (2,), 0.0, 1j)
        _assert_refused(draw, (2,), dtype=complex)
    _assert_refused(random.permutation, x)
    _assert_refused(random.choice, x)
    _assert_refused(random.choice, 2, (), x)


def test_compiled_functions() -> None:
    """Those that would make complex numbers of real ones."""
    x = np.ones(2)
    for f in (lambda x: x * 1j, lambda x: x.astype(complex), lambda x: x + np.array([1j, 2])):
        _assert_refused(koubai.compile(f), x)


def _assert_refused(function: Any, *args: Any, **kwargs: Any) -> None:
    with pytest.raises(TypeError, match=REFUSED):
        function(*args, **kwargs)
