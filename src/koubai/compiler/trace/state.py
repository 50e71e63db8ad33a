"""What the body of a loop assigns in its world: it is carried from step to step, too.

    def step(carry, batch):             # p.data, the optimizer's m, v and t are assigned in each
        optimizer.zero_grad()           # step, and read in the next
        loss = loss_of(batch)
        loss.backward()
        optimizer.step()
        return carry, loss

The body runs once as it is; the places that it has assigned are given parameters, and it runs
again, until it assigns no others. What it assigns but never reads, ``self.x = x`` in the forward of
a layer, has the value of the last step in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from koubai.compiler.errors import TraceError
from koubai.compiler.not_stored import NOT_STORED
from koubai.compiler.primitives import Type
from koubai.compiler.trace.body import parameter
from koubai.compiler.trace.contents import CONSTANTS
from koubai.compiler.trace.number import TracedFloat
from koubai.compiler.trace.traced import Trace, Traced
from koubai.compiler.trace.world import World, constant_key
from koubai.core import Variable
from koubai.trees import flatten

Place = tuple[int, Any]
"""A container of the world and a key; or -1 and the number of an array that is written into."""


@dataclass
class _Leaf:
    """One array of what is assigned to a place: what it is made of, and how the place sees it."""

    type: Type
    wrap: Callable[[Traced], Any]
    sign: Any
    is_variable: bool = False


@dataclass
class _Slot:
    """What is assigned to a place: leaves that are arrays, and how it is put together."""

    leaves: list[_Leaf]
    build: Callable[[list[Any]], Any]
    sign: Any
    values: list[int]


Slots = dict[Place, _Slot]


class State:
    """The world of the function of a step, and the places in it that the step assigns.

    Args:
        f: the function.
        trace: the run that it is a part of.
    """

    def __init__(self, f: Callable[..., Any], trace: Trace) -> None:
        self.trace = trace
        self.world = World(f, (), {}, inside=trace)
        self.entered = [place.read() for place in self.world.containers]
        arrays = [x for x in self.world.arrays if type(x) is Traced]
        self._kept = [(x, x._value, x.view) for x in {id(y): y for y in _bases(arrays)}.values()]
        self.roots = [x for x, _, view in self._kept if view is None]
        self._before = [x.value for x in self.roots]
        self.slots: Slots = {}
        self._number = 0  # of runs

    def enter(self, as_before: bool = False) -> list[Traced]:
        """Put parameters into the places that are known to be assigned.

        Args:
            as_before: whether what is no array is as it was before the loop.
        """
        types = [leaf.type for slot in self.slots.values() for leaf in slot.leaves]
        parameters = [Traced(self.trace, parameter(self.trace.program, t), t) for t in types]
        arrays = {place: slot for place, slot in self.slots.items() if slot.leaves}
        self.put(arrays if as_before else self.slots, parameters)
        return parameters

    @property
    def constants(self) -> list[Place]:
        """The places of what is no array, and was something else before the loop."""
        return [
            (i, key)
            for (i, key), slot in self.slots.items()
            if i >= 0
            and not slot.leaves
            and slot.build([]) is not NOT_STORED
            and _slot("", self.entered[i].get(key)).sign != slot.sign
        ]

    def name_of_constant(self) -> str:
        return self._name(*self.constants[0])

    def put(self, slots: Slots, arrays: Sequence[Traced]) -> None:
        """Put ``arrays`` into the places of ``slots``."""
        rest = list(arrays)
        for (i, key), slot in slots.items():
            own, rest = rest[: len(slot.leaves)], rest[len(slot.leaves) :]
            self._put(i, key, slot, own)

    def leave(self) -> bool:
        """Look at what has been assigned; whether all of it was known, and is as it was."""
        found: Slots = {}
        for i, (place, before) in enumerate(zip(self.world.containers, self.entered, strict=True)):
            after = place.read()
            if place.kind in ("list", "set") and len(after) != len(before):
                raise TraceError(
                    f"a step of scan changes the length of a {place.kind}, {self.world.names[i]};"
                    " let the step return what you want of each step, and scan stacks it"
                )
            for key in before.keys() - after.keys():
                raise TraceError(f"a step of scan removes {self._name(i, key)}")
            for key, x in after.items():
                if (i, key) in self.slots or key not in before or before[key] is not x:
                    found[i, key] = _slot(self._name(i, key), x)
        for i, (x, value) in enumerate(zip(self.roots, self._before, strict=True)):
            if (-1, i) in self.slots or x.value != value:
                leaf = _Leaf(x.type, lambda y: y, "array")
                found[-1, i] = _Slot([leaf], lambda xs: xs[0], ("array", x.type), [x.value])
        self._use_up(found)
        same = {k: s.sign for k, s in found.items()} == {k: s.sign for k, s in self.slots.items()}
        if not same and self._number > 4:
            which = [k for k in found if k not in self.slots or found[k].sign != self.slots[k].sign]
            raise TraceError(
                f"{self._name(*which[0])} is another thing after each step of scan (a number that"
                " counts, an object that is made anew): assign an array of one shape and dtype, or"
                " carry it"
            )
        self._number += 1
        self.slots = found
        return same

    def outputs(self) -> list[int]:
        """The values that the places have now."""
        return [value for slot in self.slots.values() for value in slot.values]

    def inits(self) -> list[Traced | None]:
        """What the places had before the loop; None where there was no such array."""
        return [x for place, slot in self.slots.items() for x in self._inits(place, slot)]

    def read_slots(
        self, is_read: Sequence[bool], stacks: Sequence[Traced]
    ) -> tuple[Slots, list[Traced], list[str]]:
        """Of the places, those with leaves that are read; their leaves of ``stacks``.

        Args:
            is_read: of each leaf.

        Returns:
            The places; the stacks; the names of Variables among what is read.
        """
        found: Slots = {}
        theirs: list[Traced] = []
        variables: list[str] = []
        start = 0
        for place, slot in self.slots.items():
            stop = start + len(slot.leaves)
            if any(is_read[start:stop]):
                found[place] = slot
                theirs += stacks[start:stop]
                if any(leaf.is_variable for leaf in slot.leaves):
                    variables.append(self._name(*place))
            start = stop
        return found, theirs, variables

    def names(self) -> Iterator[str]:
        """What the places are called, one for each of ``outputs``."""
        for place, slot in self.slots.items():
            yield from [self._name(*place)] * len(slot.leaves)

    def types(self) -> list[Type]:
        """One for each of ``outputs``."""
        return [leaf.type for slot in self.slots.values() for leaf in slot.leaves]

    def restore(self) -> None:
        """The world as it was before the step."""
        for place, contents in zip(self.world.containers, self.entered, strict=True):
            place.restore(contents)
        for x, value, view in self._kept:
            x._value, x.view = value, view

    def finish(self, values: list[Traced]) -> None:
        """Put what the places have after the loop into the restored world."""
        self.put(self.slots, values)
        for (i, _), slot in self.slots.items():
            if not slot.leaves and slot.build([]) is NOT_STORED:
                self.trace.used_up.add(id(self.world.containers[i].owner))

    def _name(self, i: int, key: Any) -> str:
        if i < 0:
            return f"an array, {self.roots[key]!r},"
        names = {"_data": "data", "": ""}
        return ".".join(x for x in (self.world.names[i], str(names.get(key, key))) if x)

    def _put(self, i: int, key: Any, slot: _Slot, arrays: list[Traced]) -> None:
        leaves = [x.wrap(array) for x, array in zip(slot.leaves, arrays, strict=True)]
        if i < 0:
            self.roots[key]._value = arrays[0].value
        else:
            self.world.containers[i].write(key, slot.build(leaves))

    def _inits(self, place: Place, slot: _Slot) -> list[Traced | None]:
        i, key = place
        if i < 0:
            return [Traced(self.trace, self._before[key], self.roots[key].type)]
        leaves = _flat(self.entered[i].get(key))[0]
        if len(leaves) != len(slot.leaves):
            return [None] * len(slot.leaves)
        return [self._init(x, leaf.type) for x, leaf in zip(leaves, slot.leaves, strict=True)]

    def _init(self, x: Any, type_: Type) -> Traced | None:
        x = x._data if type(x) is Variable else x
        if isinstance(x, bool | int | float) and not isinstance(x, Traced):
            return self.trace.constant(np.full(type_.shape, x, type_.dtype))  # h = 0, to begin with
        if isinstance(x, np.ndarray) and Type(x.dtype, x.shape) == type_:
            return self.trace.constant(x)  # made in the function
        return x if isinstance(x, Traced) and x.type == type_ else None

    def _use_up(self, found: Slots) -> None:
        """A gradient that has updated its Variable in the step is not stored, see not_stored.py."""
        if not self.trace.uses_up:
            return
        read = {v for x in self.trace.program.instructions for v in x.inputs}
        for (i, key), slot in list(found.items()):
            if key == "grad" and (i, "_data") in found and i >= 0:
                owner = self.world.containers[i].owner
                if isinstance(owner, Variable) and slot.values and slot.values[0] in read:
                    found[i, key] = _slot("", NOT_STORED)


def _bases(arrays: list[Traced]) -> Iterator[Traced]:
    """``arrays``, and what they are views of."""
    for x in arrays:
        base: Traced | None = x
        while base is not None:
            yield base
            base = base.base


def _flat(x: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """A container, flat; anything else is a single leaf."""
    if isinstance(x, dict | list | tuple):
        return flatten(x)
    return [x], lambda leaves: leaves[0]


def _slot(name: str, x: Any) -> _Slot:
    """What has been assigned to ``name``."""
    parts, build = _flat(x)
    leaves: list[_Leaf] = []
    values: list[int] = []
    signs: list[Any] = []
    places: list[int] = []
    for i, part in enumerate(parts):
        array = part._data if type(part) is Variable else part
        if isinstance(array, Traced):
            leaf = _Leaf(array.type, _wrap(part), (type(part), array.type), array is not part)
            leaves.append(leaf)
            values.append(array.value)
            signs.append(leaf.sign)
            places.append(i)
        elif isinstance(part, CONSTANTS):
            signs.append(constant_key(part))
        elif isinstance(part, np.ndarray):
            raise TraceError(
                f"a step of scan assigns a new NumPy array to {name}; make it with like=x, or"
                " np.zeros_like(x)"
            )
        else:
            signs.append(id(part))

    def build_of(arrays: list[Any]) -> Any:
        whole = list(parts)
        for i, array in zip(places, arrays, strict=True):
            whole[i] = array
        return build(whole)

    return _Slot(leaves, build_of, tuple(signs), values)


def _wrap(part: Any) -> Callable[[Traced], Any]:
    """From an array to what ``part`` is: a Variable, a float, or an array."""
    if type(part) is Variable:
        return Variable
    if type(part) is TracedFloat:
        return lambda x: TracedFloat.of(x, part.origin)

    def array(x: Traced) -> Traced:
        x.scalar = part.scalar
        return x

    return array
