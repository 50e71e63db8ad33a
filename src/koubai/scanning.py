"""``scan``: a loop over the first axis of arrays, with something carried from step to step.

Run as it stands it is Python's loop. In a compiled function its body becomes a small program, and
the loop is native; so is that of its derivative, which goes through the steps the other way:

    h, y = f(h, x)                          a step
    gh, gx, gW += vjp of f at (h, x)        of its derivative, from the last step to the first

The derivative of a step is computed from what the step began with. That computes f again; what the
first loop has computed too is not, in the end, for the compiler lets it be kept there
(compiler/passes/loops.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from koubai import arrays
from koubai.arrays import (
    as_array,
    describe,
    is_array,
    is_differentiable,
    is_floating,
    is_scalar,
    namespace,
    shape_of,
)
from koubai.core import Function, Variable, propagate
from koubai.core.variable import array_of
from koubai.ops.joining import stack, unstack
from koubai.ops.reduction import sum
from koubai.recompute import captured, cut
from koubai.recording import recorded, recording, running
from koubai.trees import flatten

Step = Callable[[Any, Any], tuple[Any, Any]]


def scan(
    f: Step, init: Any, xs: Any = None, *, length: int | None = None, reverse: bool = False
) -> tuple[Any, Any]:
    """Call ``carry, y = f(carry, x)`` for each x of ``xs`` in turn, and stack the ys.

    Args:
        f: one step. It returns what is carried on, of the same structure, shapes and dtypes as
            ``carry``, and a result, or None for none. What it gets is its own, to write into as it
            likes; what it returns is taken as it is then. In a compiled function it is run a few
            times, on arrays without numbers, whatever the number of steps; arrays that it assigns
            (``p.data``, an optimizer's state) are carried from step to step as well.
        init: what the first step gets: an array, a Variable, a number, or dicts, lists and tuples
            of them; None for nothing.
        xs: arrays or Variables, of which each step gets one element along their first axis; nested
            as ``init`` may be.
        length: the number of steps; needed only without ``xs``.
        reverse: begin with the last element. The ys lie beside their xs all the same.

    Returns:
        What is carried after the last step, and the ys, each with the steps as its first axis.
        Both can be differentiated, to every order.

    Raises:
        ValueError: for a length that is not that of all xs; for no steps at all in eager
            execution, where nobody knows the shape of y; if f changes the structure, a shape or a
            dtype of what is carried.
        TypeError: if f returns anything else than two values.

    >>> import koubai
    >>> total, sums = koubai.scan(lambda c, x: (c + x, c + x), 0.0, np.array([1.0, 2.0, 4.0]))
    >>> sums
    array([1., 3., 7.])
    """
    return _scan(f, init, xs, length, reverse, f)


def _scan(
    f: Step,
    init: Any,
    xs: Any,
    length: int | None,
    reverse: bool,
    users: Step,
    assigned: Any = None,
) -> tuple[Any, Any]:
    """``scan``, where f may be a step of a derivative, which calls the user's function.

    Args:
        users: that function.
        assigned: what its steps have assigned in the loop that this is the derivative of.
    """
    carried, build_carry = _leaves(init)
    stacks, build_x = _leaves(xs)
    carried = [_as_operand(x) for x in carried]
    stacks = [_as_operand(x) for x in stacks]
    step = _Step(f, build_carry, build_x, len(carried), users, assigned)
    run = _eager if running.get() is None else _compiled
    return run(step, carried, stacks, _length(stacks, length), reverse)


class _Step:
    """``f`` on leaves, instead of on what is built of them.

    Attributes:
        users: the user's function that f is, or calls.
        assigned: see ``_scan``.
        build_y: from leaves to what f has returned as y last.
    """

    def __init__(
        self,
        f: Step,
        build_carry: Callable[[list[Any]], Any],
        build_x: Callable[[list[Any]], Any],
        carries: int,
        users: Step,
        assigned: Any,
    ) -> None:
        self.f, self.build_carry, self.build_x, self.carries = f, build_carry, build_x, carries
        self.users, self.assigned = users, assigned
        self.build_y: Callable[[list[Any]], Any] = lambda leaves: None

    def __call__(self, carried: list[Any], x: list[Any]) -> tuple[list[Any], list[Any]]:
        made = self.f(self.build_carry(carried), self.build_x(x))
        if not isinstance(made, tuple) or len(made) != 2:
            what = f"a tuple of {len(made)}" if isinstance(made, tuple) else describe(made)
            raise TypeError(f"scan: f must return two values, (carry, y), not {what}")
        after, build = _leaves(made[0])
        before, now = (
            b([_ARRAY] * len(x)) for b, x in ((self.build_carry, carried), (build, after))
        )
        if not _alike(before, now):
            raise ValueError(
                f"scan: f must return a carry of the same structure as it gets, {before}, not {now}"
            )
        ys, self.build_y = _leaves(made[1])
        return [_as_operand(a) for a in after], [_as_operand(y) for y in ys]


def _eager(
    step: _Step, carried: list[Any], stacks: list[Any], length: int, reverse: bool
) -> tuple[Any, Any]:
    if not length:
        raise ValueError("scan: no steps to make, so nobody knows the shape of y")
    elements = [unstack(x) if isinstance(x, Variable) else x for x in stacks]
    carried = [_owned(x) for x in carried]
    made: list[list[Any]] = []
    for i in reversed(range(length)) if reverse else range(length):
        after, ys = step(
            carried, [x[i] if isinstance(x, tuple) else _owned(x[i]) for x in elements]
        )
        for k, (old, new) in enumerate(zip(carried, after, strict=True)):
            if shape_of(new) != shape_of(old) or new.dtype != old.dtype:
                raise ValueError(
                    f"scan: carry {k} is {describe(old)} before step {i} and {describe(new)} after"
                    " it; a step must keep shapes and dtypes (make init so)"
                )
        carried = [_owned(x) for x in after]
        made.append([_owned(y) for y in ys])
        if len(ys) != len(made[0]):
            raise ValueError("scan: f must return a y of the same structure in each step")
    if reverse:
        made.reverse()
    columns = [list(column) for column in zip(*made, strict=True)]
    ys = [stack(c) if isinstance(c[0], Variable) else namespace(*c).stack(c) for c in columns]
    return step.build_carry(carried), step.build_y(ys)


def _owned(x: Any) -> Any:
    """``x`` as it is now, whatever a later step writes into it, or assigns to it."""
    is_result = isinstance(x, Variable) and x._creator is not None
    return x if is_result or is_scalar(x) else arrays.copy(x)


# In a compiled function.


def _compiled(
    step: _Step, carried: list[Any], stacks: list[Any], length: int, reverse: bool
) -> tuple[Any, Any]:
    from koubai.compiler.trace.loop import is_gone, loop  # it takes a while to import

    variables = [isinstance(x, Variable) for x in carried]
    x_variables = [isinstance(x, Variable) for x in stacks]
    used: dict[Variable, None] = {}
    y_variables: list[bool] = []

    def body(own: list[Any], x: list[Any]) -> tuple[list[Any], list[Any]] | None:
        nonlocal used, y_variables
        given = [Variable(a) if v else a for a, v in zip(own, variables, strict=True)]
        parts = [Variable(a) if v else a for a, v in zip(x, x_variables, strict=True)]
        since = _now()
        after, ys = step(given, parts)
        become = [isinstance(a, Variable) for a in after]
        if any(b and not v for b, v in zip(become, variables, strict=True)):
            # From the second step on it is a Variable, if others that f uses are.
            variables[:] = [v or b for v, b in zip(variables, become, strict=True)]
            return None
        used = captured([*after, *ys], [*given, *parts], since)
        y_variables = [isinstance(y, Variable) for y in ys]
        return [array_of(a) for a in after], [*(array_of(y) for y in ys), *own]

    first, xs = [array_of(x) for x in carried], [array_of(x) for x in stacks]
    after, made, assigned = loop(body, first, xs, length, reverse, step.users, step.assigned)
    outside = [v for v in used if not is_gone(v.data)]
    n_ys = len(y_variables)
    ys, before = made[:n_ys], made[n_ys:]
    inputs = [*carried, *stacks, *outside]
    if recording.get() and any(is_differentiable(x) for x in inputs):
        kinds = [*variables, *x_variables]
        f = Scan(step, length, reverse, kinds, len(outside), [*after, *ys], before, assigned)
        scanned: Any = f(*inputs)
        results = list(scanned)
    else:
        results = [*after, *ys]
    # What was no Variable in a step is none after the loop.
    flags = [*variables, *y_variables]
    results = [
        (x if isinstance(x, Variable) else Variable(x)) if v else array_of(x)
        for x, v in zip(results, flags, strict=True)
    ]
    return step.build_carry(results[: len(carried)]), step.build_y(results[len(carried) :])


class Scan(Function):
    """A loop that has been run: of what is carried first, xs, and the Variables that f uses.

    Gradient: by the loop in the other direction, see the top of this file.

    Args:
        step, length, reverse: the loop.
        variables: whether they are Variables in a step: what is carried, and what xs hold.
        captured: how many Variables f uses beside its arguments.
        results: what is carried in the end, and the ys.
        before: what each step got, stacked.
        assigned: what the steps have assigned.
    """

    def __init__(
        self,
        step: _Step,
        length: int,
        reverse: bool,
        variables: Sequence[bool],
        captured: int,
        results: Sequence[Any],
        before: Sequence[Any],
        assigned: Any,
    ) -> None:
        self.step, self.length, self.reverse = step, length, reverse
        self.variables, self.captured, self.assigned = variables, captured, assigned
        self.results, self.before = tuple(results), tuple(before)

    def forward(self, *xs: Any) -> Any:
        self.xs = xs[: len(xs) - self.captured]
        if not any(isinstance(x, Variable) for x in xs):
            return self.results
        # Again, for a higher order: what each step got is a result too, to be differentiated.
        n = self.step.carries

        def again(carry: Any, x: Any) -> Any:
            after, ys = self.step(carry, x)
            return after, (ys, carry)

        init, stacks, users = list(self.xs[:n]), list(self.xs[n:]), self.step.users
        after, (ys, before) = _scan(
            again, init, stacks, self.length, self.reverse, users, self.assigned
        )
        self.before = tuple(before)
        return (*after, *ys)

    def backward(self, *gys: Any) -> Any:
        if names := self.assigned.variables:
            raise ValueError(
                f"no gradient goes through a scan whose step reads {names[0]}, a Variable that an"
                " earlier step has assigned: carry it, that is, return it as a part of carry; or"
                " assign its array, h.data, if no gradient is to go that way"
            )
        n, step = self.step.carries, self.step
        inputs = self._inputs
        used = inputs[len(inputs) - self.captured :]
        stacks = list(self.xs[n:])
        higher = any(isinstance(g, Variable) for g in gys)

        def back(carry: Any, parts: Any) -> Any:
            g_carry, totals = carry
            own, x, gy = parts
            with recorded(True):
                leaves = [
                    Variable(a) if v and not isinstance(a, Variable) else a
                    for a, v in zip([*own, *x], self.variables, strict=True)
                ]
                after, ys = step(leaves[:n], leaves[n:])
                pairs = zip([*after, *ys], [*g_carry, *gy], strict=True)
                total = _inner_product([(y, g) for y, g in pairs if isinstance(y, Variable)])
            targets = [x for x in (*leaves, *used) if isinstance(x, Variable)]
            with cut(v for v in targets if v.creator is not None):
                table = propagate(total, None, higher, set(targets))

            def gradient(v: Any) -> Any:
                if not isinstance(v, Variable):
                    return namespace(array_of(v)).zeros_like(array_of(v))
                return table[v] if v in table else namespace(v.data).zeros_like(v.data)

            grads = [gradient(v) for v in leaves]
            totals = [t + gradient(v) for t, v in zip(totals, used, strict=True)]
            return (grads[:n], totals), grads[n:]

        zeros = [namespace(x.data).zeros_like(x.data) for x in used]
        (g_init, totals), g_xs = _scan(
            back,
            (list(gys[:n]), zeros),
            (list(self.before), stacks, list(gys[n:])),
            self.length,
            not self.reverse,
            step.users,
            self.assigned,
        )
        return (*g_init, *g_xs, *totals)


def _inner_product(pairs: list[tuple[Variable, Any]]) -> Variable:
    """The sum of y * gy: its gradients are those of the ys, given gys."""
    products = [sum(y * g) for y, g in pairs if is_floating(y.data)]
    total = products[0]
    for product in products[1:]:
        total = total + product
    return total


def _now() -> int:
    """A number between those of the functions called before and after."""
    number = (Variable(np.zeros(())) * 1.0).creator
    return 0 if number is None else number._number


def _leaves(tree: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """As ``flatten``, but None is nothing, and stays None."""
    leaves, build = flatten(tree)
    there = [i for i, x in enumerate(leaves) if x is not None]

    def build_all(given: list[Any]) -> Any:
        whole: list[Any] = [None] * len(leaves)
        for i, x in zip(there, given, strict=True):
            whole[i] = x
        return build(whole)

    return [leaves[i] for i in there], build_all


def _alike(one: Any, two: Any) -> bool:
    """Whether two trees without leaves of their own are the same."""
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(_alike(one[k], two[k]) for k in one)
    if isinstance(one, (list, tuple)) and type(one) is type(two) and len(one) == len(two):
        return all(_alike(a, b) for a, b in zip(one, two, strict=True))
    return one is two


class _Array:
    """Stands for any array, in messages."""

    def __repr__(self) -> str:
        return "array"


_ARRAY = _Array()


def _as_operand(x: Any) -> Any:
    """A Variable or an array as it is; a number as an array, whole numbers as int64."""
    if is_array(x):
        return x
    return np.asarray(x) if isinstance(x, bool | int | float) else as_array(x)


def _length(stacks: list[Any], length: int | None) -> int:
    if length is not None and (
        isinstance(length, bool) or not isinstance(length, int | np.integer)
    ):
        raise TypeError(f"scan: length must be a whole number, not {length!r}")
    for x in stacks:
        if not shape_of(x):
            raise ValueError(
                f"scan: xs must have a first axis, the steps, not {describe(x)} (a list is a list"
                " of xs; for one array write np.array(xs))"
            )
        n = shape_of(x)[0]
        if length is not None and n != length:
            raise ValueError(f"scan: {describe(x)} among xs has {n} elements, for {length} steps")
        length = n
    if length is None:
        raise ValueError("scan: without xs it needs to be told the length=")
    if length < 0:
        raise ValueError(f"scan: length={length} is negative")
    return length
