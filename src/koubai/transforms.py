"""Functions from functions: derivatives of a Python function with respect to its arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from koubai import arrays
from koubai.arrays import as_array, describe, is_floating
from koubai.core import Variable, propagate
from koubai.recording import recorded


def value_and_grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function that returns the value of ``f`` and its derivatives.

    Args:
        f: a function whose result is a single number.
        argnums: which positional arguments to differentiate with respect to; one, or several.

    Returns:
        A function of the arguments of f that returns ``(value, gradient)``, with a tuple of
        gradients for several argnums: arrays, or Variables if an argument is a Variable, so that
        the result can be differentiated again.

    Raises:
        ValueError: if f does not return a single real number that depends on the arguments.

    >>> value_and_grad(lambda x: x * x)(3.0)
    (array(9.), array(6.))
    """
    several = not isinstance(argnums, int)
    indices: Sequence[int] = argnums if not isinstance(argnums, int) else (argnums,)

    def with_grad(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        higher = any(isinstance(a, Variable) for a in args)
        args_ = list(args)
        for i in indices:
            args_[i] = _fresh(args[i], i)
        with recorded(True):
            y = f(*args_, **kwargs)
        if not isinstance(y, Variable):
            raise ValueError(
                f"grad: the function returned {describe(y)}, which does not depend on the"
                " arguments; compute it from them with koubai's or NumPy's functions"
            )
        if y.size != 1:
            raise ValueError(f"grad: the function must return a single number, not {describe(y)}")
        xs = [args_[i] for i in indices]
        table = propagate(y, create_graph=higher, wanted=set(xs))
        gxs = tuple(table[x] if x in table else np.zeros_like(x.data) for x in xs)
        if not higher:
            y = y.data
        return y, gxs if several else gxs[0]

    return with_grad


def _fresh(x: Any, index: int) -> Variable:
    """An argument as a Variable of its own: uses of x elsewhere in ``f`` are not counted."""
    fresh = arrays.copy(x) if isinstance(x, Variable) else Variable(as_array(x))
    if not is_floating(fresh.data):
        raise ValueError(
            f"grad: argument {index} is {describe(fresh.data)}: only real numbers have"
            " derivatives; write x.astype(float)"
        )
    return fresh


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function that returns the derivatives of ``f``, as ``value_and_grad`` does.

    >>> cube = lambda x: x**3
    >>> grad(cube)(2.0), grad(grad(cube))(2.0)
    (array(12.), array(12.))
    """
    with_value = value_and_grad(f, argnums)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        return with_value(*args, **kwargs)[1]

    return gradient
