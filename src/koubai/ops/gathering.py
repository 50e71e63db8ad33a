"""Operations that pick elements by number, along one axis."""

from __future__ import annotations

from typing import Any

from koubai import arrays
from koubai.arrays import Array, describe, is_integer, namespace, shape_of
from koubai.core import Function, Variable
from koubai.core.variable import array_of
from koubai.ops.shaping import axes_of, reshape


class Take(Function):
    """Elements along an axis, by their numbers: y_i = x_indices_i.

    Gradient: gy added to zeros at indices; what is taken twice gets both.
    """

    def __init__(self, indices: Array, axis: int) -> None:
        self.indices, self.axis = indices, axis

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return namespace(x).take(x, self.indices, axis=self.axis)

    def backward(self, gy: Array) -> Array:
        index = (*(slice(None),) * self.axis, self.indices)
        return arrays.scatter_add(gy, index, self.shape)


class TakeAlongAxis(Function):
    """In each row along an axis its own elements, by their numbers.

    Gradient: gy added to zeros at indices; what is taken twice gets both.
    """

    def __init__(self, indices: Array, axis: int) -> None:
        self.indices, self.axis = indices, axis

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return namespace(x).take_along_axis(x, self.indices, axis=self.axis)

    def backward(self, gy: Array) -> Array:
        index = arrays.along_axis(self.indices, self.shape, self.axis)
        return arrays.scatter_add(gy, index, self.shape)


class Embedding(Function):
    """Rows of a table: y = W[t].

    Gradient: gW is gy added to zeros at the rows t; a row that is named twice gets both.
    """

    def forward(self, t: Array, W: Array) -> Array:
        if not is_integer(t) or len(shape_of(W)) != 2:
            raise ValueError(
                f"numbers of rows t must be integers, and the table W (N, D), not"
                f" {describe(t)} and {describe(W)}"
            )
        xp, n = namespace(t), W.shape[0]
        arrays.raise_unless(
            xp.all((t >= 0) & (t < n)),
            f"numbers of rows t must lie between 0 and {n - 1}",
            lambda: arrays.first_outside(t, n),
        )
        self.t, self.shape = t, W.shape
        rows = namespace(t, W).take(W, xp.reshape(xp.asarray(t), (-1,)), axis=0)
        return namespace(rows).reshape(rows, (*shape_of(t), W.shape[1]))

    def backward(self, gy: Array) -> tuple[None, Array]:
        return None, arrays.scatter_add(gy, (self.t,), self.shape)


def take(x: Any, indices: Any, /, axis: int | None = None) -> Variable:
    """Elements of ``x`` along ``axis``, by their numbers: x[..., indices, ...].

    Args:
        x: an array.
        indices: whole numbers, of any shape, which takes the place of the axis. Negative ones count
            from the end.
        axis: which; None for the elements of x in one row.

    Raises:
        IndexError: for a number that x has not; TypeError for those that are not whole.

    >>> import numpy as np
    >>> take(Variable([1.0, 2.0, 3.0]), np.array([2, 0, 2]))
    Variable([3., 1., 3.])
    """
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    return Take(_whole("take", x, indices), axes_of("take", x, axis)[0])(x)


def take_along_axis(x: Any, indices: Any, /, axis: int = -1) -> Variable:
    """In each row of ``x`` along ``axis`` the elements that the same row of ``indices`` names.

    Args:
        x: an array.
        indices: whole numbers, with as many axes as x; the lengths of the other axes broadcast.
        axis: which.

    Raises:
        IndexError: for a number that x has not; ValueError for shapes that do not fit.

    >>> import numpy as np
    >>> x = Variable([[1.0, 2.0], [3.0, 4.0]])
    >>> take_along_axis(x, np.array([[1], [0]]))
    Variable([[2.],
              [3.]])
    """
    indices = _whole("take_along_axis", x, indices)
    if len(shape_of(indices)) != len(shape_of(x)):
        raise ValueError(
            f"take_along_axis(x: {describe(x)}, indices: {describe(indices)}): both must have the"
            " same number of axes"
        )
    return TakeAlongAxis(indices, axes_of("take_along_axis", x, axis)[0])(x)


def embedding(t: Any, W: Any, /) -> Variable:
    """The rows of a table that ``t`` names: W[t], as the first layer of a language model.

    Args:
        t: numbers of rows, 0 to N-1, of any shape.
        W: the table, (N, D): one row a word.

    Returns:
        The rows, (*t.shape, D).

    Raises:
        ValueError: for a number out of range, negative ones too; a table that is not a matrix.

    >>> import numpy as np
    >>> embedding(np.array([1, 1]), Variable([[1.0, 2.0], [3.0, 4.0]]))
    Variable([[3., 4.],
              [3., 4.]])
    """
    return Embedding()(t, W)


def _whole(name: str, x: Any, indices: Any) -> Array:
    """``indices`` as an array of whole numbers; they have no gradient."""
    indices = array_of(indices)
    if not arrays.is_array(indices):
        indices = namespace(indices).asarray(indices)
    if not is_integer(indices):
        raise TypeError(
            f"{name}(x: {describe(x)}, indices: {describe(indices)}): indices must be integers"
        )
    return indices
