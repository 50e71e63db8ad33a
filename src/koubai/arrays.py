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
``erf``, ``scatter_add``, ...) is named here once: a library that has the function
under that name is asked for it, for the others it is written in the standard's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from koubai.scattering import add_rows, add_rows_by_take, row_numbers

Array: TypeAlias = Any
"""An array of any library that follows the standard, or a Python number."""

NUMBERS = (bool, int, float, np.generic)
_PLAIN = (*NUMBERS, np.ndarray)
REAL = "fiub"
"""The kinds of NumPy dtypes that hold real numbers: floats, integers, booleans."""
BASIC = (int, slice, type(None), type(...))
"""The types of the parts of an index that names a block."""


def namespace(*xs: Array) -> Any:
    """The module whose functions work on ``xs``: a Variable's, else the first that is not NumPy's.

    >>> namespace(np.ones(3)).__name__
    'numpy'
    """
    xp: Any = np
    for x in xs:
        if not isinstance(x, (np.ndarray, np.generic)) and hasattr(x, "__array_namespace__"):
            if is_variable(x):
                return x.__array_namespace__()
            xp = x.__array_namespace__() if xp is np else xp
    return xp


def is_variable(x: object) -> bool:
    """Whether ``x`` is a Variable; the class itself is built on this file."""
    return hasattr(type(x), "creator")


def is_differentiable(x: Any) -> bool:
    """Whether ``x`` is a Variable of floating-point numbers."""
    return is_variable(x) and is_floating(x._data)


def is_array(x: object) -> bool:
    """Whether ``x`` is an array of some library (a NumPy scalar counts, a number does not)."""
    return isinstance(x, np.ndarray) or hasattr(x, "__array_namespace__")


def is_scalar(x: object) -> bool:
    """Whether ``x`` is a NumPy scalar, or traced in the place of one: nothing to write into."""
    return isinstance(x, np.generic) or getattr(x, "scalar", False)


def is_floating(x: Array) -> bool:
    """Whether ``x`` holds real floating-point numbers, the only ones that have gradients."""
    if isinstance(x, np.ndarray):
        return bool(x.dtype.kind == "f")
    if isinstance(x, float):
        return True
    if not hasattr(x, "dtype"):
        return False
    return _has_kind(x, "f", "real floating")


def is_integer(x: Array) -> bool:
    """Whether ``x`` holds whole numbers (booleans are none)."""
    if not hasattr(x, "dtype"):
        return isinstance(x, int) and not isinstance(x, bool)
    return _has_kind(x, "iu", "integral")


def is_boolean(x: Array) -> bool:
    """Whether ``x`` holds truth values."""
    if not hasattr(x, "dtype"):
        return isinstance(x, bool)
    return _has_kind(x, "b", "bool")


def is_normal(x: Array) -> Array:
    """Which elements are finite, and not 0 nor so small that they have lost digits.

    >>> is_normal(np.array([1e-300, 1e-310, 0.0, np.inf, np.nan]))
    array([ True, False, False, False, False])
    """
    size = namespace(x).abs(x)
    return (size >= float(finfo(x).smallest_normal)) & (size < math.inf)


def finfo(x: Array) -> Any:
    """The limits of the floating-point numbers of x: ``eps``, ``smallest_normal``, ..."""
    xp = np if isinstance(x.dtype, np.dtype) else namespace(x.data if is_variable(x) else x)
    return xp.finfo(x.dtype)


def _has_kind(x: Array, numpys: str, standards: str) -> bool:
    if isinstance(x.dtype, np.dtype):
        return x.dtype.kind in numpys
    x = x.data if is_variable(x) else x
    return bool(x.__array_namespace__().isdtype(x.dtype, standards))


def shape_of(x: Array) -> tuple[int, ...]:
    """The shape of an array, or of a list as an array; ``()`` for a number."""
    return tuple(x.shape) if hasattr(x, "shape") else np.shape(x)


def describe(x: object) -> str:
    """``x`` in an error message: ``float64[3, 4]`` for an array, its text for a number.

    >>> describe(np.ones((3, 4))), describe(2.5), describe("a")
    ('float64[3, 4]', '2.5', "str 'a'")
    """
    if hasattr(x, "dtype") and hasattr(x, "shape"):
        dtype = str(x.dtype).rpartition(".")[2]  # array-api-strict says array_api_strict.float64
        return f"{dtype}{list(x.shape)}"
    return repr(x) if isinstance(x, NUMBERS) else f"{type(x).__name__} {x!r:.40}"


def as_array(x: Any) -> Array:
    """``x`` as an array: numbers become float64, lists go through NumPy, arrays stay themselves.

    Raises:
        TypeError: for what holds no real numbers: text, objects, complex numbers; for a Variable.
    """
    if type(x) is np.ndarray and x.dtype.kind in REAL:
        return x  # nearly always
    if is_variable(x):
        raise TypeError(
            "an array is needed, not a Variable, whose history would be lost: pass the Variable to"
            " the call as an input, or write v.data for a constant"
        )
    if x is None:
        raise TypeError("an array is needed, not None; is a return missing in forward?")
    if isinstance(x, (int, float)) and not isinstance(x, (bool, np.generic)):
        return np.asarray(float(x))
    if not is_array(x) or is_scalar(x):
        x = namespace(x).asarray(x)
    if not isinstance(x, np.ndarray) or x.dtype.kind not in REAL:
        refuse_complex(x)
        if isinstance(x, np.ndarray):
            raise TypeError(
                f"real numbers are needed (floats, integers or booleans), not {describe(x)}"
            )
    return x


def refuse_complex(*xs: Any) -> None:
    """Raise a TypeError if one of ``xs``, which may be anything, holds complex numbers."""
    for x in xs:
        known = (is_array(x) or isinstance(x, np.generic)) and not isinstance(x, type)
        if isinstance(x, complex) or (known and _has_kind(x, "c", "complex floating")):
            raise TypeError(
                f"real numbers are needed, not {describe(x)}; complex numbers are not supported yet"
            )


def operand(x: Any) -> Array:
    """What an operation may be called with beside Variables: an array or a number, as it is.

    Raises:
        TypeError: for anything else but a list, which becomes an array; for what holds no real
            numbers.
    """
    unreal = isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind not in REAL
    if unreal or isinstance(x, (list, tuple)):
        return as_array(x)
    if isinstance(x, _PLAIN):
        return x
    refuse_complex(x)
    if is_array(x):
        return x
    raise TypeError(f"operations take Variables, arrays and numbers, not {describe(x)}")


def gives_way(x: Array) -> bool:
    """Whether ``x * v`` of a Variable v is v's to compute.

    Python's numbers and what answers NumPy's protocol (ndarrays, traced arrays) see to that; arrays
    of other libraries refuse v. (Those of integers and booleans stand for labels, indices and
    conditions.)
    """
    return hasattr(x, "__array_ufunc__") or isinstance(x, NUMBERS) or not is_floating(x)


def cast(x: Array, dtype: Any) -> Array:
    """``x`` in ``dtype``: itself, if that is its dtype."""
    if x.dtype == dtype:
        return x
    refuse_complex(x)  # whose imaginary parts would be lost
    return namespace(x).astype(x, dtype)


def constant_like(values: np.ndarray[Any, Any], x: Array) -> Array:
    """``values``, known numbers, as an array of x's library; floats in x's dtype."""
    x = x.data if is_variable(x) else x
    xp = namespace(x)
    if not isinstance(x.dtype, np.dtype):
        values = xp.asarray(values)
    return xp.astype(values, x.dtype) if is_floating(values) else values


def item(x: Array) -> float | int | bool:
    """The single number that ``x`` holds, as a Python number."""
    if math.prod(x.shape) != 1:
        raise ValueError(f"item() needs a single number, this is {describe(x)}")
    number: float | int | bool = (x if hasattr(x, "item") else np.asarray(x)).item()
    return number


def text(x: Array, indent: int = 0) -> str:
    """``x`` for a repr: ``[1., 2.], dtype=float32``; the dtype is left out if it is float64.

    Args:
        indent: how many characters stand before it, so that the rows of a matrix align.
    """
    if isinstance(x, np.ndarray):
        values = np.array2string(x, separator=", ", prefix=" " * indent)
    else:
        values = repr(x)
    dtype = describe(x).partition("[")[0]
    return values if dtype == "float64" else f"{values}, dtype={dtype}"


def alike(x: Array, y: Array) -> bool:
    """Equal up to rounding, NaN to NaN; traced arrays, which have no values, always are."""
    if not isinstance(x, np.ndarray | np.generic) or not isinstance(y, np.ndarray):
        return True
    if x.shape != y.shape or not is_floating(y):
        return np.array_equal(x, y)
    scale = np.max(np.abs(y), where=np.isfinite(y), initial=0.0)
    tolerance = 1e4 * float(np.finfo(y.dtype).eps) * scale
    return np.allclose(x, y, rtol=0.0, atol=tolerance, equal_nan=True)


# What the standard lacks.


def _offers(xp: Any, name: str) -> bool:
    """Whether a library has a function of ours; NumPy has none, and takes 2 µs to say so."""
    return xp is not np and hasattr(xp, name)


def copy(x: Array) -> Array:
    """An array of its own with the values of ``x``."""
    xp = namespace(x)
    return xp.copy(x) if hasattr(xp, "copy") else xp.asarray(x, copy=True)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow: exp is only asked for numbers that are not positive."""
    xp = namespace(x)
    if _offers(xp, "sigmoid"):
        return xp.sigmoid(x)
    z = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, xp.ones_like(z), z) / (1 + z)


def softmax(x: Array, axis: int) -> Array:
    """exp(x) / sum(exp(x)) along ``axis``; the maximum goes first, so nothing overflows."""
    xp = namespace(x)
    if _offers(xp, "softmax"):
        return xp.softmax(x, axis=axis)
    z = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    return z / xp.sum(z, axis=axis, keepdims=True)


def log_softmax(x: Array, axis: int) -> Array:
    """log(softmax(x)) along ``axis``; finite wherever ``x`` is, for softmax may underflow to 0."""
    xp = namespace(x)
    if _offers(xp, "log_softmax"):
        return xp.log_softmax(x, axis=axis)
    x = x - xp.max(x, axis=axis, keepdims=True)
    return x - xp.log(xp.sum(xp.exp(x), axis=axis, keepdims=True))


def argsort(x: Array, axis: int = -1, *, descending: bool = False, stable: bool = True) -> Array:
    """The standard's ``argsort``; NumPy's has no ``descending``."""
    xp = namespace(x)
    if xp is not np:
        return xp.argsort(x, axis=axis, descending=descending, stable=stable)
    if not descending:
        return np.argsort(x, axis=axis, stable=stable)
    # From the end, so that of equal ones the first comes last, and is first when all is reversed.
    order = np.flip(np.argsort(np.flip(x, axis), axis=axis, stable=stable), axis)
    return x.shape[axis] - 1 - order


def along_axis(indices: Array, shape: tuple[int, ...], axis: int) -> tuple[Array, ...]:
    """The index with which x[index] is ``take_along_axis(x, indices, axis)``, for x of ``shape``.

    >>> [i.tolist() for i in along_axis(np.array([[1], [0]]), (2, 2), 1)]
    [[[0], [1]], [[1], [0]]]
    """
    xp, ndim = namespace(indices), len(shape)
    ranges = [
        xp.reshape(xp.arange(n), (*(1,) * i, n, *(1,) * (ndim - 1 - i)))
        for i, n in enumerate(shape)
    ]
    ranges[axis % ndim] = indices
    return tuple(ranges)


def erf(x: Array) -> Array:
    """The error function, 2 / sqrt(pi) times the integral of exp(-t ** 2) from 0 to x: SciPy's."""
    xp = namespace(x)
    if _offers(xp, "erf"):
        return xp.erf(x)
    from scipy import special  # takes longer to import than all of koubai

    return special.erf(x) if xp is np else xp.asarray(special.erf(np.asarray(x)))


def logsumexp(x: Array, axis: int | tuple[int, ...] | None, keepdims: bool) -> Array:
    """log(sum(exp(x))) along ``axis``; the maximum goes first, so nothing overflows."""
    xp = namespace(x)
    if _offers(xp, "logsumexp"):
        return xp.logsumexp(x, axis=axis, keepdims=keepdims)
    highest = xp.max(x, axis=axis, keepdims=True)
    z = xp.exp(x - xp.where(xp.isfinite(highest), highest, 0))
    total = xp.sum(z, axis=axis, keepdims=keepdims)
    if not keepdims:
        highest = xp.reshape(highest, total.shape)
    return highest + xp.log(xp.maximum(total, 1))  # less than 1 only where all x are -inf


def sliding_window_view(x: Array, lengths: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """All windows of ``lengths`` along ``axes``, whose places in the window are the last axes."""
    xp = namespace(x)
    if xp is np:
        return np.lib.stride_tricks.sliding_window_view(x, lengths, axes)
    if is_variable(x):
        return xp.sliding_window_view(x, lengths, axes)
    for length, axis in zip(lengths, axes, strict=True):
        count = x.shape[axis] - length + 1
        numbers = xp.reshape(xp.arange(count), (count, 1)) + xp.arange(length)
        y = xp.take(x, xp.reshape(numbers, (-1,)), axis=axis)
        y = xp.reshape(y, (*x.shape[:axis], count, length, *x.shape[axis + 1 :]))
        x = xp.moveaxis(y, axis + 1, -1)
    return x


def add_windows(x: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """The gradient of ``sliding_window_view``, x: each element of ``shape`` sums its places in x.

    Axis by axis, from the last: for each place in a window, the elements that stand there are a
    block of the result.
    """
    xp = namespace(x)
    for axis in reversed(axes):
        count, length = x.shape[axis], x.shape[-1]
        before, after = x.shape[:axis], x.shape[axis + 1 : -1]
        widened = (*before, shape[axis], *after)
        y = None
        for i in range(length):
            block = (*(slice(None),) * axis, slice(i, i + count), ...)
            if y is None or xp is not np:
                part = scatter_add(x[..., i], block, widened)
                y = part if y is None else y + part
            else:
                y[block] += x[..., i]
        x = y
    return x


def getitem(x: Array, index: Any) -> Array:
    """x[index] by NumPy's rules; the standard has no arrays of integers beside slices."""
    xp = namespace(x)
    if xp is np or _offers(xp, "scatter_add") or _is_basic(index):
        return x[index]
    numbers, axes = row_numbers(index, x.shape)
    rows = xp.reshape(x, (math.prod(x.shape[:axes]), *x.shape[axes:]))
    y = xp.take(rows, xp.asarray(numbers.reshape(-1)), axis=0)
    return xp.reshape(y, (*numbers.shape, *x.shape[axes:]))


def scatter_add(x: Array, index: Any, shape: tuple[int, ...]) -> Array:
    """Zeros of ``shape`` to which ``x`` is added at ``[index]``: the gradient of indexing.

    An element that ``index`` names twice receives both additions.
    """
    xp = namespace(x, *index) if isinstance(index, tuple) else namespace(x, index)
    if _offers(xp, "scatter_add"):
        return xp.scatter_add(x, index, shape)
    if names_each_element_once(index) if xp is np else _is_basic(index):
        y = xp.zeros(shape, dtype=x.dtype)
        y[index] = x
        return y
    # np.add.at is slow for rows and for pairs of indices; of few it does not matter.
    if xp is np and (len(shape) == 1 or x.size < max(4096, math.prod(shape) // 64)):
        y = np.zeros(shape, dtype=x.dtype)
        # NumPy 2.4 adds wrong numbers if it has to broadcast.
        np.add.at(y, index, np.broadcast_to(x, y[index].shape))
        return y
    numbers, axes = row_numbers(index, shape)
    rows = xp.broadcast_to(x, (*numbers.shape, *shape[axes:]))
    rows = xp.reshape(rows, (numbers.size, *shape[axes:]))
    numbers, lead = numbers.reshape(-1), shape[:axes]
    return (add_rows if xp is np else add_rows_by_take)(rows, numbers, lead)


def names_each_element_once(index: Any) -> bool:
    """True for slices, integers and boolean masks; sequences of integers may repeat themselves."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        isinstance(p, BASIC) or (is_array(p) and (is_boolean(p) or not p.ndim)) for p in parts
    )


def _is_basic(index: Any) -> bool:
    """True for slices and integers, which every library takes as an index."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(isinstance(p, BASIC) for p in parts)


def random_uniform(key: Array, counter: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """Numbers from 0 to below 1, a function of ``key`` (uint64[2]) and ``counter`` (uint64[]).

    Philox4x64-10: each block of four 64-bit words is the encryption of a counter. The 53 (float64)
    or 24 (float32) leading bits of a word are the number.
    """
    xp = namespace(counter)
    if _offers(xp, "random_uniform"):
        return xp.random_uniform(key, counter, shape, dtype)
    words = np.random.Philox(key=key, counter=int(counter)).random_raw(math.prod(shape))
    bits = 53 if np.dtype(dtype) == np.float64 else 24
    uniform = (words >> np.uint64(64 - bits)).astype(dtype) * np.asarray(2.0**-bits, dtype)
    return uniform.reshape(shape)


def raise_unless(condition: Array, message: str, found: Callable[[], str] | None = None) -> None:
    """Raise ``ValueError(message)`` unless ``condition``, one boolean, holds.

    For what only the values can tell (a label out of range). A traced condition becomes part of
    the program, which then raises the same error when it runs, without what ``found`` would add.

    Args:
        condition: an array of one boolean.
        message: what must hold.
        found: says which value is wrong; only called when one is.
    """
    xp = namespace(condition)
    if _offers(xp, "raise_unless"):
        xp.raise_unless(condition, message)
    elif not condition:
        raise ValueError(f"{message}: {found()}" if found else message)


def first_outside(t: Array, n: int) -> str:
    """The first of the whole numbers t that is not from 0 to n - 1, for an error message.

    >>> first_outside(np.array([[0, 1], [7, 2]]), 3)
    't[1, 0] is 7'
    """
    values = np.asarray(t.data if is_variable(t) else t)
    place = np.argwhere((values < 0) | (values >= n))[0].tolist()
    return f"t{place or ''} is {values[tuple(place)]}"


def holds(condition: Array) -> bool:
    """Whether ``condition``, one boolean, is known to be true: never, while it is traced."""
    return not _offers(namespace(condition), "raise_unless") and bool(condition)


def sum_along(x: Array, axis: int) -> Array:
    """The sum along one axis, counted from 0; of a few neighbours in memory as a product.

    NumPy needs several times as long to add them up.
    """
    if axis < len(x.shape) - 1 or x.shape[axis] > 64:
        return namespace(x).sum(x, axis=axis)
    return x @ constant_like(np.ones(x.shape[axis]), x)


def sum_to(x: Array, shape: tuple[int, ...]) -> Array:
    """Sum ``x`` over the axes along which an array of ``shape`` was repeated to become like x."""
    lead = len(x.shape) - len(shape)
    repeated = [lead + i for i, n in enumerate(shape) if n == 1 and x.shape[lead + i] != 1]
    xp = namespace(x)
    return xp.reshape(xp.sum(x, axis=(*range(lead), *repeated)), shape)


def broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    """Whether an array of ``shape`` is repeated to the shape ``to`` by broadcasting."""
    tail = to[len(to) - len(shape) :]
    return len(shape) <= len(to) and all(n in (1, m) for n, m in zip(shape, tail, strict=True))
