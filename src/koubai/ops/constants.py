"""Functions of the standard that have no derivative: they return arrays, also of Variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from koubai.arrays import namespace
from koubai.core.variable import array_of


def _constant(name: str) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        args = tuple(map(array_of, args))
        return getattr(namespace(*args), name)(*args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"``{name}`` of the arrays' own library; not differentiable, returns an array."
    )
    return function


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
