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

from numpy import ndarray

from koubai import arrays, errors
from koubai.arrays import as_array, is_array, is_floating, is_scalar, namespace, shape_of
from koubai.core.function import Function, is_differentiable
from koubai.core.variable import Variable, array_of
from koubai.recording import recorded


def backward(y: Variable, gy: Any, create_graph: bool) -> None:
    """``Variable.backward``: the gradients of the leaves are added to their ``.grad``."""
    if y._creator is None and is_floating(y._data):
        raise errors.nothing_computed(y)
    leaves = propagate(y, gy, create_graph)
    if not leaves:
        raise errors.nothing_differentiable()
    for x, gx in leaves.items():
        if x.grad is not None and shape_of(x.grad) != x.shape:
            raise errors.wrong_grad(x)
        total = gx if x.grad is None else x.grad + gx
        x.grad = total if isinstance(total, Variable) else as_array(total)


def propagate(
    y: Variable, gy: Any = None, create_graph: bool = False, wanted: Collection[Variable] = ()
) -> dict[Variable, Any]:
    """One backward pass from ``y``.

    Args:
        y: where to start.
        gy: the gradient of y; None for ``y.grad`` if somebody set it, else 1.
        create_graph: gradients are Variables with a history of their own, else arrays.
        wanted: variables on the way whose gradients are to be kept, beside those of the leaves.

    Returns:
        The gradients of all leaves in reach and of ``wanted``; nobody else holds their arrays.
    """
    table = {y: _seed(y, gy, create_graph)}
    # Inner gradients are dropped as soon as they have been used, unless some are wanted.
    take: Any = table.get if wanted else table.pop
    # By creation number, an output of each function that is yet to be asked.
    pending = {} if y._creator is None else {y._creator._number: y}
    heap = [-number for number in pending]
    with recorded(create_graph):
        while heap:
            number = -heappop(heap)
            output = pending.pop(number)
            f: Any = output._creator
            try:
                if not create_graph and f._is_ours and not f._tuple_types:
                    gys: Any = (take(output),)
                    gxs = f.backward(gys[0])
                else:
                    gys = _gradients_of_outputs(f, take, create_graph)
                    gxs = (f.differentiable_backward if create_graph else f.backward)(*gys)
            except Exception as error:
                error.add_note(f"in the backward of {type(f).__name__}{errors.where(f)}")
                raise
            if type(gxs) is not tuple:
                gxs = tuple(gxs) if isinstance(gxs, (tuple, list)) else (gxs,)
            if len(gxs) != len(f._inputs):
                gxs = _matched(gxs, f)
            for x, gx in zip(f._inputs, gxs):  # noqa: B905  # as many, see above
                if not isinstance(x, Variable):
                    continue
                creator = x._creator
                while creator is not None and (n := creator._number) > number:
                    x = creator._inputs[0]  # as f saw it, see as_of
                    creator = x._creator
                data = x._data
                fits = type(gx) is ndarray and gx.dtype is data.dtype and gx.shape == data.shape
                if create_graph or not fits:
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
                        pending[n] = x
                        heappush(heap, -n)
    return {x: gx for x, gx in table.items() if x._creator is None or x in wanted}


def _seed(y: Variable, gy: Any, create_graph: bool) -> Any:
    if not is_floating(y._data):
        raise errors.not_real(y)
    gy = y.grad if gy is None else gy
    if gy is None:
        if y.size != 1:
            raise errors.not_a_number(y)
        gy = namespace(y._data).ones(y.shape, dtype=y.dtype)
    gy = _as_gradient(gy, y, create_graph)
    if gy.shape != y.shape:
        raise errors.wrong_seed(gy, y)
    return arrays.cast(gy, y.dtype)


def _as_gradient(g: Any, x: Variable, create_graph: bool) -> Any:
    """A gradient of ``x`` as a Variable, or as an array like x's."""
    if not is_array(g) or is_scalar(g):
        g = namespace(x._data, g).asarray(g)
    if create_graph:
        return g if isinstance(g, Variable) else Variable(g)
    return array_of(g)


def _gradients_of_outputs(f: Function, take: Any, create_graph: bool) -> tuple[Any, ...]:
    """The gradients that have arrived at the outputs of ``f``; zeros where none has."""
    gys = []
    for i, link in enumerate(f._outputs):
        gy = take(link(), None)
        if gy is None:
            shape, dtype = f._tuple_types[i]
            gy = namespace(*map(array_of, f._inputs)).zeros(shape, dtype=dtype)
            gy = Variable(gy) if create_graph else gy
        # A user's backward may write into what it gets (dout[mask] = 0); ours never do.
        gys.append(gy if f._is_ours else arrays.copy(gy))
    return tuple(gys)


def _matched(gxs: Any, f: Function) -> list[Any]:
    """One gradient for each input, where ``backward`` returned fewer or more.

    A layer that takes labels, forward(x, t), may return the gradient of x alone.
    """
    differentiable = [is_differentiable(x) for x in f._inputs]
    if len(gxs) != sum(differentiable):
        raise errors.wrong_count(f, gxs, sum(differentiable))
    given = iter(gxs)
    return [next(given) if wants else None for wants in differentiable]


def _fitted(gx: Any, x: Variable, f: Function, gys: tuple[Any, ...], create_graph: bool) -> Any:
    """``gx`` with broadcasting and dtype promotion undone: of the shape and dtype of ``x``.

    Where forward broadcast x, the gradient has the output's shape and is summed over the
    repeated axes. Any other difference of shapes is a mistake, and nothing is guessed.
    """
    if gx is None:
        raise errors.no_gradient(f, x)
    gx = _as_gradient(gx, x, create_graph)
    if gx.shape != x.shape:
        like_output = any(gx.shape == gy.shape for gy in gys)
        if not like_output or not arrays.broadcasts(x.shape, gx.shape):
            raise errors.wrong_shape(f, gx, x)
        gx = _as_gradient(arrays.sum_to(gx, x.shape), x, create_graph)
    return arrays.cast(gx, x.dtype)


def _owned(gx: Any, f: Function, gys: tuple[Any, ...]) -> Any:
    """``gx`` for a leaf to keep: a copy, unless it is surely nobody else's.

    Ours return fresh arrays, the upstream gradient itself, or a view of it (no attribute of
    theirs); of a user's function nothing is known, nor whether an array without ``base`` is a view.
    """
    fresh = f._is_ours and getattr(array_of(gx), "base", gx) is None
    return gx if fresh and id(gx) not in map(id, gys) else arrays.copy(gx)
