"""``Variable``: an array whose derivatives are wanted, and how it came to be.

    x = Variable(np.array(0.5))
    y = x * x                   # y.creator is a Multiply, y.creator.inputs is (x, x)
    y.backward()                # x.grad is 1.0

Operators and array methods are declared in ``array_methods.py`` and bound to operations in
``koubai/__init__.py``: the core knows how to differentiate, not what.
"""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any

from koubai import arrays, errors
from koubai.array_methods import ArrayMethods

if TYPE_CHECKING:
    from koubai.core.function import Function


class Variable(ArrayMethods):
    """An array in a graph of computations.

    Args:
        data: an array of any library that follows the Array API standard (kept, not copied), a
            list, or a number (becomes float64). Arrays of integers or booleans are constants:
            they take part in computations but have no gradient.
        name: shown in messages and pictures.

    Attributes:
        data: the array.
        grad: the gradient that ``backward()`` has accumulated: an array of data's shape and
            dtype, a ``Variable`` after ``backward(create_graph=True)``, or None.
        creator: the ``Function`` that computed it; None for a leaf.

    >>> import numpy as np
    >>> x = Variable(np.array([1.0, 2.0]), name="x")
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    array([2., 4.])
    """

    __slots__ = ("__weakref__", "_creator", "_data", "grad", "name")
    __hash__ = object.__hash__  # by identity, although == compares elements
    cannot = (
        "{function} would lose the history of a Variable; for a constant call it on v.data (for a"
        " single number write v.item())"
    )

    def __init__(self, data: Any, name: str | None = None) -> None:
        self.data = data
        self._creator: Function | None = None
        self.grad: Any = None
        self.name = name

    @property
    def data(self) -> arrays.Array:
        return self._data

    @data.setter
    def data(self, data: Any) -> None:
        self._data = arrays.as_array(data)

    @property
    def creator(self) -> Function | None:
        f = self._creator
        if f is not None and f._inputs and not f._outputs:
            f._outputs = (weakref.ref(self),)  # see Function._once
        return f

    def set_creator(self, creator: Function | None) -> None:
        """Say which function computed this variable (``creator(...)`` does so by itself)."""
        self._creator = creator

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._data.shape)

    @property
    def dtype(self) -> Any:
        return self._data.dtype

    def backward(self, gy: Any = None, create_graph: bool = False) -> None:
        """Add the derivatives of this variable to ``.grad`` of every leaf it was computed from.

        Args:
            gy: the gradient to start from, of this variable's shape. Without one, a ``grad`` that
                was set on this variable, else 1 if it holds a single number.
            create_graph: compute gradients as Variables, to be differentiated again.

        Raises:
            ValueError: no ``gy`` for a variable that is not a single number, or one of the wrong
                shape; nothing differentiable in reach; a ``backward`` on the way that returned
                gradients of the wrong number or shape.
        """
        from koubai.core.backward import propagate  # the pass is built on Variable

        if self._creator is None and arrays.is_floating(self._data):
            raise errors.nothing_computed(self)
        leaves = propagate(self, gy, create_graph)
        if not leaves:
            raise errors.nothing_differentiable()
        for x, gx in leaves.items():
            if x.grad is not None and arrays.shape_of(x.grad) != x.shape:
                raise errors.wrong_grad(x)
            total = gx if x.grad is None else x.grad + gx
            x.grad = total if isinstance(total, Variable) else arrays.as_array(total)

    def cleargrad(self) -> None:
        """Forget the gradient: ``grad = None``."""
        self.grad = None

    def detach(self) -> arrays.Array:
        """The array, without its history."""
        return self._data

    def item(self) -> float | int | bool:
        """The single number it holds, as a Python number, for printing and logs.

        Raises:
            ValueError: if it holds more than one number.
        """
        return arrays.item(self._data)

    def __repr__(self) -> str:
        name = f", name={self.name!r}" if self.name else ""
        kind = type(self).__name__
        return f"{kind}({arrays.text(self._data, len(kind) + 1)}{name})"

    def __bool__(self) -> bool:
        return bool(self._data)

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        return sys.modules[__package__.partition(".")[0]]


def array_of(x: Any) -> Any:
    """The array of a Variable; anything else as it is."""
    return x._data if isinstance(x, Variable) else x
