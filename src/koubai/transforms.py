"""Functions from functions: derivatives of a Python function with respect to its arguments."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

from koubai import arrays
from koubai.arrays import as_array, describe, is_floating, namespace
from koubai.core import Variable, propagate
from koubai.recording import recorded


def value_and_grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function that returns the value of ``f`` and its derivatives.

    Args:
        f: a function whose result is a single number.
        argnums: which positional arguments to differentiate with respect to; one, or several.

    Returns:
        A function of the arguments of f that returns ``(value, gradient)``, with a tuple of
        gradients for several argnums: arrays; or Variables, so that the result can be
        differentiated again, if an argument is a Variable or f uses one with respect to which an
        enclosing ``grad`` differentiates.

    Raises:
        ValueError: if f does not return a single real number that depends on the arguments, or
            writes into one of them.

    >>> value_and_grad(lambda x: x * x)(3.0)
    (array(9.), array(6.))
    """
    several = not isinstance(argnums, int)
    indices: Sequence[int] = argnums if not isinstance(argnums, int) else (argnums,)

    def with_grad(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        args_ = list(args)
        for i in indices:
            if not -len(args) <= i < len(args):
                raise ValueError(f"grad: argnums names argument {i}, called with {len(args)}")
            args_[i] = _fresh(args[i], i)
        xs = [args_[i] for i in indices]
        creators = [x.creator for x in xs]
        enclosing = _differentiated.get()
        with recorded(True), _differentiating(xs):
            y = f(*args_, **kwargs)
        if not isinstance(y, Variable):
            raise ValueError(
                f"grad: the function returned {describe(y)}, which does not depend on the"
                " arguments; compute it from them with koubai's or NumPy's functions"
            )
        if y.size != 1:
            raise ValueError(f"grad: the function must return a single number, not {describe(y)}")
        for i, x, creator in zip(indices, xs, creators, strict=True):
            if x.creator is not creator:
                raise ValueError(
                    f"grad: the function wrote into argument {i}; let it write into a copy,"
                    " x = x.copy()"
                )
        higher = any(isinstance(a, Variable) for a in args)
        table = propagate(y, create_graph=higher, wanted={*xs, *enclosing})
        if not higher and any(x in table for x in enclosing):
            higher = True
            table = propagate(y, create_graph=True, wanted=set(xs))
        gxs = tuple(table[x] if x in table else _zeros_like(x, higher) for x in xs)
        return y if higher else y.data, gxs if several else gxs[0]

    return with_grad


# What the enclosing calls of grad differentiate with respect to. In
#     grad(lambda x: x * grad(lambda y: x * y * y)(3.0))(2.0)
# the inner gradient depends on the outer x, although no argument of it is a Variable.
_differentiated: ContextVar[tuple[Variable, ...]] = ContextVar("differentiated", default=())


@contextlib.contextmanager
def _differentiating(xs: Sequence[Variable]) -> Iterator[None]:
    token = _differentiated.set((*_differentiated.get(), *xs))
    try:
        yield
    finally:
        _differentiated.reset(token)


def _zeros_like(x: Variable, as_variable: bool) -> Any:
    zeros = namespace(x.data).zeros_like(x.data)
    return Variable(zeros) if as_variable else zeros


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
