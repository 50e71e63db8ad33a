"""Nested containers of values: dicts, lists and tuples, taken apart and put together again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def flatten(tree: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """The leaves of ``tree`` in order, and a function that builds the same tree of other leaves.

    Dicts, lists, tuples and named tuples are taken apart; an object with ``named_parameters()``,
    a module, counts as the dict of its parameters. Anything else is a leaf.

    >>> leaves, build = flatten({"a": 1, "b": (2, [3])})
    >>> leaves, build([x * 10 for x in leaves])
    ([1, 2, 3], {'a': 10, 'b': (20, [30])})
    """
    if hasattr(tree, "named_parameters"):
        tree = dict(tree.named_parameters())
    if isinstance(tree, dict):
        keys, parts = list(tree), [flatten(value) for value in tree.values()]
    elif isinstance(tree, (list, tuple)):
        keys, parts = None, [flatten(value) for value in tree]
    else:
        return [tree], lambda leaves: leaves[0]

    def build(leaves: list[Any]) -> Any:
        rest = list(leaves)
        values = []
        for inner, build_part in parts:
            values.append(build_part(rest[: len(inner)]))
            rest = rest[len(inner) :]
        if keys is not None:
            return dict(zip(keys, values, strict=True))
        return tree._make(values) if hasattr(tree, "_make") else type(tree)(values)

    return [leaf for inner, _ in parts for leaf in inner], build
