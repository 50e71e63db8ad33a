"""Functions of the standard that have no derivative: they return arrays, also of Variables."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from koubai import arrays
from koubai.arrays import Array, describe, is_integer, namespace, shape_of
from koubai.core.variable import array_of


def _of_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, called with the arrays of Variables; complex numbers are refused."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        args = tuple(map(array_of, args))
        arrays.refuse_complex(*args, *kwargs.values())
        y = function(*args, **kwargs)
        arrays.refuse_complex(y)  # what a dtype among the arguments has made
        return y

    return call


def _constant(name: str) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        return getattr(namespace(*args), name)(*args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"``{name}`` of the arrays' own library; not differentiable, returns an array."
    )
    return _of_arrays(function)


all = _constant("all")
any = _constant("any")
arange = _constant("arange")
argmax = _constant("argmax")
argmin = _constant("argmin")
asarray = _constant("asarray")
ceil = _constant("ceil")
count_nonzero = _constant("count_nonzero")
equal = _constant("equal")
floor = _constant("floor")
full_like = _constant("full_like")
greater = _constant("greater")
greater_equal = _constant("greater_equal")
isdtype = _constant("isdtype")
isfinite = _constant("isfinite")
isinf = _constant("isinf")
isnan = _constant("isnan")
less = _constant("less")
less_equal = _constant("less_equal")
logical_and = _constant("logical_and")
logical_not = _constant("logical_not")
logical_or = _constant("logical_or")
logical_xor = _constant("logical_xor")
ndim = _constant("ndim")
nonzero = _constant("nonzero")
not_equal = _constant("not_equal")
ones = _constant("ones")
ones_like = _constant("ones_like")
round = _constant("round")
shape = _constant("shape")
sign = _constant("sign")
size = _constant("size")
zeros = _constant("zeros")
zeros_like = _constant("zeros_like")


@_of_arrays
def argsort(x: Any, /, axis: int = -1, *, descending: bool = False, stable: bool = True) -> Array:
    """The numbers of the elements in their order along ``axis``; not differentiable, an array.

    Args:
        x: an array or a Variable.
        axis: which.
        descending: the largest first.
        stable: equal elements keep their order.

    >>> from koubai import Variable
    >>> argsort(Variable([2.0, 3.0, 1.0]))
    array([2, 0, 1])
    """
    return arrays.argsort(x, axis, descending=descending, stable=stable)


@_of_arrays
def one_hot(t: Any, /, length: int, *, dtype: Any = None) -> Array:
    """Rows that are 1 at the place that ``t`` names and 0 elsewhere; a constant, an array.

    Args:
        t: whole numbers, 0 to length-1, of any shape.
        length: of the rows.
        dtype: of the result; None for the library's own, float64 in NumPy.

    Returns:
        An array of the shape (*t.shape, length).

    Raises:
        TypeError: for numbers that are not whole; ValueError for numbers out of range.

    >>> import numpy as np
    >>> one_hot(np.array([2, 0]), 3)
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    if not is_integer(t):
        raise TypeError(f"one_hot(t: {describe(t)}): t must hold integers")
    xp = namespace(t)
    arrays.raise_unless(
        xp.all(xp.logical_and(t >= 0, t < length)),
        f"one_hot(t: {describe(t)}): t must lie between 0 and {length - 1}",
        lambda: arrays.first_outside(t, length),
    )
    places = xp.reshape(xp.asarray(t), (*shape_of(t), 1))
    dtype = xp.zeros(0).dtype if dtype is None else dtype
    return xp.astype(places == xp.arange(length), dtype)
