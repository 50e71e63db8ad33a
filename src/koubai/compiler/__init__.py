"""From an ordinary Python function to one native call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from koubai.arrays import describe
from koubai.compiler.errors import TraceError

if TYPE_CHECKING:
    from koubai.compiler.compiled import CompiledFunction

__all__ = ["TraceError", "compile"]


def compile(function: Callable[..., Any]) -> CompiledFunction:
    """Compile ``function``: its whole work becomes one array program, run by one native call.

    The function stays as it is: it may use Variables, ``backward()``, optimizers, NumPy, and
    objects with arrays among their fields. Its arguments and all arrays that it can reach are the
    program's inputs; what it assigns (parameters, optimizer state, fields) is assigned by each
    call. Decisions are taken when it is compiled: a changed number, flag, shape or dtype in its
    world compiles it anew, and going back finds the old program again. A float that has changed
    once is an input, unless decisions are taken on it: a learning rate may change at each step.
    With ``KOUBAI_LOG=compile`` in the environment, each compilation is printed with its reason.

    Results are arrays and detached Variables; call ``backward()`` inside the function. When it is
    compiled the function runs twice, on arrays without numbers; ``print`` shows these, and what
    it does beside computing (files, windows) happens only then.

    Native code rounds in another way (multiply and add in one step, sums in another order, its own
    ``exp``), so results are eager execution's to the last digits, not to the bit. What there is no
    native code for NumPy runs; ``explain`` of the result says what that is, and all else about the
    program.

    Args:
        function: a function, a method (as a decorator, or bound), or anything else that can be
            called: a module, a functools.partial.

    Returns:
        A function with the same arguments and results. Its ``programs`` are those compiled so far;
        ``explain``, ``profile`` and ``lower``, called with its arguments, show what is in them.

    Raises:
        TraceError: when called, for what cannot be compiled: decisions on the numbers in an array,
            shapes that depend on them, random numbers made inside. The message names the line,
            and what to write instead; the function's world is as it was.

    >>> import koubai, numpy as np
    >>> @koubai.compile
    ... def f(x):
    ...     return koubai.exp(x) * 2
    >>> f(np.zeros(2))
    array([2., 2.])
    >>> print(f.programs[0])
    inputs %0: float64[2]
    %1 = exp %0 : float64[2]
    %2 = constant value=2.0 : float64[]
    %3 = multiply %1 %2 : float64[2]
    outputs %3
    """
    if not callable(function):
        raise TypeError(f"compile takes a function, not {describe(function)}")
    from koubai.compiler.compiled import CompiledFunction  # when first used, as import is slow

    return CompiledFunction(function)
