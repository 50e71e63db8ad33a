"""Operations that combine elements along axes."""

from __future__ import annotations

import math
from typing import Any

from koubai import arrays
from koubai.arrays import Array, is_normal, namespace
from koubai.core import Function, Variable
from koubai.ops.joining import at

Axis = int | tuple[int, ...] | None


class Reduction(Function):
    """Along ``axis`` (an int, several, or None for all); ``keepdims`` keeps them with length 1."""

    def __init__(self, axis: Axis = None, keepdims: bool = False) -> None:
        self.axis, self.keepdims = axis, keepdims

    def kept_shape(self) -> tuple[int, ...]:
        """The shape of the result if the reduced axes were kept with length 1."""
        ndim = len(self.shape)
        if self.axis is None or not ndim:  # NumPy takes axis=0 and axis=-1 of a number
            return (1,) * ndim
        axes = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        reduced = {axis % ndim for axis in axes}
        return tuple(1 if i in reduced else n for i, n in enumerate(self.shape))

    def expand(self, y: Array) -> Array:
        """``y``, of the result's shape, repeated along the reduced axes."""
        xp = namespace(y)
        return xp.broadcast_to(xp.reshape(y, self.kept_shape()), self.shape)

    shape: tuple[int, ...]  # of the input, kept by forward


class Sum(Reduction):
    """Sum along axes: y = sum_i x_i.

    Gradient: gx_i = gy.
    """

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return namespace(x).sum(x, axis=self.axis, keepdims=self.keepdims)

    def backward(self, gy: Array) -> Array:
        # A copy, for products are slow on the broadcast view, whose strides are 0.
        return arrays.copy(self.expand(gy))


class Mean(Reduction):
    """Mean along axes: y = (1/n) sum_i x_i.

    Gradient: gx_i = gy / n.
    """

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return namespace(x).mean(x, axis=self.axis, keepdims=self.keepdims)

    def backward(self, gy: Array) -> Array:
        n = math.prod(n for n, kept in zip(self.shape, self.kept_shape(), strict=True) if kept == 1)
        return arrays.copy(self.expand(gy / n))


class Prod(Reduction):
    """Product along axes: y = prod_i x_i.

    Gradient: gx_i = gy (x_1 ... x_(i-1)) (x_(i+1) ... x_n), which is gy y / x_i where no element is
    0 and nothing over- or underflows.

    Where it fails: nowhere; it is exact where elements are 0 too, as in PyTorch.
    """

    def forward(self, x: Array) -> Array:
        self.x, self.shape = x, x.shape
        self.y = namespace(x).prod(x, axis=self.axis, keepdims=self.keepdims)
        return self.y

    def backward(self, gy: Array) -> Array:
        x, xp, shape = self.x, namespace(gy, self.x, self.y), self.kept_shape()
        gy, y = xp.reshape(gy, shape), xp.reshape(self.y, shape)
        scaled = gy * y
        may_divide = is_normal(y) & is_normal(scaled)
        if arrays.holds(xp.all(may_divide)):
            return scaled / x
        safe = xp.where(may_divide, x, 1)
        return xp.where(may_divide, scaled / safe, self.times_others(gy))

    def times_others(self, gy: Array) -> Array:
        """The gradient without division; ``gy`` has the kept axes."""
        xp = namespace(gy, self.x)
        # The elements of one product as one axis, the first.
        reduced = [i for i, n in enumerate(gy.shape) if n == 1]
        order = (*reduced, *[i for i in range(len(gy.shape)) if i not in reduced])
        lengths = tuple(self.shape[i] for i in order)
        rest = lengths[len(reduced) :]
        x = xp.reshape(xp.permute_dims(self.x, order), (math.prod(lengths[: len(reduced)]), *rest))
        gx = xp.reshape(_times_others(x, xp.reshape(gy, (1, *rest))), lengths)
        return xp.permute_dims(gx, tuple(order.index(i) for i in range(len(order))))


def _times_others(x: Array, gy: Array) -> Array:
    """For each element along the first axis the product of all others and gy, of length 1 there.

    Element i is multiplied with element i + n/2; of these products, n/2 in number, the same is
    asked, and then each element's is that of its pair, times the other of the pair.
    """
    xp, n, half = namespace(x, gy), x.shape[0], x.shape[0] // 2
    if not half:
        return gy[at(0, slice(n))]
    pairs = xp.reshape(x[at(0, slice(2 * half))], (2, half, *x.shape[1:]))
    products = pairs[at(0, 0)] * pairs[at(0, 1)]
    gx = _times_others(xp.concat([products, x[at(0, slice(2 * half, None))]], axis=0), gy)
    of_pairs = xp.flip(pairs, axis=0) * gx[at(0, slice(half))]
    of_pairs = xp.reshape(of_pairs, (2 * half, *x.shape[1:]))
    return xp.concat([of_pairs, gx[at(0, slice(half, None))]], axis=0)


class Max(Reduction):
    """Maximum along axes: y = max_i x_i.

    Gradient: gy for the largest element, 0 for the others.

    Where it fails: equal maxima share it equally, as PyTorch's amax does (its max gives it to one).
    """

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        y = self.extremum(x)
        self.chosen = x == namespace(y).reshape(y, self.kept_shape())
        return y

    def extremum(self, x: Array) -> Array:
        return namespace(x).max(x, axis=self.axis, keepdims=self.keepdims)

    def backward(self, gy: Array) -> Array:
        xp = namespace(gy, self.chosen)
        mask = xp.astype(self.chosen, gy.dtype)
        return self.expand(gy) * (mask / xp.sum(mask, axis=self.axis, keepdims=True))


class Min(Max):
    """Minimum along axes: y = min_i x_i.

    Gradient: gy for the smallest element, 0 for the others.

    Where it fails: equal minima share it equally, as PyTorch's amin does (its min gives it to one).
    """

    def extremum(self, x: Array) -> Array:
        return namespace(x).min(x, axis=self.axis, keepdims=self.keepdims)


def sum(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Variable:
    """The sum of the elements along ``axis``.

    >>> sum(Variable([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Variable([4., 6.])
    """
    return Sum(axis, keepdims)._once(x)


def mean(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Variable:
    """The mean of the elements along ``axis``.

    >>> mean(Variable([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Variable([2., 3.])
    """
    return Mean(axis, keepdims)._once(x)


def prod(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Variable:
    """The product of the elements along ``axis``; its gradient is exact at zeros too.

    >>> prod(Variable([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Variable([3., 8.])
    """
    return Prod(axis, keepdims)._once(x)


def max(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Variable:
    """The largest element along ``axis``; equal ones share the gradient.

    >>> max(Variable([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Variable([3., 4.])
    """
    return Max(axis, keepdims)._once(x)


def min(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Variable:
    """The smallest element along ``axis``; equal ones share the gradient.

    >>> min(Variable([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Variable([1., 2.])
    """
    return Min(axis, keepdims)._once(x)
