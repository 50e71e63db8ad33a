"""A shortcut: one call of a compiled function without a walk through its world by Python.

``World`` and ``Results`` say what a call means. A shortcut is made from what they found in one
call, and does the same for worlds of exactly that structure, some hundred times as fast. It is one
native function (runtime/walker.py), of the function, its arguments and its keyword arguments, which

1. looks at the world; if it is another one, the value is ``NO``, and the call takes the long way,
2. runs the program on the arrays that it has found,
3. makes the value and puts the outputs where they belong: a list of steps that is written here.

    def step(x):                NEW Variable 15         value 15 in the row: what is returned
        loss = ...              SLOT 15 24 13           its array: output 13
        p.data = p.data - ...   UNLESS 0 4              if output 0 was not written into p's array:
        return loss             SLOT 16 24 0            it is put into object 16, p
                                DONE 15

Whatever is seldom met (a deleted key, a class attribute that is assigned) has no shortcut.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from koubai.compiler.primitives import PRIMITIVES
from koubai.compiler.runtime import layouts, walker
from koubai.compiler.runtime.calling import ARGUMENTS
from koubai.compiler.runtime.placing import MAKES, STEPS, WRITES, in_row
from koubai.compiler.runtime.steps import numbered
from koubai.compiler.trace.contents import containers
from koubai.compiler.trace.graph import END
from koubai.compiler.trace.looks import Looks, is_plain
from koubai.compiler.trace.results import (
    Blueprint,
    Constant,
    Float,
    Input,
    Made,
    Output,
    Owner,
    Recipe,
    Results,
    Tuple,
    Viewed,
    empty_like,
    fill,
)
from koubai.compiler.trace.world import World
from koubai.core import Variable
from koubai.snapshot import leave_snapshot

Shortcut = Callable[[Any, Any, dict[str, Any]], Any]
"""Of the function, its arguments and its keyword arguments: see above."""


def shortcut(
    world: World, results: Results, known: Collection[int], program: walker.Program
) -> Shortcut | None:
    """A shortcut for calls with worlds like ``world``; None if there can't be one.

    Args:
        world: one that the program is for, before it has run.
        results: what becomes of the program's outputs.
        known: the inputs that are numbers of NumPy's for whose values it was compiled.
        program: what is run.
    """
    looks = world.looks
    if not looks.complete or results.deleted or results.orders:
        return None
    placing = _Placing(world, results)
    if not looks.complete or not placing.complete:
        return None
    for i in known:
        looks.bits(looks.arrays[i], world.arrays[i])
    # Arrays are results of the walk already.
    for i in range(len(world.arrays) - len(world.varied), len(world.arrays)):
        looks.take(looks.arrays[i], i)
    for i, place in enumerate(placing.others):
        looks.take(place, len(world.arrays) + i)
    _look_at_memory(looks, results, world)
    if not looks.complete:
        return None
    found: Shortcut = walker.caller(
        *(looks.words, looks.places, len(world.arrays), len(placing.others)),
        *(program, placing.finished(), looks.kept),
    )
    return found


def _look_at_memory(looks: Looks, results: Results, world: World) -> None:
    """Arrays that are written in place must be writeable, and share no memory with others."""
    written = [i for i, _ in results.written]
    if written:
        used = sorted({*results.used, *written})
        arrays = [i for i in used if isinstance(world.arrays[i], np.ndarray)]
        for i in arrays:
            looks.extent(i, world.arrays[i])
        for i in written:
            looks.apart(i, [j for j in arrays if j != i])


@dataclass(frozen=True)
class _Value:
    """A value in the row: number ``number`` of the outputs, the others, or what is made."""

    part: str
    number: int


_Operand = int | _Value


class _Placing:
    """The steps that place results, see runtime/placing.py.

    Attributes:
        others: the objects of the world that are needed, by the places where the looks find them.
        complete: whether native code can do it.
    """

    def __init__(self, world: World, results: Results) -> None:
        self.looks, self.world, self.results = world.looks, world, results
        self.others: list[int] = []
        self.complete = True
        self._steps: list[tuple[str, tuple[_Operand, ...]]] = []
        self._made = 0
        self._runs_python = False
        self._views: list[_Value] = []
        for view in results.views:
            run = functools.partial(PRIMITIVES[view.op].run, **view.params)
            self._views.append(self._call(run, *map(self._value, view.inputs)))
        self._objects = [self._empty(blueprint) for blueprint in results.blueprints]
        for made, blueprint in zip(self._objects, results.blueprints, strict=True):
            self._fill(made, blueprint)
        value: _Operand = self._value(results.value)
        self._assign()
        for i in results.computed:
            self._set_creator(self._owner(i), END)
        self._step("DONE", value)

    def finished(self) -> walker.Placing:
        made = self.results.count
        first = {"outputs": 0, "made": made, "others": made + self._made}
        words = []
        for name, operands in self._steps:
            numbers = [
                x if isinstance(x, int) else in_row(first[x.part] + x.number) for x in operands
            ]
            if name in MAKES:
                numbers[MAKES[name]] //= 2  # where to, not a value
            words += numbered(STEPS, name, *numbers)
        writes = sum(name in WRITES for name, _ in self._steps)
        return walker.Placing(words, self._made, writes, self._runs_python)

    def _step(self, name: str, *operands: _Operand) -> None:
        self._steps.append((name, operands))

    def _new(self) -> _Value:
        self._made += 1
        return _Value("made", self._made - 1)

    def _call(self, what: Callable[..., Any], *arguments: _Operand) -> _Value:
        """The value of a call, by Python."""
        value = self._new()
        self._runs_python = True
        if len(arguments) > ARGUMENTS:
            self.complete = False
        self._step("CALL", value, self._constant(what), *arguments)
        return value

    def _constant(self, x: Any) -> int:
        self.looks.kept.append(x)
        return id(x)

    def _other(self, place: int) -> _Value:
        if place not in self.others:
            self.others.append(place)
        return _Value("others", self.others.index(place))

    def _owner(self, container: int) -> _Value:
        """The object that has this container."""
        return self._other(self.looks.owner(container))

    def _value(self, recipe: Recipe) -> _Operand:
        """What the recipe makes."""
        match recipe:
            case Output(number, scalar):
                output = _Value("outputs", number)
                return self._call(_scalar, output) if scalar else output
            case Float(number):
                return self._call(_item, _Value("outputs", number))
            case Input(number):
                return self._other(self.looks.arrays[number])
            case Viewed(number):
                return self._views[number]
            case Made(number):
                return self._objects[number]
            case Owner(number):
                return self._owner(number)
            case Tuple(kind, parts):
                values = [self._value(part) for part in parts]
                new = self._new()
                self._step("TUPLE", new, *values)
                if kind is tuple:
                    return new
                base: Any = tuple if issubclass(kind, tuple) else frozenset
                return self._call(functools.partial(base.__new__, kind), new)
            case Constant(constant):
                return self._constant(constant)

    def _empty(self, blueprint: Blueprint) -> _Value:
        kind = type(blueprint.empty)
        if kind not in (Variable, dict, list):
            return self._call(functools.partial(empty_like, blueprint.empty))
        new = self._new()
        if kind is Variable:
            self._step("NEW", self._constant(Variable), new)
        else:
            self._step("NEW_DICT" if kind is dict else "NEW_LIST", new)
        return new

    def _fill(self, made: _Value, blueprint: Blueprint) -> None:
        kind = type(blueprint.empty)
        contents = [
            [(key, self._value(key), self._value(value)) for key, value in items]
            for items in blueprint.contents
        ]
        if kind is Variable:
            for name, _, value in contents[0]:
                assert isinstance(name, Constant)
                self._set(made, name.value, value)
        elif kind is dict:
            for recipe, key, value in contents[0]:
                self._set_item(made, recipe, key, value)
        elif kind is list:
            for *_, value in contents[0]:
                self._step("APPEND", made, value)
        elif contents:
            mappings = []
            for items in contents:
                mappings.append(self._new())
                self._step("NEW_DICT", mappings[-1])
                for recipe, key, value in items:
                    self._set_item(mappings[-1], recipe, key, value)
            self._call(_fill_all, made, *mappings)
        if issubclass(kind, Variable):
            self._set_creator(made, END if blueprint.computed else None)

    def _set_item(self, made: _Value, recipe: Recipe, key: _Operand, value: _Operand) -> None:
        """Put an item into a dict that is made."""
        if not (isinstance(recipe, Constant) and is_plain(recipe.value)):
            self._runs_python = True
        self._step("DICT", made, key, value)

    def _set(self, variable: _Operand, name: str, value: _Operand) -> None:
        """Assign to a slot of a Variable."""
        offset = layouts.slot_offset(vars(Variable)[name])
        if offset is None:
            self.complete = False
        else:
            self._step("SLOT", variable, offset, value)

    def _set_creator(self, variable: _Operand, creator: Any) -> None:
        self._set(variable, "_creator", self._constant(creator))

    def _assign(self) -> None:
        results = self.results
        # A key that is an object of the world is the one of this call: these come last.
        dicts = {i for i, key, _ in results.assigned if not isinstance(key, Constant)}
        late: list[tuple[_Operand, ...]] = []
        writes: list[tuple[Recipe, str, tuple[_Operand, ...]]] = []
        for i, key, recipe in results.assigned:
            value = self._value(recipe)
            storage = self.looks.storage(i, key.value if isinstance(key, Constant) else None)
            if storage is None:
                self.complete = False
                return
            container, operand = self._other(storage.place), storage.operand
            if storage.kind == "DICT" and not self.looks.has_plain_keys(i):
                self._runs_python = True
            if i in dicts:
                late.append((container, self._value(key), value))
            elif storage.kind == "DICT":
                writes.append((recipe, "DICT", (container, self._constant(operand), value)))
            elif storage.kind == "CELL":
                writes.append((recipe, "CELL", (container, value)))
            else:
                writes.append((recipe, storage.kind, (container, operand, value)))
        for i in results.called:
            # As a call would: results of earlier calls keep what they need for their gradients.
            self._call(leave_snapshot, self._owner(i))
        for i, output in results.written:
            self._call(np.copyto, self._other(self.looks.arrays[i]), _Value("outputs", output))
        state = {Output(output, False) for _, output in results.state}
        for recipe, kind, operands in writes:
            if recipe in state:
                self._step("UNLESS", operands[-1], 1 + len(operands))
            self._step(kind, *operands)
        for operands in late:
            self._step("DICT", *operands)


_scalar, _item = operator.itemgetter(()), operator.methodcaller("item")


def _fill_all(x: Any, *contents: dict[Any, Any]) -> None:
    for place, items in zip(containers(x), contents, strict=True):
        fill(place, items)
