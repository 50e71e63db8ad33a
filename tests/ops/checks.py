"""What every operation promises, as functions of a row of the table and one of its samples.

They are functions, not tests, so that the tests of the tests can run them on wrong operations.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

import array_api_strict
import numpy as np
import pytest
from ops.numerical import assert_gradients
from ops.row import Drawn, Operation, Sample

import koubai
from koubai import Variable


class Call:
    """An operation, with the arguments of one sample drawn. ``xs`` are those to differentiate."""

    def __init__(self, operation: Operation, sample: Sample, dtype: Any = np.float64) -> None:
        self.operation, self.sample = operation, sample
        self.where = f"{operation.name}{sample.args}{sample.kwargs or ''}"
        seed = zlib.crc32(self.where.encode())
        print(f"{self.where}: drawn with seed {seed}")  # shown when a test fails
        self.rng = np.random.default_rng(seed)
        args = [arg(self.rng) if isinstance(arg, Drawn) else arg for arg in sample.args]
        self.args = [_convert(arg, lambda x: _real_as(x, dtype)) for arg in args]
        self.places = [
            i for i, a in enumerate(sample.args) if isinstance(a, Drawn) and a.differentiable
        ]

    @property
    def xs(self) -> list[Any]:
        return [self.args[i] for i in self.places]

    def arguments(self, xs: Sequence[Any]) -> list[Any]:
        """The arguments with ``xs`` in their places."""
        args = list(self.args)
        for i, x in zip(self.places, xs, strict=True):
            args[i] = x
        return args

    def ours(self, *xs: Any) -> Any:
        return self.operation.call(*self.arguments(xs), **self.sample.kwargs)

    def reference(self, *xs: Any) -> Any:
        return np.asarray(self.operation.reference(*self.arguments(xs), **self.sample.kwargs))

    def random_like(self, x: Any) -> Any:
        return np.asarray(self.rng.normal(size=x.shape)).astype(x.dtype)

    def upstream(self) -> Any:
        """A random gradient of the result."""
        return self.random_like(self.reference(*self.xs))


def _convert(arg: Any, convert: Callable[[Any], Any]) -> Any:
    """``arg`` with ``convert`` applied to the arrays in it."""
    if isinstance(arg, tuple):
        return tuple(_convert(a, convert) for a in arg)
    return convert(arg) if isinstance(arg, np.ndarray) else arg


def _real_as(x: Any, dtype: Any) -> Any:
    return x.astype(dtype) if x.dtype.kind == "f" else x


def _variables(xs: Sequence[Any]) -> list[Variable]:
    return [Variable(x) for x in xs]


def _gradients(call: Call, xs: Sequence[Any], gy: Any) -> list[Any]:
    """The gradients of sum(gy * y) by one backward pass."""
    variables = _variables(xs)
    call.ours(*variables).backward(gy)
    assert [type(x.grad) for x in variables] == [type(x) for x in xs], call.where
    return [x.grad for x in variables]


def check_value(operation: Operation, sample: Sample) -> None:
    """NumPy's value, shape and dtype; a Variable of Variables, an array of arrays."""
    call = Call(operation, sample)
    expected = call.reference(*call.xs)
    in_graph, by_hand = call.ours(*_variables(call.xs)), call.ours(*call.xs)
    assert isinstance(in_graph, Variable)
    assert not isinstance(by_hand, Variable)
    for y in (in_graph.data, by_hand):
        assert (y.shape, y.dtype) == (expected.shape, expected.dtype), call.where
        np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-14, err_msg=call.where)


def check_first_derivative(operation: Operation, sample: Sample) -> None:
    """The gradients are the numerical ones of NumPy's function, for a random upstream gradient."""
    call = Call(operation, sample)
    gy = call.upstream()
    gradients = _gradients(call, call.xs, gy)

    def weighted(*xs: Any) -> Any:
        return np.sum(gy * call.reference(*xs))

    assert_gradients(weighted, call.xs, gradients, call.rng, call.where)


def second_order(call: Call, xs: Sequence[Any], gy: Any, vs: Sequence[Any]) -> list[Any]:
    """The gradients of sum(gx * v) with respect to all inputs and gy, gx being the gradients."""
    variables, gy = _variables(xs), Variable(gy)
    call.ours(*variables).backward(gy, create_graph=True)
    first = [x.grad for x in variables]
    for x in variables:
        x.cleargrad()
    total = sum(koubai.sum(gx * v) for gx, v in zip(first, vs, strict=True))
    total.backward()  # type: ignore[union-attr]
    return [x.grad for x in (*variables, gy)]


def check_second_derivative(operation: Operation, sample: Sample) -> None:
    """The gradients of the gradients are the numerical ones of the first-order gradients."""
    call = Call(operation, sample)
    gy = call.upstream()
    vs = [call.random_like(x) for x in call.xs]

    def weighted(*xs: Any) -> Any:
        *xs, gy = xs  # type: ignore[assignment]
        return sum(np.sum(gx * v) for gx, v in zip(_gradients(call, xs, gy), vs, strict=True))

    second = second_order(call, call.xs, gy, vs)
    arrays = [*call.xs, gy]
    # None of an input on which the gradients do not depend.
    second = [np.zeros(x.shape) if g is None else g for x, g in zip(arrays, second, strict=True)]
    assert_gradients(weighted, arrays, second, call.rng, call.where)


def check_jvp(operation: Operation, sample: Sample) -> None:
    """Forward and backward are one linear map: gy . jvp(v) is vjp(gy) . v, in all directions."""
    call = Call(operation, sample)
    gy = call.upstream()
    vs = [call.random_like(x) for x in call.xs]
    y, dy = koubai.jvp(call.ours, call.xs, vs)
    np.testing.assert_array_equal(y, call.ours(*call.xs))
    assert (dy.shape, dy.dtype) == (y.shape, y.dtype), call.where
    forward = np.sum(gy * dy)
    products = [gx * v for gx, v in zip(_gradients(call, call.xs, gy), vs, strict=True)]
    scale = 1 + sum(np.sum(np.abs(product)) for product in products)
    assert abs(forward - sum(map(np.sum, products))) <= 1e-12 * scale, call.where


def check_alone(operation: Operation, sample: Sample) -> None:
    """An input's gradient does not depend on which other inputs are Variables, to the bit."""
    call = Call(operation, sample)
    gy = call.upstream()
    for i, together in enumerate(_gradients(call, call.xs, gy)):
        xs = call.xs
        xs[i] = Variable(xs[i])
        call.ours(*xs).backward(gy)
        np.testing.assert_array_equal(xs[i].grad, together, err_msg=call.where)


def check_float32(operation: Operation, sample: Sample) -> None:
    """float32 stays float32, forward and backward, at every step; so it does with numbers."""
    call = Call(operation, sample, np.float32)
    expected = call.reference(*call.xs).dtype
    cast = mock.Mock(side_effect=koubai.arrays.cast)
    with mock.patch.object(koubai.arrays, "cast", cast):  # the engine's, of a wrong gradient
        xs = _variables(call.xs)
        y = call.ours(*xs)
        y.backward(call.upstream())
    assert y.dtype == expected, call.where
    assert [x.grad.dtype for x in xs] == [np.float32] * len(xs)
    if expected == np.float32:
        for gradient, dtype in (c.args for c in cast.call_args_list):
            assert gradient.dtype == dtype, f"{call.where}: backward returned {gradient.dtype}"


def check_mixed_dtypes(operation: Operation, sample: Sample) -> None:
    """float32 and float64 together: NumPy's dtype forward, each input's own backward."""
    call = Call(operation, sample)
    for dtypes in itertools.product([np.float32, np.float64], repeat=len(call.places)):
        xs = [x.astype(dtype) for x, dtype in zip(call.xs, dtypes, strict=True)]
        variables = _variables(xs)
        y = call.ours(*variables)
        assert y.dtype == call.reference(*xs).dtype, call.where
        y.backward(call.upstream())
        assert [x.grad.dtype for x in variables] == list(dtypes), call.where


def check_memory(operation: Operation, sample: Sample) -> None:
    """No input and no upstream gradient is written to; gradients share memory with nothing."""
    call = Call(operation, sample)
    gy = call.upstream()
    kept = [x.copy() for x in (*call.xs, gy)]
    for create_graph in (False, True):
        inputs = [x.copy() for x in call.xs]
        for array in (*inputs, gy):
            array.flags.writeable = False  # NumPy refuses the write, with a traceback to it
        xs = _variables(inputs)
        y = call.ours(*xs)
        y.backward(gy, create_graph=create_graph)
        for array, before in zip((*inputs, gy), kept, strict=True):
            np.testing.assert_array_equal(array, before)
        gradients = [x.grad.data if create_graph else x.grad for x in xs]
        for i, gradient in enumerate(gradients):
            assert type(gradient) is np.ndarray  # not a NumPy scalar
            for other in (*inputs, gy, y.data, *gradients[:i]):
                assert not np.shares_memory(gradient, other), f"{call.where}: gradient {i}"
    shared = any(np.shares_memory(y.data, x) for x in inputs)
    assert call.operation.name in VIEWS or not shared, f"{call.where} is a view of its input"


VIEWS = {
    "broadcast_to",
    "expand_dims",
    "flip",
    "diagonal",
    "einsum",
    "getitem",
    "linalg.diagonal",
    "matrix_transpose",
    "moveaxis",
    "permute_dims",
    "reshape",
    "sliding_window_view",
    "squeeze",
    "transpose",
}
"""Whose result may be a view of the input, as NumPy's is."""


def check_protocol(operation: Operation, sample: Sample) -> None:
    """NumPy's function of a Variable is ours, whichever of the arguments are Variables."""
    call = Call(operation, sample)
    gy = call.upstream()
    ours = _gradients(call, call.xs, gy)
    for chosen in _nonempty_subsets(len(call.xs)):
        xs = [Variable(x) if i in chosen else x for i, x in enumerate(call.xs)]
        y = operation.protocol(*call.arguments(xs), **sample.kwargs)
        assert isinstance(y, Variable), call.where
        np.testing.assert_array_equal(y.data, call.ours(*call.xs))
        y.backward(gy)
        for i in chosen:
            np.testing.assert_array_equal(xs[i].grad, ours[i])


def _nonempty_subsets(n: int) -> Iterator[tuple[int, ...]]:
    for size in range(1, n + 1):
        yield from itertools.combinations(range(n), size)


def check_strict(operation: Operation, sample: Sample) -> None:
    """On arrays of array-api-strict: by hand, in a graph and to second order, NumPy's numbers."""
    call, xp = Call(operation, sample), array_api_strict
    gy = call.upstream()
    vs = [call.random_like(x) for x in call.xs]
    expected = [call.ours(*call.xs), *_gradients(call, call.xs, gy)]
    second = second_order(call, call.xs, gy, vs)

    call.args = [_strict(arg) for arg in call.args]
    strict_gy, strict_vs = xp.asarray(gy), [xp.asarray(v) for v in vs]
    by_hand = call.ours(*call.xs)
    assert isinstance(by_hand, type(strict_gy)), call.where
    results = [by_hand, *_gradients(call, call.xs, strict_gy)]
    results += second_order(call, call.xs, strict_gy, strict_vs)
    for result, ours in zip(results, [*expected, *second], strict=True):
        if ours is None:
            assert result is None
        else:
            assert isinstance(result, type(strict_gy)), call.where
            np.testing.assert_allclose(np.asarray(result), ours, 1e-12, 1e-14, err_msg=call.where)


def _strict(arg: Any) -> Any:
    if isinstance(arg, type) and issubclass(arg, np.generic):
        return getattr(array_api_strict, arg.__name__)
    return _convert(arg, array_api_strict.asarray)


def check_torch(operation: Operation, sample: Sample) -> None:
    """PyTorch's value and gradients."""
    call = Call(operation, sample)
    gy = call.upstream()
    ours = [call.ours(*call.xs), *_gradients(call, call.xs, gy)]
    theirs = torch_results(operation, call.args, call.places, sample.kwargs, gy)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, 1e-10, 1e-12, err_msg=call.where)


def torch_results(
    operation: Operation, args: Sequence[Any], places: Sequence[int], kwargs: Any, gy: Any
) -> list[Any]:
    """PyTorch's value, and its gradients of the arguments at ``places``."""
    torch = pytest.importorskip("torch")
    function: Any = operation.torch
    if isinstance(function, str):
        function = getattr(torch, function)
    xs = [torch.tensor(args[i], requires_grad=True) for i in places]
    given = [
        xs[places.index(i)] if i in places else _convert(a, torch.tensor)
        for i, a in enumerate(args)
    ]
    y = function(*given, **kwargs)
    y.backward(torch.tensor(gy))
    gradients = [torch.zeros(x.shape) if x.grad is None else x.grad for x in xs]
    return [z.numpy() for z in (y.detach(), *gradients)]


Check = Callable[[Operation, Sample], None]

CHECKS: tuple[Check, ...] = (
    check_value,
    check_first_derivative,
    check_second_derivative,
    check_jvp,
    check_alone,
    check_float32,
    check_mixed_dtypes,
    check_memory,
    check_protocol,
    check_strict,
    check_torch,
)


def applies(check: Check, operation: Operation, sample: Sample) -> bool:
    """Whether the promise is made for this operation and this sample."""
    conditions: dict[Check, bool] = {
        check_second_derivative: operation.order >= 2,
        check_jvp: operation.order >= 2,  # it differentiates backward
        check_protocol: operation.protocol is not None,
        check_strict: sample.strict,
        check_torch: operation.torch is not None and sample.torch,
    }
    return conditions.get(check, True)
