"""``koubai.compile``: an ordinary function, run as one array program.

The first call with a new world runs the function on traced arrays: every array of the world is
replaced by a traced one, the function runs, and everything is put back. What it wrote down is the
program; what it left in the world (``p.data``, the optimizer's ``m[0]``, ``self.x``) and what it
returned are the program's outputs. Each call looks at the world anew: if nothing but the numbers in
arrays has changed, the program runs on them, and its outputs are put where the function would have
put them.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from koubai.arrays import describe
from koubai.compiler.interpret import interpret
from koubai.compiler.primitives import Type
from koubai.compiler.program import Program, verify
from koubai.compiler.trace.results import Results
from koubai.compiler.trace.traced import Trace, Traced, TraceError
from koubai.compiler.trace.world import World

log = logging.getLogger("koubai.compile")


@dataclass
class Compiled:
    """A program, and what becomes of its outputs."""

    program: Program
    results: Results
    world: World  # keeps the objects whose identity is part of the key


class CompiledFunction:
    """What ``compile`` returns: it is called as the function that it was made from.

    Attributes:
        programs: the programs compiled so far, one for each structure of the world.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.compiled: dict[Any, Compiled] = {}

    @property
    def programs(self) -> list[Program]:
        return [c.program for c in self.compiled.values()]

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        """As a method: one compiled function for each object, kept by the object."""
        if owner is None:
            return self
        bound = CompiledFunction(self.function.__get__(owner, kind))
        bound.compiled = self.compiled
        return bound

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        world = World(self.function, args, kwargs)
        compiled = self.compiled.get(world.key)
        if compiled is None:
            log.info("compiling %s", getattr(self.function, "__name__", self.function))
            compiled = self._compile(world, args, kwargs)
            self.compiled[world.key] = compiled
        outputs = interpret(compiled.program, world.arrays)
        return compiled.results.place(outputs, world)

    def _compile(self, world: World, args: Any, kwargs: dict[str, Any]) -> Compiled:
        program, results = _traced_run(self.function, world, args, kwargs)
        again, _ = _traced_run(self.function, world, args, kwargs)
        if again.text() != program.text():
            raise _impure(program, again)
        verify(program)
        return Compiled(program, results, world)


def _traced_run(
    function: Callable[..., Any], world: World, args: Any, kwargs: dict[str, Any]
) -> tuple[Program, Results]:
    """Run ``function`` on traced arrays in place of the world's; the world stays as it was."""
    trace = Trace()
    traced = {id(x): trace.input(Type(x.dtype, x.shape)) for x in world.arrays}
    before = [place.read() for place in world.containers]
    try:
        for place, contents in zip(world.containers, before, strict=True):
            for key, value in contents.items():
                if (new := _substituted(value, traced)) is not value:
                    place.write(key, new)
        entered = [place.read() for place in world.containers]
        value = function(
            *[_substituted(x, traced) for x in args],
            **{name: _substituted(x, traced) for name, x in kwargs.items()},
        )
        results = Results(trace, list(traced.values()), world, entered, value)
    finally:
        for place, contents in zip(world.containers, before, strict=True):
            place.restore(contents)
    return trace.program, results


def _substituted(x: Any, traced: dict[int, Traced]) -> Any:
    """``x`` with traced arrays for arrays, also inside tuples, which can't be written into."""
    if id(x) in traced and isinstance(x, np.ndarray):
        return traced[id(x)]
    if type(x) is tuple:
        new = tuple([_substituted(part, traced) for part in x])
        return new if any(a is not b for a, b in zip(new, x, strict=True)) else x
    return x


def _impure(one: Program, two: Program) -> TraceError:
    """Two runs made two programs: an error that names the first line in which they differ."""
    first, second = one.lines(), two.lines()
    i = next(
        (i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b),
        min(len(first), len(second)),
    )
    longer = (one if len(first) > i else two).instructions
    return TraceError(
        "the function does something else each time that it runs (random numbers, time, a counter);"
        " compute that outside and pass it in as an argument",
        longer[i].location if i < len(longer) else None,
    )


def compile(function: Callable[..., Any]) -> CompiledFunction:
    """Compile ``function``: its whole work becomes one array program, run as one.

    The function stays as it is: it may use Variables, ``backward()``, optimizers, NumPy, and
    objects with arrays among their fields. Its arguments and all arrays that it can reach are the
    program's inputs; what it assigns (parameters, optimizer state, fields) is assigned by each
    call. Decisions are taken when it is compiled: a changed number, flag, shape or dtype in its
    world compiles it anew.

    Results are arrays and detached Variables; call ``backward()`` inside the function.

    Raises:
        TraceError: when called, for what cannot be compiled: decisions on the numbers in an array,
            shapes that depend on them, random numbers made inside.

    >>> import koubai
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
    return CompiledFunction(function)
