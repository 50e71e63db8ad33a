"""Functions of somebody's own ``Variable``: their ``__call__`` keeps what their ``backward`` reads.

    class Function:
        def __call__(self, input):
            output = Variable(self.forward(input.data))
            self.input = input
            return output

Called by hand, ``forward`` alone leaves ``self.input`` unset.
"""

from __future__ import annotations

import functools
import sys
from typing import Any


def variable_of(cls: type) -> Any:
    """The class ``Variable`` beside a class that has a ``__call__``, or beside one of its bases.

    Returns:
        The class; None where there is none, or none that is called.
    """
    if "__call__" in {name for base in cls.__mro__ for name in vars(base)}:
        for base in cls.__mro__:
            variable = getattr(sys.modules.get(base.__module__), "Variable", None)
            if isinstance(variable, type):
                return variable
    return None


def by_call(cls: type, variable: Any) -> type:
    """The class, with a ``forward`` that goes through ``__call__`` and takes and gives arrays.

    A subclass: it is called, and its backward is found, as those of the class itself.

    Args:
        cls: with ``__call__``, ``forward`` and ``backward``.
        variable: makes one of an array, and has the array in ``data``.
    """
    plain: Any = cls

    @functools.wraps(plain.forward)
    def forward(self: Any, *xs: Any) -> Any:
        if "_inside" in vars(self):  # called by __call__
            return plain.forward(self, *xs)
        self._inside = True
        try:
            outputs = self(*map(variable, xs))
        finally:
            del self._inside
        several = isinstance(outputs, tuple | list)
        return [y.data for y in outputs] if several else outputs.data

    return type(cls.__name__, (cls,), {"forward": forward, "__module__": cls.__module__})
