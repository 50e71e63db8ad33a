"""``Variable``: an array whose derivatives are wanted, and how it came to be.

    x = Variable(np.array(0.5))
    y = x * x                   # y.creator is a Multiply, y.creator.inputs is (x, x)
    y.backward()                # x.grad is 1.0

The operators and array methods are declared here and bound to operations in
``ops/operators.py``: the core knows how to differentiate, not what.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from koubai.arrays import Array, describe, is_array, standard_name

if TYPE_CHECKING:
    from koubai.core.function import Function

# Whether operations on Variables are being recorded; off inside ``no_grad()``. A context variable,
# so that one thread's no_grad() is not another's.
recording: ContextVar[bool] = ContextVar("recording", default=True)


@contextlib.contextmanager
def no_grad() -> Iterator[None]:
    """Operations inside are computed but not recorded; also a decorator, ``@no_grad()``.

    >>> x = Variable(2.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y.creator is None
    True
    """
    token = recording.set(False)
    try:
        yield
    finally:
        recording.reset(token)


def as_array(x: Any) -> Array:
    """``x`` as an array: numbers become float64, lists go through NumPy, arrays stay themselves.

    Raises:
        TypeError: for what holds no real numbers (text, objects, complex numbers) and for a
            Variable, which would lose its history.
    """
    if isinstance(x, Variable):
        raise TypeError(f"expected an array, got {x!r}; its array is .data")
    if isinstance(x, (int, float)) and not isinstance(x, (bool, np.generic)):
        return np.asarray(float(x))
    if not is_array(x) or isinstance(x, np.generic):
        x = np.asarray(x)
    if isinstance(x, np.ndarray) and x.dtype.kind not in "fiub":
        raise TypeError(
            f"a Variable holds real numbers (floats, integers or booleans), not {describe(x)}"
            + ("; complex numbers are not supported yet" if x.dtype.kind == "c" else "")
        )
    return x


class Variable:
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

    >>> x = Variable(np.array([1.0, 2.0]), name="x")
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    array([2., 4.])
    """

    __slots__ = ("__weakref__", "_creator", "_data", "grad", "name")
    __hash__ = object.__hash__  # by identity, although == compares elements

    def __init__(self, data: Any, name: str | None = None) -> None:
        self._data = as_array(data)
        self._creator: Function | None = None
        self.grad: Any = None
        self.name = name

    @property
    def data(self) -> Array:
        return self._data

    @data.setter
    def data(self, data: Any) -> None:
        self._data = as_array(data)

    @property
    def creator(self) -> Function | None:
        return self._creator

    def set_creator(self, creator: Function | None) -> None:
        """Say which function computed this variable (``creator(...)`` does so by itself)."""
        self._creator = creator

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._data.shape)

    @property
    def ndim(self) -> int:
        return int(self._data.ndim)

    @property
    def size(self) -> int:
        return int(self._data.size)

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
        from koubai.core.backward import backward  # the pass is built on Variable

        backward(self, gy, create_graph)

    def cleargrad(self) -> None:
        """Forget the gradient: ``grad = None``."""
        self.grad = None

    def detach(self) -> Array:
        """The array, without its history."""
        return self._data

    def item(self) -> float | int | bool:
        """The single number it holds, as a Python number.

        Raises:
            ValueError: if it holds more than one number.
        """
        if self.size != 1:
            raise ValueError(f"item() needs a single number, this is {describe(self)}")
        number: float | int | bool = np.asarray(self._data).item()
        return number

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d Variable")
        return self.shape[0]

    def __iter__(self) -> Iterator[Variable]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        data = self._data
        if isinstance(data, np.ndarray):
            text = np.array2string(data, separator=", ", prefix="Variable(")
        else:
            text = repr(data)
        if self.dtype != np.float64:
            text += f", dtype={self.dtype}"
        return f"Variable({text}" + (f", name={self.name!r})" if self.name else ")")

    # Comparisons are not differentiable: they return arrays.

    def __eq__(self, other: object) -> Any:
        return self._data == array_of(other)

    def __ne__(self, other: object) -> Any:
        return self._data != array_of(other)

    def __lt__(self, other: Any) -> Any:
        return self._data < array_of(other)

    def __le__(self, other: Any) -> Any:
        return self._data <= array_of(other)

    def __gt__(self, other: Any) -> Any:
        return self._data > array_of(other)

    def __ge__(self, other: Any) -> Any:
        return self._data >= array_of(other)

    def __bool__(self) -> bool:
        return bool(self._data)

    # Nothing detaches silently: what would turn a Variable into plain numbers says what to write.

    def __float__(self) -> float:
        raise TypeError("float() of a Variable would lose its history; write v.item()")

    def __int__(self) -> int:
        raise TypeError("int() of a Variable would lose its history; write int(v.item())")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise TypeError(
            "a plain array of a Variable would lose its history; write v.data where a constant is"
            " meant (np.array([v.data, w.data]))"
        )

    # NumPy's functions called on a Variable become koubai's: np.exp(v) is koubai.exp(v).

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        return sys.modules[__package__.partition(".")[0]]

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs:
            how = f".{method}" if method != "__call__" else f" with {', '.join(kwargs)}="
            raise TypeError(f"np.{ufunc.__name__}{how} is not supported on a Variable")
        return self.__array_function__(ufunc, (), inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        function = getattr(self.__array_namespace__(), standard_name(func), None)
        if function is None:
            raise TypeError(
                f"koubai has no {func.__module__}.{func.__name__} that can be differentiated;"
                " call it on v.data for a constant"
            )
        return function(*args, **kwargs)

    if TYPE_CHECKING:  # bound in ops/operators.py

        def __add__(self, other: Any) -> Variable: ...
        def __radd__(self, other: Any) -> Variable: ...
        def __sub__(self, other: Any) -> Variable: ...
        def __rsub__(self, other: Any) -> Variable: ...
        def __mul__(self, other: Any) -> Variable: ...
        def __rmul__(self, other: Any) -> Variable: ...
        def __truediv__(self, other: Any) -> Variable: ...
        def __rtruediv__(self, other: Any) -> Variable: ...
        def __pow__(self, other: Any) -> Variable: ...
        def __rpow__(self, other: Any) -> Variable: ...
        def __matmul__(self, other: Any) -> Variable: ...
        def __rmatmul__(self, other: Any) -> Variable: ...
        def __neg__(self) -> Variable: ...
        def __pos__(self) -> Variable: ...
        def __getitem__(self, index: Any) -> Variable: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def copy(self) -> Variable: ...
        def astype(self, dtype: Any) -> Variable: ...
        def dot(self, other: Any) -> Variable: ...
        def sum(self, axis: Any = None, keepdims: bool = False) -> Variable: ...
        def mean(self, axis: Any = None, keepdims: bool = False) -> Variable: ...
        def max(self, axis: Any = None, keepdims: bool = False) -> Variable: ...
        def min(self, axis: Any = None, keepdims: bool = False) -> Variable: ...
        def reshape(self, *shape: Any) -> Variable: ...
        def transpose(self, *axes: Any) -> Variable: ...
        @property
        def T(self) -> Variable: ...


def array_of(x: Any) -> Any:
    """The array of a Variable; anything else as it is."""
    return x._data if isinstance(x, Variable) else x
