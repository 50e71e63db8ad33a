"""The table that binds Python's operators and the array methods of ``Variable`` to operations."""

from __future__ import annotations

from typing import Any

from koubai.core import Variable
from koubai.ops.elementwise import add, astype, copy, divide, multiply, negative, pow, subtract
from koubai.ops.indexing import getitem, setitem
from koubai.ops.linalg import dot, matmul
from koubai.ops.reduction import max, mean, min, sum
from koubai.ops.shaping import reshape, transpose


def _unpacked(args: tuple[Any, ...]) -> Any:
    """x.reshape(2, 3) and x.reshape((2, 3)) are the same."""
    return args[0] if len(args) == 1 and not isinstance(args[0], int) else args


OPERATORS: dict[str, Any] = {
    "__add__": add,
    "__radd__": lambda self, other: add(other, self),
    "__sub__": subtract,
    "__rsub__": lambda self, other: subtract(other, self),
    "__mul__": multiply,
    "__rmul__": lambda self, other: multiply(other, self),
    "__truediv__": divide,
    "__rtruediv__": lambda self, other: divide(other, self),
    "__pow__": pow,
    "__rpow__": lambda self, other: pow(other, self),
    "__matmul__": matmul,
    "__rmatmul__": lambda self, other: matmul(other, self),
    "__neg__": negative,
    "__pos__": copy,
    "__getitem__": getitem,
    "__setitem__": setitem,
    "copy": copy,
    "astype": astype,
    "dot": dot,
    "sum": lambda self, axis=None, keepdims=False: sum(self, axis=axis, keepdims=keepdims),
    "mean": lambda self, axis=None, keepdims=False: mean(self, axis=axis, keepdims=keepdims),
    "max": lambda self, axis=None, keepdims=False: max(self, axis=axis, keepdims=keepdims),
    "min": lambda self, axis=None, keepdims=False: min(self, axis=axis, keepdims=keepdims),
    "reshape": lambda self, *shape: reshape(self, _unpacked(shape)),
    "transpose": lambda self, *axes: transpose(self, _unpacked(axes) if axes else None),
    "T": property(transpose),
}

for _name, _function in OPERATORS.items():
    setattr(Variable, _name, _function)
