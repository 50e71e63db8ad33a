"""Reading and writing by index: x[index], x[index] = value, and the gradient of both."""

from __future__ import annotations

import weakref
from typing import Any

from koubai import arrays
from koubai.arrays import (
    Array,
    describe,
    is_differentiable,
    names_each_element_once,
    namespace,
    operand,
    shape_of,
)
from koubai.core import Function, Variable
from koubai.core.function import as_of
from koubai.core.variable import array_of
from koubai.recording import recording


def plain_index(index: Any) -> Any:
    """``index`` with the arrays of Variables in it: an index has no gradient."""
    return tuple(map(array_of, index)) if isinstance(index, tuple) else array_of(index)


class GetItem(Function):
    """Elements by index: y = x[index], with NumPy's basic and advanced indexing.

    Gradient: gy added to zeros at index; an element that is named twice gets both.
    """

    def __init__(self, index: Any) -> None:
        self.index = index

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return arrays.getitem(x, self.index)

    def backward(self, gy: Array) -> Array:
        return arrays.scatter_add(gy, self.index, self.shape)


class ScatterAdd(Function):
    """Zeros of a shape with x added at index: y[index] += x.

    Gradient: gx = gy[index].
    """

    def __init__(self, index: Any, shape: tuple[int, ...]) -> None:
        self.index, self.shape = index, shape

    def forward(self, x: Array) -> Array:
        return arrays.scatter_add(x, self.index, self.shape)

    def backward(self, gy: Array) -> Array:
        return arrays.getitem(gy, self.index)


class SetItem(Function):
    """``x`` after x[index] = value, as an array of its own.

    Gradient: gx = gy, 0 at index; that of value is gy[index].

    Where it fails: where index names an element twice, that of value is an error.
    """

    def __init__(self, index: Any) -> None:
        self.index = index
        self.past: tuple[int, set[int]] = (0, set())  # see _disentangle

    def forward(self, x: Array, value: Array) -> Array:
        y = arrays.copy(x)
        y[self.index] = value
        self.value = value
        return y

    def backward(self, gy: Array) -> tuple[Array, Array | None]:
        gx = arrays.copy(gy)
        gx[self.index] = 0
        return gx, self.gradient_of_value(gy) if self.needs_grad(1) else None

    def gradient_of_value(self, gy: Array) -> Array:
        written, xp = gy[self.index], namespace(gy)
        if not names_each_element_once(self.index):
            times = arrays.scatter_add(xp.ones_like(written), self.index, gy.shape)
            arrays.raise_unless(
                xp.all(times <= 1),
                "x[index] = value, where index names an element twice: which of the two values it"
                " gets is not defined, and so is the gradient of value",
            )
        # The value may have been repeated to the shape of x[index], and may have more axes than
        # x[index], of length 1.
        shape = shape_of(self.value)
        extra = len(shape) - len(written.shape)
        return xp.reshape(arrays.sum_to(written, shape[extra:] if extra > 0 else shape), shape)


def getitem(x: Any, index: Any, /) -> Variable:
    """x[index]: slices, integers, boolean masks and integer arrays, as in NumPy.

    >>> getitem(Variable([1.0, 2.0, 3.0]), slice(1, None))
    Variable([2., 3.])
    """
    return GetItem(plain_index(index))(x)


def scatter_add(x: Any, index: Any, shape: tuple[int, ...], /) -> Variable:
    """Zeros of ``shape``, with ``x`` added at ``[index]``; repeated elements add up.

    >>> scatter_add(Variable([1.0, 2.0]), ([0, 0],), (3,))
    Variable([3., 0., 0.])
    """
    return ScatterAdd(plain_index(index), shape)(x)


def setitem(x: Variable, index: Any, value: Any, /) -> None:
    """x[index] = value on a Variable: x becomes the output of a SetItem.

    What was computed from x before keeps the older one, as a node of its own.

    Raises:
        ValueError: on a leaf, whose gradient would then belong to nothing that a user holds.

    >>> y = Variable([1.0, -2.0, 3.0]) * 2
    >>> y[y < 0] = 0
    >>> y
    Variable([2., 0., 6.])
    """
    if not recording.get() or not is_differentiable(x):
        if recording.get() and is_differentiable(value):
            raise ValueError(
                f"x[...] = value: x is {describe(x)}, which has no gradient, so the history of"
                " value would be lost; write x.astype(float)"
            )
        x._data = SetItem(plain_index(index)).forward(x._data, operand(array_of(value)))
        return
    if (creator := x._creator) is None:
        raise ValueError(
            f"x[...] = on {x!r}, a leaf: assign x.data = a new array to change its value, or"
            " y = x.copy(); y[...] = to compute with a changed copy"
        )
    # The present x becomes a Variable of its own, in x's place in the graph so far ...
    older = Variable(x._data, x.name)
    older._creator = creator
    write = SetItem(plain_index(index))
    data = write(older, older if value is x else value)._data
    write.past = creator.past if isinstance(creator, SetItem) else (creator._number, set())
    _disentangle(x, older, value, *write.past)
    link = weakref.ref(older)
    creator._outputs = tuple([link if other() is x else other for other in creator._outputs])
    # ... and x the output of the write.
    x._data, x._creator = data, write
    write._outputs = (weakref.ref(x),)


def _disentangle(x: Variable, older: Variable, value: Any, first: int, seen: set[int]) -> None:
    """Let the functions behind ``value`` that used x refer to the x that they saw.

    ``y[1] = y[0] * 2`` would otherwise make y part of its own past, and the graph a cycle that
    reference counting does not free. Functions before ``first``, which made x, know nothing of
    it; those in ``seen`` have been seen to, so each is visited once, however many writes follow.
    """
    found = [value]
    while found:
        v = found.pop()
        f = v._creator if isinstance(v, Variable) and v is not x else None
        if f is not None and f._number > first and f._number not in seen:
            seen.add(f._number)
            f._inputs = tuple([as_of(older, f) if i is x else i for i in f._inputs])
            found += f._inputs
