"""``koubai.compile``: an ordinary function, run as one array program, by one native call.

The first call with a new world runs the function on traced arrays: every array of the world is
replaced by a traced one, the function runs, and everything is put back. What it wrote down is the
program, which becomes machine code; what it left in the world (``p.data``, the optimizer's
``m[0]``, ``self.x``) and what it returned are the program's outputs. Each call looks at the world
anew: if nothing but the numbers in arrays has changed, the program runs on them, and its outputs
are put where the function would have put them.

The look at the world is what takes time in a small step. From the first long look at a structure a
shortcut is made, for native code; see shortcut.py.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from koubai.compiler.errors import NeedsNumber
from koubai.compiler.interpret import interpret, observer
from koubai.compiler.program import Program, verify
from koubai.compiler.runtime.native import NativeProgram, native_program
from koubai.compiler.shortcut import Shortcut, shortcut
from koubai.compiler.trace.repeatable import repeated_run
from koubai.compiler.trace.results import Results
from koubai.compiler.trace.traced import OtherThread, tracing
from koubai.compiler.trace.world import World, constant_key

if TYPE_CHECKING:
    from koubai.compiler.report.explain import Explanation
    from koubai.compiler.report.lower import Lowered

log = logging.getLogger("koubai.compile")

MANY = 8
"""Programs for one function, at which something is told: it may go on like this."""

SHORTCUTS = 4
"""For one program. Worlds of one key may differ in what shortcuts know by identity."""


@dataclass
class Compiled:
    """A program, what becomes of its outputs, and the objects whose identity is in the key.

    Attributes:
        known: the inputs that are numbers of NumPy's for whose values it was compiled.
        native: its machine code; None if there can't be any, and NumPy runs it.
        paths: of each input, where it was found.
        shortcuts: how many have been made.
    """

    program: Program
    results: Results
    kept: list[Any]
    known: list[int]
    native: NativeProgram | None
    paths: list[str]
    shortcuts: int = 0

    def run(self, arrays: list[Any]) -> list[Any]:
        """The outputs for these inputs: arrays that nobody else holds.

        An array that only the list and the world hold may be one of the outputs too, which takes
        its place in the world.
        """
        if self.native is None or observer.get() is not None:
            return self.results.owned(interpret(self.program, arrays), arrays)
        return self.native.run(arrays)


@dataclass
class Cache:
    """All that has been compiled for one function.

    Attributes:
        compiled: by the key of the world.
        known: by the key of a world, its NumPy scalars that decide what is compiled: their values
            are part of the key too, as Python's numbers always are.
        shortcuts: for calls, the latest first.
    """

    compiled: dict[Any, Compiled] = field(default_factory=dict)
    known: dict[Any, set[int]] = field(default_factory=dict)
    shortcuts: list[tuple[Shortcut, Compiled]] = field(default_factory=list)


class CompiledFunction:
    """What ``compile`` returns: it is called as the function that it was made from.

    Attributes:
        programs: the programs compiled so far, one for each structure of the world.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function, updated=())
        self.function = function
        self.cache = Cache()

    @property
    def programs(self) -> list[Program]:
        return list({id(c): c.program for c in self.cache.compiled.values()}.values())

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        """As a method: a compiled function of the object's own method; programs are shared."""
        bind = getattr(self.function, "__get__", None)
        if owner is None or bind is None:
            return self
        bound = object.__new__(type(self))
        vars(bound).update(vars(self))
        bound.function = bound.__wrapped__ = bind(owner, kind)  # type: ignore[attr-defined]
        return bound

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        for way, compiled in self.cache.shortcuts:
            if (found := way.look(self.function, args, kwargs)) is not None:
                arrays, others = found
                return way.place(compiled.run(arrays), arrays, others)
        if tracing.get():  # called by a function that is being compiled: a part of it
            return self.function(*args, **kwargs)
        while True:
            try:
                return self._long_way(args, kwargs)
            except OtherThread as other:
                other.wait()

    def explain(self, *args: Any, **kwargs: Any) -> Explanation:
        """What the program for these arguments consists of, and why: ``print`` it.

        Its inputs and state, the kernels with the lines of your code that each computes, why they
        are not fewer, what NumPy runs, and the memory that it takes. It is compiled if need be;
        nothing is run, and nothing changes.

        Args:
            args, kwargs: as for a call; none stand for the program that was compiled last, if
                there is one.

        >>> import koubai, numpy as np
        >>> f = koubai.compile(lambda x: koubai.sum(koubai.exp(x) * 2))
        >>> len(f.explain(np.zeros((2, 3))).kernels)
        1
        """
        from koubai.compiler.report.explain import explanation  # here: rarely asked for

        return explanation(self._asked_for(args, kwargs), self.name)

    def profile(self, *args: Any, **kwargs: Any) -> Explanation:
        """As ``explain``, with the time that each kernel takes, for exactly these arguments.

        Each kernel is run many times by itself, and its results are thrown away: nothing changes.
        By itself it finds its operands in the processor's cache, if they have room there; so the
        sum of the times may differ from that of the whole program, which is given, too.

        Args:
            args, kwargs: as for a call.

        Raises:
            what a call would: an IndexError, for instance.

        >>> import koubai, numpy as np
        >>> f = koubai.compile(lambda x: koubai.sum(koubai.exp(x) * 2))
        >>> f.profile(np.zeros((2, 3))).kernels[0].seconds > 0
        True
        """
        from koubai.compiler.report.explain import explanation
        from koubai.compiler.report.profile import profiled

        world = World(self.function, args, kwargs)
        compiled = self._compiled_for(world, args, kwargs)
        return profiled(explanation(compiled, self.name), compiled, world.arrays)

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """The program for these arguments in all its stages, as texts; arguments as ``explain``'s.

        ``program`` as it was traced, ``optimized`` by the passes, fused into ``kernels``, and these
        as ``llvm`` and ``assembly``. Nothing is run.

        >>> import koubai, numpy as np
        >>> f = koubai.compile(lambda x: koubai.sum(koubai.exp(x) * 2))
        >>> print(f.lower(np.zeros((2, 3))).kernels)
        0: nest over 2 x 3
            %1 = exp(%0[3i + j]) : float64
            %3 = multiply(%1, 2.0) : float64
            %4 = sum(%3) over i, j : float64                            -> %4[0]
        """
        from koubai.compiler.report.lower import lowered

        return lowered(self._asked_for(args, kwargs), self.name)

    @property
    def name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def _asked_for(self, args: Any, kwargs: dict[str, Any]) -> Compiled:
        if not args and not kwargs and self.cache.compiled:
            return list(self.cache.compiled.values())[-1]
        return self._compiled_for(World(self.function, args, kwargs), args, kwargs)

    def _long_way(self, args: Any, kwargs: dict[str, Any]) -> Any:
        cache, world = self.cache, World(self.function, args, kwargs)
        compiled = self._compiled_for(world, args, kwargs)
        if compiled.shortcuts < SHORTCUTS:
            way = shortcut(world, compiled.results, compiled.known)
            if way is not None:
                compiled.shortcuts += 1
                cache.shortcuts.insert(0, (way, compiled))
        outputs = compiled.run(world.arrays)
        return compiled.results.place(outputs, world)

    def _compiled_for(self, world: World, args: Any, kwargs: dict[str, Any]) -> Compiled:
        cache = self.cache
        while (compiled := self._found(world)) is None:
            try:
                cache.compiled[self._key(world)] = self._compile(world, args, kwargs)
            except NeedsNumber as error:
                known = cache.known.setdefault(world.key_without_gradients(), set())
                if error.number in known:
                    raise
                known.add(error.number)
        return compiled

    def _found(self, world: World) -> Compiled | None:
        """What has been compiled for such a world."""
        key = self._key(world)
        if key not in self.cache.compiled:
            # Gradients that the last step has used up are no other than none, if none is read.
            other = self.cache.compiled.get(self._key(world, with_gradients=False))
            if other is None or not other.results.uses_up:
                return None
            self.cache.compiled[key] = other
        return self.cache.compiled[key]

    def _known(self, world: World) -> list[int]:
        return sorted(self.cache.known.get(world.key_without_gradients(), ()))

    def _key(self, world: World, with_gradients: bool = True) -> Any:
        key = world.key if with_gradients else world.key_without_gradients()
        return (key, *[constant_key(world.arrays[i]) for i in self._known(world)])

    def _warn(self, world: World) -> None:
        """Say what makes the function be compiled so often."""
        last, *_ = next(reversed(self.cache.compiled))
        log.warning(
            "%s is compiled for the %dth time, now because of %s: each number, shape and"
            " structure has a program of its own. Make a number that changes one of NumPy's"
            " (optimizer.lr = np.float32(0.01)), and give all batches one shape",
            *(self.name, MANY + 1, world.difference(last)),
        )

    def _compile(self, world: World, args: Any, kwargs: dict[str, Any]) -> Compiled:
        log.info("compiling %s", self.name)
        if len(self.programs) == MANY:
            self._warn(world)
        known = self._known(world)
        run = repeated_run(self.function, world, args, kwargs, known)
        verify(run.program)
        native = native_program(run.program, run.results.state)
        return Compiled(run.program, run.results, world.kept, known, native, world.paths)
