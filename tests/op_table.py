"""One row per public operation. The rows drive the tests of operations, see ``tests/ops``.

To add an operation, add a row: its name, and samples of its arguments. What NumPy calls by the
same name needs no more; otherwise give ``reference``. Arguments of a sample that are drawn
(``real(2, 3)``, ...) are arrays, and those of floats are differentiated; all others stay as they
are. ``torch`` names the same function there. ``special`` lists the points where a choice was made,
``wrong`` calls that must be refused, with the words that the message must contain.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from linalg_table import LINALG, PRODUCTS
from ops import references as ref
from ops.row import (
    Drawn,
    Operation,
    Sample,
    Wrong,
    array,
    integers,
    mask,
    nonzero,
    ones,
    positive,
    probabilities,
    real,
    sample,
    special,
    wrong,
)

import koubai
from koubai import Variable

# Families of samples and of wrong calls.

Draw = Callable[..., Drawn]


def unary(draw: Draw = real) -> list[Sample]:
    return [sample(draw(*s)) for s in [(), (1,), (5,), (2, 3), (0, 4), (3, 1, 2)]]


def binary(draw1: Draw = real, draw2: Draw = real) -> list[Sample]:
    shapes: list[Any] = [
        ((), ()),
        ((1,), (1,)),
        ((3, 4), (3, 4)),
        ((2, 3), (3,)),
        ((), (2, 3)),
        ((2, 3), (1,)),
        ((2, 1, 3), (4, 1)),
        ((0, 3), (3,)),
    ]
    return [
        *(sample(draw1(*s1), draw2(*s2)) for s1, s2 in shapes),
        sample(draw1(2, 3), 1.5),
        sample(2, draw2(2, 3)),
        sample(draw1(), 1.5),
        sample(draw1(2, 3), array(0.5, 1.5, 2.5)),
        sample(integers(1, 5, 3), draw2(2, 3), strict=False),  # strict promotes no integers
    ]


def reductions() -> list[Sample]:
    return [
        sample(real()),
        sample(real(1)),
        sample(real(2, 3)),
        sample(real(2, 3), keepdims=True),
        sample(real(2, 3), axis=0),
        sample(real(2, 3), axis=-1, keepdims=True),
        sample(real(2, 3, 5), axis=(0, 2)),
        sample(real(2, 3, 5), axis=(-1, 0), keepdims=True),
        sample(real(2, 3), axis=np.int64(1), strict=False),
        sample(real(3, 0), axis=0),
    ]


def wrong_axes(function: str) -> tuple[Wrong, ...]:
    return (
        wrong(ones(2, 3), axis=2, says=(f"{function}(x: float64[2, 3])", "axis 2")),
        wrong(ones(2, 3), axis=(0, 0), says=(f"{function}(x: float64[2, 3])", "axis")),
    )


def wrong_shapes(function: str) -> tuple[Wrong, ...]:
    return (
        wrong(ones(2, 3), ones(2), says=(f"{function}(x1: float64[2, 3], x2: float64[2])",)),
        wrong(ones(2), "b", error=TypeError, says=(f"{function}(x1: float64[2], x2: str 'b')",)),
        wrong(ones(2), 1j, error=TypeError, says=(f"{function}(x1: float64[2], x2: complex 1j)",)),
        wrong(
            ones(2),
            np.array([1j, 2]),
            error=TypeError,
            says=(f"{function}(x1: float64[2], x2: complex128[2])", "real numbers"),
        ),
    )


def _set_item(x: Any, index: Any, value: Any) -> Any:
    """``setitem``, which writes into its argument, as a function."""
    if isinstance(value, Variable) and not isinstance(x, Variable):
        x = Variable(x)  # an ndarray refuses to be given a Variable
    y = koubai.copy(x)
    y[index] = value
    return y


nan, inf = np.nan, np.inf

OPERATIONS = [
    Operation(
        "add",
        binary(),
        torch=operator.add,
        wrong=wrong_shapes("Add"),
    ),
    Operation(
        "subtract",
        binary(),
        torch=operator.sub,
        wrong=wrong_shapes("Subtract"),
    ),
    Operation(
        "multiply",
        binary(),
        torch=operator.mul,
        wrong=wrong_shapes("Multiply"),
    ),
    Operation(
        "divide",
        binary(real, nonzero),
        torch=operator.truediv,
        wrong=wrong_shapes("Divide"),
    ),
    Operation(
        "negative",
        unary(),
        torch="neg",
        wrong=(wrong("a", error=TypeError, says=("Negative(x: str 'a')",)),),
    ),
    Operation(
        "pow",
        [
            *binary(positive, real),
            *(sample(nonzero(2, 3), n) for n in (0, 1, 2, 3, -1, -2)),
            sample(positive(4), 0.5),
            sample(2.5, real(4)),
            sample(positive(2, 4), array(0, 1, 2, 3)),
            sample(nonzero(2, 4), array(0, 1, 2, 3), strict=False),  # a constant, differentiated
            sample(nonzero(2, 4), np.array([0, 1, 2, 3]), strict=False),
        ],
        torch=operator.pow,
        special=(
            special(array(0, 0, 0), 2, value=[0, 0, 0], gradients=([0, 0, 0],)),
            special(array(0, 2), 0, value=[1, 1], gradients=([0, 0],)),
            special(array(0, 2), 1, value=[0, 2], gradients=([1, 1],)),
            special(
                array(0, 0, 2),
                array(0, 2, 0),
                value=[1, 0, 1],
                gradients=([0] * 3, [0, 0, np.log(2)]),
            ),
            special(0.0, array(0, 2), value=[1, 0], gradients=([0, 0],)),
        ),
        wrong=wrong_shapes("Pow"),
    ),
    Operation(
        "square",
        unary(),
        torch="square",
        wrong=(wrong("a", error=TypeError, says=("Square(x: str 'a')",)),),
    ),
    Operation(
        "exp",
        unary(),
        torch="exp",
        special=(special(array(-inf, -1e4), value=[0, 0], gradients=([0, 0],)),),
        wrong=(wrong("a", error=TypeError, says=("Exp(x: str 'a')",)),),
    ),
    Operation(
        "log",
        unary(positive),
        torch="log",
        wrong=(wrong("a", error=TypeError, says=("Log(x: str 'a')",)),),
    ),
    Operation(
        "tanh",
        unary(),
        torch="tanh",
        special=(special(array(-1e4, 1e4, inf), value=[-1, 1, 1], gradients=([0, 0, 0],)),),
        wrong=(wrong("a", error=TypeError, says=("Tanh(x: str 'a')",)),),
    ),
    Operation(
        "sigmoid",
        unary(),
        reference=ref.sigmoid,
        torch="sigmoid",
        special=(special(array(-1e4, 0, 1e4), value=[0, 0.5, 1], gradients=([0, 0.25, 0],)),),
        wrong=(wrong("a", error=TypeError, says=("Sigmoid(x: str 'a')",)),),
    ),
    Operation(
        "relu",
        unary(),
        reference=lambda x: np.maximum(x, 0),
        torch="relu",
        special=(special(array(-1, 0, 1), value=[0, 0, 1], gradients=([0, 0, 1],)),),
        wrong=(wrong("a", error=TypeError, says=("Relu(x: str 'a')",)),),
    ),
    Operation(
        "maximum",
        binary(),
        torch=ref.torch_maximum,
        special=(
            special(
                array(1, 2, 3),
                array(2, 2, 2),
                value=[2, 2, 3],
                gradients=([0, 0.5, 1], [1, 0.5, 0]),
            ),
            special(array(-1, 0, 1), 0, value=[0, 0, 1], gradients=([0, 0.5, 1],)),
        ),
        wrong=wrong_shapes("Maximum"),
    ),
    Operation(
        "where",
        [
            sample(mask(2, 3), real(2, 3), real(2, 3)),
            sample(mask(), real(), real()),
            sample(mask(1), real(1), real(1)),
            sample(mask(2, 1), real(3), real(4, 1, 1)),
            sample(mask(3), real(2, 3), real()),
            sample(mask(0, 3), real(3), real(0, 3)),
            sample(mask(5), real(5), 0),
            sample(mask(5), 1.5, real(5)),
            sample(mask(3), real(2, 3), array(1, 2, 3)),
        ],
        torch="where",
        special=(
            special(
                np.array([True, False]),
                array(1, nan),
                array(inf, 2),
                value=[1, 2],
                gradients=([1, 0], [0, 1]),
            ),
        ),
        wrong=(
            wrong(
                np.array([True, False, True]),
                ones(2),
                0.0,
                says=("Where(condition: bool[3], x1: float64[2], x2: 0.0)",),
            ),
            wrong(
                np.array([1, 0]),
                ones(2),
                0.0,
                error=TypeError,
                says=("Where(condition: int64[2]", "must be boolean", "condition != 0"),
            ),
        ),
    ),
    Operation(
        "sum",
        [
            *reductions(),
            sample(real(0, 3)),
            sample(real(0, 3), axis=0),
            sample(real(2, 3), axis=(), torch=False),
            sample(real(), axis=0, strict=False),  # as NumPy and PyTorch allow
        ],
        torch=ref.torch_reduction("sum"),
        wrong=wrong_axes("Sum"),
    ),
    Operation(
        "mean",
        reductions(),
        torch=ref.torch_reduction("mean"),
        wrong=wrong_axes("Mean"),
    ),
    Operation(
        "max",
        reductions(),
        torch=ref.torch_reduction("amax"),
        special=(
            special(array(3, 1, 3), value=3, gradients=([0.5, 0, 0.5],)),
            special(ones(2, 2), axis=0, value=[1, 1], gradients=([[0.5, 0.5]] * 2,)),
        ),
        wrong=(*wrong_axes("Max"), wrong(ones(0, 3), says=("Max(x: float64[0, 3])", "zero-size"))),
    ),
    Operation(
        "min",
        reductions(),
        torch=ref.torch_reduction("amin"),
        special=(special(array(3, 1, 1), value=1, gradients=([0, 0.5, 0.5],)),),
        wrong=(*wrong_axes("Min"), wrong(ones(0, 3), says=("Min(x: float64[0, 3])", "zero-size"))),
    ),
    Operation(
        "reshape",
        [
            sample(real(2, 3), (3, 2)),
            sample(real(2, 3), (6,)),
            sample(real(2, 3), (-1, 2)),
            sample(real(1), ()),
            sample(real(), (1, 1)),
            sample(real(0, 3), (3, 0)),
            sample(real(2, 3), 6, strict=False, torch=False),  # a tuple in the standard
        ],
        torch="reshape",
        wrong=(
            wrong(ones(2, 3), (4,), says=("Reshape(x: float64[2, 3])", "(4,)")),
            wrong(ones(2, 3), (-1, -1), says=("Reshape(x: float64[2, 3])",)),
        ),
    ),
    Operation(
        "permute_dims",
        [
            sample(real(2, 3), (1, 0)),
            sample(real(3, 3), (1, 0)),
            sample(real(2, 3, 5), (2, 0, 1)),
            sample(real(2, 3, 5), (-1, 0, -2)),
            sample(real(), ()),
            sample(real(0, 1), (1, 0)),
        ],
        torch="permute",
        wrong=(
            wrong(ones(2, 3), (0, 2), says=("PermuteDims(x: float64[2, 3])", "axis 2")),
            wrong(ones(2, 3), (0, 0), says=("PermuteDims(x: float64[2, 3])", "axis")),
            wrong(ones(2, 3), (0,), says=("PermuteDims(x: float64[2, 3])", "axes")),
        ),
    ),
    Operation(
        "transpose",
        [
            sample(real()),
            sample(real(3)),
            sample(real(2, 3)),
            sample(real(3, 3)),
            sample(real(2, 3, 5)),
            sample(real(2, 3, 5), (1, 2, 0)),
            sample(real(2, 3, 5), axes=(1, -1, 0)),
            sample(real(0, 2)),
        ],
        torch=lambda x, axes=None: x.permute(axes or tuple(range(x.ndim))[::-1]),
        wrong=(wrong(ones(2, 3), (0, 2), says=("PermuteDims(x: float64[2, 3])", "axis 2")),),
    ),
    Operation(
        "matrix_transpose",
        [sample(real(2, 3)), sample(real(3, 3)), sample(real(4, 2, 3)), sample(real(0, 2))],
        torch=lambda x: x.mT,
        wrong=(wrong(ones(3), says=("matrix_transpose(x: float64[3])", "two axes")),),
    ),
    Operation(
        "broadcast_to",
        [
            sample(real(3), (2, 3)),
            sample(real(2, 1), (2, 3)),
            sample(real(), (2, 3)),
            sample(real(2, 1, 3), (4, 2, 5, 3)),
            sample(real(2, 3), (2, 3)),
            sample(real(1), (0,)),
        ],
        torch="broadcast_to",
        wrong=(
            wrong(ones(2), (3,), says=("BroadcastTo(x: float64[2])", "(3,)")),
            wrong(ones(2, 3), (3,), says=("BroadcastTo(x: float64[2, 3])", "(3,)")),
        ),
    ),
    Operation(
        "getitem",
        [
            sample(real(5), 2),
            sample(real(5), -1),
            sample(real(5), slice(1, None, 2)),
            sample(real(5), slice(None, None, -1), torch=False),
            sample(real(2, 3), (1, 2)),
            sample(real(2, 3), (slice(None), 1)),
            sample(real(2, 3), (..., None, 0), strict=False),  # setitem takes no None
            sample(real(2, 3), 1, strict=False),  # an index for each axis in the standard
            sample(real(), ()),
            sample(real(4), slice(2, 2)),
            sample(real(4), np.array([True, False, True, True])),
            sample(real(2, 3), np.array([[True, False, True], [False, False, True]])),
            sample(real(4), np.array([0, 2, 0, -1]), strict=False),  # nor scatter-add
            sample(real(4), [0, 0], strict=False),
            sample(real(4), ((1, 1, 3),), strict=False),
            sample(real(4, 3), (np.array([0, 2, 0]), np.array([1, 1, 1])), strict=False),
            sample(real(4, 3), (slice(1, None), np.array([[0, 2], [0, 0]])), strict=False),
            sample(real(4, 3), (np.array([True, False, True, False]), 1), strict=False),
        ],
        reference=lambda x, index: x[index],
        torch=operator.getitem,
        wrong=(
            wrong(ones(3), 3, error=IndexError, says=("GetItem(x: float64[3])", "index 3")),
            wrong(ones(3), (0, 0), error=IndexError, says=("GetItem(x: float64[3])", "indices")),
            wrong(ones(3), "a", error=IndexError, says=("GetItem(x: float64[3])",)),
            wrong(
                ones(3), np.array([True]), error=IndexError, says=("GetItem(x: float64[3])", "bool")
            ),
        ),
    ),
    Operation(
        "setitem",
        [
            sample(real(5), 2, real()),
            sample(real(5), slice(1, 3), real(2)),
            sample(real(2, 3), (slice(None), 1), real(2)),
            sample(real(2, 3), (0, slice(None)), real()),
            sample(real(2, 3), (0, slice(None)), real(1)),
            sample(real(4, 3), (slice(2), slice(None)), real(3)),
            sample(real(4, 3), (slice(2), slice(None)), real(2, 1)),
            sample(real(2, 3), 0, real(1, 3), strict=False),
            sample(real(2, 3), 0, real(1, 1), strict=False),
            sample(real(4), np.array([True, False, True, True]), real(3)),
            sample(real(4), np.array([True, False, True, True]), 0),
            sample(real(4), np.array([0, 2]), real(2), strict=False),
            sample(real(4), [1, 1], 0.5, strict=False),
            sample(real(), (), real()),
            sample(real(3), slice(None), real(3)),
        ],
        call=_set_item,
        reference=ref.set_item,
        torch=ref.torch_set_item,
        wrong=(
            wrong(ones(3), slice(2), ones(3), says=("SetItem(x: float64[3], value: float64[3])",)),
            wrong(
                ones(3), 3, 0.0, error=IndexError, says=("SetItem(x: float64[3], value: 0.0)", "3")
            ),
        ),
    ),
    Operation(
        "scatter_add",
        [
            sample(real(2), (slice(1, 3),), (4,)),
            sample(real(2, 2), (slice(1, 3), slice(None)), (4, 2)),
            sample(real(3), np.array([True, False, True, True]), (4,)),
            sample(real(), (1,), (3,)),
            sample(real(3), (np.array([0, 0, 2]),), (4,), strict=False),
            sample(real(3), (np.array([0, 0, 2]), np.array([1, 1, 0])), (3, 2), strict=False),
            sample(real(2, 3), (np.array([1, 1]),), (3, 3), strict=False),
        ],
        reference=ref.scatter_add,
        wrong=(wrong(ones(2), ([0, 0, 0],), (3,), says=("ScatterAdd(x: float64[2])",)),),
    ),
    Operation(
        "matmul",
        [
            sample(real(2, 3), real(3, 4)),
            sample(real(3, 3), real(3, 3)),
            sample(real(1, 1), real(1, 1)),
            sample(real(3), real(3)),
            sample(real(3), real(3, 4)),
            sample(real(2, 3), real(3)),
            sample(real(5, 2, 3), real(5, 3, 4)),
            sample(real(5, 2, 3), real(3, 4)),
            sample(real(2, 3), real(5, 3, 4)),
            sample(real(5, 1, 2, 3), real(4, 3, 2)),
            sample(real(3), real(5, 3, 4)),
            sample(real(5, 2, 3), real(3)),
            sample(real(0, 3), real(3, 2)),
            sample(real(2, 0), real(0, 3)),
            sample(real(2, 3), ones(3, 1)),
            sample(ones(1, 2), real(2, 3)),
        ],
        torch="matmul",
        wrong=(
            wrong(ones(2, 3), ones(2, 3), says=("Matmul(x1: float64[2, 3], x2: float64[2, 3])",)),
            wrong(ones(2, 3), 2.0, says=("Matmul(x1: float64[2, 3], x2: 2.0)",)),
        ),
    ),
    Operation(
        "dot",
        [
            sample(real(2, 3), real(3, 4)),
            sample(real(3, 3), real(3, 3)),
            sample(real(3), real(3)),
            sample(real(3), real(3, 4)),
            sample(real(2, 3), real(3)),
            sample(real(2, 3), ones(3, 2)),
            sample(ones(1, 2), real(2, 3)),
        ],
        torch="matmul",
        wrong=(
            wrong(ones(2, 3), ones(2, 3), says=("Matmul(x1: float64[2, 3], x2: float64[2, 3])",)),
            wrong(ones(2), 2.0, says=("dot(x1: float64[2], x2: 2.0)", "vectors and matrices")),
            wrong(ones(2, 2, 2), ones(2), says=("dot(x1: float64[2, 2, 2], x2: float64[2])",)),
        ),
    ),
    Operation(
        "linear",
        [
            sample(real(2, 3), real(3, 4), real(4)),
            sample(real(3, 3), real(3, 3), real(3)),
            sample(real(3), real(3, 4), real(4)),
            sample(real(5, 2, 3), real(3, 4), real(4)),
            sample(real(1, 1), real(1, 1), real(1)),
            sample(real(0, 3), real(3, 2), real(2)),
            sample(real(2, 3), real(3, 4)),
            sample(real(2, 3), ones(3, 2), array(1, 2)),
            sample(ones(2, 3), real(3, 2), real(2)),
        ],
        reference=ref.linear,
        torch=ref.linear,
        wrong=(
            wrong(
                ones(2, 3),
                ones(2, 4),
                ones(4),
                says=("Linear(x: float64[2, 3], W: float64[2, 4], b: float64[4])", "W (I, O)"),
            ),
            wrong(ones(2, 3), ones(3, 4), ones(1), says=("Linear(", "b: float64[1]", "b (O,)")),
            wrong(
                ones(2, 3),
                2.0,
                ones(1),
                error=AttributeError,
                says=("Linear(x: float64[2, 3], W: 2.0, b: float64[1])",),
            ),
        ),
    ),
    Operation(
        "softmax",
        [
            sample(real(5)),
            sample(real(1)),
            sample(real(), strict=False),
            sample(real(2, 3)),
            sample(real(3, 3)),
            sample(real(2, 3), axis=0),
            sample(real(2, 3, 4), axis=1),
            sample(real(0, 3)),
        ],
        reference=ref.softmax,
        torch=lambda x, axis=-1: x.softmax(axis),
        special=(
            special(array(-1e4, 1e4), value=[0, 1], gradients=([0, 0],)),
            special(array(1e4, 1e4), value=[0.5, 0.5], gradients=([0, 0],)),
        ),
        wrong=(wrong(ones(2, 3), axis=2, says=("Softmax(x: float64[2, 3])", "axis 2")),),
    ),
    Operation(
        "log_softmax",
        [
            sample(real(5)),
            sample(real(1)),
            sample(real(), strict=False),
            sample(real(2, 3)),
            sample(real(3, 3)),
            sample(real(2, 3), axis=0),
            sample(real(2, 3, 4), axis=1),
            sample(real(0, 3)),
        ],
        reference=ref.log_softmax,
        torch=lambda x, axis=-1: x.log_softmax(axis),
        special=(special(array(-1e4, 1e4), value=[-2e4, 0], gradients=([1, -1],)),),
        wrong=(wrong(ones(2, 3), axis=2, says=("LogSoftmax(x: float64[2, 3])", "axis 2")),),
    ),
    Operation(
        "softmax_cross_entropy",
        [
            sample(real(4, 3), integers(0, 3, 4)),
            sample(real(3, 3), probabilities(3, 3)),
            sample(real(2, 3), positive(2, 3)),  # rows need not sum to 1
            sample(real(2, 3), np.array([[0, 1, 0], [1, 0, 0]])),
            sample(real(1, 1), integers(0, 1, 1)),
            sample(real(2, 3), array([0.2, 0.3, 0.5], [1, 0, 0])),
        ],
        reference=ref.cross_entropy,
        torch=ref.torch_cross_entropy,
        special=(
            special(array([1e4, -1e4]), np.array([0]), value=0, gradients=([[0, 0]],)),
            special(array([1e4, -1e4]), np.array([1]), value=2e4, gradients=([[1, -1]],)),
        ),
        wrong=(
            wrong(
                ones(2, 3),
                np.array([0, 3]),
                says=("SoftmaxCrossEntropy(x: float64[2, 3], t: int64[2])", "between 0 and 2"),
            ),
            wrong(ones(2, 3), np.array([0, -1]), says=("labels t", "between 0 and 2")),
            wrong(ones(2, 3), np.array([0]), says=("SoftmaxCrossEntropy(", "t is int64[1]")),
            wrong(ones(2, 3), np.array([[0], [1]]), says=("t is int64[2, 1]", "(2,)")),
            wrong(ones(2, 3), array(0, 1), says=("targets t must be integer labels", "float64[2]")),
            wrong(ones(3), np.array([0]), says=("x: float64[3]", "(N, C)")),
            wrong(ones(0, 3), np.zeros(0, int), says=("x: float64[0, 3]", "(N, C)")),
        ),
    ),
    Operation(
        "mean_squared_error",
        [
            sample(real(4, 3), real(4, 3)),
            sample(real(5), array(1, 2, 3, 4, 5)),
            sample(real(), real()),
            sample(real(), 2.5),
            sample(real(1), integers(0, 9, 1), strict=False),
            sample(array(1, 2, 3), real(3)),
        ],
        reference=ref.squared_error,
        torch=ref.torch_squared_error,
        wrong=(
            wrong(
                ones(3, 1),
                ones(3),
                says=("MeanSquaredError(x: float64[3, 1], t: float64[3])", "same shape"),
            ),
            wrong(ones(3), 1.0, says=("MeanSquaredError(x: float64[3], t: 1.0)", "same shape")),
            wrong(ones(0), ones(0), says=("MeanSquaredError(x: float64[0]", "no elements")),
        ),
    ),
    Operation(
        "astype",
        [
            sample(real(2, 3), np.float64),
            sample(real(), np.float64),
            sample(real(0, 3), np.float64),
            sample(real(3), np.float64, copy=True),
        ],
        torch=lambda x, dtype, copy=True: x.double(),
        wrong=(
            wrong(ones(2), complex, error=TypeError, says=("Astype(x: float64[2])", "complex128")),
            wrong(ones(2), "text", error=TypeError, says=("Astype(x: float64[2])", "text")),
        ),
    ),
    Operation(
        "copy",
        unary(),
        torch="clone",
        wrong=(wrong("a", error=TypeError, says=("Copy(x: str 'a')",)),),
    ),
    *PRODUCTS,
    *LINALG,
]
