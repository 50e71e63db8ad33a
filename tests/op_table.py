"""One row per public operation. The rows drive the tests of operations, see ``tests/ops``.

To add an operation, add a row: its name, and samples of its arguments. What NumPy calls by the
same name needs no more; otherwise give ``reference``. Arguments of a sample that are drawn
(``real(2, 3)``, ...) are arrays, and those of floats are differentiated; all others stay as they
are. Samples are drawn in float64 and in float32. ``strict=False`` and ``torch=False`` mark what
array-api-strict and PyTorch have not. ``torch`` names the same function there. ``special`` lists
the points where a choice was made, ``wrong`` calls that must be refused, with the words that the
message must contain.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special
from linalg_table import LINALG, PRODUCTS
from ops import references as ref
from ops.row import (
    Drawn,
    Operation,
    Sample,
    Wrong,
    array,
    between,
    integers,
    mask,
    nonzero,
    ones,
    positive,
    probabilities,
    real,
    sample,
    sparse,
    special,
    wrong,
    zero_diagonal,
)

import koubai
from koubai import Variable

# Families of samples and of wrong calls.

Draw = Callable[..., Drawn]


def unary(draw: Draw = real) -> list[Sample]:
    return [sample(draw(*s)) for s in [(), (1,), (3, 3), (2, 3), (0, 4), (3, 1, 2)]]


def binary(draw1: Draw = real, draw2: Draw = real) -> list[Sample]:
    shapes: list[Any] = [
        ((), ()),
        ((1,), (1,)),
        ((3, 3), (3, 3)),
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
        sample(real(3, 3), axis=0),
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


def cumulative() -> list[Sample]:
    return [
        sample(real(5)),
        sample(real(1)),
        sample(real(3, 3), axis=0),
        sample(real(2, 7), axis=-1),
        sample(real(2, 3, 4), axis=1),
        sample(real(4), include_initial=True),
        sample(real(2, 3), axis=1, include_initial=True),
        sample(real(0, 3), axis=0),
        sample(real(0, 3), axis=1),
        sample(real(2, 0), axis=1, include_initial=True),
    ]


def wrong_cumulative(function: str) -> tuple[Wrong, ...]:
    return (
        wrong(ones(2, 3), says=(f"{function}(x: float64[2, 3])", "needs an axis")),
        wrong(ones(2, 3), axis=2, says=(f"{function}(x: float64[2, 3])", "axis 2")),
        wrong(1.0, axis=0, says=(f"{function}(x: 1.0)", "axis 0")),
    )


def wrong_type(function: str) -> tuple[Wrong, ...]:
    return (
        wrong("a", error=TypeError, says=(f"{function}(x: str 'a')",)),
        wrong(
            np.array([1j, 2]),
            error=TypeError,
            says=(f"{function}(x: complex128[2])", "real numbers"),
        ),
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
        torch_name="torch.add",
        wrong=wrong_shapes("Add"),
    ),
    Operation(
        "subtract",
        binary(),
        torch=operator.sub,
        torch_name="torch.subtract",
        wrong=wrong_shapes("Subtract"),
    ),
    Operation(
        "multiply",
        binary(),
        torch=operator.mul,
        torch_name="torch.multiply",
        wrong=wrong_shapes("Multiply"),
    ),
    Operation(
        "divide",
        binary(real, nonzero),
        torch=operator.truediv,
        torch_name="torch.divide",
        special=(
            special(
                array(1, -1, 1),
                array(0, 0, inf),
                value=[inf, -inf, 0],
                gradients=([inf, inf, 0], [-inf, inf, 0]),
            ),
        ),
        wrong=wrong_shapes("Divide"),
    ),
    Operation(
        "negative",
        unary(),
        torch="neg",
        wrong=wrong_type("Negative"),
    ),
    Operation(
        "pow",
        [
            *binary(positive, real),
            *(sample(nonzero(3, 3), n) for n in (0, 1, 2, 3, -1, -2)),
            sample(positive(4), 0.5),
            sample(2.5, real(4)),
            sample(0.5, real(4)),
            sample(positive(6), sparse(6)),  # exponents of 0, differentiated
            sample(positive(2, 4), array(0, 1, 2, 3)),
            sample(nonzero(2, 4), array(0, 1, 2, 3), strict=False),  # a constant, differentiated
            sample(nonzero(2, 4), np.array([0, 1, 2, 3]), strict=False),
        ],
        torch=operator.pow,
        torch_name="torch.pow",
        special=(
            special(array(0, 0), 0.5, value=[0, 0], gradients=([inf, inf],)),
            special(array(0), array(-1), value=[inf], gradients=([-inf], [-inf])),
            special(array(-2), array(2), value=[4], gradients=([-4], [nan])),
            special(array(0, 0, 0), 2, value=[0, 0, 0], gradients=([0, 0, 0],)),
            special(array(0, 2), 0, value=[1, 1], gradients=([0, 0],)),
            special(array(0, 2), 1, value=[0, 2], gradients=([1, 1],)),
            special(
                array(0, 0, 2),
                array(0, 2, 0),
                value=[1, 0, 1],
                gradients=([0] * 3, [0, 0, np.log(2)]),
            ),
            special(-0.5, array(2), value=[0.25], gradients=([nan],)),
            special(0.0, array(0, 2), value=[1, 0], gradients=([0, 0],)),
        ),
        wrong=wrong_shapes("Pow"),
    ),
    Operation(
        "square",
        unary(),
        torch="square",
        wrong=wrong_type("Square"),
    ),
    Operation(
        "sqrt",
        unary(positive),
        torch="sqrt",
        special=(special(array(0, 4), value=[0, 2], gradients=([inf, 0.25],)),),
        wrong=wrong_type("Sqrt"),
    ),
    Operation(
        "reciprocal",
        unary(nonzero),
        torch="reciprocal",
        special=(special(array(0, 2), value=[inf, 0.5], gradients=([-inf, -0.25],)),),
        wrong=wrong_type("Reciprocal"),
    ),
    Operation(
        "abs",
        unary(),
        torch="abs",
        special=(special(array(-2, 0, 3, inf), value=[2, 0, 3, inf], gradients=([-1, 0, 1, 1],)),),
        wrong=wrong_type("Abs"),
    ),
    Operation(
        "exp",
        unary(),
        torch="exp",
        special=(special(array(-inf, -1e4), value=[0, 0], gradients=([0, 0],)),),
        wrong=wrong_type("Exp"),
    ),
    Operation(
        "log",
        unary(positive),
        torch="log",
        special=(special(array(0, 1), value=[-inf, 0], gradients=([inf, 1],)),),
        wrong=wrong_type("Log"),
    ),
    Operation(
        "sin",
        unary(),
        torch="sin",
        wrong=wrong_type("Sin"),
    ),
    Operation(
        "cos",
        unary(),
        torch="cos",
        wrong=wrong_type("Cos"),
    ),
    Operation(
        "tan",
        unary(between(-1, 1)),
        torch="tan",
        wrong=wrong_type("Tan"),
    ),
    Operation(
        "asin",
        unary(between(-0.9, 0.9)),
        torch="asin",
        special=(special(array(-1, 1), value=[-np.pi / 2, np.pi / 2], gradients=([inf, inf],)),),
        wrong=wrong_type("Asin"),
    ),
    Operation(
        "acos",
        unary(between(-0.9, 0.9)),
        torch="acos",
        special=(special(array(-1, 1), value=[np.pi, 0], gradients=([-inf, -inf],)),),
        wrong=wrong_type("Acos"),
    ),
    Operation(
        "atan",
        unary(),
        torch="atan",
        special=(special(array(-inf, inf), value=[-np.pi / 2, np.pi / 2], gradients=([0, 0],)),),
        wrong=wrong_type("Atan"),
    ),
    Operation(
        "atan2",
        binary(nonzero, nonzero),
        torch=ref.torch_binary("atan2"),
        torch_name="torch.atan2",
        special=(
            special(
                array(0, 0, 0, 1e-30),
                array(0, 2, -2, 0),
                value=[0, 0, np.pi, np.pi / 2],
                gradients=([0, 0.5, -0.5, 0], [0, 0, 0, -1e30]),
            ),
            special(
                array(0, 1e30),
                array(1e30, 1e30),
                value=[0, np.pi / 4],
                gradients=([1e-30, 5e-31], [0, -5e-31]),
            ),
        ),
        wrong=wrong_shapes("Atan2"),
    ),
    Operation(
        "hypot",
        binary(nonzero, nonzero),
        torch=ref.torch_binary("hypot"),
        torch_name="torch.hypot",
        special=(
            special(
                array(0, 3, 0, -2),
                array(0, 4, 2, 0),
                value=[0, 5, 2, 2],
                gradients=([0, 0.6, 0, -1], [0, 0.8, 1, 0]),
                torch=False,
            ),
            special(
                array(3e30, 3e-30),
                array(4e30, 4e-30),
                value=[5e30, 5e-30],
                gradients=([0.6] * 2, [0.8] * 2),
            ),
        ),
        wrong=wrong_shapes("Hypot"),
    ),
    Operation(
        "sinh",
        unary(),
        torch="sinh",
        wrong=wrong_type("Sinh"),
    ),
    Operation(
        "cosh",
        unary(),
        torch="cosh",
        wrong=wrong_type("Cosh"),
    ),
    Operation(
        "asinh",
        unary(),
        torch="asinh",
        wrong=wrong_type("Asinh"),
    ),
    Operation(
        "acosh",
        unary(between(1.5, 3)),
        torch="acosh",
        special=(special(array(1), value=[0], gradients=([inf],)),),
        wrong=wrong_type("Acosh"),
    ),
    Operation(
        "atanh",
        unary(between(-0.9, 0.9)),
        torch="atanh",
        special=(special(array(-1, 1), value=[-inf, inf], gradients=([inf, inf],)),),
        wrong=wrong_type("Atanh"),
    ),
    Operation(
        "expm1",
        unary(),
        torch="expm1",
        special=(special(array(-inf, 0, 1e-30), value=[-1, 0, 1e-30], gradients=([0, 1, 1],)),),
        wrong=wrong_type("Expm1"),
    ),
    Operation(
        "log1p",
        unary(between(-0.5, 2)),
        torch="log1p",
        special=(
            special(array(-1), value=[-inf], gradients=([inf],)),
            special(array(0, 1e-30), value=[0, 1e-30], gradients=([1, 1],)),
        ),
        wrong=wrong_type("Log1p"),
    ),
    Operation(
        "log2",
        unary(positive),
        torch="log2",
        special=(special(array(0, 1), value=[-inf, 0], gradients=([inf, 1 / np.log(2)],)),),
        wrong=wrong_type("Log2"),
    ),
    Operation(
        "log10",
        unary(positive),
        torch="log10",
        special=(special(array(0, 1), value=[-inf, 0], gradients=([inf, 1 / np.log(10)],)),),
        wrong=wrong_type("Log10"),
    ),
    Operation(
        "logit",
        unary(between(0.1, 0.9)),
        reference=scipy.special.logit,
        torch="logit",
        special=(special(array(0, 0.5, 1), value=[-inf, 0, inf], gradients=([inf, 4, inf],)),),
        wrong=wrong_type("Logit"),
    ),
    Operation(
        "logaddexp",
        binary(),
        torch=ref.torch_binary("logaddexp"),
        torch_name="torch.logaddexp",
        special=(
            special(
                array(1e4, -1e4, -inf, 0, -inf),
                array(-1e4, 0, 2, -inf, -inf),
                value=[1e4, 0, 2, 0, -inf],
                gradients=([1, 0, 0, 1, 0], [0, 1, 1, 0, 0]),
                torch=False,
            ),
        ),
        wrong=wrong_shapes("LogAddExp"),
    ),
    Operation(
        "logsumexp",
        reductions(),
        reference=ref.logsumexp,
        torch=ref.torch_reduction("logsumexp"),
        torch_name="torch.logsumexp",
        special=(
            special(array(-1e4, 1e4), value=1e4, gradients=([0, 1],)),
            special(array(-inf, 0), value=0, gradients=([0, 1],)),
            special(array(-inf, -inf), value=-inf, gradients=([0, 0],), torch=False),
            special(array(-inf), keepdims=True, value=[-inf], gradients=([0],), torch=False),
        ),
        wrong=(
            *wrong_axes("LogSumExp"),
            wrong(ones(0, 3), says=("LogSumExp(x: float64[0, 3])", "zero-size")),
        ),
    ),
    Operation(
        "tanh",
        unary(),
        torch="tanh",
        special=(special(array(-1e4, 1e4, inf), value=[-1, 1, 1], gradients=([0, 0, 0],)),),
        wrong=wrong_type("Tanh"),
    ),
    Operation(
        "sigmoid",
        unary(),
        reference=ref.sigmoid,
        torch="sigmoid",
        special=(special(array(-1e4, 0, 1e4), value=[0, 0.5, 1], gradients=([0, 0.25, 0],)),),
        wrong=wrong_type("Sigmoid"),
    ),
    Operation(
        "relu",
        unary(),
        reference=lambda x: np.maximum(x, 0),
        torch="relu",
        special=(special(array(-1, 0, 1), value=[0, 0, 1], gradients=([0, 0, 1],)),),
        wrong=wrong_type("Relu"),
    ),
    Operation(
        "erf",
        unary(),
        reference=scipy.special.erf,
        torch="erf",
        special=(
            special(array(-inf, 0, 1e4), value=[-1, 0, 1], gradients=([0, 2 / np.sqrt(np.pi), 0],)),
        ),
        wrong=wrong_type("Erf"),
    ),
    Operation(
        "gelu",
        [*unary(), *(sample(real(*s), approximate="tanh") for s in [(), (1,), (3, 3), (0, 4)])],
        reference=ref.gelu,
        torch=ref.torch_functional("gelu"),
        torch_name="torch.nn.functional.gelu",
        special=(
            special(array(-1e4, 0, 1e4), value=[0, 0, 1e4], gradients=([0, 0.5, 1],)),
            special(
                array(-1e4, 0, 1e4),
                approximate="tanh",
                value=[0, 0, 1e4],
                gradients=([0, 0.5, 1],),
            ),
        ),
        wrong=(
            *wrong_type("Gelu"),
            wrong(ones(2), approximate="erf", says=("gelu(x: float64[2])", "approximate", "erf")),
        ),
    ),
    Operation(
        "softplus",
        unary(),
        reference=lambda x: np.log(1 + np.exp(x)),
        torch=ref.torch_functional("softplus"),
        torch_name="torch.nn.functional.softplus",
        special=(
            special(array(-1e4, 0, 1e4), value=[0, np.log(2), 1e4], gradients=([0, 0.5, 1],)),
        ),
        wrong=wrong_type("Softplus"),
    ),
    Operation(
        "silu",
        unary(),
        reference=lambda x: x * ref.sigmoid(x),
        torch=ref.torch_functional("silu"),
        torch_name="torch.nn.functional.silu",
        special=(special(array(-1e4, 0, 1e4), value=[0, 0, 1e4], gradients=([0, 0.5, 1],)),),
        wrong=wrong_type("Silu"),
    ),
    Operation(
        "maximum",
        binary(),
        torch=ref.torch_binary("maximum"),
        torch_name="torch.maximum",
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
        "minimum",
        binary(),
        torch=ref.torch_binary("minimum"),
        torch_name="torch.minimum",
        special=(
            special(
                array(1, 2, 3),
                array(2, 2, 2),
                value=[1, 2, 2],
                gradients=([1, 0.5, 0], [0, 0.5, 1]),
            ),
        ),
        wrong=wrong_shapes("Minimum"),
    ),
    Operation(
        "clip",
        [
            *(sample(real(*s), -0.5, 0.5) for s in [(), (1,), (3, 3), (2, 3), (0, 4), (3, 1, 2)]),
            sample(real(2, 3), min=0),
            sample(real(2, 3), max=0),
            sample(real(2, 3)),
            sample(real(4, 5), real(5), real(4, 1)),  # also where min > max
            sample(real(3, 3), real(3, 3), 2.5, torch=False),  # PyTorch mixes no arrays and numbers
            sample(real(3, 3), -0.5, real(3, 3), torch=False),
            sample(real(), real(3), None, torch=False),
            sample(array(-1, 0, 1), real(2, 3), real(3), torch=False),  # fails in PyTorch
            sample(integers(1, 5, 3), real(2, 3), None, strict=False, torch=False),
        ],
        torch=ref.torch_clip,
        torch_name="torch.clip",
        special=(
            special(
                array(-1, 0, 0.5, 1, 2), 0, 1, value=[0, 0, 0.5, 1, 1], gradients=([0, 1, 1, 1, 0],)
            ),
            special(
                array(-1, 0, 2, -1),
                array(0, 0, 0, 2),
                array(1, 1, 1, 1),
                value=[0, 0, 1, 1],
                gradients=([0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1]),
            ),
        ),
        wrong=(
            wrong(ones(2, 3), ones(2), says=("ClipMin(x: float64[2, 3], min: float64[2])",)),
            wrong(ones(2), None, ones(3), says=("ClipMax(x: float64[2], max: float64[3])",)),
            wrong(ones(2), "a", error=TypeError, says=("ClipMin(x: float64[2], min: str 'a')",)),
        ),
    ),
    Operation(
        "where",
        [
            sample(mask(3, 3), real(3, 3), real(3, 3)),
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
        torch_name="torch.sum",
        wrong=wrong_axes("Sum"),
    ),
    Operation(
        "mean",
        reductions(),
        torch=ref.torch_reduction("mean"),
        torch_name="torch.mean",
        wrong=wrong_axes("Mean"),
    ),
    Operation(
        "max",
        reductions(),
        torch=ref.torch_reduction("amax"),
        torch_name="torch.amax",
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
        torch_name="torch.amin",
        special=(special(array(3, 1, 1), value=1, gradients=([0, 0.5, 0.5],)),),
        wrong=(*wrong_axes("Min"), wrong(ones(0, 3), says=("Min(x: float64[0, 3])", "zero-size"))),
    ),
    Operation(
        "prod",
        [
            *reductions(),
            sample(real(0, 3)),
            sample(real(2, 3, 4), axis=0),
            sample(real(2, 3), axis=(), torch=False),
            sample(sparse(4, 4), axis=0),
            sample(sparse(6, 3), axis=-1),
            sample(zero_diagonal(3, 3, 3), axis=(0, 2)),
            sample(zero_diagonal(2, 3, 3), axis=(1, 2), keepdims=True),
            sample(sparse(3, 3, 3), axis=1),
            sample(zero_diagonal(5, 5), axis=1),
            sample(zero_diagonal(3, 3)),
        ],
        torch=ref.torch_prod,
        torch_name="torch.prod",
        special=(
            special(array(0, 2, 3), value=0, gradients=([6, 0, 0],)),
            special(array(0, 2, 0), value=0, gradients=([0, 0, 0],)),
            special(array([0, 2], [3, 4]), axis=1, value=[0, 12], gradients=([[2, 0], [4, 3]],)),
        ),
        wrong=wrong_axes("Prod"),
    ),
    Operation(
        "cumulative_sum",
        cumulative(),
        torch=ref.torch_cumulative("cumsum"),
        torch_name="torch.cumsum",
        wrong=wrong_cumulative("cumulative_sum"),
    ),
    Operation(
        "cumulative_prod",
        [
            *cumulative(),
            sample(sparse(4, 4), axis=0),
            sample(sparse(6, 5), axis=-1),
            sample(real(3, 3), axis=1, include_initial=True),
        ],
        torch=ref.torch_cumulative("cumprod"),
        torch_name="torch.cumprod",
        special=(
            special(array(2, 0, 3, 5), value=[2, 0, 0, 0], gradients=([1, 38, 0, 0],)),
            special(array(2, 0, 3, 0), value=[2, 0, 0, 0], gradients=([1, 8, 0, 0],)),
            special(array(0, 0), value=[0, 0], gradients=([1, 0],)),
        ),
        wrong=wrong_cumulative("cumulative_prod"),
    ),
    Operation(
        "var",
        [
            *(s for s in reductions() if s.args[0].shape != (3, 0)),
            sample(real(3, 0), axis=0, torch=False),  # PyTorch warns
            sample(real(5), correction=1),
            sample(real(2, 3), axis=0, correction=0.5),
            sample(real(2, 3, 4), axis=(0, -1), correction=1, keepdims=True),
        ],
        torch=ref.torch_var("var"),
        torch_name="torch.var",
        special=(special(array(2, 2), value=0, gradients=([0, 0],)),),
        wrong=(
            *wrong_axes("Var"),
            wrong(ones(1), correction=1, says=("Var(x: float64[1])", "correction 1")),
        ),
    ),
    Operation(
        "std",
        [
            sample(real(5)),
            sample(real(3, 0), axis=0, torch=False),  # PyTorch warns
            sample(real(2, 3)),
            sample(real(2, 3), axis=0),
            sample(real(2, 3), axis=-1, keepdims=True),
            sample(real(2, 3, 4), axis=(0, -1), correction=1),
            sample(real(5), correction=0.5),
        ],
        torch=ref.torch_var("std"),
        torch_name="torch.std",
        special=(
            special(array(2, 2), value=0, gradients=([0, 0],)),
            special(array(0, 1e-200), value=0, gradients=([0, 0],)),  # its square is rounded to 0
            special(
                array([2, 2], [1, 3]), axis=1, value=[0, 1], gradients=([[0, 0], [-0.5, 0.5]],)
            ),
        ),
        wrong=(
            *wrong_axes("Std"),
            wrong(ones(1), correction=1, says=("Std(x: float64[1])", "correction 1")),
        ),
    ),
    Operation(
        "reshape",
        [
            sample(real(2, 3), (3, 2)),
            sample(real(3, 3), (9,)),
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
            sample(real(1, 1), (1, 0)),
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
            sample(real(1, 1)),
            sample(real(3)),
            sample(real(2, 3)),
            sample(real(3, 3)),
            sample(real(2, 3, 5)),
            sample(real(2, 3, 5), (1, 2, 0)),
            sample(real(2, 3, 5), axes=(1, -1, 0)),
            sample(real(0, 2)),
        ],
        torch=lambda x, axes=None: x.permute(axes or tuple(range(x.ndim))[::-1]),
        torch_name="torch.Tensor.T",
        wrong=(wrong(ones(2, 3), (0, 2), says=("PermuteDims(x: float64[2, 3])", "axis 2")),),
    ),
    Operation(
        "matrix_transpose",
        [
            sample(real(2, 3)),
            sample(real(1, 1)),
            sample(real(3, 3)),
            sample(real(4, 2, 3)),
            sample(real(0, 2)),
        ],
        torch=lambda x: x.mT,
        torch_name="torch.Tensor.mT",
        wrong=(wrong(ones(3), says=("matrix_transpose(x: float64[3])", "two axes")),),
    ),
    Operation(
        "broadcast_to",
        [
            sample(real(3), (2, 3)),
            sample(real(0, 1), (0, 3)),
            sample(real(2, 1), (2, 3)),
            sample(real(), (2, 3)),
            sample(real(2, 1, 3), (4, 2, 5, 3)),
            sample(real(3, 3), (2, 3, 3)),
            sample(real(1), (0,)),
        ],
        torch="broadcast_to",
        wrong=(
            wrong(ones(2), (3,), says=("BroadcastTo(x: float64[2])", "(3,)")),
            wrong(ones(2, 3), (3,), says=("BroadcastTo(x: float64[2, 3])", "(3,)")),
        ),
    ),
    Operation(
        "concat",
        [
            sample(real(2), real(3)),
            sample(real(1), real(1)),
            sample(real(2, 3), real(4, 3)),
            sample(real(2, 3), real(2, 1), real(2, 2), axis=1),
            sample(real(2, 3), real(2, 3), axis=-1),
            sample(real(2, 1, 3), real(2, 2, 3), axis=-2),
            sample(real(2, 3), real(3), axis=None),
            sample(real(3)),
            sample(real(0, 3), real(2, 3)),
            sample(real(2), array(1, 2)),
            sample(integers(0, 9, 3), real(2), strict=False),
        ],
        call=ref.joined(koubai.concat),
        reference=ref.joined(np.concat),
        protocol=ref.joined(np.concatenate),
        torch=ref.torch_joined("cat"),
        torch_name="torch.cat",
        wrong=(
            wrong(
                ones(2, 3),
                ones(3, 2),
                says=("Concat(input 0: float64[2, 3], input 1: float64[3, 2])", "dimension"),
            ),
            wrong(ones(2), ones(2), axis=1, says=("Concat(input 0: float64[2]", "axis 1")),
            wrong(ones(2), ones(1, 2), says=("Concat(", "input 1: float64[1, 2]")),
            wrong(ones(2), 1.0, says=("Concat(", "input 1: 1.0")),
            wrong(says=("Concat()", "at least one")),
        ),
    ),
    Operation(
        "stack",
        [
            sample(real(), real()),
            sample(real(1), real(1)),
            sample(real(3), real(3)),
            sample(real(3), real(3), real(3), axis=1),
            sample(real(3, 3), real(3, 3), axis=-1),
            sample(real(2, 3), real(2, 3), axis=-2),
            sample(real(2, 3)),
            sample(real(0, 3), real(0, 3)),
            sample(real(2), array(1, 2)),
            sample(real(), 1.5, strict=False),
        ],
        call=ref.joined(koubai.stack),
        reference=ref.joined(np.stack),
        protocol=ref.joined(np.stack),
        torch=ref.torch_joined("stack"),
        torch_name="torch.stack",
        wrong=(
            wrong(ones(2), ones(3), says=("Stack(input 0: float64[2], input 1: float64[3])",)),
            wrong(ones(2), ones(2), axis=2, says=("Stack(input 0: float64[2]", "axis 2")),
            wrong(says=("Stack()", "at least one")),
        ),
    ),
    Operation(
        "unstack",
        [
            sample(real(3)),
            sample(real(1)),
            sample(real(3, 2)),
            sample(real(3, 3), axis=1),
            sample(real(2, 3, 4), axis=-2),
            sample(real(2, 0)),
        ],
        call=ref.ends(koubai.unstack),
        reference=ref.ends(np.unstack),
        protocol=ref.ends(np.unstack),
        torch=ref.ends(lambda x, axis=0: x.unbind(axis)),
        torch_name="torch.unbind",
        wrong=(
            wrong(ones(2, 3), axis=2, says=("Unstack(x: float64[2, 3])", "axis 2")),
            wrong(1.0, says=("unstack(x: 1.0)", "at least one axis")),
        ),
    ),
    Operation(
        "broadcast_arrays",
        [
            sample(real(3), real(2, 1)),
            sample(real(), real(2, 3)),
            sample(real(2, 3), real(2, 3)),
            sample(real(3), ones(4, 1, 1), real(2, 1)),
            sample(real(3)),
            sample(real(1), real(0)),
            sample(real(3), ones(2, 3)),
        ],
        call=ref.ends(koubai.broadcast_arrays),
        reference=ref.ends(np.broadcast_arrays),
        protocol=ref.ends(np.broadcast_arrays),
        torch=ref.torch_broadcast,
        torch_name="torch.broadcast_tensors",
        wrong=(
            wrong(
                ones(2), ones(3), says=("broadcast_arrays(float64[2], float64[3])", "not broadcast")
            ),
        ),
    ),
    Operation(
        "squeeze",
        [
            sample(real(1), axis=0),
            sample(real(1, 3), axis=0),
            sample(real(2, 1, 3, 1), axis=(1, -1)),
            sample(real(2, 1, 3, 1), axis=-1),
            sample(real(2, 1), axis=(), strict=False),
            sample(real(2, 1, 3, 1), strict=False),
            sample(real(), strict=False),
            sample(real(0, 1), axis=1),
        ],
        torch=lambda x, axis=None: x.squeeze() if axis is None else x.squeeze(axis),
        torch_name="torch.squeeze",
        wrong=(
            wrong(ones(1, 3), axis=1, says=("squeeze(x: float64[1, 3])", "axis 1", "length 1")),
            wrong(ones(1, 3), axis=2, says=("squeeze(x: float64[1, 3])", "axis 2")),
            wrong(ones(1, 3), axis=(0, 0), says=("squeeze(x: float64[1, 3])", "twice")),
        ),
    ),
    Operation(
        "expand_dims",
        [
            sample(real(), axis=0),
            sample(real(1), axis=0),
            sample(real(3), axis=0),
            sample(real(3), axis=-1),
            sample(real(2, 3), axis=1),
            sample(real(2, 3), axis=-3),
            sample(real(2, 3), axis=(0, 2), strict=False, torch=False),  # one in the standard
            sample(real(0, 3), axis=1),
        ],
        torch=lambda x, axis: x.unsqueeze(axis),
        torch_name="torch.unsqueeze",
        wrong=(
            wrong(ones(2, 3), axis=3, says=("expand_dims(x: float64[2, 3])", "axis 3")),
            wrong(ones(2, 3), axis=(1, 1), says=("expand_dims(x: float64[2, 3])", "twice")),
        ),
    ),
    Operation(
        "moveaxis",
        [
            sample(real(2, 3), 0, 1),
            sample(real(1, 1), 0, 1),
            sample(real(2, 3, 5), 0, -1),
            sample(real(2, 3, 5), -1, 0),
            sample(real(2, 3, 5), (0, 1), (-1, 0)),
            sample(real(2, 3, 5), (2, 0), (0, 1)),
            sample(real(3), 0, 0),
            sample(real(0, 3), 0, 1),
        ],
        torch="moveaxis",
        wrong=(
            wrong(ones(2, 3), 2, 0, says=("moveaxis(x: float64[2, 3])", "axis 2")),
            wrong(ones(2, 3), 0, 2, says=("moveaxis(x: float64[2, 3])", "axis 2")),
            wrong(ones(2, 3), (0, 0), (0, 1), says=("moveaxis(x: float64[2, 3])", "twice")),
            wrong(ones(2, 3), (0, 1), (0,), says=("moveaxis(x: float64[2, 3])", "2 axes")),
        ),
    ),
    Operation(
        "flip",
        [
            sample(real()),
            sample(real(1)),
            sample(real(3)),
            sample(real(2, 3)),
            sample(real(3, 3), axis=0),
            sample(real(2, 3), axis=-1),
            sample(real(2, 3, 4), axis=(0, -1)),
            sample(real(0, 3), axis=1),
        ],
        torch=ref.torch_flip,
        torch_name="torch.flip",
        wrong=(
            wrong(ones(2, 3), axis=2, says=("flip(x: float64[2, 3])", "axis 2")),
            wrong(ones(2, 3), axis=(1, -1), says=("flip(x: float64[2, 3])", "twice")),
        ),
    ),
    Operation(
        "repeat",
        [
            sample(real(3), 2),
            sample(real(1), 3),
            sample(real(3, 3), 2, axis=0),
            sample(real(2, 3), 3, axis=-1),
            sample(real(2, 3), 1, axis=1),
            sample(real(2, 3), 0, axis=1),
            sample(real(2, 3), 2),
            sample(real(), 2),
            sample(real(3), [2], torch=False),
            sample(real(3), [2, 0, 1], strict=False, torch=False),  # takes no list
            sample(real(2, 3), [1, 0, 2], axis=1, strict=False, torch=False),
            sample(real(0, 3), 2, axis=0),
        ],
        torch=lambda x, times, axis=None: x.repeat_interleave(times, axis),
        torch_name="torch.repeat_interleave",
        wrong=(
            wrong(ones(2, 3), 2, axis=2, says=("repeat(x: float64[2, 3])", "axis 2")),
            wrong(ones(3), -1, says=("repeat(x: float64[3], repeats: -1)", "from 0")),
            wrong(ones(3), np.array([1, 2]), says=("repeat(x: float64[3], repeats: int64[2])",)),
            wrong(ones(3), 1.5, says=("repeat(x: float64[3], repeats: 1.5)",)),
        ),
    ),
    Operation(
        "tile",
        [
            sample(real(3), (2,)),
            sample(real(1), (3,)),
            sample(real(0, 3), (2, 1)),
            sample(real(3, 3), (2, 1)),
            sample(real(2, 3), (2, 3)),
            sample(real(2, 3), (2,)),
            sample(real(3), (2, 3)),
            sample(real(), (2, 2)),
            sample(real(2, 3), ()),
            sample(real(2, 3), (1, 1)),
            sample(real(2, 3), (0, 1)),
            sample(real(2, 3), 2, strict=False, torch=False),  # a tuple in the standard
        ],
        torch="tile",
        wrong=(wrong(ones(2, 3), (2, -1), says=("tile(x: float64[2, 3])", "(2, -1)")),),
    ),
    Operation(
        "roll",
        [
            sample(real(5), 2),
            sample(real(), 1),
            sample(real(1), 1),
            sample(real(5), -7),
            sample(real(5), 5),
            sample(real(2, 3), 1),
            sample(real(3, 3), 1, axis=-1),
            sample(real(3, 4), (1, -2), axis=(0, 1)),
            sample(real(3, 4), 2, axis=(0, 1), strict=False, torch=False),
            sample(real(4), (1, 2), axis=0, strict=False, torch=False),
            sample(real(0, 3), 1, axis=0),
        ],
        torch=lambda x, shift, axis=None: x.roll(shift, axis),
        torch_name="torch.roll",
        wrong=(
            wrong(ones(2, 3), 1, axis=2, says=("roll(x: float64[2, 3])", "axis 2")),
            wrong(ones(2, 3), (1, 2, 3), axis=(0, 1), says=("roll(x: float64[2, 3])", "3 shifts")),
        ),
    ),
    Operation(
        "pad",
        [
            sample(real(3), 1),
            sample(real(1), 1),
            sample(real(3), (1, 2)),
            sample(real(2, 3), ((1, 0), (0, 2))),
            sample(real(3, 3), 1, constant_values=1.5),
            sample(real(2, 3), 0),
            sample(real(), 1),
            sample(real(0, 3), ((1, 1), (0, 0))),
            sample(real(2, 3), ((1,), (2,)), mode="constant", constant_values=-2),
        ],
        torch=ref.torch_pad,
        torch_name="torch.nn.functional.pad",
        special=(
            special(array(nan), 1, constant_values=-inf, value=[-inf, nan, -inf], gradients=([1],)),
        ),
        wrong=(
            wrong(ones(3), -1, says=("pad(x: float64[3], pad_width: -1", "from 0")),
            wrong(ones(3), ((1, 1), (1, 1)), says=("pad(x: float64[3]", "1 of these pairs")),
            wrong(ones(3), 1, mode="edge", says=("pad(x: float64[3]", "mode='edge'", "constant")),
        ),
    ),
    Operation(
        "sliding_window_view",
        [
            sample(real(5), 2),
            sample(real(1), 1),
            sample(real(5), (5,)),
            sample(real(4, 4), (2, 3)),
            sample(real(4, 5), 2, axis=0),
            sample(real(2, 5, 4), (3, 2), axis=(1, -1)),
            sample(real(2, 3), 1, axis=-1),
            sample(real(0, 3), 2, axis=1),
        ],
        reference=np.lib.stride_tricks.sliding_window_view,
        protocol=np.lib.stride_tricks.sliding_window_view,
        torch=ref.torch_windows,
        torch_name="torch.Tensor.unfold",
        wrong=(
            wrong(ones(3), 4, says=("sliding_window_view(x: float64[3])", "windows of 4")),
            wrong(ones(3), 0, says=("sliding_window_view(x: float64[3])", "windows of 0")),
            wrong(ones(2, 3), 2, says=("sliding_window_view(x: float64[2, 3])", "axes (0, 1)")),
            wrong(ones(3), 2, axis=1, says=("sliding_window_view(x: float64[3])", "axis 1")),
        ),
    ),
    Operation(
        "getitem",
        [
            sample(real(5), 2),
            sample(real(1), 0),
            sample(real(0, 3), (slice(None), 1)),
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
            sample(real(4), np.array([0, 2, 0, -1])),
            sample(real(4), [0, 0]),
            sample(real(4), ((1, 1, 3),), strict=False),  # nor a list
            sample(real(4, 3), (np.array([0, 2, 0]), np.array([1, 1, 1]))),
            sample(real(4, 3), (slice(1, None), np.array([[0, 2], [0, 0]]))),
            sample(real(4, 3), (np.array([True, False, True, False]), 1)),
        ],
        reference=lambda x, index: x[index],
        torch=operator.getitem,
        torch_name="torch.Tensor.__getitem__",
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
            sample(real(0), slice(None), real(0)),
            sample(real(5), slice(1, 3), real(2)),
            sample(real(3, 3), (slice(None), 1), real(3)),
            sample(real(2, 3), (0, slice(None)), real()),
            sample(real(2, 3), (0, slice(None)), real(1)),
            sample(real(4, 3), (slice(2), slice(None)), real(3)),
            sample(real(4, 3), (slice(2), slice(None)), real(2, 1)),
            sample(real(3, 2), (slice(2), slice(None)), real(2, 2)),
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
        torch_name="torch.Tensor.__setitem__",
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
            sample(real(2), (slice(1, 3),), (4,), torch=False),  # which takes arrays only
            sample(real(1), (slice(1, 2),), (3,), torch=False),
            sample(real(0), (slice(2, 2),), (3,), torch=False),
            sample(real(2, 2), (slice(1, 3), slice(None)), (4, 2), torch=False),
            sample(real(3), np.array([True, False, True, True]), (4,)),
            sample(real(), (1,), (3,), torch=False),
            sample(real(3), (np.array([0, 0, 2]),), (4,)),
            sample(real(3), (np.array([0, 0, 2]), np.array([1, 1, 0])), (3, 2)),
            sample(real(2, 3), (np.array([1, 1]),), (3, 3)),
        ],
        reference=ref.scatter_add,
        torch=ref.torch_scatter_add,
        torch_name="torch.Tensor.index_put",
        wrong=(wrong(ones(2), ([0, 0, 0],), (3,), says=("ScatterAdd(x: float64[2])",)),),
    ),
    Operation(
        "take",
        [
            sample(real(4), np.array([0, 2])),
            sample(real(), np.array([0, 0]), strict=False),  # one axis in the standard
            sample(real(1), np.array([0, 0])),
            sample(real(0, 3), np.array([0, 2]), axis=1),
            sample(real(4), np.array([0, 2, 0, -1])),
            sample(real(4), integers(-4, 4, 3, 2), strict=False),  # one axis in the standard
            sample(real(3, 3), np.array([2, 2, 0]), axis=1),
            sample(real(2, 3), np.array([1]), axis=-2),
            sample(real(2, 3), np.array([5, 0])),
            sample(real(3, 2), 1, axis=0, strict=False),
            sample(real(3, 2), np.zeros(0, int), axis=0),
            sample(real(4), [1, 1], strict=False),
        ],
        torch=ref.torch_take,
        torch_name="torch.index_select",
        wrong=(
            wrong(ones(3), np.array([3]), error=IndexError, says=("Take(x: float64[3])", "3")),
            wrong(ones(2, 3), [0], axis=2, says=("take(x: float64[2, 3])", "axis 2")),
            wrong(
                ones(3),
                np.array([True]),
                error=TypeError,
                says=("take(x: float64[3], indices: bool[1])", "integers"),
            ),
        ),
    ),
    Operation(
        "take_along_axis",
        [
            sample(real(4), np.array([0, 2, 0, -1]), axis=0, torch=False),
            sample(real(1), np.array([0, 0]), axis=0),
            sample(real(0, 3), np.zeros((0, 2), int), axis=1),
            sample(real(2, 3), np.array([[2, 0], [1, 1]]), axis=1),
            sample(real(2, 3), np.array([[2], [1]])),
            sample(real(3, 3), np.array([[0, 1, 0]]), axis=0),
            sample(real(2, 3, 2), integers(0, 3, 2, 4, 2), axis=-2),
            sample(real(2, 3), np.array([[2, 0]]), axis=1, torch=False),
            sample(real(2, 3), np.zeros((2, 0), int), axis=1),
        ],
        torch=lambda x, indices, axis=-1: x.gather(axis, indices),
        torch_name="torch.gather",
        wrong=(
            wrong(
                ones(2, 3),
                np.array([[3], [0]]),
                error=IndexError,
                says=("TakeAlongAxis(x: float64[2, 3])", "3"),
            ),
            wrong(
                ones(2, 3),
                np.array([0]),
                says=("take_along_axis(x: float64[2, 3], indices: int64[1])", "axes"),
            ),
            wrong(
                ones(2, 3), np.array([[0]]), axis=2, says=("take_along_axis(x: float64[2, 3])", "2")
            ),
        ),
    ),
    Operation(
        "sort",
        [
            sample(real(5)),
            sample(real(1)),
            sample(real(2, 5)),
            sample(real(3, 3), axis=0),
            sample(real(2, 5, 3), axis=-2),
            sample(real(5), stable=True),
            sample(real(0, 3)),
            sample(real(2, 0)),
        ],
        torch=lambda x, axis=-1, stable=True: x.sort(dim=axis, stable=stable)[0],
        torch_name="torch.sort",
        special=(
            special(array(2, 1, 2), value=[1, 2, 2], gradients=([1, 1, 1],)),
            special(array(2, nan, 1), value=[1, 2, nan], gradients=([1, 1, 1],)),
        ),
        wrong=(
            wrong(ones(2, 3), axis=2, says=("sort(x: float64[2, 3])", "axis 2")),
            wrong(1.0, says=("sort(x: 1.0)", "axis -1")),
        ),
    ),
    Operation(
        "embedding",
        [
            sample(integers(0, 4, 3), real(4, 2)),
            sample(np.array([0, 0]), real(1, 1)),
            sample(np.array([1, 3]), real(4, 0)),
            sample(integers(0, 5, 3), real(5, 3)),
            sample(np.array([0, 2, 0]), real(4, 2)),
            sample(integers(0, 4, 3, 2), real(4, 4)),
            sample(integers(0, 4), real(4, 2)),
            sample(np.zeros((0, 2), int), real(4, 2)),
        ],
        reference=lambda t, W: W[t],
        torch=ref.torch_embedding,
        torch_name="torch.nn.functional.embedding",
        wrong=(
            wrong(
                np.array([0, 4]),
                ones(4, 2),
                says=("Embedding(t: int64[2], W: float64[4, 2])", "between 0 and 3"),
            ),
            wrong(np.array([0, -1]), ones(4, 2), says=("Embedding(", "between 0 and 3")),
            wrong(ones(2), ones(4, 2), says=("Embedding(t: float64[2]", "integers")),
            wrong(np.array([0]), ones(4), says=("Embedding(t: int64[1], W: float64[4])", "(N, D)")),
        ),
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
            sample(real(1), real(1)),
            sample(real(0, 3), real(3, 2)),
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
        torch=ref.torch_linear,
        torch_name="torch.nn.functional.linear",
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
        torch_name="torch.softmax",
        special=(
            special(array(-inf, 0), value=[0, 1], gradients=([0, 0],)),
            special(array(-inf, -inf), value=[nan, nan], gradients=([nan, nan],)),
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
        torch_name="torch.log_softmax",
        special=(
            special(array(-inf, 0), value=[-inf, 0], gradients=([1, -1],)),
            special(array(-inf, -inf), value=[nan, nan], gradients=([nan, nan],)),
            special(array(-1e4, 1e4), value=[-2e4, 0], gradients=([1, -1],)),
        ),
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
        torch_name="torch.nn.functional.cross_entropy",
        special=(
            special(array([-inf, 0]), np.array([1]), value=0, gradients=([[0, 0]],)),
            special(
                array([-inf, 0, 0]),
                array([0, 0.5, 0.5]),
                value=np.log(2),
                gradients=([[0, 0, 0]], [[inf, np.log(2), np.log(2)]]),
                torch=False,
            ),
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
            sample(real(3, 3), real(3, 3)),
            sample(real(5), array(1, 2, 3, 4, 5)),
            sample(real(), real()),
            sample(real(), 2.5),
            sample(real(1), integers(0, 9, 1), strict=False),
            sample(array(1, 2, 3), real(3)),
        ],
        reference=ref.squared_error,
        torch=ref.torch_squared_error,
        torch_name="torch.nn.functional.mse_loss",
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
            sample(real(3, 3), np.float64),
            sample(real(1), np.float64),
            sample(real(), np.float64),
            sample(real(0, 3), np.float64),
            sample(real(3), np.float64, copy=True),
        ],
        torch=lambda x, dtype, copy=True: x.double(),
        torch_name="torch.Tensor.to",
        wrong=(
            wrong(ones(2), complex, error=TypeError, says=("Astype(x: float64[2])", "complex128")),
            wrong(ones(2), "text", error=TypeError, says=("Astype(x: float64[2])", "text")),
        ),
    ),
    Operation(
        "copy",
        unary(),
        torch="clone",
        wrong=wrong_type("Copy"),
    ),
    *PRODUCTS,
    *LINALG,
]
