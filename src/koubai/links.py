"""Attributes of a function that show its place in the graph, and give way to the user's own."""

from __future__ import annotations

import weakref
from typing import Any

from koubai import errors


class Link:
    """A read-only view of the graph that gives way: a user's ``self.input = x`` shadows it.

    Args:
        name: the attribute with all links, some of them weak references.
        first: whether the first is shown, or all.
    """

    def __init__(self, name: str, first: bool) -> None:
        self.name, self.first = name, first

    def __get__(self, function: Any, owner: Any = None) -> Any:
        if not (links := getattr(function, self.name)):
            raise errors.not_called(function)
        links = tuple(x() if isinstance(x, weakref.ref) else x for x in links)
        return links[0] if self.first else links
