"""The seam between koubai and array libraries.

An operation is written once, in the names of the Python Array API standard, and asks
``namespace(x)`` whose functions to call. ``x`` may be

=================  =======================================================
a number, ndarray  ``numpy``
a ``Variable``     ``koubai`` itself: the same names, recorded as a graph
a traced array     ``koubai.compiler.trace.namespace``: recorded as a program
any other array    what its ``__array_namespace__()`` says
=================  =======================================================

No other file asks which library is in use. What the standard lacks (``sigmoid``,
``softmax``, ``scatter_add``, ...) is named here once: a library that has the function
under that name is asked for it, for the others it is written in the standard's own.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any
"""An array of any library that follows the standard, or a Python number."""

NUMBERS = (bool, int, float, np.generic)


def namespace(*xs: Array) -> Any:
    """The module whose functions work on ``xs``: the first that is not NumPy's, else NumPy.

    >>> namespace(np.ones(3)).__name__
    'numpy'
    """
    for x in xs:
        if type(x) is not np.ndarray and hasattr(x, "__array_namespace__"):
            return x.__array_namespace__()
    return np


def is_array(x: object) -> bool:
    """Whether ``x`` is an array of some library (a NumPy scalar counts, a number does not)."""
    return isinstance(x, np.ndarray) or hasattr(x, "__array_namespace__")


def is_floating(x: Array) -> bool:
    """Whether ``x`` holds real floating-point numbers, the only ones that have gradients."""
    if isinstance(x, float):
        return True
    if not hasattr(x, "dtype"):
        return False
    if isinstance(x.dtype, np.dtype):
        return x.dtype.kind == "f"
    return bool(x.__array_namespace__().isdtype(x.dtype, "real floating"))


def is_integer(x: Array) -> bool:
    """Whether ``x`` holds whole numbers (booleans are none)."""
    if not hasattr(x, "dtype"):
        return isinstance(x, int) and not isinstance(x, bool)
    if isinstance(x.dtype, np.dtype):
        return x.dtype.kind in "iu"
    return bool(x.__array_namespace__().isdtype(x.dtype, "integral"))


def is_boolean(x: Array) -> bool:
    """Whether ``x`` holds truth values."""
    if not hasattr(x, "dtype"):
        return isinstance(x, bool)
    if isinstance(x.dtype, np.dtype):
        return x.dtype.kind == "b"
    return bool(x.__array_namespace__().isdtype(x.dtype, "bool"))


def shape_of(x: Array) -> tuple[int, ...]:
    """The shape of an array; ``()`` for a number."""
    return tuple(getattr(x, "shape", ()))


def describe(x: object) -> str:
    """``x`` in an error message: ``float64[3, 4]`` for an array, its text for a number.

    >>> describe(np.ones((3, 4))), describe(2.5), describe("a")
    ('float64[3, 4]', '2.5', "str 'a'")
    """
    if hasattr(x, "dtype") and hasattr(x, "shape"):
        dtype = str(x.dtype).rpartition(".")[2]  # array-api-strict says array_api_strict.float64
        return f"{dtype}{list(x.shape)}"
    return repr(x) if isinstance(x, NUMBERS) else f"{type(x).__name__} {x!r:.40}"


# What the standard lacks.


def copy(x: Array) -> Array:
    """An array of its own with the values of ``x``."""
    xp = namespace(x)
    return xp.copy(x) if hasattr(xp, "copy") else xp.asarray(x, copy=True)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow: exp is only asked for numbers that are not positive."""
    xp = namespace(x)
    if hasattr(xp, "sigmoid"):
        return xp.sigmoid(x)
    z = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, xp.ones_like(z), z) / (1 + z)


def softmax(x: Array, axis: int) -> Array:
    """exp(x) / sum(exp(x)) along ``axis``; the maximum goes first, so nothing overflows."""
    xp = namespace(x)
    if hasattr(xp, "softmax"):
        return xp.softmax(x, axis=axis)
    z = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    return z / xp.sum(z, axis=axis, keepdims=True)


def log_softmax(x: Array, axis: int) -> Array:
    """log(softmax(x)) along ``axis``; finite wherever ``x`` is, for softmax may underflow to 0."""
    xp = namespace(x)
    if hasattr(xp, "log_softmax"):
        return xp.log_softmax(x, axis=axis)
    x = x - xp.max(x, axis=axis, keepdims=True)
    return x - xp.log(xp.sum(xp.exp(x), axis=axis, keepdims=True))


def scatter_add(x: Array, index: Any, shape: tuple[int, ...]) -> Array:
    """Zeros of ``shape`` to which ``x`` is added at ``[index]``: the gradient of indexing.

    An element that ``index`` names twice receives both additions.
    """
    xp = namespace(x, *index) if isinstance(index, tuple) else namespace(x, index)
    if hasattr(xp, "scatter_add"):
        return xp.scatter_add(x, index, shape)
    y = xp.zeros(shape, dtype=x.dtype)
    if xp is np and not _names_each_element_once(index):
        np.add.at(y, index, x)
    else:
        y[index] = x
    return y


def _names_each_element_once(index: Any) -> bool:
    """True for slices, integers and boolean masks; integer arrays may repeat themselves."""
    parts = index if isinstance(index, tuple) else (index,)
    return not any(isinstance(p, list) or (is_array(p) and is_integer(p) and p.ndim) for p in parts)


def raise_unless(condition: Array, message: str) -> None:
    """Raise ``ValueError(message)`` unless ``condition``, one boolean, holds.

    For what only the values can tell (a label out of range). A traced condition becomes part of
    the program, which then raises the same error when it runs.
    """
    xp = namespace(condition)
    if hasattr(xp, "raise_unless"):
        xp.raise_unless(condition, message)
    elif not condition:
        raise ValueError(message)


# What NumPy's functions are called in the standard, where the two differ. A Variable and a traced
# array both answer to NumPy's protocols with this table: np.power(x, 2) becomes pow(x, 2).
STANDARD_NAMES = {
    "absolute": "abs",
    "amax": "max",
    "concatenate": "concat",
    "power": "pow",
    "true_divide": "divide",
}


def standard_name(numpy_function: Any) -> str:
    """The name under which koubai and the standard know a NumPy function."""
    name: str = numpy_function.__name__
    return STANDARD_NAMES.get(name, name)
