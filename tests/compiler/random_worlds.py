"""Random worlds, and random functions that change them: assign, write, delete, swap, share.

A world is a graph of dicts, lists, tuples, objects and Variables with arrays, scalars and numbers
in it, some of them in several places. A function is a list of statements about places in it.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import numpy as np

from koubai import Variable

Rng = np.random.Generator
Place = list[tuple[str, Any]]
Statement = Callable[[Any, Any], Any]


class Box:
    """A user's object."""


class Slots:
    """And one with slots."""

    __slots__ = ("a", "b", "c", "new")


def random_world(rng: Rng, depth: int = 3) -> Any:
    """A dict with random contents."""
    made: list[Any] = []

    def make(depth: int) -> Any:
        kind = rng.integers(12)
        if kind < 3 and made:
            return made[rng.integers(len(made))]
        if depth == 0 or kind < 7:
            leaf = [
                lambda: rng.integers(1, 9, 3).astype(float),
                lambda: rng.integers(1, 9, 3).astype(float),
                lambda: np.array(float(rng.integers(9))),
                lambda: np.float64(rng.integers(9)),
                lambda: int(rng.integers(3)),
                lambda: Variable(rng.integers(1, 9, 3).astype(float)),
            ][rng.integers(6)]()
            if not isinstance(leaf, int):
                made.append(leaf)
            return leaf
        names = ["a", "b", "c"][: rng.integers(1, 4)]
        node: Any = [dict, list, Box, Slots, SimpleNamespace, tuple][rng.integers(6)]()
        if isinstance(node, tuple):
            return tuple(make(depth - 1) for _ in names)
        made.append(node)
        for name in names:
            put(node, name, make(depth - 1))
        return node

    return {name: make(depth) for name in "abcdef"}


def put(node: Any, name: str, x: Any) -> None:
    if isinstance(node, dict):
        node[name] = x
    elif isinstance(node, list):
        i = "abc".find(name)
        if 0 <= i < len(node):
            node[i] = x
        else:
            node.append(x)
    else:
        setattr(node, name, x)


def children(node: Any) -> dict[Any, Any]:
    if isinstance(node, dict):
        return {("item", key): x for key, x in node.items()}
    if isinstance(node, list | tuple):
        return {("item", i): x for i, x in enumerate(node)}
    if isinstance(node, Variable):
        return {("attribute", "data"): node.data}
    if isinstance(node, Slots):
        return {("attribute", s): getattr(node, s) for s in Slots.__slots__ if hasattr(node, s)}
    if isinstance(node, Box | SimpleNamespace):
        return {("attribute", name): x for name, x in vars(node).items()}
    return {}


def places(world: Any) -> list[tuple[Place, Any]]:
    """Every place in the world that is reached without going round, and what is there."""
    found: list[tuple[Place, Any]] = []

    def walk(node: Any, place: Place, on_the_way: list[int]) -> None:
        for step, x in children(node).items():
            found.append(([*place, step], x))
            if id(x) not in on_the_way and len(place) < 4:
                walk(x, [*place, step], [*on_the_way, id(x)])

    walk(world, [], [id(world)])
    return found


def get(world: Any, place: Place) -> Any:
    for kind, key in place:
        if kind == "attribute" and isinstance(world, np.ndarray):
            raise KeyError(key)  # an ndarray has .data too
        world = world[key] if kind == "item" else getattr(world, key)
    return world


def assign(world: Any, place: Place, x: Any) -> None:
    kind, key = place[-1]
    owner = get(world, place[:-1])
    if kind == "item":
        owner[key] = x
    else:
        setattr(owner, key, x)


def random_function(rng: Rng, world: Any, length: int) -> Callable[[Any, Any], Any]:
    """A function of the world and an array: statements that work, one after the other."""
    world = deepcopy(world)
    statements: list[Statement] = []
    while len(statements) < length:
        do, _ = _random_statement(rng, world)
        changed = deepcopy(world)
        try:
            do(changed, np.arange(3.0))
        except (KeyError, IndexError, AttributeError, TypeError, ValueError):
            continue
        statements.append(do)
        world = changed
    _, result = _random_statement(rng, world)

    def function(world: Any, x: Any) -> Any:
        for do in statements:
            do(world, x)
        return result(world, x)

    return function


def _random_statement(rng: Rng, world: Any) -> tuple[Statement, Statement]:
    """A statement that changes the world, and one that gives a value."""
    every = places(world)
    numbers = [place for place, x in every if isinstance(x, np.ndarray | np.generic)]
    arrays = [place for place, x in every if isinstance(x, np.ndarray) and x.ndim]
    fixed = [place for place, x in every if isinstance(get(world, place[:-1]), tuple)]
    free = [place for place, _ in every if place not in fixed and place[-1][1] != "data"]
    data = [place for place, _ in every if place[-1] == ("attribute", "data")]
    counters = [place for place, x in every if isinstance(x, int) and place not in fixed]

    def some(choices: list[Place]) -> Place:
        return choices[rng.integers(len(choices))] if choices else [("item", "none")]

    def expression() -> Statement:
        p, q, n = some(numbers), some(arrays), int(rng.integers(1, 4))
        return [
            lambda w, x: get(w, p) * n + x,
            lambda w, x: get(w, q) - get(w, p),
            lambda w, x: get(w, q).sum(),
            lambda w, x: get(w, q)[n - 1 :],
            lambda w, x: np.zeros(3),
            lambda w, x: x,
            lambda w, x: get(w, p),
        ][rng.integers(7)]

    def structure() -> Statement:
        e, p = expression(), some([place for place, _ in every])
        return [
            e,
            lambda w, x: {"new": e(w, x), "old": get(w, p)},
            lambda w, x: [get(w, p), e(w, x)],
            lambda w, x: (e(w, x), get(w, p)),
            lambda w, x: SimpleNamespace(new=e(w, x)),
            lambda w, x: Variable(np.zeros(3) + e(w, x).sum()),
            lambda w, x: get(w, p),
        ][rng.integers(7)]

    def statement() -> Statement:
        p, q, r, d, c = some(free), some(free), some(arrays), some(data), some(counters)
        e, s = expression(), structure()

        def write(w: Any, x: Any) -> None:
            y = get(w, r)
            y += e(w, x)

        def update(w: Any, x: Any) -> None:
            assign(w, d, get(w, d) * 0.5 + x)

        def swap(w: Any, x: Any) -> None:
            one, two = get(w, p), get(w, q)
            assign(w, p, two)
            assign(w, q, one)

        def delete(w: Any, x: Any) -> None:
            owner, (kind, key) = get(w, p[:-1]), p[-1]
            if isinstance(owner, dict):
                del owner[key]
            elif kind == "attribute":
                delattr(owner, key)

        def count(w: Any, x: Any) -> None:
            assign(w, c, get(w, c) + 1)

        def put_back(w: Any, x: Any) -> None:
            w["a"] = w.pop("a")

        return [
            lambda w, x: assign(w, p, s(w, x)),
            lambda w, x: assign(w, p, s(w, x)),
            write,
            lambda w, x: get(w, r).__setitem__(0, e(w, x).sum()),
            lambda w, x: get(w, r).__setitem__(get(w, r) > 4, 1.0),
            update,
            swap,
            delete,
            count,
            put_back,
        ][rng.integers(10)]

    return statement(), structure()


def canonical(x: Any, seen: Any = None) -> Any:
    """What there is, and what is the same object as what: equal for worlds that are alike."""
    seen = {} if seen is None else seen
    if isinstance(x, np.generic | int | float | str | None):
        return type(x).__name__, float(x) if isinstance(x, np.generic) else x
    if id(x) in seen:
        return seen[id(x)][0]
    if not isinstance(x, tuple):
        seen[id(x)] = len(seen), x  # kept, for the id of what is gone may be used again
    if isinstance(x, np.ndarray):
        return str(x.dtype), x.shape, x.tolist()
    inside = {key: canonical(child, seen) for key, child in children(x).items()}
    return type(x).__name__, list(inside.items())
