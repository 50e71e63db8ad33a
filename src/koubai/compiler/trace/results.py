"""What a traced function left behind, as a recipe to be followed after each run of the program.

A recipe describes a value: "output 3 of the program", "the array that is input 2", "a Variable of
output 0", "a dict with these recipes". ``Results`` has one for the returned value and for each
place of the world that the function assigned, and the list of inputs that it wrote into in place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from koubai.compiler.trace.traced import Trace, Traced, TraceError
from koubai.compiler.trace.world import World, container
from koubai.core import Function, Variable

Recipe = Callable[[Sequence[Any], World], Any]
"""From the program's outputs and the world of this call to a value."""


class Results:
    """Recipes for the returned value, the assigned places and the arrays written in place."""

    def __init__(
        self,
        trace: Trace,
        inputs: list[Traced],
        world: World,
        entered: list[dict[Any, Any]],
        value: Any,
    ) -> None:
        self._trace, self._inputs = trace, inputs
        self._owners = {id(c.owner): i for i, c in enumerate(world.containers)}
        self._outputs: dict[int, int] = {}
        # An input that stands for another value now was written in place: so is its array, for
        # everybody who holds it.
        self.written = [(i, self._output(x.value)) for i, x in enumerate(inputs) if x.value != i]
        _refuse_shared_memory(world, [i for i, _ in self.written])
        self.assigned: list[tuple[int, Any, Recipe]] = []
        self.deleted: list[tuple[int, Any]] = []
        for i, (place, before) in enumerate(zip(world.containers, entered, strict=True)):
            after = place.read()
            if type(place.owner) is list and len(after) != len(before):
                raise TraceError(
                    f"a list in the world of the function changed its length from {len(before)} to"
                    f" {len(after)}; a compiled function may assign elements of it, and return"
                    " lists of its own"
                )
            self.deleted += [(i, key) for key in before if key not in after]
            self.assigned += [
                (i, key, self._recipe(new, f"what it assigned to {key!r}"))
                for key, new in after.items()
                if key not in before or before[key] is not new
            ]
        self.value = self._recipe(value, "the returned value")
        trace.program.outputs = list(self._outputs)
        del self._trace, self._inputs, self._owners

    def place(self, outputs: Sequence[Any], world: World) -> Any:
        """Put the outputs of one run into the world of this call; the value to return."""
        arrays = [_own(array, world) for array in outputs]
        value = self.value(arrays, world)
        assigned = [(i, key, recipe(arrays, world)) for i, key, recipe in self.assigned]
        for i, output in self.written:
            np.copyto(world.arrays[i], arrays[output])
        for i, key, new in assigned:
            world.containers[i].write(key, new)
        for i, key in self.deleted:
            world.containers[i].delete(key)
        return value

    def _output(self, value: int) -> int:
        """The position of a value of the program among its outputs."""
        return self._outputs.setdefault(value, len(self._outputs))

    def _recipe(self, x: Any, what: str) -> Recipe:
        if isinstance(x, Traced):
            if x.trace is not self._trace:
                raise TraceError(f"{what} is {x!r} of another compiled call, which has ended")
            for i, array in enumerate(self._inputs):
                if array is x:
                    return lambda outputs, world: world.arrays[i]
            n = self._output(x.value)
            return lambda outputs, world: outputs[n]
        if id(x) in self._owners:
            owner = self._owners[id(x)]
            return lambda outputs, world: world.containers[owner].owner
        if isinstance(x, Variable):
            data, name, kind = self._recipe(x._data, what), x.name, type(x)
            grad = self._recipe(x.grad, what)
            return lambda outputs, world: _variable(
                kind, data(outputs, world), grad(outputs, world), name
            )
        if isinstance(x, tuple | list):
            parts = [self._recipe(part, what) for part in x]
            make: Any = type(x)._make if hasattr(x, "_make") else type(x)
            return lambda outputs, world: make([part(outputs, world) for part in parts])
        if (place := container(x)) is None or not _holds_traced(x):
            return lambda outputs, world: x
        items = {key: self._recipe(part, what) for key, part in place.read().items()}
        return lambda outputs, world: _rebuilt(
            x, {key: part(outputs, world) for key, part in items.items()}
        )


def _variable(kind: type[Variable], data: Any, grad: Any, name: str | None) -> Variable:
    variable = kind(data, name)
    variable.grad = grad
    return variable


def _rebuilt(x: Any, contents: dict[Any, Any]) -> Any:
    """An object like ``x``, which the function made, with other contents."""
    new = type(x)() if isinstance(x, dict) else object.__new__(type(x))
    place = container(new)
    assert place is not None
    for key, value in contents.items():
        place.write(key, value)
    return new


def _holds_traced(x: Any, depth: int = 10) -> bool:
    """Whether a traced array can be reached from ``x``."""
    if isinstance(x, Traced):
        return True
    if depth == 0:
        return False
    if isinstance(x, tuple):
        return any(_holds_traced(part, depth - 1) for part in x)
    place = container(x) if not isinstance(x, Function) or x.__dict__ else None
    return place is not None and any(_holds_traced(v, depth - 1) for v in place.read().values())


def _own(array: Any, world: World) -> Any:
    """An output that is an input of the program, or a constant of it, must not be shared."""
    if not array.flags.writeable or any(array is x for x in world.arrays):
        return array.copy()
    return array


def _refuse_shared_memory(world: World, written: list[int]) -> None:
    for i in written:
        for j, other in enumerate(world.arrays):
            if i != j and np.may_share_memory(world.arrays[i], other):
                raise TraceError(
                    f"a write in place to {world.paths[i]}, which shares its memory with"
                    f" {world.paths[j]}; write to a copy, or assign a new array"
                )
