"""Sums of products by Einstein's convention: einsum, tensordot, vecdot and outer."""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from koubai import arrays
from koubai.arrays import Array, describe, namespace, shape_of
from koubai.core import Function, Variable
from koubai.ops.diagonals import diagonal
from koubai.ops.elementwise import multiply
from koubai.ops.shaping import broadcast_to, reshape

Label = str | int
"""Of an axis: its letter, or for those that ``...`` stands for, the place from the right."""
Labels = tuple[Label, ...]


class Einsum(Function):
    """Sum of products: y[out] = sum of x1[labels1] * x2[labels2] * ... over all other labels.

    No operand has a label twice.

    Gradient: of one operand the sum of products of gy and the other operands; along a label that
    only this operand has, it is repeated.
    """

    def __init__(self, labels: Sequence[Labels], out: Labels) -> None:
        self.labels, self.out = tuple(labels), out

    def forward(self, *xs: Array) -> Array:
        self.xs = xs
        return contract(xs, self.labels, self.out)

    def backward(self, gy: Array) -> tuple[Array | None, ...]:
        n = len(self.xs)
        return tuple([self.gradient_of(gy, i) if self.needs_grad(i) else None for i in range(n)])

    def gradient_of(self, gy: Array, i: int) -> Array:
        labels = (self.out, *self.labels[:i], *self.labels[i + 1 :])
        known = set().union(*labels)
        to = tuple([label for label in self.labels[i] if label in known])
        gx = contract((gy, *self.xs[:i], *self.xs[i + 1 :]), labels, to)
        if to == self.labels[i]:
            return gx
        shape, xp = shape_of(self.xs[i]), namespace(gx)
        kept = [n if k in known else 1 for k, n in zip(self.labels[i], shape, strict=True)]
        return arrays.copy(xp.broadcast_to(xp.reshape(gx, tuple(kept)), shape))


def contract(xs: Sequence[Array], labels: Sequence[Labels], out: Labels) -> Array:
    """The sum of products, one operand after the other, from the left."""
    y, ys = xs[0], labels[0]
    for i in range(1, len(xs)):
        first, second = (y, ys), (xs[i], labels[i])
        last = i == len(xs) - 1
        if last and next((k in labels[i] for k in out if (k in labels[i]) != (k in ys)), False):
            first, second = second, first  # so that the product has the order of ``out``
        y, ys = _product(*first, *second, {*out}.union(*labels[i + 1 :]))
    y, ys = _summed(y, ys, out)
    return _arranged(y, ys, out)


def _product(
    x1: Array, labels1: Labels, x2: Array, labels2: Labels, needed: Collection[Label]
) -> tuple[Array, Labels]:
    """The product of two operands, summed over the labels that are not ``needed`` afterwards."""
    x1, labels1 = _summed(x1, labels1, {*needed, *labels2})
    x2, labels2 = _summed(x2, labels2, {*needed, *labels1})
    stack = tuple([k for k in labels1 if k in labels2 and k in needed])
    inner = tuple([k for k in labels1 if k in labels2 and k not in needed])
    rows = tuple([k for k in labels1 if k not in labels2])
    columns = tuple([k for k in labels2 if k not in labels1])
    sizes = dict(zip((*labels1, *labels2), (*shape_of(x1), *shape_of(x2)), strict=True))

    def lengths(labels: Labels) -> tuple[int, ...]:
        return tuple([sizes[k] for k in labels])

    if inner and (rows or columns or not stack):
        n = math.prod(lengths(inner))
        x1 = _reshaped(
            _arranged(x1, labels1, (*stack, *rows, *inner)),
            (*lengths(stack), math.prod(lengths(rows)), n),
        )
        x2 = _reshaped(
            _arranged(x2, labels2, (*stack, *inner, *columns)),
            (*lengths(stack), n, math.prod(lengths(columns))),
        )
        return _reshaped(x1 @ x2, lengths((*stack, *rows, *columns))), (*stack, *rows, *columns)
    # Elementwise, each with length 1 along the labels that only the other one has.
    x1 = _arranged(x1, labels1, (*stack, *inner, *rows))
    x2 = _arranged(x2, labels2, (*stack, *inner, *columns))
    x1 = _reshaped(x1, (*lengths((*stack, *inner, *rows)), *(1,) * len(columns)))
    x2 = _reshaped(x2, (*lengths((*stack, *inner)), *(1,) * len(rows), *lengths(columns)))
    return _summed(x1 * x2, (*stack, *inner, *rows, *columns), needed)


def _summed(x: Array, labels: Labels, needed: Collection[Label]) -> tuple[Array, Labels]:
    axes = tuple([i for i, label in enumerate(labels) if label not in needed])
    if not axes:
        return x, labels
    return namespace(x).sum(x, axis=axes), tuple([k for k in labels if k in needed])


def _arranged(x: Array, labels: Labels, order: Labels) -> Array:
    if labels == order:
        return x
    return namespace(x).permute_dims(x, tuple([labels.index(label) for label in order]))


def _reshaped(x: Array, shape: tuple[int, ...]) -> Array:
    return x if shape_of(x) == shape else namespace(x).reshape(x, shape)


def einsum(subscripts: str, /, *operands: Any, optimize: Any = False) -> Variable:
    """Sum of products, as ``numpy.einsum``: ``einsum("ij,jk->ik", x1, x2)`` is x1 @ x2.

    Args:
        subscripts: a letter for each axis of each operand; after ``->`` those of the result.
            Over the others the products are summed; without ``->`` over those that occur twice
            or more. A letter twice in one operand takes its diagonal; ``...`` stands for any
            further axes, which broadcast.
        operands: arrays with as many axes as they have letters.
        optimize: accepted, for code written for NumPy, and makes no difference: operands are
            multiplied from the left to the right, by ``matmul`` where something is summed.

    Raises:
        ValueError: for subscripts that don't fit the operands.

    >>> x = Variable([[1.0, 2.0], [3.0, 4.0]])
    >>> einsum("ij,ij->i", x, x)
    Variable([ 5., 25.])
    >>> einsum("ii", x)
    Variable(5.)
    """
    try:
        labels, out = _parsed(subscripts, [len(shape_of(x)) for x in operands])
        sizes = _sizes(labels, [shape_of(x) for x in operands])
    except ValueError as error:
        arguments = "".join(f", {describe(x)}" for x in operands)
        raise ValueError(f"einsum({subscripts!r}{arguments}): {error}") from None
    pairs = [_prepared(x, ls, sizes) for x, ls in zip(operands, labels, strict=True)]
    return Einsum([ls for _, ls in pairs], out)(*[x for x, _ in pairs])


def _parsed(subscripts: str, ndims: Sequence[int]) -> tuple[list[Labels], Labels]:
    """The labels of each operand, and of the result."""
    if not isinstance(subscripts, str):
        raise ValueError('subscripts must be a text like "ij,jk->ik"')
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    parts = inputs.split(",")
    if len(parts) != len(ndims):
        raise ValueError(f"subscripts for {len(parts)} operands, and {len(ndims)} operands")
    extra = []  # how many axes each "..." stands for
    for part, ndim in zip(parts, ndims, strict=True):
        letters = len(part.replace("...", "", 1))
        extra.append(ndim - letters)
        if letters > ndim or (letters < ndim and "..." not in part):
            raise ValueError(f"{part!r} is for {letters} axes, the operand has {ndim}")
    labels = [_labels(part, n) for part, n in zip(parts, extra, strict=True)]
    times = Counter(label for ls in labels for label in ls)
    if arrow:
        out = _labels(output, max(extra))
        if "..." not in output and max(extra) > 0:
            raise ValueError("the result must have '...' too")
    else:
        letters_once = sorted(k for k, n in times.items() if isinstance(k, str) and n == 1)
        out = (*_labels("...", max(extra)), *letters_once)
    if len(set(out)) < len(out) or any(k not in times for k in out):
        raise ValueError(f"the letters of the result, {output!r}, must be some of the operands'")
    return labels, out


def _labels(part: str, extra: int) -> Labels:
    before, dots, after = part.partition("...")
    if not (before + after).isalpha() and before + after:
        raise ValueError(f"{part!r} must be letters, and '...' at most once")
    return (*before, *(range(extra - 1, -1, -1) if dots else ()), *after)


def _sizes(labels: Sequence[Labels], shapes: Sequence[tuple[int, ...]]) -> dict[Label, int]:
    """The length of each label's axes; those of length 1 are repeated."""
    sizes: dict[Label, int] = {}
    for ls, shape in zip(labels, shapes, strict=True):
        for label, n in zip(ls, shape, strict=True):
            known = sizes.setdefault(label, n)
            if n != known and 1 not in (n, known):
                name = repr(label) if isinstance(label, str) else "'...'"
                raise ValueError(f"{name} is an axis of length {known} and one of length {n}")
            sizes[label] = n if known == 1 else known
    return sizes


def _prepared(x: Any, labels: Labels, sizes: dict[Label, int]) -> tuple[Any, Labels]:
    """``x`` with every axis at its full length, and the diagonal taken for a label twice."""
    shape = tuple([sizes[label] for label in labels])
    x = x if shape_of(x) == shape else broadcast_to(x, shape)
    while twice := [label for label in labels if labels.count(label) > 1]:
        label = twice[0]
        axis1 = labels.index(label)
        axis2 = labels.index(label, axis1 + 1)
        x = diagonal(x, axis1=axis1, axis2=axis2)
        labels = (*[k for i, k in enumerate(labels) if i not in (axis1, axis2)], label)
    return x, labels


def tensordot(x1: Any, x2: Any, /, axes: Any = 2) -> Variable:
    """The sum of the products of all elements of x1 and x2 along some axes of each.

    Args:
        axes: how many, the last of x1 and the first of x2; or two sequences (or numbers), the axes
            of x1, and the axes of x2 that they go with.

    Returns:
        The other axes of x1, then those of x2.

    Raises:
        ValueError: for axes of different lengths, and axes that there are not.

    >>> tensordot(Variable([[1.0, 2.0], [3.0, 4.0]]), Variable([1.0, 10.0]), axes=1)
    Variable([21., 43.])
    """
    shape1, shape2 = shape_of(x1), shape_of(x2)
    n1, n2 = len(shape1), len(shape2)
    if hasattr(axes, "__index__"):
        axes = operator.index(axes)
        ok = 0 <= axes <= min(n1, n2)
        axes1, axes2 = tuple(range(n1 - axes, n1)), tuple(range(axes))
    else:
        axes1, axes2 = [(a,) if isinstance(a, int) else tuple(a) for a in axes]
        ok = all(-n1 <= a < n1 for a in axes1) and all(-n2 <= a < n2 for a in axes2)
        axes1, axes2 = tuple(a % n1 for a in axes1 if n1), tuple(a % n2 for a in axes2 if n2)
        ok = ok and len(axes1) == len(axes2) == len({*axes1}) == len({*axes2})
    if not ok or [shape1[a] for a in axes1] != [shape2[a] for a in axes2]:
        raise ValueError(
            f"tensordot(x1: {describe(x1)}, x2: {describe(x2)}, axes={axes}): the axes that are"
            " summed over must be of the same lengths"
        )
    labels1: Labels = tuple(range(n1))
    labels2: Labels = tuple([axes1[axes2.index(i)] if i in axes2 else n1 + i for i in range(n2)])
    inner = {labels1[a] for a in axes1}
    return Einsum([labels1, labels2], tuple([k for k in (*labels1, *labels2) if k not in inner]))(
        x1, x2
    )


def vecdot(x1: Any, x2: Any, /, axis: int = -1) -> Variable:
    """The sum of the products along one axis of each; the other axes broadcast.

    Raises:
        ValueError: if that axis has different lengths, or there is none.

    >>> vecdot(Variable([[1.0, 2.0], [3.0, 4.0]]), Variable([1.0, 10.0]))
    Variable([21., 43.])
    """
    shapes = [shape_of(x) for x in (x1, x2)]
    call = f"vecdot(x1: {describe(x1)}, x2: {describe(x2)})"
    if any(not -len(s) <= axis < len(s) for s in shapes) or shapes[0][axis] != shapes[1][axis]:
        raise ValueError(f"{call}: x1 and x2 must have the same length along axis {axis}")
    labels = [_vector_labels(len(shape), axis) for shape in shapes]
    try:
        sizes = _sizes(labels, shapes)
    except ValueError as error:
        raise ValueError(f"{call}: {error}") from None
    xs = [_prepared(x, ls, sizes)[0] for x, ls in zip((x1, x2), labels, strict=True)]
    return Einsum(labels, tuple(range(max(map(len, shapes)) - 2, -1, -1)))(*xs)


def _vector_labels(ndim: int, axis: int) -> Labels:
    """``i`` for ``axis``, and the places from the right of the others."""
    labels: list[Label] = [*range(ndim - 2, -1, -1)]
    labels.insert(axis % ndim, "i")
    return tuple(labels)


def outer(x1: Any, x2: Any, /) -> Variable:
    """All products of the elements of two vectors: y_ij = x1_i * x2_j.

    Raises:
        ValueError: for what is no vector (NumPy's outer takes all elements of any array; write
            ``x.reshape(-1)``).

    >>> outer(Variable([1.0, 2.0]), Variable([1.0, 10.0]))
    Variable([[ 1., 10.],
              [ 2., 20.]])
    """
    (n, *more1), (m, *more2) = shape_of(x1) or (1, 1), shape_of(x2) or (1, 1)
    if more1 or more2:
        raise ValueError(
            f"outer(x1: {describe(x1)}, x2: {describe(x2)}) takes two vectors; write x.reshape(-1)"
        )
    return multiply(reshape(x1, (n, 1)), reshape(x2, (1, m)))
