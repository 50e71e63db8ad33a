"""Softmax, and the losses: what the last layer computes."""

from __future__ import annotations

import math
from typing import Any

from koubai import arrays
from koubai.arrays import (
    Array,
    describe,
    first_outside,
    is_floating,
    is_integer,
    namespace,
    raise_unless,
    shape_of,
)
from koubai.core import Function, Variable


class Softmax(Function):
    """Probabilities from scores: y_i = exp(x_i) / sum_j exp(x_j) along an axis.

    Gradient: gx_i = y_i (gy_i - sum_j gy_j y_j).

    Where it fails: NaN where all scores are -inf, as y is; as in PyTorch.
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Array) -> Array:
        self.y = arrays.softmax(x, self.axis)
        return self.y

    def backward(self, gy: Array) -> Array:
        gx = gy * self.y
        return gx - self.y * namespace(gx).sum(gx, axis=self.axis, keepdims=True)


class LogSoftmax(Function):
    """Logarithm of softmax: y_i = x_i - log sum_j exp(x_j) along an axis.

    Gradient: gx_i = gy_i - exp(y_i) sum_j gy_j.

    Where it fails: NaN where all scores are -inf, as y is; as in PyTorch.
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Array) -> Array:
        self.y = arrays.log_softmax(x, self.axis)
        return self.y

    def backward(self, gy: Array) -> Array:
        xp = namespace(gy, self.y)
        return gy - xp.exp(self.y) * xp.sum(gy, axis=self.axis, keepdims=True)


class SoftmaxCrossEntropy(Function):
    """Cross entropy of softmax(x) and the targets t: y = -(1/N) sum_n sum_c t_nc log
    softmax(x_n)_c.

    Integer labels stand for one-hot rows.

    Gradient: gx_nc = (gy/N) (softmax(x_n)_c sum_k t_nk - t_nc), gt_nc = -(gy/N) log softmax(x_n)_c.

    Where it fails: a score of -inf, a class that cannot be, adds nothing where its target is 0; as
    in PyTorch for labels (of probabilities it makes NaN).
    """

    def forward(self, x: Array, t: Array) -> Array:
        if len(x.shape) != 2 or math.prod(x.shape) == 0:
            raise ValueError(
                f"scores x must be of the shape (N, C), neither of them 0, not {x.shape}"
            )
        self.log_y = arrays.log_softmax(x, axis=-1)
        self.t = as_targets(self.log_y, t)
        xp = namespace(self.log_y, self.t)
        # sum_c t_nc: 1 for labels, but targets need not be probabilities.
        self.weight = 1 if t.ndim == 1 else xp.sum(self.t, axis=-1, keepdims=True)
        # Where the target is 0, the score may be -inf: 0 * -inf would be NaN.
        chosen = xp.where(self.t == 0, 0, self.log_y)
        return -xp.sum(chosen if t.ndim == 1 else chosen * self.t) / x.shape[0]

    def backward(self, gy: Array) -> tuple[Array, Array | None]:
        xp = namespace(gy, self.log_y, self.t)
        scale = gy / self.log_y.shape[0]
        gx = (xp.exp(self.log_y) * self.weight - self.t) * scale
        return gx, -self.log_y * scale if self.needs_grad(1) else None


def as_targets(x: Array, t: Array) -> Array:
    """The targets as an array like ``x``: labels (N,) become one-hot rows (N, C)."""
    n, classes = x.shape
    if t.shape == x.shape and (is_floating(t) or is_integer(t)):
        return t if t.dtype == x.dtype else namespace(t).astype(t, x.dtype)
    if not is_integer(t) or t.shape != (n,):
        raise ValueError(
            f"targets t must be integer labels of the shape ({n},), or one row of {classes}"
            f" probabilities for each row of x; t is {describe(t)}"
        )
    xp = namespace(t)
    one_hot = t[:, None] == xp.arange(classes)
    raise_unless(
        xp.count_nonzero(one_hot) == n,  # a label out of range leaves its row empty
        f"labels t must lie between 0 and {classes - 1}",
        lambda: first_outside(t, classes),
    )
    return xp.astype(one_hot, x.dtype)


class MeanSquaredError(Function):
    """Mean squared error: y = (1/n) sum_i (x_i - t_i)^2 over all n elements.

    Gradient: gx = (2 gy / n) (x - t), gt = -gx.
    """

    def forward(self, x: Array, t: Array) -> Array:
        shape, t_shape = shape_of(x), shape_of(t)
        if shape != t_shape:
            raise ValueError(
                f"x and t must have the same shape, not {shape} and {t_shape}; nothing is"
                " broadcast, write t.reshape(...)"
            )
        if math.prod(shape) == 0:
            raise ValueError(f"the mean over no elements, x has the shape {shape}, is not defined")
        self.difference = x - t
        return namespace(self.difference).mean(self.difference * self.difference)

    def backward(self, gy: Array) -> tuple[Array, Array]:
        gx = self.difference * (gy * (2 / math.prod(self.difference.shape)))
        return gx, -gx


def softmax(x: Any, /, *, axis: int = -1) -> Variable:
    """exp(x) / sum(exp(x)) along ``axis``; does not overflow.

    >>> softmax(Variable([1.0, 1.0]))
    Variable([0.5, 0.5])
    """
    return Softmax(axis)._once(x)


def log_softmax(x: Any, /, *, axis: int = -1) -> Variable:
    """log(softmax(x)) along ``axis``, finite where softmax itself would be rounded to 0.

    >>> log_softmax(Variable([0.0, -1e4]))
    Variable([     0., -10000.])
    """
    return LogSoftmax(axis)._once(x)


def softmax_cross_entropy(x: Any, t: Any, /) -> Variable:
    """The mean cross entropy between softmax(x) and the targets.

    Args:
        x: scores before softmax, (N, C), floating.
        t: labels, (N,), integers from 0 to C-1; or a row of C probabilities for each row of x,
            one-hot for instance, (N, C).

    Returns:
        One number, of x's dtype.

    Raises:
        ValueError: for other shapes, and labels out of range.

    >>> softmax_cross_entropy(Variable([[0.0, 0.0]]), [1])
    Variable(0.69314718)
    """
    return SoftmaxCrossEntropy()._once(x, t)


def mean_squared_error(x: Any, t: Any, /) -> Variable:
    """The mean of (x - t) ** 2 over all elements.

    Raises:
        ValueError: if the shapes differ; (N, 1) and (N,) would broadcast to (N, N).

    >>> mean_squared_error(Variable([1.0, 2.0]), [1.0, 4.0])
    Variable(2.)
    """
    return MeanSquaredError()._once(x, t)
