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

from koubai.compiler.errors import NeedsNumber
from koubai.compiler.interpret import interpret, observer
from koubai.compiler.program import Program, verify
from koubai.compiler.runtime.native import native_program
from koubai.compiler.trace.repeatable import repeated_run
from koubai.compiler.trace.results import Results
from koubai.compiler.trace.traced import tracing
from koubai.compiler.trace.world import World, constant_key

log = logging.getLogger("koubai.compile")


@dataclass
class Compiled:
    """A program, what becomes of its outputs, and the objects whose identity is in the key."""

    program: Program
    results: Results
    kept: list[Any]
    native: Any = None

    def run(self, arrays: list[Any]) -> list[Any]:
        """The outputs of the program on these inputs."""
        if self.native is None or observer.get() is not None:
            return interpret(self.program, arrays)
        outputs: list[Any] = self.native.run(arrays)
        return outputs


class CompiledFunction:
    """What ``compile`` returns: it is called as the function that it was made from.

    Attributes:
        programs: the programs compiled so far, one for each structure of the world.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function, updated=())
        self.function = function
        self.compiled: dict[Any, Compiled] = {}
        # By the key of a world, its NumPy scalars that decide what is compiled: their values are
        # part of the key too, as Python's numbers always are.
        self.known: dict[Any, set[int]] = {}

    @property
    def programs(self) -> list[Program]:
        return [c.program for c in self.compiled.values()]

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        """As a method: a compiled function of the object's own method; programs are shared."""
        bind = getattr(self.function, "__get__", None)
        if owner is None or bind is None:
            return self
        bound = CompiledFunction(bind(owner, kind))
        bound.compiled, bound.known = self.compiled, self.known
        return bound

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if tracing.get():  # called by a function that is being compiled: a part of it
            return self.function(*args, **kwargs)
        world = World(self.function, args, kwargs)
        while (compiled := self.compiled.get(self._key(world))) is None:
            try:
                self.compiled[self._key(world)] = self._compile(world, args, kwargs)
            except NeedsNumber as error:
                known = self.known.setdefault(world.key, set())
                if error.number in known:
                    raise
                known.add(error.number)
        outputs = compiled.run(world.arrays)
        return compiled.results.place(outputs, world)

    def _key(self, world: World) -> Any:
        known = sorted(self.known.get(world.key, ()))
        return (world.key, *[constant_key(world.arrays[i]) for i in known])

    def _compile(self, world: World, args: Any, kwargs: dict[str, Any]) -> Compiled:
        log.info("compiling %s", getattr(self.function, "__name__", self.function))
        run = repeated_run(self.function, world, args, kwargs, self.known.get(world.key, ()))
        verify(run.program)
        return Compiled(run.program, run.results, world.kept, native_program(run.program))
