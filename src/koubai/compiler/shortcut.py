"""A shortcut: one call of a compiled function without a walk through its world by Python.

``World`` and ``Results`` say what a call means. A shortcut is made from what they found in one
call, and does the same for worlds of exactly that structure, some hundred times as fast:

    look(function, args, kwargs)      native: the arrays, and the containers that are assigned to;
                                      or None, and the call takes the long way
    place(outputs, arrays, others)    puts the outputs where they belong; returns the function's
                                      value: Python code that is generated for it, and native code
                                      for what is assigned

    def place(outputs, arrays, others):
        m0 = new(Variable)
        m0._data = outputs[17]
        m0._creator = ended(m0)
        write(outputs, arrays, others)
        return m0

Whatever is seldom met (a deleted key, a class attribute that is assigned) has no shortcut.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from koubai.compiler.primitives import PRIMITIVES
from koubai.compiler.runtime import walker
from koubai.compiler.trace.contents import containers
from koubai.compiler.trace.graph import ended
from koubai.compiler.trace.looks import Looks
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


class Shortcut:
    """See above.

    Attributes:
        look, place: see above.
        kept: what the native code refers to by address.
    """

    def __init__(
        self, look: Callable[..., Any], place: Callable[..., Any], kept: list[Any]
    ) -> None:
        self.look, self.place, self.kept = look, place, kept


def shortcut(world: World, results: Results, known: Collection[int]) -> Shortcut | None:
    """A shortcut for calls with worlds like ``world``; None if there can't be one.

    Args:
        world: one that the program is for, before it has run.
        results: what becomes of the program's outputs.
        known: the inputs that are numbers of NumPy's for whose values it was compiled.
    """
    looks = world.looks
    if not looks.complete or results.deleted or results.orders:
        return None
    others = _Others(looks)
    code = _Placer(world, results, others)
    if not looks.complete or not code.complete:
        return None
    for i in known:
        looks.bits(looks.arrays[i], world.arrays[i])
    # Arrays are results of the walk already.
    for i in range(len(world.arrays) - len(world.varied), len(world.arrays)):
        looks.take(looks.arrays[i], i)
    for i, place in enumerate(others.places):
        looks.take(place, len(world.arrays) + i)
    _look_at_memory(looks, results, world)
    if not looks.complete:
        return None
    look = walker.looker(looks.words, looks.places, len(world.arrays), len(others.places))
    return Shortcut(look, code.function(), looks.kept)


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


class _Others:
    """The objects, besides arrays, that placing needs, by the places where the looks find them."""

    def __init__(self, looks: Looks) -> None:
        self.looks = looks
        self.places: list[int] = []

    def number(self, place: int) -> int:
        if place not in self.places:
            self.places.append(place)
        return self.places.index(place)

    def owner(self, container: int) -> str:
        """Code for the object that has this container."""
        return f"others[{self.number(self.looks.owner(container))}]"


class _Placer:
    """The text of ``place``, and what it refers to.

    Attributes:
        complete: whether there can be one.
    """

    def __init__(self, world: World, results: Results, others: _Others) -> None:
        self.others = others
        self.names: dict[str, Any] = {
            "copyto": np.copyto,
            "ended": ended,
            "fill": _fill_all,
            "leave_snapshot": leave_snapshot,
        }
        self.names |= {"new": object.__new__, "put": dict.__setitem__}
        self.lines: list[str] = []
        self.complete = True
        for n, view in enumerate(results.views):
            run = self._name(PRIMITIVES[view.op].run)
            inputs = "".join(f"{self.code(x)}, " for x in view.inputs)
            self.lines.append(f"v{n} = {run}({inputs}**{self._name(view.params)})")
        for n, blueprint in enumerate(results.blueprints):
            self.lines.append(f"m{n} = {self._empty(blueprint)}")
        for n, blueprint in enumerate(results.blueprints):
            self._fill(f"m{n}", blueprint)
        value = self.code(results.value)
        self.lines.append(f"value = {value}")
        self._assign(world, results)
        for i in results.computed:
            owner = others.owner(i)
            self.lines.append(f"{owner}._creator = ended({owner})")

    def function(self) -> Callable[..., Any]:
        body = "\n    ".join([*self.lines, "return value"])
        exec(f"def place(outputs, arrays, others):\n    {body}", self.names)
        place: Callable[..., Any] = self.names["place"]
        return place

    def _name(self, x: Any) -> str:
        name = f"c{len(self.names)}"
        self.names[name] = x
        return name

    def code(self, recipe: Recipe) -> str:
        """An expression for what the recipe makes."""
        match recipe:
            case Output(number, scalar):
                return f"outputs[{number}]" + ("[()]" if scalar else "")
            case Float(number):
                return f"outputs[{number}].item()"
            case Input(number):
                return f"arrays[{number}]"
            case Viewed(number):
                return f"v{number}"
            case Made(number):
                return f"m{number}"
            case Owner(number):
                return self.others.owner(number)
            case Tuple(kind, parts):
                inside = "".join(f"{self.code(part)}, " for part in parts)
                if kind is tuple:
                    return f"({inside})"
                base = tuple if issubclass(kind, tuple) else frozenset
                return f"{self._name(base.__new__)}({self._name(kind)}, ({inside}))"
            case Constant(value):
                return "None" if value is None else self._name(value)

    def _empty(self, blueprint: Blueprint) -> str:
        kind = type(blueprint.empty)
        if kind in (dict, list):
            return f"{kind.__name__}()"
        if kind is Variable:
            return f"new({self._name(Variable)})"
        return f"{self._name(empty_like)}({self._name(blueprint.empty)})"

    def _fill(self, made: str, blueprint: Blueprint) -> None:
        kind = type(blueprint.empty)
        contents = [
            [(key, self.code(key), self.code(value)) for key, value in items]
            for items in blueprint.contents
        ]
        if kind is Variable:
            for key, _, value in contents[0]:
                assert isinstance(key, Constant)
                self.lines.append(f"{made}.{key.value} = {value}")
        elif kind is dict:
            self.lines += [f"{made}[{key}] = {value}" for _, key, value in contents[0]]
        elif kind is list:
            self.lines += [f"{made}.append({value})" for _, _, value in contents[0]]
        elif contents:
            items = ", ".join(
                "{" + ", ".join(f"{key}: {value}" for _, key, value in items) + "}"
                for items in contents
            )
            self.lines.append(f"fill({made}, {items})")
        if issubclass(kind, Variable):
            creator = f"ended({made})" if blueprint.computed else "None"
            self.lines.append(f"{made}._creator = {creator}")

    def _assign(self, world: World, results: Results) -> None:
        was = {output: i for i, output in results.state}
        values: list[str] = []
        words: list[int] = []
        count = results.count
        # A key that is an object of the world is the one of this call.
        by_python: list[str] = []
        dicts = {i for i, key, _ in results.assigned if not isinstance(key, Constant)}
        for i, key, recipe in results.assigned:
            value = self.code(recipe)
            storage = world.looks.storage(i, key.value if isinstance(key, Constant) else None)
            if storage is None:
                self.complete = False
                return
            other = self.others.number(storage.place)
            if i in dicts:
                by_python.append(f"put(others[{other}], {self.code(key)}, {value})")
                continue
            number, input_ = count + len(values), -1
            if isinstance(recipe, Output) and not recipe.scalar:
                number, input_ = recipe.number, was.get(recipe.number, -1)
            else:
                values.append(value)
            operand = storage.operand
            if storage.kind == "DICT":
                operand = id(operand)
                self.others.looks.kept.append(storage.operand)
            words += walker.write(storage.kind, number, input_, other, operand)
        if values:
            self.lines.append(f"values = [*outputs, {', '.join(values)}]")
        for i in results.called:
            # As a call would: results of earlier calls keep what they need for their gradients.
            self.lines.append(f"leave_snapshot({self.others.owner(i)})")
        for i, output in results.written:
            line = f"if outputs[{output}] is not arrays[{i}]: "
            self.lines.append(line + f"copyto(arrays[{i}], outputs[{output}])")
        if words:
            self.names["write"] = walker.writer(words)
            self.lines.append(f"write({'values' if values else 'outputs'}, arrays, others)")
        self.lines += by_python


def _fill_all(x: Any, *contents: dict[Any, Any]) -> None:
    for place, items in zip(containers(x), contents, strict=True):
        fill(place, items)
