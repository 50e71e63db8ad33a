"""What a traced function left behind, as recipes to be followed after each run of the program.

A recipe describes a value: "output 3 of the program", "the array that is input 2", "a tuple of
these". ``Results`` has one for the returned value and for each place of the world that the function
assigned, and the list of inputs that it wrote into in place.

Objects that the function made, dicts and lists among them, are made anew by each call: they are
numbered, so that one in two places, or within itself, is one again.
"""

from __future__ import annotations

import functools
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from koubai.compiler.errors import TraceError
from koubai.compiler.not_stored import NOT_STORED
from koubai.compiler.primitives import PRIMITIVES
from koubai.compiler.program import digest
from koubai.compiler.trace.contents import (
    CONSTANTS,
    Container,
    Elements,
    Members,
    containers,
    same,
)
from koubai.compiler.trace.graph import END, Graphs
from koubai.compiler.trace.number import TracedFloat
from koubai.compiler.trace.traced import Trace, Traced, gone
from koubai.compiler.trace.world import World
from koubai.core import Variable
from koubai.location import caller
from koubai.snapshot import leave_snapshot


@dataclass
class Call:
    """One run of the program, and the world that it ran in."""

    outputs: Sequence[Any]
    world: World
    made: Sequence[Any] = ()
    views: Sequence[Any] = ()


@dataclass(frozen=True)
class Output:
    """An output of the program; NumPy's operations give scalars for 0-d arrays."""

    number: int
    scalar: bool

    def make(self, call: Call) -> Any:
        return call.outputs[self.number][()] if self.scalar else call.outputs[self.number]


@dataclass(frozen=True)
class Float:
    """An output of the program as a Python float."""

    number: int

    def make(self, call: Call) -> Any:
        return call.outputs[self.number].item()


@dataclass(frozen=True)
class Input:
    """The very array, or float, that is an input."""

    number: int

    def make(self, call: Call) -> Any:
        return call.world.arrays[self.number]


@dataclass(frozen=True)
class Viewed:
    """A view of an input or an output, taken in each call: it shares memory as in eager."""

    number: int

    def make(self, call: Call) -> Any:
        return call.views[self.number]


@dataclass(frozen=True)
class Owner:
    """The object in the world that has container ``number``."""

    number: int

    def make(self, call: Call) -> Any:
        return call.world.containers[self.number].owner


@dataclass(frozen=True)
class Made:
    """An object that the function makes in each call."""

    number: int

    def make(self, call: Call) -> Any:
        return call.made[self.number]


@dataclass(frozen=True)
class Tuple:
    """A tuple or a frozenset, or an instance of a subclass, of other values."""

    type: Any
    parts: tuple[Recipe, ...]

    def make(self, call: Call) -> Any:
        base: Any = tuple if issubclass(self.type, tuple) else frozenset
        return base.__new__(self.type, [part.make(call) for part in self.parts])


@dataclass(frozen=True)
class Constant:
    """A number, a text, or an object that is not looked into."""

    value: Any

    def make(self, call: Call) -> Any:
        return self.value

    def __repr__(self) -> str:
        is_plain = isinstance(self.value, bool | int | float | complex | str | bytes | np.generic)
        return f"Constant({self.value!r})" if is_plain else f"Constant({type(self.value)})"


Recipe = Output | Float | Input | Viewed | Owner | Made | Tuple | Constant
Items = list[tuple[Recipe, Recipe]]
"""Recipes for keys, which may be objects of the world, and for their values."""


@dataclass
class Blueprint:
    """How an object is made: from one that is empty, and recipes for its contents."""

    empty: Any
    contents: list[Items]
    computed: bool
    """Whether it is a Variable that was computed from others."""

    def __repr__(self) -> str:
        if isinstance(self.empty, np.ndarray):
            return f"{self.empty.dtype}{self.empty.shape}{digest(self.empty)}"
        return f"{type(self.empty)}{self.contents}{self.computed}"


@dataclass
class ViewRecipe:
    """How a view is taken: a primitive, of an array that is an input, an output or a view."""

    op: str
    inputs: list[Recipe]
    params: dict[str, Any]

    def make(self, call: Call) -> Any:
        return PRIMITIVES[self.op].run(*[x.make(call) for x in self.inputs], **self.params)


class Results:
    """Recipes for the returned value, the assigned places and the arrays written in place.

    Attributes:
        written: the inputs written in place, each with the output that holds its new numbers.
        state: pairs of an input and an output, which is put where the input was, and nowhere else.
            The results don't refer to that input; but others may hold its array.
        assigned: container, key and recipe.
        deleted: container and key.
        orders: containers whose keys changed their order, and the keys.
        uses_up: whether gradients that have updated their Variable are not stored; the function
            reads none that was there before.
    """

    def __init__(
        self,
        trace: Trace,
        inputs: list[Traced],
        world: World,
        entered: list[dict[Any, Any]],
        graphs: Graphs,
        value: Any,
        uses_up: bool = False,
    ) -> None:
        self.uses_up = uses_up
        read = {value for x in trace.program.instructions for value in x.inputs}
        self.blueprints: list[Blueprint] = []
        self.views: list[ViewRecipe] = []
        describe = _Describe(trace, inputs, world, self.blueprints, self.views)
        self.written = [(i, describe.output(x)) for i, x in enumerate(inputs) if x.value != i]
        self.assigned: list[tuple[int, Recipe, Recipe]] = []
        self.deleted: list[tuple[int, Recipe]] = []
        self.orders: list[tuple[int, list[Recipe]]] = []
        for i, (place, before) in enumerate(zip(world.containers, entered, strict=True)):
            after = place.read()
            _refuse_growth(place, world.names[i], before, after)
            self.deleted += [(i, describe.recipe(k, "a key")) for k in before if k not in after]
            new = {k: x for k, x in after.items() if k not in before or before[k] is not x}
            is_used_up = id(place.owner) in trace.used_up or _updates(new, read)
            if uses_up and isinstance(place.owner, Variable) and is_used_up:
                new["grad"] = NOT_STORED
            self.assigned += [(i, *item) for item in describe.items(new)]
            natural = [k for k in before if k in after] + [k for k in after if k not in before]
            if list(after) != natural:
                self.orders.append((i, [describe.recipe(k, "a key") for k in after]))
        self.value = describe.recipe(value, "the returned value")
        self.state = self._state(describe, entered)
        computed, called = graphs.changed()
        self.computed = [describe.owners[id(x)] for x in computed]
        self.called = [describe.owners[id(f)] for f in called]
        program = trace.program
        program.outputs = [x.value for x in describe.outputs]
        self.count = len(program.outputs)
        read = {value for instruction in program.instructions for value in instruction.inputs}
        self.used = [i for i in range(len(inputs)) if i in {*read, *program.outputs}]

    def text(self) -> str:
        """Equal for two runs that left the same behind."""
        where = (self.assigned, self.deleted, self.orders, self.written)
        return repr((self.value, where, self.blueprints, self.views))

    def _state(self, describe: _Describe, entered: list[dict[Any, Any]]) -> list[tuple[int, int]]:
        places = [
            (describe.inputs.get(id(entered[i].get(key.value)), -1), recipe.number)
            for i, key, recipe in self.assigned
            if isinstance(key, Constant) and isinstance(recipe, Output) and not recipe.scalar
        ]
        made = [item for b in self.blueprints for items in b.contents for item in items]
        recipes = [recipe for _, *item in self.assigned for recipe in item] + [self.value]
        recipes += [recipe for item in made for recipe in item]
        recipes += [recipe for view in self.views for recipe in view.inputs]
        used = Counter(leaf for recipe in recipes for leaf in _leaves(recipe))
        written = {output for _, output in self.written}
        rewritten = {i for i, _ in self.written}
        return [
            (i, output)
            for i, output in places
            if i not in {-1, *rewritten}
            and used[Output(output, False)] == 1
            and not used[Input(i)] + used[Output(output, True)]
            and output not in written
        ]

    def place(self, outputs: Sequence[Any], world: World) -> Any:
        """Put the outputs of one run into the world of this call; the value to return.

        Args:
            outputs: as ``owned`` gives them.
            world: that of the call.
        """
        self._check_memory(world)
        call = Call(outputs, world)
        call.views = views = []
        for view in self.views:
            views.append(view.make(call))  # noqa: PERF401  # it may be a view of one before it
        call.made = [empty_like(blueprint.empty) for blueprint in self.blueprints]
        for x, blueprint in zip(call.made, self.blueprints, strict=True):
            for place, recipes in zip(containers(x), blueprint.contents, strict=True):
                fill(place, {key.make(call): recipe.make(call) for key, recipe in recipes})
            if isinstance(x, Variable):
                x._creator = END if blueprint.computed else None
        value = self.value.make(call)
        assigned = [(i, key.make(call), recipe.make(call)) for i, key, recipe in self.assigned]
        deleted = [(i, key.make(call)) for i, key in self.deleted]
        for i in self.called:
            # As a call would: results of earlier calls keep what they need for their gradients.
            leave_snapshot(world.containers[i].owner)
        for i, output in self.written:
            np.copyto(world.arrays[i], call.outputs[output])
        for i, key, new in assigned:
            world.containers[i].write(key, new)
        for i, key in deleted:
            world.containers[i].delete(key)
        for i, keys in self.orders:
            world.containers[i].order([key.make(call) for key in keys])
        for i in self.computed:
            x = world.containers[i].owner
            x._creator = END
        return value

    def _check_memory(self, world: World) -> None:
        """Refuse writes in place that would change other arrays too, or can't be made."""
        written = [i for i, _ in self.written]
        for i in written:
            x, path = world.arrays[i], world.paths[i]
            if not x.flags.writeable:
                raise ValueError(f"a write in place to {path}, which is read-only")
            for j in {*self.used, *written} - {i}:
                if isinstance(world.arrays[j], np.ndarray) and _share_memory(x, world.arrays[j]):
                    raise TraceError(
                        f"a write in place to {path}, which shares its memory with"
                        f" {world.paths[j]}: assign a new array instead, or keep copies"
                    )

    def owned(self, outputs: Sequence[Any], arrays: Sequence[Any]) -> list[Any]:
        """The outputs as arrays that belong to nobody else, and that nothing is written into."""
        written = [arrays[i] for i, _ in self.written]
        return [
            x.copy("K")
            if not x.flags.writeable or any(np.may_share_memory(x, other) for other in written)
            else x
            for x in outputs
        ]


class _Describe:
    """From the values of one trace to recipes."""

    def __init__(
        self,
        trace: Trace,
        inputs: list[Traced],
        world: World,
        blueprints: list[Blueprint],
        views: list[ViewRecipe],
    ) -> None:
        self.trace, self.blueprints, self.views = trace, blueprints, views
        self.inputs = {id(x): i for i, x in enumerate(inputs)}
        self.owners = {id(c.owner): i for i, c in enumerate(world.containers)}
        self.outputs: list[Traced] = []
        self.numbers: dict[int, int] = {}
        self.made: dict[int, int] = {}
        self.alive: list[Any] = []  # so that no id above is used again

    def output(self, x: Traced) -> int:
        """The position of a traced array among the outputs; two arrays are two outputs."""
        if id(x) not in self.numbers:
            self.numbers[id(x)] = len(self.outputs)
            self.outputs.append(x)
        return self.numbers[id(x)]

    def traced(self, x: Traced) -> Recipe:
        """A recipe for an array."""
        if id(x) in self.inputs:
            return Input(self.inputs[id(x)])
        if isinstance(x, TracedFloat):
            return Float(self.output(x))
        if x.view is None:
            return Output(self.output(x), x.scalar)
        if id(x) not in self.numbers:
            x.value  # noqa: B018  # an error, if it isn't known whether it is a view
            parts = [self.traced(part) for part in (x.view.base, *x.view.operands)]
            self.alive.append(x)
            self.numbers[id(x)] = len(self.views)
            self.views.append(ViewRecipe(x.view.op, parts, x.view.params))
        return Viewed(self.numbers[id(x)])

    def recipe(self, x: Any, what: str) -> Recipe:
        if isinstance(x, Traced):
            if x.trace is not self.trace:
                raise TraceError(f"{what} is {x!r} of another compiled call, which has ended")
            if x.value in self.trace.gone:
                raise gone(x)
            return self.traced(x)
        if id(x) in self.owners:
            return Owner(self.owners[id(x)])
        if id(x) in self.made:
            return Made(self.made[id(x)])
        if isinstance(x, tuple | frozenset):
            return Tuple(type(x), tuple([self.recipe(part, what) for part in x]))
        if is_array := isinstance(x, np.ndarray):
            self.trace.met.append((x, caller()))
        found = [] if isinstance(x, (*CONSTANTS, type)) else containers(x)
        if not found and not is_array:
            return Constant(x)
        number = self.made[id(x)] = len(self.blueprints)
        self.alive.append(x)
        computed = isinstance(x, Variable) and x._creator is not None
        blueprint = Blueprint(empty_like(x), [], computed)
        self.blueprints.append(blueprint)
        blueprint.contents += [self.items(place.read()) for place in found]
        return Made(number)

    def items(self, contents: dict[Any, Any]) -> Items:
        """Recipes for the keys and values of a container."""
        return [
            (self.recipe(key, "a key"), self.recipe(x, f"what it assigned to {key!r:.60}"))
            for key, x in contents.items()
        ]


def _leaves(recipe: Recipe) -> Iterator[Recipe]:
    """A recipe, or those of which it is made."""
    if isinstance(recipe, Tuple):
        for part in recipe.parts:
            yield from _leaves(part)
    elif isinstance(recipe, Float):
        yield Output(recipe.number, True)
    elif isinstance(recipe, Output | Input):
        yield recipe


def empty_like(x: Any) -> Any:
    """An object like ``x`` without contents; of a NumPy array, a copy."""
    if isinstance(x, np.ndarray):
        return x.copy("K")
    if isinstance(x, functools.partial):
        return type(x)(x.func)
    if isinstance(x, deque):
        return type(x)((), x.maxlen)
    bases = (OrderedDict, defaultdict, dict, list, set, SimpleNamespace, BaseException, object)
    base: Any = next(base for base in bases if isinstance(x, base))
    new = base.__new__(type(x))
    if isinstance(x, defaultdict):
        new.default_factory = x.default_factory
    return new


def fill(place: Container, contents: dict[Any, Any]) -> None:
    if isinstance(place, Elements):
        place.fill(contents.values())
    elif isinstance(place, Members):
        place.owner.update(contents.values())
    else:
        for key, value in contents.items():
            place.write(key, value)


def _updates(new: dict[Any, Any], read: Collection[int]) -> bool:
    """Whether a Variable got a gradient, which was read, and new data: one of the other."""
    g = new.get("grad")
    return "_data" in new and isinstance(g, Traced) and g.value in read


def _share_memory(x: Any, y: Any) -> bool:
    try:
        return np.shares_memory(x, y, max_work=10_000)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def _refuse_growth(
    place: Container, name: str, before: dict[Any, Any], after: dict[Any, Any]
) -> None:
    is_fixed = isinstance(place, Members) and not same(before, after)
    if is_fixed or (isinstance(place, Elements) and len(after) != len(before)):
        raise TraceError(
            f"a {place.kind} in the world of the function, {name}, was changed: it had"
            f" {len(before)} elements and has {len(after)}; a compiled function may assign the"
            " elements of a list, and return new lists: append what it returns outside of it"
        )
