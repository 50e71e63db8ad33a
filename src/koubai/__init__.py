"""koubai (勾配, gradient): backpropagation that you can see, check and run at full speed.

These are the public names. Those of operations are the Python Array API standard's, for the module
is the array namespace of a Variable: ``x.__array_namespace__() is koubai``.
"""

import sys as _sys
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from numpy import bool, e, float32, float64, inf, int32, int64, nan, newaxis, pi, uint8

from koubai import linalg, random
from koubai.array_methods import bind_methods as _bind_methods
from koubai.compiler import compile
from koubai.core import Function, Variable
from koubai.ops.activations import erf, gelu, silu, softplus
from koubai.ops.choice import clip, maximum, minimum, where
from koubai.ops.constants import (
    all,
    any,
    arange,
    argmax,
    argmin,
    argsort,
    asarray,
    ceil,
    count_nonzero,
    equal,
    floor,
    full_like,
    greater,
    greater_equal,
    isdtype,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    ndim,
    nonzero,
    not_equal,
    one_hot,
    ones,
    ones_like,
    round,
    shape,
    sign,
    size,
    zeros,
    zeros_like,
)
from koubai.ops.cumulative import cumulative_prod, cumulative_sum
from koubai.ops.diagonals import diagonal, trace
from koubai.ops.einsum import einsum, outer, tensordot, vecdot
from koubai.ops.elementwise import (
    abs,
    add,
    astype,
    copy,
    divide,
    exp,
    log,
    multiply,
    negative,
    pow,
    reciprocal,
    relu,
    sigmoid,
    sqrt,
    square,
    subtract,
    tanh,
)
from koubai.ops.exponential import expm1, log1p, log2, log10, logaddexp, logit, logsumexp
from koubai.ops.gathering import embedding, take, take_along_axis
from koubai.ops.hyperbolic import acosh, asinh, atanh, cosh, sinh
from koubai.ops.indexing import getitem, scatter_add, setitem
from koubai.ops.joining import concat, stack, unstack
from koubai.ops.linalg import dot, linear, matmul
from koubai.ops.losses import log_softmax, mean_squared_error, softmax, softmax_cross_entropy
from koubai.ops.reduction import max, mean, min, prod, sum
from koubai.ops.repeating import repeat, roll, tile
from koubai.ops.shaping import (
    broadcast_arrays,
    broadcast_to,
    expand_dims,
    flip,
    matrix_transpose,
    moveaxis,
    permute_dims,
    reshape,
    squeeze,
    transpose,
)
from koubai.ops.sorting import sort
from koubai.ops.statistics import std, var
from koubai.ops.trigonometric import acos, asin, atan, atan2, cos, hypot, sin, tan
from koubai.ops.windows import pad, sliding_window_view
from koubai.random import dropout
from koubai.recompute import checkpoint
from koubai.recording import no_grad
from koubai.scanning import scan
from koubai.transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp

__all__ = [
    "Function",
    "Variable",
    "abs",
    "acos",
    "acosh",
    "add",
    "all",
    "any",
    "arange",
    "argmax",
    "argmin",
    "argsort",
    "asarray",
    "asin",
    "asinh",
    "astype",
    "atan",
    "atan2",
    "atanh",
    "bool",
    "broadcast_arrays",
    "broadcast_to",
    "ceil",
    "check",
    "checkpoint",
    "clip",
    "compile",
    "concat",
    "copy",
    "cos",
    "cosh",
    "count_nonzero",
    "cumulative_prod",
    "cumulative_sum",
    "diagonal",
    "divide",
    "dot",
    "dropout",
    "e",
    "einsum",
    "embedding",
    "equal",
    "erf",
    "exp",
    "expand_dims",
    "explain_grad",
    "expm1",
    "flip",
    "float32",
    "float64",
    "floor",
    "full_like",
    "gelu",
    "get_threads",
    "getitem",
    "grad",
    "greater",
    "greater_equal",
    "hessian",
    "hvp",
    "hypot",
    "inf",
    "int32",
    "int64",
    "isdtype",
    "isfinite",
    "isinf",
    "isnan",
    "jacobian",
    "jvp",
    "less",
    "less_equal",
    "linalg",
    "linear",
    "log",
    "log1p",
    "log2",
    "log10",
    "log_softmax",
    "logaddexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logit",
    "logsumexp",
    "matmul",
    "matrix_transpose",
    "max",
    "maximum",
    "mean",
    "mean_squared_error",
    "min",
    "minimum",
    "moveaxis",
    "multiply",
    "nan",
    "ndim",
    "negative",
    "newaxis",
    "no_grad",
    "nonzero",
    "not_equal",
    "one_hot",
    "ones",
    "ones_like",
    "outer",
    "pad",
    "permute_dims",
    "pi",
    "pow",
    "prod",
    "random",
    "reciprocal",
    "relu",
    "repeat",
    "reshape",
    "roll",
    "round",
    "scan",
    "scatter_add",
    "set_threads",
    "setitem",
    "shape",
    "sigmoid",
    "sign",
    "silu",
    "sin",
    "sinh",
    "size",
    "sliding_window_view",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "sort",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "take",
    "take_along_axis",
    "tan",
    "tanh",
    "tensordot",
    "tile",
    "trace",
    "transpose",
    "uint8",
    "unstack",
    "value_and_grad",
    "var",
    "vecdot",
    "vjp",
    "watch",
    "where",
    "zeros",
    "zeros_like",
]

_bind_methods(Variable, _sys.modules[__name__])
__version__ = "0.1.0"

if _TYPE_CHECKING:
    from koubai.checking import check, explain_grad, watch
    from koubai.compiler.runtime.threads import get_threads, set_threads


def __getattr__(name: str) -> _Any:
    """Checking is imported when it is first used: it is a third of the package. Threads, too."""
    if name in ("get_threads", "set_threads"):
        from koubai.compiler.runtime import threads

        return getattr(threads, name)
    if name in ("check", "explain_grad", "watch"):
        from koubai import checking

        return getattr(checking, name)
    raise AttributeError(f"module 'koubai' has no attribute {name!r}")
