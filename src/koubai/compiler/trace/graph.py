"""A compiled function's graphs begin and end with it.

``backward()`` inside a compiled function goes through what was computed inside; what was computed
before it, or comes out of it, has values but no history there. So that no gradient is lost
silently, these Variables have a creator that says so when a gradient arrives.

    h = encode(x)               # eagerly, with a history
    compiled_step(h)            # inside, h's creator is an End
    y = compiled_model(x)       # outside, y's creator is an End
"""

from __future__ import annotations

from typing import Any

from koubai.compiler.errors import TraceError
from koubai.compiler.trace.contents import GRAPH
from koubai.compiler.trace.world import World
from koubai.core import Function, Variable


class End(Function):
    """Where a graph ends: gradients can't flow on."""

    _number = 0  # older than what is computed from it, as every creator is
    message = (
        "backward() outside a compiled function, of a Variable that was computed inside: it has its"
        " value, but no history; compile the whole step, with backward() in it (or write"
        " Variable(x.data) for a constant)"
    )

    def backward(self, *gys: Any) -> Any:
        raise TraceError(self.message)

    differentiable_backward = backward


class Beginning(End):
    """The end that is met first: inside a compiled function, of what was computed before it."""

    message = (
        "backward() in a compiled function arrived at a Variable that was computed before the call,"
        " with a history of its own; compute it inside, or pass Variable(x.data) in for a constant"
    )


END, BEGINNING = End(), Beginning()
"""The creators of all such Variables: nothing about an end is its Variable's own."""


class Graphs:
    """The graphs that reach into a world, cut off while the function runs on traced arrays."""

    def __init__(self, world: World) -> None:
        owners = {id(c.owner): c.owner for c in world.containers}.values()
        self.creators = [(x, x._creator) for x in owners if isinstance(x, Variable)]
        self.links = [(f, _links(f)) for f in owners if isinstance(f, Function)]

    def cut(self) -> None:
        """Nothing inside knows of the graphs outside."""
        for x, creator in self.creators:
            if creator is not None:
                x._creator = BEGINNING
        for f, links in self.links:
            for name in links:
                delattr(f, name)
        self.inside = [x._creator for x, _ in self.creators]

    def changed(self) -> tuple[list[Variable], list[Function]]:
        """Variables that have another creator since the cut, and functions that were called."""
        computed = [
            x
            for (x, _), creator in zip(self.creators, self.inside, strict=True)
            if x._creator is not creator
        ]
        return computed, [f for f, _ in self.links if _links(f)]

    def restore(self) -> None:
        """As it was before the cut."""
        for x, creator in self.creators:
            x._creator = creator
        for f, links in self.links:
            for name in _links(f):
                delattr(f, name)
            vars(f).update(links)


def _links(f: Function) -> dict[str, Any]:
    return {name: x for name, x in vars(f).items() if name in GRAPH}
