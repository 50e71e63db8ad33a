"""Operations that combine elements along axes."""

from __future__ import annotations

import math
from typing import Any

from koubai import arrays
from koubai.arrays import Array, namespace
from koubai.core import Function, Variable

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

    Gradient: gx_i = gy (x_1 ... x_(i-1)) (x_(i+1) ... x_n).

    Where it fails: nowhere; without a division it is exact where elements are 0, as in PyTorch.
    """

    def forward(self, x: Array) -> Array:
        self.x, self.shape = x, x.shape
        return namespace(x).prod(x, axis=self.axis, keepdims=self.keepdims)

    def backward(self, gy: Array) -> Array:
        xp = namespace(gy, self.x)
        kept = [i for i, n in enumerate(self.kept_shape()) if n != 1 or self.shape[i] == 1]
        reduced = [i for i in range(len(self.shape)) if i not in kept]
        order = (*kept, *reduced)
        lengths = [self.shape[i] for i in order]
        # One row for the elements of one product.
        rows = (*lengths[: len(kept)], math.prod(lengths[len(kept) :]))
        x = xp.reshape(xp.permute_dims(self.x, order), rows)
        others = _product_of_others(x)
        inverse = tuple(order.index(i) for i in range(len(order)))
        return self.expand(gy) * xp.permute_dims(xp.reshape(others, tuple(lengths)), inverse)


def _product_of_others(x: Array) -> Array:
    """For each element along the last axis the product of all others.

    Element i is multiplied with element i + n/2; of these products, n/2 in number, the same is
    asked, and then each element's is that of its pair, times the other of the pair.
    """
    xp, half = namespace(x), x.shape[-1] // 2
    if not half:
        return xp.ones_like(x)
    one, two, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    others = _product_of_others(xp.concat([one * two, rest], axis=-1))
    of_pairs, of_rest = others[..., :half], others[..., half:]
    return xp.concat([two * of_pairs, one * of_pairs, of_rest], axis=-1)


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
    return Sum(axis, keepdims)(x)


def mean(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Variable:
    """The mean of the elements along ``axis``.

    >>> mean(Variable([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Variable([2., 3.])
    """
    return Mean(axis, keepdims)(x)


def prod(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Variable:
    """The product of the elements along ``axis``; its gradient is exact at zeros too.

    >>> prod(Variable([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Variable([3., 8.])
    """
    return Prod(axis, keepdims)(x)


def max(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Variable:
    """The largest element along ``axis``; equal ones share the gradient.

    >>> max(Variable([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Variable([3., 4.])
    """
    return Max(axis, keepdims)(x)


def min(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Variable:
    """The smallest element along ``axis``; equal ones share the gradient.

    >>> min(Variable([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Variable([1., 2.])
    """
    return Min(axis, keepdims)(x)
