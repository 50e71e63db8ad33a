"""``koubai.compile``: an ordinary function, run as one array program, by one native call.

The first call with a new world runs the function on traced arrays: every array of the world is
replaced by a traced one, the function runs, and everything is put back. What it wrote down is the
program, which becomes machine code; what it left in the world (``p.data``, the optimizer's
``m[0]``, ``self.x``) and what it returned are the program's outputs. Each call looks at the world
anew: if nothing but the numbers in arrays has changed, the program runs on them, and its outputs
are put where the function would have put them.

A Python float that has changed once is an input from then on, as arrays are: no program is compiled
for each step of a learning rate schedule.

The look at the world is what takes time in a small step. From the first long look at a structure a
shortcut is made, for native code; see shortcut.py.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from koubai.compiler import reasons
from koubai.compiler.errors import NeedsNumber
from koubai.compiler.interpret import interpret, observer
from koubai.compiler.passes.loops import trim
from koubai.compiler.program import Program, verify
from koubai.compiler.runtime import walker
from koubai.compiler.runtime.called import Called, call_natively
from koubai.compiler.runtime.native import NativeProgram, native_program
from koubai.compiler.shortcut import Shortcut, shortcut
from koubai.compiler.trace.repeatable import repeated_run
from koubai.compiler.trace.results import Results
from koubai.compiler.trace.traced import OtherThread, tracing
from koubai.compiler.trace.world import World, constant_key

if TYPE_CHECKING:
    from koubai.compiler.report.explain import Explanation
    from koubai.compiler.report.lower import Lowered

MANY = 8
"""Programs for one function, at which something is told: it may go on like this."""

SHORTCUTS = 4
"""For one program. Worlds of one key may differ in what shortcuts know by identity."""

reasons.listen()


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
            return self.results.owned(interpret(self.for_numpy, arrays), arrays)
        return self.native.run(arrays)

    @functools.cached_property
    def for_numpy(self) -> Program:
        """What NumPy runs: the program as it was traced, but that loops keep what is needed."""
        return trim(self.program, inside=True)

    def called(self) -> walker.Program:
        """As native code calls it."""
        native = self.native
        entry = native.entry if native is not None and not native.later else None
        return walker.Program(self.run, self.results.count, entry)


class Floats:
    """The floats of worlds that are equal but for their numbers: which of them are inputs.

    Attributes:
        varying: their numbers among ``World.floats``.
    """

    def __init__(self, world: World) -> None:
        self._first = [constant_key(x.value) for x in world.floats]
        self.varying: set[int] = set()
        self._decide: set[int] = set()

    def note_changes(self, world: World) -> bool:
        """Let those vary that are not what they were at first; whether they are more now."""
        changed = {
            i
            for i, (first, x) in enumerate(zip(self._first, world.floats, strict=True))
            if constant_key(x.value) != first
        }
        new = changed - self._decide - self.varying
        self.varying |= new
        return bool(new)

    def decide(self, numbers: set[int]) -> None:
        """These decide on what is compiled: they are never inputs."""
        self._decide |= numbers
        self.varying -= numbers


@dataclass
class Cache:
    """All that has been compiled for one function.

    Attributes:
        compiled: by the key of the world, and the values of its known numbers.
        known: by the key of a world, its NumPy scalars that decide what is compiled: their values
            are part of the key too, as Python's numbers always are.
        floats: by the key of a world, without its floats.
    """

    compiled: dict[Any, Compiled] = field(default_factory=dict)
    known: dict[Any, set[int]] = field(default_factory=dict)
    floats: dict[Any, Floats] = field(default_factory=dict)

    def known_in(self, world: World) -> list[int]:
        return sorted(self.known.get(world.key_without_gradients(), ()))

    def key(self, world: World, with_gradients: bool = True) -> Any:
        key = world.key if with_gradients else world.key_without_gradients()
        return (key, *[constant_key(world.arrays[i]) for i in self.known_in(world)])

    def find(self, world: World) -> Compiled | None:
        """What has been compiled for such a world."""
        key = self.key(world)
        if key not in self.compiled:
            # Gradients that the last step has used up are no other than none, if none is read.
            other = self.compiled.get(self.key(world, with_gradients=False))
            if other is None or not other.results.uses_up:
                return None
            self.compiled[key] = other
        return self.compiled[key]

    def floats_of(self, world: World) -> Floats:
        key = world.apart_from_floats()
        if key not in self.floats:
            self.floats[key] = Floats(world)
        return self.floats[key]


class CompiledFunction(Called):
    """What ``compile`` returns: it is called as the function that it was made from.

    Attributes:
        programs: the programs compiled so far, one for each structure of the world.
        shortcuts: for calls, the latest first.
    """

    __slots__ = ("__dict__", "__weakref__", "function", "shortcuts")

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function, updated=())
        self.function = function
        self.shortcuts: list[Shortcut] = []
        self.cache = Cache()

    @property
    def programs(self) -> list[Program]:
        return list({id(c): c.program for c in self.cache.compiled.values()}.values())

    def __repr__(self) -> str:
        return f"<compiled {self.name}>"

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        """As a method: a compiled function of the object's own method; programs are shared."""
        bind = getattr(self.function, "__get__", None)
        if owner is None or bind is None:
            return self
        bound = object.__new__(type(self))
        vars(bound).update(vars(self))
        bound.shortcuts = self.shortcuts
        bound.function = bound.__wrapped__ = bind(owner, kind)  # type: ignore[attr-defined]
        return bound

    def call_by_python(self, args: Any, kwargs: dict[str, Any] | None) -> Any:
        """A call for which there is no shortcut."""
        kwargs = kwargs or {}
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

        world, compiled = self._looked_up(args, kwargs)
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
        return self._looked_up(args, kwargs)[1]

    def _looked_up(self, args: Any, kwargs: dict[str, Any]) -> tuple[World, Compiled]:
        while True:
            try:
                world = World(self.function, args, kwargs)
                return world, self._compiled_for(world, args, kwargs)
            except OtherThread as other:
                other.wait()

    def _long_way(self, args: Any, kwargs: dict[str, Any]) -> Any:
        world = World(self.function, args, kwargs)
        compiled = self._compiled_for(world, args, kwargs)
        if compiled.shortcuts < SHORTCUTS:
            way = shortcut(world, compiled.results, compiled.known, compiled.called())
            if way is not None:
                compiled.shortcuts += 1
                self.shortcuts.insert(0, way)
                call_natively(CompiledFunction)
        return compiled.results.place(compiled.run(world.arrays), world)

    def _compiled_for(self, world: World, args: Any, kwargs: dict[str, Any]) -> Compiled:
        """The program for this world; what it takes as inputs may be found out on the way."""
        cache, floats = self.cache, self.cache.floats_of(world)
        world.vary(floats.varying)
        why = ""
        while (compiled := cache.find(world)) is None:
            why = why or reasons.reason(world.key, world.told, [key[0] for key in cache.compiled])
            if floats.note_changes(world):
                world.vary(floats.varying)
                continue
            try:
                cache.compiled[cache.key(world)] = self._compile(world, args, kwargs, why)
            except OtherThread:  # it is no float's fault
                raise
            except Exception as error:
                if not self._learn(error, world, floats):
                    raise
                world.vary(floats.varying)
        return compiled

    def _learn(self, error: Exception, world: World, floats: Floats) -> bool:
        """Note the inputs without whose numbers it can't be compiled; whether there are new ones.

        What else goes wrong may also be because a float was an input.
        """
        own = len(world.arrays) - len(world.varied)
        varying = sorted(floats.varying)
        if not isinstance(error, NeedsNumber):
            floats.decide(set(varying))
            return bool(varying)
        if error.number >= own:
            floats.decide({varying[error.number - own]})
            return True
        known = self.cache.known.setdefault(world.key_without_gradients(), set())
        is_new = error.number not in known
        known.add(error.number)
        return is_new

    def _warn(self, why: str) -> None:
        """Say what makes the function be compiled so often."""
        reasons.log.warning(
            "%s is compiled for the %dth time, now because %s: each shape, structure and number has"
            " a program of its own, but for floats. Give all batches one shape, and make a number"
            " that changes a float, or one of NumPy's",
            *(self.name, MANY + 1, why),
        )

    def _compile(self, world: World, args: Any, kwargs: dict[str, Any], why: str) -> Compiled:
        reasons.log.info("compiling %s: %s", self.name, why)
        if len(self.programs) == MANY:
            self._warn(why)
        known = self.cache.known_in(world)
        run = repeated_run(self.function, world, args, kwargs, known)
        verify(run.program)
        scalars = [i for i, x in enumerate(world.arrays) if not isinstance(x, np.ndarray)]
        native = native_program(run.program, run.results.state, scalars)
        return Compiled(run.program, run.results, world.kept, known, native, world.paths)
