"""Functions of each element by itself, on traced arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from koubai.compiler.errors import TraceError
from koubai.compiler.primitives import BOOL, loop
from koubai.compiler.trace.lifting import as_scalar, dtype_of, function, trace_of, traced
from koubai.compiler.trace.number import TracedFloat
from koubai.compiler.trace.traced import Traced


def _elementwise(name: str) -> Callable[..., Any]:
    """The function ``name``, its operands converted as NumPy converts them."""

    def f(*xs: Any) -> Traced:
        trace, dtypes = trace_of(*xs), loop(name, [dtype_of(x) for x in xs])
        try:
            operands = [traced(trace, x, dtype) for x, dtype in zip(xs, dtypes, strict=False)]
        except OverflowError:
            # Comparisons alone take a number that the dtype can't hold: uint8 < 1000.
            if dtypes[-1] != BOOL:
                raise
            operands = [traced(trace, x, np.dtype(np.float64)) for x in xs]
        return as_scalar(trace.emit(name, *operands))

    f.__name__ = f.__qualname__ = name
    return function(f)


abs = _elementwise("abs")
acos = _elementwise("acos")
acosh = _elementwise("acosh")
add = _elementwise("add")
asin = _elementwise("asin")
asinh = _elementwise("asinh")
atan = _elementwise("atan")
atan2 = _elementwise("atan2")
atanh = _elementwise("atanh")
ceil = _elementwise("ceil")
cos = _elementwise("cos")
cosh = _elementwise("cosh")
divide = _elementwise("divide")
equal = _elementwise("equal")
erf = _elementwise("erf")
exp = _elementwise("exp")
expm1 = _elementwise("expm1")
floor = _elementwise("floor")
greater = _elementwise("greater")
greater_equal = _elementwise("greater_equal")
hypot = _elementwise("hypot")
isfinite = _elementwise("isfinite")
isinf = _elementwise("isinf")
isnan = _elementwise("isnan")
less = _elementwise("less")
less_equal = _elementwise("less_equal")
log = _elementwise("log")
log10 = _elementwise("log10")
log1p = _elementwise("log1p")
log2 = _elementwise("log2")
logaddexp = _elementwise("logaddexp")
logical_and = _elementwise("logical_and")
logical_not = _elementwise("logical_not")
logical_or = _elementwise("logical_or")
logical_xor = _elementwise("logical_xor")
maximum = _elementwise("maximum")
minimum = _elementwise("minimum")
multiply = _elementwise("multiply")
negative = _elementwise("negative")
not_equal = _elementwise("not_equal")
reciprocal = _elementwise("reciprocal")
sign = _elementwise("sign")
sin = _elementwise("sin")
sinh = _elementwise("sinh")
sqrt = _elementwise("sqrt")
subtract = _elementwise("subtract")
tan = _elementwise("tan")
tanh = _elementwise("tanh")
_pow = _elementwise("pow")


@function
def pow(x1: Any, x2: Any, /) -> Any:
    # The exponents for which NumPy does not call its power function either.
    if isinstance(x2, int | float) and x2 in (2, 0.5) and x1.dtype.kind == "f":
        return multiply(x1, x1) if x2 == 2 else sqrt(x1)
    return _pow(x1, x2)


@function
def positive(x: Traced, /) -> Traced:
    dtype, _ = loop("positive", [x.dtype])  # a TypeError for booleans
    return as_scalar(x.trace.emit("copy", traced(x.trace, x, dtype)))


@function
def square(x: Traced, /) -> Any:
    x = traced(x.trace, x, loop("square", [x.dtype])[0])
    return multiply(x, x)


@function
def clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
    y = x if min is None else maximum(x, min)
    return y if max is None else minimum(y, max)


@function
def round(x: Traced, /) -> Traced:
    return as_scalar(x.trace.emit("round", x))


@function
def where(condition: Any, /, *xs: Any) -> Any:
    if len(xs) != 2:
        return nonzero(condition)
    trace = trace_of(condition, *xs)
    weak = [0.0 if isinstance(x, TracedFloat) else x for x in xs]
    like = [x if isinstance(x, int | float) else np.empty(0, dtype_of(x)) for x in weak]
    # A number that the dtype can't hold NumPy's where() wraps before 2.5, and refuses since.
    dtype = np.where(np.empty(0, np.bool), *like).dtype
    x1, x2 = [
        traced(trace, x if isinstance(x, Traced) else np.asarray(x).astype(dtype), dtype)
        for x in xs
    ]
    return trace.emit("where", traced(trace, condition, BOOL), x1, x2)


def nonzero(x: Any, /) -> Any:
    if not isinstance(x, Traced):
        return np.nonzero(x)
    raise TraceError(
        f"nonzero() or where() of {x!r}: how many elements it finds is not known when the function"
        " is compiled; write where(condition, a, b), or find them outside the function"
    )


def _of_booleans(name: str, logical: Callable[..., Any]) -> Callable[..., Any]:
    """The operator of bits ``name``, which is the ``logical`` function on booleans."""

    def f(*xs: Any) -> Any:
        if any(dtype_of(x) != BOOL for x in xs):
            raise TraceError(
                f"{name} of {', '.join(map(repr, xs))}: only that of booleans can be compiled, not"
                " that of the bits of integers; compute it outside the function"
            )
        return logical(*xs)

    f.__name__ = f.__qualname__ = name
    return function(f)


bitwise_and = _of_booleans("bitwise_and", logical_and)
bitwise_or = _of_booleans("bitwise_or", logical_or)
bitwise_xor = _of_booleans("bitwise_xor", logical_xor)
invert = _of_booleans("invert", logical_not)


# Copies and conversions.


@function
def astype(x: Traced, dtype: Any, /, *, copy: Any = True) -> Traced:
    y = traced(x.trace, x, np.dtype(dtype))
    if y is x and copy:
        y = x.trace.emit("copy", x)
        y.scalar = x.scalar
    return y


@function
def asarray(x: Traced, /, *, dtype: Any = None, copy: Any = None) -> Traced:
    y = traced(x.trace, x, x.dtype if dtype is None else dtype)
    if y is x and (copy or x.scalar):
        y = x.trace.emit("copy", x)
    y.scalar = False
    return y


@function
def copy(x: Traced, /) -> Traced:
    return x.trace.emit("copy", x)


def copy_method(x: Traced, /) -> Traced:
    """``x.copy()``: unlike np.copy(x) it leaves scalars scalars, and has the order of rows."""
    y = x.trace.emit("copy", x, order="C")
    y.scalar = x.scalar
    return y
