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
from operator import iadd
from typing import Any

from numpy import ndarray

from koubai import arrays, errors
from koubai.arrays import is_array, is_differentiable, is_floating, is_scalar, namespace
from koubai.core.function import Function
from koubai.core.variable import Variable, array_of
from koubai.recording import recorded


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
    gy = _seed(y, gy, create_graph)
    if y._creator is None:
        return {y: gy}
    # The output whose function is asked next, that function's number, and, in ``gy``, the gradient.
    output: Variable | None = y
    following = y._creator._number
    # Those that are asked later, of which a chain of operations has none: the numbers are in the
    # heap, the gradients in the table. What has been used is dropped, unless it is wanted.
    heap: list[int] = []
    pending: dict[int, Variable] = {}
    table: dict[Variable, Any] = {}
    leaves: dict[Variable, Any] = {}
    with recorded(create_graph):
        while output is not None:
            f: Any = output._creator
            number = following
            try:
                # A function that nobody asked for its output (see Function._once) is ours and has
                # no other; number 0 is of one that was never called.
                if number and not (create_graph or wanted or f._outputs):
                    gys: Any = (gy,)
                    gxs = f.backward(gy)
                else:
                    table[output] = gy
                    gys = _gradients_of_outputs(output.creator, table, wanted, create_graph)
                    gxs = (f.differentiable_backward if create_graph else f.backward)(*gys)
            except Exception as error:
                error.add_note(f"in the backward of {type(f).__name__}{errors.where(f)}")
                raise
            inputs = f._inputs
            if type(gxs) is not tuple or len(gxs) != len(inputs):
                gxs = _matched(gxs, f)
            output, following = None, -1
            for x, gx in zip(inputs, gxs):  # noqa: B905  # as many, see above
                if not isinstance(x, Variable):
                    continue
                while (creator := x._creator) is not None and (n := creator._number) > number:
                    x = creator._inputs[0]  # as f saw it, see as_of
                data = x._data
                fits = type(gx) is ndarray and gx.dtype is data.dtype and gx.shape == data.shape
                if create_graph or not fits:
                    if not is_floating(data):
                        continue
                    gx = _fitted(gx, x, f, gys, create_graph)
                if creator is None:
                    held = leaves.get(x)
                    leaves[x] = _owned(gx, f, gys) if held is None else iadd(held, gx)  # type: ignore[no-untyped-call]
                elif x is output:
                    gy = gy + gx
                elif (held := table.get(x)) is not None:
                    table[x] = held + gx
                elif output is None and n not in pending:
                    output, following, gy = x, n, gx
                else:
                    table[x] = gx
                    if n != following and n not in pending:  # else its function goes anyway
                        pending[n] = x
                        heappush(heap, -n)
            if heap and -heap[0] > following:
                if output is not None:
                    table[output], pending[following] = gy, output
                    heappush(heap, -following)
                following = -heappop(heap)
                output = pending.pop(following)
                gy = table.pop(output)
    leaves.update({x: gx for x, gx in table.items() if x in wanted})
    return {x: gx for x, gx in leaves.items() if is_floating(x._data)}


def _seed(y: Variable, gy: Any, create_graph: bool) -> Any:
    if not is_floating(y._data):
        raise errors.not_real(y)
    if gy is None and (gy := y.grad) is None:
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
    return array_of(g) if not create_graph else g if isinstance(g, Variable) else Variable(g)


def _gradients_of_outputs(f: Any, table: Any, wanted: Any, create_graph: bool) -> Any:
    """The gradients that have arrived at the outputs of ``f``; zeros where none has."""
    gys = []
    for i, link in enumerate(f._outputs):
        gy = (table.get if wanted else table.pop)(link(), None)
        if gy is None:
            shape, dtype = f._tuple_types[i]
            gy = namespace(*map(array_of, f._inputs)).zeros(shape, dtype=dtype)
            gy = Variable(gy) if create_graph else gy
        # A user's backward may write into what it gets (dout[mask] = 0); ours never do.
        gys.append(gy if f._is_ours else arrays.copy(gy))
    return tuple(gys)


def _matched(gxs: Any, f: Function) -> Any:
    """A tuple with one gradient for each input, where ``backward`` returned something else.

    A layer that takes labels, forward(x, t), may return the gradient of x alone.
    """
    gxs = gxs if isinstance(gxs, (tuple, list)) else (gxs,)
    if len(gxs) == len(f._inputs):
        return gxs
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
