"""Running sums and products along an axis."""

from __future__ import annotations

from typing import Any

from koubai import arrays
from koubai.arrays import Array, describe, namespace, shape_of
from koubai.core import Function, Variable
from koubai.ops.joining import at
from koubai.ops.shaping import axes_of


class Cumulative(Function):
    """Along ``axis``, from 0; ``include_initial`` puts the value of no elements first."""

    def __init__(self, axis: int = 0, include_initial: bool = False) -> None:
        self.axis, self.include_initial = axis, include_initial

    def later(self, gy: Array) -> Array:
        """``gy`` without what belongs to the initial value, a constant."""
        return gy[at(self.axis, slice(1, None))] if self.include_initial else gy


class CumulativeSum(Cumulative):
    """Running sum: y_i = x_1 + ... + x_i. The gradient is the running sum from the end."""

    def forward(self, x: Array) -> Array:
        return namespace(x).cumulative_sum(x, axis=self.axis, include_initial=self.include_initial)

    def backward(self, gy: Array) -> Array:
        xp, gy = namespace(gy), self.later(gy)
        return xp.flip(
            xp.cumulative_sum(xp.flip(gy, axis=self.axis), axis=self.axis), axis=self.axis
        )


class CumulativeProd(Cumulative):
    """Running product: y_i = x_1 ... x_i.

    gx_i = y_(i-1) r_i with r_i = gy_i + x_(i+1) r_(i+1). No division: elements may be 0.
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        return namespace(x).cumulative_prod(x, axis=self.axis, include_initial=self.include_initial)

    def backward(self, gy: Array) -> Array:
        x, xp = self.x, namespace(gy, self.x)
        if x.shape[self.axis] == 0:
            return arrays.copy(self.later(gy))
        before = xp.cumulative_prod(x, axis=self.axis, include_initial=True)
        return before[at(self.axis, slice(-1))] * self.suffix(x, self.later(gy))

    def suffix(self, x: Array, gy: Array) -> Array:
        """r of the class's formula, in log2(n) rounds, each twice the distance of the one before.

        After a round of distance d, r_i lacks what comes from i + d or later, and c_i is the
        product of the d elements after i, which that is multiplied by: Hillis and Steele, "Data
        parallel algorithms", Communications of the ACM 29 (1986).
        """
        r, c, d = gy, self.shifted(x, 1), 1
        while d < x.shape[self.axis]:
            r = r + c * self.shifted(r, d)
            c = c * self.shifted(c, d)
            d *= 2
        return r

    def shifted(self, x: Array, distance: int) -> Array:
        """Element i + distance in the place of element i; zeros at the end."""
        shape = shape_of(x)
        rest = (slice(None),) * (len(shape) - 1)
        rows = slice(None, shape[self.axis] - distance)
        index = (*rest[: self.axis], rows, *rest[self.axis :])
        return arrays.scatter_add(x[at(self.axis, slice(distance, None))], index, shape)


def cumulative_sum(
    x: Any, /, axis: int | None = None, *, include_initial: bool = False
) -> Variable:
    """The sums of the first elements along ``axis``: of one, of two, ...

    Args:
        x: an array with one axis or more.
        axis: which; may be left out if there is only one.
        include_initial: put the sum of no elements, 0, first: the result is longer by one.

    >>> cumulative_sum(Variable([1.0, 2.0, 3.0]))
    Variable([1., 3., 6.])
    """
    return CumulativeSum(_axis("cumulative_sum", x, axis), include_initial)(x)


def cumulative_prod(
    x: Any, /, axis: int | None = None, *, include_initial: bool = False
) -> Variable:
    """The products of the first elements along ``axis``: of one, of two, ...

    The gradient is exact where elements are 0 too, and takes log2(n) times the work of the value
    for n elements.

    Args:
        x: an array with one axis or more.
        axis: which; may be left out if there is only one.
        include_initial: put the product of no elements, 1, first: the result is longer by one.

    >>> cumulative_prod(Variable([1.0, 2.0, 3.0]))
    Variable([1., 2., 6.])
    """
    return CumulativeProd(_axis("cumulative_prod", x, axis), include_initial)(x)


def _axis(name: str, x: Any, axis: int | None) -> int:
    if axis is None and len(shape_of(x)) != 1:
        raise ValueError(f"{name}(x: {describe(x)}) needs an axis, for x has not exactly one")
    return axes_of(name, x, 0 if axis is None else axis)[0]
