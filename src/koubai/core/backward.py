"""The backward pass: from one Variable to everything that it was computed from.

Each function is asked for its ``backward`` once, after all functions that consume its outputs.
Why the order matters, in three nodes:

    b = a + a          dc/db has one part, dc/da two: b must be finished before a is visited,
    c = b * b          and both uses of b must have arrived before Add is asked.

A depth-first walk visits Add when the first use of b has arrived, and again for the second: wrong
sums, or exponential work. Every function carries its creation number, and a function is created
after those that made its inputs; so taking the largest number first, from a heap, is the right
order, the same on every run, and needs no recursion, however deep the graph.

The table of gradients belongs to one pass. Only leaves get theirs stored, in ``.grad``, so a
second pass over the same graph starts afresh and adds the same again.
"""

from __future__ import annotations

from collections.abc import Collection
from heapq import heappop, heappush
from typing import Any

import numpy as np

from koubai import arrays
from koubai.arrays import Array, describe, is_array, is_floating, namespace, shape_of
from koubai.core.function import Copy, Function, as_of, is_differentiable
from koubai.core.variable import Variable, array_of, recording

Gradients = dict[Variable, Any]
_ndarray = np.ndarray


def backward(y: Variable, gy: Any, create_graph: bool) -> None:
    """``Variable.backward``: the gradients of the leaves are added to their ``.grad``."""
    if y._creator is None and is_floating(y._data):
        raise ValueError(
            f"backward(): {y!r} was not computed from other Variables: it is a leaf, or was"
            " computed inside no_grad()"
        )
    leaves = {x: g for x, g in propagate(y, gy, create_graph).items() if x._creator is None}
    if not leaves:
        raise ValueError(
            "backward(): nothing differentiable in reach, all Variables that this one was computed"
            " from hold integers or booleans; write Variable(x.astype(float)) for real numbers"
        )
    for x, gx in leaves.items():
        if x.grad is not None and shape_of(x.grad) != x.shape:
            raise ValueError(
                f"the .grad that was set on {x!r} is {describe(x.grad)}: not of its shape"
            )
        x.grad = gx if x.grad is None else x.grad + gx


def propagate(
    y: Variable, gy: Any = None, create_graph: bool = False, wanted: Collection[Variable] = ()
) -> Gradients:
    """One backward pass from ``y``.

    Args:
        y: where to start.
        gy: the gradient of y; None for ``y.grad`` if somebody set it, else 1.
        create_graph: gradients are Variables with a history of their own, else arrays.
        wanted: variables on the way whose gradients are to be kept, beside those of the leaves.

    Returns:
        The gradients of all leaves in reach and of ``wanted``; nobody else holds their arrays.
    """
    table: Gradients = {y: _seed(y, gy, create_graph)}
    # Inner gradients are dropped as soon as they have been used, unless some are wanted.
    take: Any = table.get if wanted else table.pop
    pending: dict[int, Function] = {}
    heap: list[int] = []
    if y._creator is not None:
        pending[y._creator._number] = y._creator
        heap.append(-y._creator._number)
    token = recording.set(create_graph)
    try:
        while heap:
            number = -heappop(heap)
            f = pending.pop(number)
            try:
                if f._is_simple and not create_graph:
                    gys: Any = (take(f._outputs[0](), None),)
                    gxs = f.backward(gys[0])
                else:
                    gys = _gradients_of_outputs(f, take, create_graph)
                    gxs = (f.rerun() if create_graph else f).backward(*gys)
            except Exception as error:
                error.add_note(f"in the backward of {type(f).__name__}, {f.where()}")
                raise
            inputs = f._inputs
            if type(gxs) is not tuple:
                gxs = tuple(gxs) if isinstance(gxs, (tuple, list)) else (gxs,)
            if len(gxs) != len(inputs):
                gxs = _matched(gxs, f)
            for x, gx in zip(inputs, gxs):  # noqa: B905  # as many, see above
                if not isinstance(x, Variable):
                    continue
                creator = x._creator
                if creator is not None and (n := creator._number) > number:
                    x = as_of(x, f)
                    creator = x._creator
                    n = creator._number if creator is not None else 0
                data = x._data
                if (
                    type(gx) is not _ndarray
                    or gx.dtype is not data.dtype
                    or gx.shape != data.shape
                    or create_graph
                ):
                    if not is_floating(data):
                        continue
                    gx = _fitted(gx, x, f, gys, create_graph)
                held = table.get(x)
                if creator is None:
                    if held is not None:
                        held += gx  # in place: the table's own, see _owned
                        table[x] = held
                    elif is_floating(data):
                        table[x] = _owned(gx, f, gys)
                elif held is not None:
                    table[x] = held + gx
                else:
                    table[x] = gx
                    if n not in pending:
                        pending[n] = creator
                        heappush(heap, -n)
    finally:
        recording.reset(token)
    return {x: gx for x, gx in table.items() if x._creator is None or x in wanted}


def _seed(y: Variable, gy: Any, create_graph: bool) -> Any:
    if not is_floating(y._data):
        raise ValueError(
            f"backward() of {describe(y)}: integers and booleans have no gradient; compute with"
            " real numbers (Variable(x.astype(float)))"
        )
    if gy is None:
        gy = y.grad
    if gy is None:
        if y.size != 1:
            raise ValueError(
                f"backward() of {describe(y)}, which is not a single number, needs the gradient"
                f" to start from: y.backward(gy) with gy of shape {y.shape}, or y.sum().backward()"
            )
        gy = namespace(y._data).ones_like(y._data)
    if not is_array(gy):
        gy = namespace(y._data).asarray(gy)
    if gy.shape != y.shape:
        raise ValueError(
            f"backward(gy): gy is {describe(gy)}, and must have the shape {y.shape} of the"
            " Variable that it is called on"
        )
    return _cast(_variable(gy) if create_graph else array_of(gy), y)


def _variable(x: Any) -> Variable:
    return x if isinstance(x, Variable) else Variable(x)


def _gradients_of_outputs(f: Function, take: Any, create_graph: bool) -> tuple[Any, ...]:
    """The gradients that have arrived at the outputs of ``f``; zeros where none has."""
    gys = []
    for i, link in enumerate(f._outputs):
        gy = take(link(), None)
        if gy is None:
            assert f._tuple_types is not None  # of a single output a gradient has arrived
            shape, dtype = f._tuple_types[i]
            gy = namespace(*map(array_of, f._inputs)).zeros(shape, dtype=dtype)
            gy = Variable(gy) if create_graph else gy
        # A user's backward may write into what it gets (dout[mask] = 0); ours never do.
        gys.append(gy if f._is_ours else Copy()(gy))
    return tuple(gys)


def _matched(gxs: Any, f: Function) -> list[Any]:
    """One gradient for each input, where ``backward`` returned fewer or more.

    A layer that takes labels, forward(x, t), may return the gradient of x alone.
    """
    differentiable = [is_differentiable(x) for x in f._inputs]
    if len(gxs) != sum(differentiable):
        raise ValueError(
            f"the backward of {type(f).__name__} returned {len(gxs)} gradients for"
            f" {len(f._inputs)} inputs, {sum(differentiable)} of them differentiable\n  {f.where()}"
        )
    given = iter(gxs)
    return [next(given) if wants else None for wants in differentiable]


def _fitted(gx: Any, x: Variable, f: Function, gys: tuple[Any, ...], create_graph: bool) -> Any:
    """``gx`` with broadcasting and dtype promotion undone: of the shape and dtype of ``x``.

    Where forward broadcast x, the gradient has the output's shape and is summed over the
    repeated axes. Any other difference of shapes is a mistake, and nothing is guessed.
    """
    name = type(f).__name__
    if gx is None:
        raise ValueError(
            f"the backward of {name} returned None for {describe(x)}, which is differentiable;"
            f" return zeros if it has no influence\n  {f.where()}"
        )
    if create_graph:
        gx = _variable(gx)
    elif isinstance(gx, Variable):
        gx = gx._data
    elif not is_array(gx) or isinstance(gx, np.generic):
        gx = namespace(x._data).asarray(gx)
    if gx.shape != x.shape:
        if gx.shape not in [gy.shape for gy in gys] or not _broadcasts(x.shape, gx.shape):
            raise ValueError(
                f"the backward of {name} returned {describe(gx)} as the gradient of"
                f" {describe(x)}: the shapes must be equal\n  {f.where()}"
            )
        gx = sum_to(gx, x.shape)
    return _cast(gx, x)


def _cast(g: Any, x: Variable) -> Any:
    return g if g.dtype == x.dtype else namespace(g).astype(g, x.dtype)


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    tail = to[len(to) - len(shape) :]
    return len(shape) <= len(to) and all(n in (1, m) for n, m in zip(shape, tail, strict=True))


def sum_to(x: Array, shape: tuple[int, ...]) -> Array:
    """Sum ``x`` over the axes along which an array of ``shape`` was repeated to become like x."""
    lead = len(x.shape) - len(shape)
    repeated = [lead + i for i, n in enumerate(shape) if n == 1 and x.shape[lead + i] != 1]
    xp = namespace(x)
    return xp.reshape(xp.sum(x, axis=(*range(lead), *repeated)), shape)


def _owned(gx: Any, f: Function, gys: tuple[Any, ...]) -> Any:
    """``gx`` for a leaf to keep: a copy, unless it is surely nobody else's.

    Ours return fresh arrays, the upstream gradient itself, or a view of it (no attribute of
    theirs); of a user's function nothing is known.
    """
    fresh = f._is_ours and getattr(gx, "base", None) is None and not any(gx is gy for gy in gys)
    return gx if fresh else arrays.copy(gx)
