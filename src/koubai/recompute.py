"""``checkpoint``: less memory for more time. A part of a graph is forgotten and computed again.

A chain of n layers keeps n results for the backward pass. With each layer checkpointed it keeps the
inputs of the layers, and computes what is inside one layer when the backward pass comes there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from koubai import arrays, errors, random
from koubai.arrays import Array, is_differentiable
from koubai.core import Function, Variable, propagate
from koubai.core.variable import array_of
from koubai.recording import recorded, recording


class Checkpoint(Function):
    """``f`` of the first inputs; the others are the Variables that f uses beside them.

    Args:
        f: the function.
        captured: what it uses beside its arguments, parameters for instance.
        y: its result, computed once to find them.
        state: of the default generator of random numbers before that.
    """

    def __init__(
        self, f: Callable[..., Variable], captured: list[Variable], y: Array, state: Any
    ) -> None:
        self.f, self.captured, self.y, self.state = f, captured, y, state

    def forward(self, *xs: Any) -> Any:
        self.xs = xs[: len(xs) - len(self.captured)]
        if any(isinstance(x, Variable) for x in xs):  # again, for a higher order
            return self._run(self.xs)
        return self.y

    def backward(self, gy: Any) -> tuple[Any, ...]:
        xs = [Variable(x) if is_array_of_floats(x) else x for x in self.xs]
        y = self._run(xs)
        if not arrays.alike(array_of(y), array_of(self.y)):
            raise errors.not_repeatable(self)
        wanted = [*[x if isinstance(x, Variable) else None for x in xs], *self.captured]
        higher = isinstance(gy, Variable)
        with cut(x for x in wanted if x is not None and x.creator is not None):
            table = propagate(y, gy, higher, {x for x in wanted if x is not None})
        return tuple(None if x is None else table[x] if x in table else _zeros(x) for x in wanted)

    def _run(self, xs: Sequence[Any]) -> Variable:
        now = random.default.state()
        random.default.restore(self.state)
        try:
            with recorded(True):
                return self.f(*xs)
        finally:
            random.default.restore(now)


def is_array_of_floats(x: Any) -> bool:
    return not isinstance(x, Variable) and arrays.is_array(x) and arrays.is_floating(x)


def _zeros(x: Variable) -> Array:
    return arrays.namespace(x.data).zeros_like(x.data)


@contextmanager
def cut(xs: Iterator[Variable]) -> Iterator[None]:
    """``xs`` count as leaves for a while: a backward pass goes no further."""
    creators = [(x, x._creator) for x in xs]
    for x, _ in creators:
        x._creator = None
    try:
        yield
    finally:
        for x, creator in creators:
            x._creator = creator


def captured(ys: Iterable[Any], xs: Iterable[Any], since: int) -> dict[Variable, None]:
    """The Variables older than call ``since`` that ``ys`` were computed from, beside ``xs``."""
    found: dict[Variable, None] = {}
    known = {x for x in xs if isinstance(x, Variable)}
    stack = [y for y in ys if isinstance(y, Variable)]
    seen = set(stack)
    while stack:
        x = stack.pop()
        if x in known:
            continue
        if x.creator is None or x.creator._number < since:
            if is_differentiable(x):
                found[x] = None
            continue
        for v in x.creator.inputs:
            if isinstance(v, Variable) and v not in seen:
                seen.add(v)
                stack.append(v)
    return found


def checkpoint(f: Callable[..., Variable]) -> Callable[..., Variable]:
    """``f``, with what it computes on the way forgotten, and computed again by ``backward()``.

    Args:
        f: a function of Variables that returns a Variable; a module will do. It must give the same
            result when it is called again; what it draws from ``koubai.random``'s default generator
            is the same again.

    Returns:
        A function with the same results and gradients, also of the parameters that f uses.

    Raises:
        ValueError: in the backward pass, if f gives another result then.

    Source: T. Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.

    >>> import koubai
    >>> x = Variable(0.5)
    >>> y = checkpoint(lambda x: koubai.exp(koubai.exp(x)))(x)
    >>> y.backward()
    >>> x.grad
    array(8.5738877)
    """

    def checkpointed(*args: Any) -> Variable:
        if not recording.get() or not any(isinstance(a, Variable) for a in args):
            return f(*args)
        state = random.default.state()
        xs = [arrays.copy(a) if is_differentiable(a) else a for a in args]
        since = min([x.creator._number for x in xs if is_differentiable(x)], default=0)
        y = f(*xs)
        used = list(captured([y], xs, since))
        return Checkpoint(f, used, y.data, state)(*args, *used)

    return checkpointed
