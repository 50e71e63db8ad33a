"""Running sums and products along an axis."""

from __future__ import annotations

from typing import Any

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
    """Running sum: y_i = x_1 + ... + x_i.

    Gradient: gx_i = gy_i + ... + gy_n.
    """

    def forward(self, x: Array) -> Array:
        return namespace(x).cumulative_sum(x, axis=self.axis, include_initial=self.include_initial)

    def backward(self, gy: Array) -> Array:
        xp, gy = namespace(gy), self.later(gy)
        return xp.flip(
            xp.cumulative_sum(xp.flip(gy, axis=self.axis), axis=self.axis), axis=self.axis
        )


class CumulativeProd(Cumulative):
    """Running product: y_i = x_1 ... x_i.

    Gradient: gx_i = y_(i-1) r_i, r_i = gy_i + x_(i+1) r_(i+1).

    Where it fails: nowhere; without a division it is exact where elements are 0, as in PyTorch.
    """

    def forward(self, x: Array) -> Array:
        self.x = x
        self.y = namespace(x).cumulative_prod(
            x, axis=self.axis, include_initial=self.include_initial
        )
        return self.y

    def backward(self, gy: Array) -> Array:
        x, xp, axis = self.x, namespace(gy, self.x, self.y), self.axis
        if x.shape[axis] == 0:
            return self.later(gy)
        r = _recurrence(self.later(gy), x[at(axis, slice(1, None))], axis)
        before = self.y[at(axis, slice(-1))]
        if self.include_initial:
            return before * r
        return xp.concat([r[at(axis, slice(1))], before * r[at(axis, slice(1, None))]], axis=axis)


def _recurrence(g: Array, c: Array, axis: int) -> Array:
    """r with r_i = g_i + c_i r_(i+1) along ``axis``; the last r is the last g.

    Every second r follows from the one two places on, r_i = (g_i + c_i g_(i+1)) + c_i c_(i+1)
    r_(i+2): the same question for half as many. The others follow from their neighbours.
    """
    n, xp = g.shape[axis], namespace(g, c)
    if n < 2:
        return g
    first, second = at(axis, slice(None, None, 2)), at(axis, slice(1, None, 2))
    early, late = at(axis, slice(-1)), at(axis, slice(1, None))
    last = g[at(axis, slice(n - 1, None))]
    c1, c2, g2 = c[first], c[second], g[second]
    if n % 2:
        pairs = xp.concat([g[early][first] + c1 * g2, last], axis=axis)
        r = _recurrence(pairs, c1 * c2, axis)
        rs = [r[early], g2 + c2 * r[late]]
    else:
        r = _recurrence(g[first] + c1 * g2, c1[early] * c2, axis)
        rs = [r, xp.concat([g2[early] + c2 * r[late], last], axis=axis)]
    length = n - n % 2
    both = xp.reshape(xp.stack(rs, axis=axis + 1), (*g.shape[:axis], length, *g.shape[axis + 1 :]))
    return xp.concat([both, last], axis=axis) if n % 2 else both


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

    The gradient is exact where elements are 0 too.

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
