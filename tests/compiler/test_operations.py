"""Every operation, traced and interpreted, is equal to eager: forward and backward, to the bit."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from compiler.agree import agree, assert_same, assert_same_function
from op_table import OPERATIONS
from ops.checks import Call
from ops.row import Operation, Sample, Special, Wrong

import koubai
from koubai import Variable, optim
from koubai.compiler import TraceError
from koubai.compiler.trace import namespace


def _params(of: str, most: int | None = None) -> list[Any]:
    return [
        pytest.param(operation, one, id=f"{operation.name}-{i}")
        for operation in OPERATIONS
        for i, one in enumerate(getattr(operation, of)[:most])
    ]


def _samples() -> list[Any]:
    """Every sample of every operation, of float32 and float64 in turn."""
    return [
        pytest.param(operation, one, dtype, id=f"{operation.name}-{i}-{dtype.__name__}")
        for operation in OPERATIONS
        for i, (one, dtype) in enumerate(
            zip(operation.samples, itertools.cycle([np.float32, np.float64]), strict=False)
        )
    ]


def _gradients(call: Any, args: Any, kwargs: Any, gy: Any, create_graph: bool = False) -> Any:
    """The result of an operation and the gradients of the Variables among the arguments."""
    y = call(*args, **kwargs)
    y.backward(gy, create_graph=create_graph)
    return y, [x.grad for x in args if isinstance(x, Variable)]


def _known_mask(x: Any) -> Any:
    """A mask among the arguments as a list: an array's numbers aren't known in a trace."""
    if isinstance(x, tuple):
        return tuple(_known_mask(part) for part in x)
    return x.tolist() if getattr(x, "dtype", None) == np.dtype(bool) and x.size else x


@pytest.mark.parametrize(("operation", "sample", "dtype"), _samples())
def test_operation(operation: Operation, sample: Sample, dtype: Any) -> None:
    """Value and gradients of each sample of the table; by hand, on arrays, the value."""
    call = Call(operation, sample, dtype)
    kwargs, function, places = sample.kwargs, operation.call, call.places

    def f(args: Any, gy: Any) -> Any:
        variables = [Variable(x) if i in places else x for i, x in enumerate(args)]
        return _gradients(function, variables, kwargs, gy), function(*args, **kwargs)

    assert_same_function(f, [_known_mask(x) for x in call.args], call.upstream())


@pytest.mark.parametrize(("operation", "sample"), _params("samples", most=4))
def test_second_derivative(operation: Operation, sample: Sample) -> None:
    """The gradients of the gradients of each operation, of some samples."""
    call = Call(operation, sample)
    kwargs, function, places = sample.kwargs, operation.call, call.places

    def second(args: Any, gy: Any, vs: Any) -> Any:
        args = [Variable(x) if i in places else x for i, x in enumerate(args)]
        xs, gy = [args[i] for i in places], Variable(gy)
        _, gxs = _gradients(function, args, kwargs, gy, create_graph=True)
        for x in xs:
            x.cleargrad()
        products = [koubai.sum(gx * v) for gx, v in zip(gxs, vs, strict=True)]
        sum(products[1:], products[0]).backward()
        return gxs, [x.grad for x in (*xs, gy)]

    vs = [call.random_like(x) for x in call.xs]
    assert_same_function(second, [_known_mask(x) for x in call.args], call.upstream(), vs)


@pytest.mark.parametrize(("operation", "special"), _params("special"))
def test_special_values(operation: Operation, special: Special) -> None:
    """The points where a choice was made: infinities, ties, zeros."""
    kwargs, function = special.kwargs, operation.call

    def f(args: Any) -> Any:
        args = [Variable(x) if hasattr(x, "dtype") and x.dtype.kind == "f" else x for x in args]
        y = function(*args, **kwargs)
        y.backward(np.ones(y.shape))
        return y, [x.grad for x in args if isinstance(x, Variable)]

    with special.warnings():
        assert_same_function(f, list(special.args))


@pytest.mark.parametrize(("operation", "call"), _params("wrong"))
def test_wrong_calls(operation: Operation, call: Wrong) -> None:
    """What is wrong in eager is an error in a compiled function, when it is compiled or run."""
    kwargs, function = call.kwargs, operation.call

    @koubai.compile
    def f(args: Any) -> Any:
        args = [Variable(x) if hasattr(x, "dtype") and x.dtype.kind == "f" else x for x in args]
        return function(*args, **kwargs)

    with pytest.raises((call.error, TraceError)) as caught:
        f(list(call.args))
    message = str(caught.value)
    assert ".py:" in message or call.words[0] in message


@pytest.mark.parametrize(("operation", "sample"), _params("samples", most=2))
def test_update(operation: Operation, sample: Sample) -> None:
    """Three steps of gradient descent on the inputs: forward, backward and update, to the bit."""
    call = Call(operation, sample)
    args = [_known_mask(x) for x in call.args]

    def make() -> Any:
        xs = [Variable(x.copy()) for x in call.xs]
        given = list(args)
        for i, x in zip(call.places, xs, strict=True):
            given[i] = x
        optimizer = optim.SGD(xs, lr=0.01)

        def step(gy: Any) -> Any:
            optimizer.zero_grad()
            y = operation.call(*given, **sample.kwargs)
            y.backward(gy)
            optimizer.step()
            return y

        return step, xs

    gy = call.upstream()
    agree(make, (gy,), (gy,), (gy,))


@pytest.mark.parametrize(("operation", "sample"), _params("samples", most=2))
def test_protocol(operation: Operation, sample: Sample) -> None:
    """NumPy's function of traced arrays, where it has the operation too."""
    if operation.protocol is None:
        return
    call = Call(operation, sample)

    def f(args: Any) -> Any:
        return operation.protocol(*args, **sample.kwargs)

    y = koubai.compile(f)([_known_mask(x) for x in call.args])
    np.testing.assert_array_equal(y, call.ours(*call.xs))


def test_the_namespace_is_complete() -> None:
    """What koubai and NumPy both have is a function of traced arrays too; koubai's own is not."""
    names = {name for name in koubai.__all__ if callable(getattr(np, name, None))}
    assert "sort" in names
    assert all(hasattr(namespace, name) for name in names)
    assert not hasattr(namespace, "sigmoid")


# Functions of the namespace against NumPy's own, called by NumPy's name.

FLOATS = [np.array([[0.5, -0.0, 2.5], [np.inf, np.nan, -1.5]], dtype) for dtype in "fd"]
INTEGERS = [np.array([[3, -1, 0], [5, 2, -7]]), np.array([[3, 0, 255]], np.uint8)]
ARRAYS = [
    *FLOATS,
    *INTEGERS,
    np.array([[True, False, True]]),
    np.array([0.5, 1.5], np.float16),
    np.array(2.5),
    np.array(2.5, np.float32),
    np.array(3),
    np.array(True),
    np.float64(1.5),
    np.float32(1.5),
    np.int64(-3),
    np.zeros((0, 3)),
    np.zeros((1, 1), np.float32),
    np.arange(7.0),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.array([0.5, -1.5, 2.5], ">f4"),
    np.array([1, 200, 3], ">u2"),
]
SCALARS: list[Any] = [2, 2.5, True, -1, 300]


def outcome(f: Any, *args: Any) -> Any:
    """The result of f, or the exception that it raised."""
    with np.errstate(all="ignore"):
        try:
            return f(*args)
        except Exception as error:
            return error


def assert_same_outcome(f: Any, *args: Any) -> None:
    """Equal results; where eager raises, compiled does so too."""
    expected, actual = outcome(f, *args), outcome(koubai.compile(f), *args)
    if isinstance(expected, Exception):
        assert isinstance(actual, Exception), f"{args}: {expected!r}, but {actual!r}"
    else:
        assert not isinstance(actual, Exception), f"{args}: {actual!r}"
        assert_same(expected, actual, str(args))


UNARY = [
    "abs",
    "ceil",
    "copy",
    "cos",
    "exp",
    "floor",
    "invert",
    "isfinite",
    "isinf",
    "isnan",
    "log",
    "logical_not",
    "negative",
    "positive",
    "sign",
    "sin",
    "sqrt",
    "square",
    "tanh",
    "zeros_like",
    "ones_like",
    "shape",
    "ndim",
    "size",
    "transpose",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "cosh",
    "expm1",
    "log10",
    "log1p",
    "log2",
    "reciprocal",
    "sinh",
    "tan",
]
BINARY = [
    "add",
    "divide",
    "equal",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "multiply",
    "not_equal",
    "pow",
    "subtract",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "atan2",
    "hypot",
    "logaddexp",
]
REDUCTIONS = ["sum", "mean", "max", "min", "all", "any", "count_nonzero", "argmax", "argmin"]
OTHERS = [
    "arange",
    "asarray",
    "astype",
    "bool",
    "broadcast_to",
    "dot",
    "e",
    "empty_like",
    "float32",
    "float64",
    "full_like",
    "getitem",
    "inf",
    "int32",
    "int64",
    "isdtype",
    "matmul",
    "matrix_transpose",
    "nan",
    "newaxis",
    "nonzero",
    "ones",
    "permute_dims",
    "pi",
    "raise_unless",
    "reshape",
    "round",
    "scatter_add",
    "setitem",
    "uint8",
    "where",
    "zeros",
    "clip",
    "erf",
]


ROWS = [
    *("argsort", "concat", "cumulative_prod", "cumulative_sum", "linalg", "prod"),
    *("random_uniform", "sliding_window_view", "stack", "take", "take_along_axis", "unstack"),
]
"""Held against NumPy by the rows of the table, and in tests/ops/test_compiled_rearranging.py."""


def test_every_function_is_held_against_numpy() -> None:
    """The lists above are all functions of the namespace."""
    assert sorted([*UNARY, *BINARY, *REDUCTIONS, *OTHERS, *ROWS]) == sorted(namespace.__all__)


@pytest.mark.parametrize("name", UNARY)
def test_unary(name: str) -> None:
    """Functions of one array: of every dtype, 0-d, empty, NumPy's scalars; type, dtype, bits."""
    for x in ARRAYS:
        if name == "invert" and x.dtype != bool:
            continue
        assert_same_outcome(getattr(np, name), x)


@pytest.mark.parametrize("name", BINARY)
def test_binary(name: str) -> None:
    """Functions of two: dtypes promote as NumPy's do, Python's numbers are weak."""
    f = getattr(np, name)
    pairs = list(itertools.product(ARRAYS[:11], [*ARRAYS[:11], *SCALARS]))
    pairs += [(x, x) for x in ARRAYS[11:]]
    for x1, x2 in pairs:
        if isinstance(x2, np.ndarray | np.generic) and not _broadcast(x1, x2):
            continue
        if name.startswith("bitwise") and not _are_boolean(x1, x2):
            continue
        assert_same_outcome(f, x1, x2)
        if not isinstance(x2, np.ndarray):
            assert_same_outcome(f, x2, x1)


def _are_boolean(*xs: Any) -> bool:
    return all(x is True or getattr(x, "dtype", None) == np.dtype(bool) for x in xs)


def _broadcast(x1: Any, x2: Any) -> bool:
    try:
        np.broadcast_shapes(x1.shape, x2.shape)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name: str) -> None:
    """Along each axis, with and without keepdims, of every dtype, of nothing."""
    f = getattr(np, name)
    for x in ARRAYS:
        if name == "mean" and not x.size:
            continue  # NumPy warns
        axes: list[Any] = [None, 0, -1, 1, 5]
        axes += [] if name.startswith("arg") else [(0, 1), (-1,), (), (0, 0)]
        for axis, keepdims in itertools.product(axes, [False, True]):
            assert_same_outcome(lambda x: f(x, axis=axis, keepdims=keepdims), x)  # noqa: B023
        assert_same_outcome(f, x)


def test_means_of_half_precision() -> None:
    """NumPy adds float16 up in float32."""
    x = np.full((3000, 2), 1.1, np.float16)
    for axis in (None, 0, 1):
        assert_same_outcome(lambda x: np.mean(x, axis=axis), x)  # noqa: B023


def test_a_constant_scattered_by_traced_indices() -> None:
    """The array is known, the indices are not."""
    t = np.array([3, 0])
    assert_same_outcome(lambda t: koubai.scatter_add(np.ones(2), (t,), (5,)), t)
    assert_same_outcome(lambda t: koubai.scatter_add(np.ones((2, 2)), (t, slice(2)), (5, 3)), t)


def test_the_order_in_memory() -> None:
    """Of copies, casts and results: what is computed from them is equal to the last bit."""
    x = np.arange(6.0).reshape(2, 3)

    def f(x: Any) -> Any:
        y = x.T + 1
        z = y * 1
        z[0] = 5
        return y, x.T.copy(), np.copy(x.T), x.T.astype(np.float32), z, np.where(x.T > 1, x.T, 0)

    for a, b in zip(f(x), koubai.compile(f)(x), strict=True):
        assert a.strides == b.strides


def test_ties_and_nan() -> None:
    """The first of equal ones, and NaN, as NumPy has it."""
    for x in ([1.0, 3.0, 3.0, -1.0, -1.0], [1.0, np.nan, 5.0], [True, False, True], [-0.0, 0.0]):
        for f in (np.argmax, np.argmin, np.max, np.min):
            assert_same_outcome(f, np.array(x))
        assert_same_outcome(np.maximum, np.array(x), np.array(x)[::-1])
        assert_same_outcome(np.minimum, np.array(x), 0)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.reshape(x, (3, -1)),
        lambda x: x.reshape(3, 2),
        lambda x: x.reshape([2, 3]),
        lambda x: x.reshape(np.int64(3), np.int64(2)),
        lambda x: np.reshape(x, -1),
        lambda x: np.reshape(x, (2, 1, 3)),
        lambda x: np.reshape(x, (-1, 0)),
        lambda x: np.reshape(x, (4, -1)),
        lambda x: np.reshape(x, (-1, -1)),
        lambda x: np.reshape(x, (-2, -3)),
        lambda x: np.broadcast_to(x, (2, *x.shape)).copy(),
        lambda x: np.broadcast_to(x, 3).copy(),
        lambda x: np.permute_dims(x, (1, 0)),
        lambda x: np.permute_dims(x, (-1, 0)),
        lambda x: np.permute_dims(x, (0, 0)),
        lambda x: np.matrix_transpose(x),
        lambda x: x.T + x.transpose() + x.transpose(1, 0) + np.transpose(x, axes=(1, 0)),
        lambda x: np.full_like(x, 3),
        lambda x: np.full_like(x, 3, dtype=np.int32),
        lambda x: np.full_like(x, np.sum(x)),
        lambda x: np.zeros_like(x, dtype=bool),
        lambda x: np.ones((2,), like=x) + np.zeros(2, like=x) + np.full(2, 3.0, like=x),
        lambda x: np.eye(3, like=x),
        lambda x: np.round(x),
        lambda x: (x[[]], x[[], 0], x[:, []]),
        lambda x: x.astype(np.int64),
        lambda x: x.astype(bool),
        lambda x: np.astype(x, np.float32),
        lambda x: x.astype(x.dtype, copy=False) is x,
        lambda x: x.astype(x.dtype) is x,
        lambda x: np.where(x > 0, x, 0),
        lambda x: np.where(x > 0, 1, 0),
        lambda x: np.where(x > 0, 1.0, x),
        lambda x: np.where(x, x, True),
        lambda x: np.where(np.array([True, False, True]), x, np.float32(2)),
        lambda x: (x > 0) & (x < 2) | ~(x == 1) ^ True,
        lambda x: True & (x > 0) | np.array([True, False, False]),
        lambda x: (len(x), [row.shape for row in x], abs(x), +x, -x),
        lambda x: (x.ndim, x.size, x.shape, x.dtype, np.shape(x), np.size(x)),
        lambda x: (
            2 / x + 2 - x + 2**x - x**2 + x**0.5 + x**-1 + x**0 + x**1 + 1 @ x.T
            if x.ndim == 1
            else 2 / x + (2 - x) + 2**x - x**2 + x**0.5 + x**-1 + x**0 + x**1
        ),
        lambda x: np.array([1.0, 2.0, 3.0]) * x + np.float64(2) * x - np.float32(1),
        lambda x: x.sum(1, keepdims=True) + x.mean(0) + x.max(axis=1, keepdims=True) - x.min(),
        lambda x: np.argmax(x, axis=1) + np.argmin(x, 1),
        lambda x: np.clip(x, 2, 4) + x.clip(max=3) + np.clip(x, min=x[0]) - np.clip(x, 2, x[1]),
        lambda x: koubai.clip(x, 2.5) + koubai.clip(x),
        lambda x: koubai.erf(x) + koubai.logsumexp(x, axis=0) + koubai.silu(x),
        lambda x: koubai.gelu(x) - koubai.gelu(x, approximate="tanh") + koubai.softplus(x),
        lambda x: koubai.sigmoid(x) + koubai.softmax(x) - koubai.log_softmax(x, axis=0),
        lambda x: koubai.count_nonzero(x > 0) + koubai.argmax(x) + koubai.all(x == x),
        lambda x: koubai.isdtype(x.dtype, "real floating"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8])
def test_expressions(f: Any, dtype: Any) -> None:
    """Shapes, conversions, choices, operators and methods, as a user writes them."""
    assert_same_outcome(f, np.arange(1, 7).reshape(2, 3).astype(dtype))


SHAPES = [((2, 3), (3, 4)), ((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((0, 3), (3, 2))]
SHAPES += [((2, 0), (0, 3)), ((5, 2, 3), (5, 3, 1)), ((5, 1, 2, 3), (4, 3, 2)), ((2, 3), (2, 3))]
SHAPES += [((), (3,)), ((3,), ()), ((3,), (5, 3, 2)), ((1, 1), (1, 1)), ((7, 7), (7, 7))]


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("dtypes", ["ff", "dd", "fd", "id", "ii", "??", "f?"])
def test_products(shapes: Any, dtypes: str) -> None:
    """matmul, dot and @ of vectors, matrices and stacks."""
    rng = np.random.default_rng(0)
    x1, x2 = (
        np.asarray(rng.uniform(1, 4, shape)).astype(dtype)
        for shape, dtype in zip(shapes, dtypes, strict=True)
    )
    assert_same_outcome(np.matmul, x1, x2)
    assert_same_outcome(lambda a, b: (a @ b, b.T @ a.T), x1, x2)
    if x1.ndim in (1, 2) and x2.ndim in (1, 2):
        assert_same_outcome(np.dot, x1, x2)
        assert_same_outcome(lambda a, b: a.dot(b), x1, x2)


def test_comparisons_with_numbers_beyond_the_dtype() -> None:
    """NumPy compares small integers with any number, but computes with none that does not fit."""
    x = np.array([0, 3, 255], np.uint8)
    assert_same_outcome(lambda x: (x < 1000, x >= -1, x == 256, x != 256, x < 2**70), x)
    assert_same_outcome(lambda x: np.where(x > 1, x, 300), x)
    for f in (lambda x: x + 1000, lambda x: np.maximum(x, -1)):
        assert isinstance(outcome(f, x), OverflowError)
        assert_same_outcome(f, x)
