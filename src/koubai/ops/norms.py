"""Norms of vectors and matrices."""

from __future__ import annotations

import math
from typing import Any

from koubai.arrays import Array, describe, namespace, shape_of
from koubai.core import Variable
from koubai.ops.decompositions import svdvals
from koubai.ops.reduction import Axis, Reduction, max, min, sum
from koubai.ops.shaping import permute_dims, reshape


class VectorNorm(Reduction):
    """Norm along axes: y = (sum_i |x_i|^p)^(1/p); max |x_i| for p = inf, min |x_i| for p = -inf.

    Gradient: gx_i = gy sign(x_i) (|x_i| / y)^(p - 1).

    Where it fails: 0 where x_i or y is 0; equal largest (smallest) elements share it equally. As in
    PyTorch. For p = 0, the number of elements that are not 0, it is 0, where PyTorch's result has
    no history.
    """

    def __init__(self, axis: Axis = None, keepdims: bool = False, ord: float = 2) -> None:
        super().__init__(axis, keepdims)
        self.ord = ord

    def forward(self, x: Array) -> Array:
        self.x, self.shape = x, x.shape
        self.y = namespace(x).linalg.vector_norm(
            x, axis=self.axis, keepdims=self.keepdims, ord=self.ord
        )
        return self.y

    def backward(self, gy: Array) -> Array:
        x, xp = self.x, namespace(gy, self.x, self.y)
        gy = xp.reshape(gy, self.kept_shape())
        if self.ord == 0:
            return xp.zeros_like(x)
        y = xp.reshape(self.y, self.kept_shape())
        nonzero = xp.where(y == 0, xp.ones_like(y), y)
        if self.ord == 2:
            return x * (gy / nonzero)
        sign = xp.sign(x)
        if self.ord == 1:
            return gy * sign
        if self.ord in (math.inf, -math.inf):
            chosen = xp.astype(x * sign == y, x.dtype)
            return gy / xp.sum(chosen, axis=self.axis, keepdims=True) * (sign * chosen)
        gy = xp.where(y == 0, 0, gy)  # at y = 0 with p < 0 the elements that are not 0 have none
        size = xp.where(x == 0, xp.ones_like(x), x * sign / nonzero)
        return gy * (size ** (self.ord - 1) * sign)


def vector_norm(
    x: Any, /, *, axis: Axis = None, keepdims: bool = False, ord: float = 2
) -> Variable:
    """The norm of order ``ord`` of the vectors along ``axis``; of all elements, if it is None.

    See ``VectorNorm`` for the choice of subgradients.

    Args:
        ord: any number; 2 for the Euclidean norm, 1, inf and -inf, the smallest, too.

    >>> vector_norm(Variable([[3.0, 4.0], [0.0, -2.0]]), axis=1)
    Variable([5., 2.])
    """
    if isinstance(ord, str):
        raise ValueError(f"vector_norm(x: {describe(x)}, ord={ord!r}): ord must be a number")
    return VectorNorm(axis, keepdims, ord)(x)


def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Variable:
    """A norm of the matrices on the last two axes.

    Args:
        ord: "fro" for the root of the sum of squares; 1 and -1 for the largest and smallest sum
            of absolute values of a column, inf and -inf of a row; 2 and -2 for the largest and
            smallest singular value, "nuc" for their sum.

    >>> matrix_norm(Variable([[3.0, 4.0], [0.0, 0.0]]))
    Variable(5.)
    """
    if len(shape_of(x)) < 2:
        raise ValueError(f"matrix_norm(x: {describe(x)}): x must have two axes or more")
    return _matrix_norm(x, (-2, -1), keepdims, ord)


def _matrix_norm(x: Any, axis: tuple[int, int], keepdims: bool, ord: Any) -> Variable:
    if ord == "fro":
        return VectorNorm(axis, keepdims)(x)
    if ord in (1, -1, math.inf, -math.inf):
        along, over = axis if abs(ord) == 1 else axis[::-1]
        sums = VectorNorm(along, True, 1)(x)
        return (max if ord > 0 else min)(sums, axis=(along, over), keepdims=keepdims)
    if ord not in (2, -2, "nuc"):
        raise ValueError(
            f"matrix_norm(x: {describe(x)}, ord={ord!r}): ord must be 'fro', 'nuc', 1, -1, 2,"
            " -2, inf or -inf"
        )
    ndim = len(shape_of(x))
    rows, columns = axis[0] % ndim, axis[1] % ndim
    others = [i for i in range(ndim) if i not in (rows, columns)]
    values = svdvals(permute_dims(x, (*others, rows, columns)))
    y = sum(values, axis=-1) if ord == "nuc" else (max if ord > 0 else min)(values, axis=-1)
    shape = [1 if i in (rows, columns) else n for i, n in enumerate(shape_of(x))]
    return reshape(y, tuple(shape)) if keepdims else y


def norm(x: Any, /, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Variable:
    """NumPy's norm, of vectors or of matrices.

    Args:
        ord: the order, see ``vector_norm`` and ``matrix_norm``; None for the root of the sum of
            squares.
        axis: a number for vectors along it, two for matrices; None for x itself, which has one
            axis or two (any number of them, if ord is None too).

    Raises:
        ValueError: for other axes, and orders that there are not.

    >>> norm(Variable([3.0, 4.0])), norm(Variable([3.0, -4.0]), 1)
    (Variable(5.), Variable(7.))
    """
    ndim = len(shape_of(x))
    if ord is None and (axis is None or isinstance(axis, int)):
        return VectorNorm(axis, keepdims)(x)
    axes = tuple(range(ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if len(axes) == 1:
        return vector_norm(x, axis=axes[0], keepdims=keepdims, ord=2 if ord is None else ord)
    if len(axes) != 2:
        raise ValueError(
            f"norm(x: {describe(x)}, ord={ord!r}, axis={axis}): needs one axis for vectors, or two"
            " for matrices"
        )
    return _matrix_norm(x, (axes[0], axes[1]), keepdims, "fro" if ord is None else ord)
