"""``explain_grad``: why a Variable has no gradient, or only zeros.

What is known: the graph behind the loss; which functions are alive and what they were called with
(Python's garbage collector knows them); and which arrays are the same memory. What is not: what
was computed inside ``no_grad()`` left no trace.
"""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from koubai.arrays import describe, is_differentiable, is_floating, namespace
from koubai.checking.graphs import argument_names, call_of, functions_of, name_of, variables_of
from koubai.checking.numbers import has_nan, is_zero, range_of
from koubai.core import Function, Variable, propagate
from koubai.core.variable import array_of

_MOST = 5
"""Functions or leaves that are listed."""

_WHY_ZERO = {
    "Relu": "nothing in its input is above 0 (dead units)",
    "Multiply": "the other factor is 0 wherever a gradient arrives",
    "Where": "the condition chooses the other one wherever a gradient arrives",
    "Maximum": "the other one is larger wherever a gradient arrives",
    "Minimum": "the other one is smaller wherever a gradient arrives",
    "ClipMin": "all of it lies below the bound",
    "ClipMax": "all of it lies above the bound",
    "Sigmoid": "it is saturated: the derivative is 0 in this precision",
    "Tanh": "it is saturated: the derivative is 0 in this precision",
    "Softmax": "one probability is 1 in this precision, or all gradients in a row are equal",
    "SoftmaxCrossEntropy": "the scores fit the targets exactly, in this precision",
    "MeanSquaredError": "x and t are equal",
}


class Explanation(str):
    """A text that Python's prompt shows as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def explain_grad(v: Variable, loss: Variable | None = None, /) -> Explanation:
    """Say why ``v.grad`` is None, or zero; or that it is fine.

    Args:
        v: the Variable whose gradient is missing.
        loss: what ``backward()`` was, or is to be, called on. With it the graph is searched for
            where the gradient gets lost, in a backward pass of its own that leaves all ``.grad`` as
            they are; without it, the text says what can be known from v.

    Returns:
        A text to print. The lines of operations are known if they were called inside
        ``koubai.watch()``; those of your own Functions always.

    Raises:
        TypeError: if v or loss is not a Variable.

    >>> import koubai
    >>> W, x = Variable([1.0, 2.0], name="W"), Variable([3.0, 4.0], name="x")
    >>> loss = (W.data * x).sum()
    >>> loss.backward()
    >>> explain_grad(W, loss)
    W.grad is None: the loss was computed from W's array, but without its history.
      It is a constant there: x1 of Multiply.
      Write W, not W.data or W.detach(), where the gradient is to go through.
      (Inside koubai.watch() the lines that called operations are known too.)
    """
    for name, x in (("v", v), ("loss", loss)):
        if not isinstance(x, Variable) and (name == "v" or x is not None):
            raise TypeError(
                f"explain_grad takes the Variable itself as {name}, not {describe(x)}; an array"
                " has no gradient"
            )
    lines, functions = _explanation(v, loss)
    if any(f._location is None for f in functions):
        lines.append("(Inside koubai.watch() the lines that called operations are known too.)")
    return Explanation("\n  ".join(lines))


_Found = tuple[list[str], list[Function]]
"""The lines of an explanation, and the functions that they mention."""


def _explanation(v: Variable, loss: Variable | None) -> _Found:
    if not is_floating(v._data):
        return [
            f"{_headline(v)}: it is {describe(v)}, and integers and booleans have no gradient.",
            "Write Variable(x.astype(float)) for real numbers.",
        ], []
    if v._creator is not None:
        return _of_inner(v, loss)
    if v.grad is not None and not is_zero(v.grad):
        return _fine(v), []
    if loss is None:
        return _alone(v)
    if v is loss:
        return [f"{_headline(v)}: the loss is v itself, a leaf; nothing was computed."], []
    functions = functions_of(loss)
    if not _is_reached(v, functions):
        return _not_reached(v, loss, functions)
    return _reached(v, loss, functions)


def _name(v: Variable) -> str:
    return v.name or "v"


def _headline(v: Variable) -> str:
    return f"{_name(v)}.grad is {'None' if v.grad is None else 'all zero'}"


def _fine(v: Variable) -> list[str]:
    lines = [f"{_name(v)}.grad is there: {range_of(v.grad)}."]
    if has_nan(v.grad):
        lines.append("Compute it inside koubai.watch(), which stops where the NaN is made.")
    return lines


def _of_inner(v: Variable, loss: Variable | None) -> _Found:
    creator: Any = v._creator
    lines = [
        f"{_headline(v)}: only leaves, which nothing computed, are given their .grad, and"
        f" {_name(v)} was computed:",
        f"by {call_of(creator)}.",
        f"To get it, differentiate by {_name(v)}: koubai.grad(rest)({_name(v)}), rest being the"
        " function of it that gives the loss; or make a leaf of it, Variable(v.data).",
    ]
    if loss is not None and v is not loss:
        functions = functions_of(loss)
        if not _is_reached(v, functions):
            lines.append("(The loss was not computed from it either.)")
        elif isinstance(table := _gradients(loss, functions), dict):
            lines.append(f"In a backward pass from the loss it gets {range_of(table.get(v))}.")
    return lines, [creator]


def _alone(v: Variable) -> _Found:
    """Without a loss: which living functions know v, or its array."""
    more = f"explain_grad({_name(v)}, loss) tells more."
    if v.grad is not None:
        return [f"{_headline(v)}: {range_of(v.grad)}.", more], []
    alive = _functions_alive()
    if users := [f for f in alive if any(x is v for x in f._inputs)]:
        return [
            f"{_headline(v)}, though {_name(v)} is in a graph: it was used by",
            *_listed(users),
            "Either backward() has not been called on what was computed from that, or the gradient"
            " was cleared since (cleargrad(), zero_grad()), or it got lost on the way to the loss.",
            more,
        ], users[:_MOST]
    if users := [f for f, _, _ in _uses_of_array(v, alive)]:
        return [
            f"{_headline(v)}: {_name(v)}'s array was used, without its history, by",
            *_listed(users),
            f"Write {_name(v)}, not {_name(v)}.data or {_name(v)}.detach().",
            more,
        ], users[:_MOST]
    return [
        f"{_headline(v)}, and nothing that is still there was computed from it with a history:",
        "it was never used; or only inside no_grad(); or the results are gone, and backward() was"
        " not called on them, or the gradient was cleared since (cleargrad(), zero_grad()).",
        more,
    ], []


# The loss was not computed from v.


def _not_reached(v: Variable, loss: Variable, functions: list[Function]) -> _Found:
    name = _name(v)
    if not functions:
        return [
            f"{_headline(v)}: the loss has no history.",
            "It was computed inside no_grad(), or from arrays alone (.data, .detach(), .item(),"
            " NumPy arrays), or is a leaf.",
        ], []
    for d, by in _downstream(v):
        if uses := _uses_of_array(d, functions):
            f, label, x = uses[0]
            what = f"{name}'s array" if d is v else "an array that was computed from it"
            lines = [f"{_headline(v)}: the loss was computed from {what}, but without its history."]
            mentioned = [f]
            if by is not None:
                mentioned.append(by)
                lines.append(f"The array came from {call_of(by)}.")
            if isinstance(x, Variable):
                lines.append(f"Another Variable, a new leaf, holds it: {label} of {call_of(f)}.")
            else:
                lines.append(f"It is a constant there: {label} of {call_of(f)}.")
            short = name if d is v else d.name or "y"
            lines.append(
                f"Write {short}, not {short}.data or {short}.detach(), where the gradient is to go"
                " through."
            )
            return lines, mentioned
    lines = [f"{_headline(v)}: the loss was not computed from {name}, nor from its array."]
    lines += [f.message for f in functions if not f._inputs and hasattr(f, "message")]
    users = [f for f in _functions_alive() if any(x is v for x in f._inputs)]
    if users:
        lines += [f"{name} was used, but the loss does not depend on the result, by"]
        lines += _listed(users)
    leaves = _distinct(x for f in functions for x in variables_of(f) if x._creator is None)
    shown = ", ".join(_text_of_leaf(x) for x in leaves[:_MOST])
    lines.append(f"The loss depends on {len(leaves)} leaves: {shown}{_and_more(leaves)}.")
    lines.append(
        f"If {name} should be among them, its history was lost on the way: through .data,"
        " .detach(), .item(), or inside no_grad(); or another Variable was used in its place."
    )
    return lines, users[:_MOST]


def _downstream(v: Variable) -> list[tuple[Variable, Function | None]]:
    """``v``, and what was computed from it and is still there, with the function that did."""
    users = defaultdict(list)
    for f in _functions_alive():
        for x in f._inputs:
            if isinstance(x, Variable):
                users[id(x)].append(f)
    found: list[tuple[Variable, Function | None]] = [(v, None)]
    seen = {id(v)}
    for x, _ in found:
        for f in users[id(x)]:
            for y in (link() for link in f._outputs):
                if y is not None and id(y) not in seen:
                    seen.add(id(y))
                    found.append((y, f))
    return found


def _uses_of_array(v: Variable, functions: Iterable[Function]) -> list[tuple[Function, str, Any]]:
    """Where the array of ``v``, or a view of it, is an input and v is not: function, name, input.

    A leaf with v's array was made of it; what a function computed from v, a view perhaps, was not.
    """
    if not isinstance(v._data, np.ndarray):
        return []
    found = []
    for f in functions:
        for name, x in zip(argument_names(f, f._inputs), f._inputs, strict=False):
            constant = not isinstance(x, Variable) or (x is not v and x._creator is None)
            array = array_of(x)
            if constant and isinstance(array, np.ndarray) and np.may_share_memory(array, v._data):
                found.append((f, name, x))
    return found


# It was.


def _reached(v: Variable, loss: Variable, functions: list[Function]) -> _Found:
    table = _gradients(loss, functions)
    if isinstance(table, Exception):
        return [f"{_headline(v)}: backward() of the loss fails.", str(table)], []
    gradient = table.get(v)
    if gradient is not None and is_zero(gradient):
        return _masked(v, loss, functions, table)
    gives = f"loss.backward() gives it {range_of(gradient)}."
    if v.grad is not None:
        return [
            f"{_headline(v)}, but {gives}",
            "It was set to zeros, or comes from another backward().",
        ], []
    leaves = _distinct(x for f in functions for x in variables_of(f) if x._creator is None)
    others = [x for x in leaves if x.grad is not None]
    if others:
        shown = ", ".join(_text_of_leaf(x) for x in others[:_MOST])
        why = (
            f"Others have theirs ({shown}{_and_more(others)}), so it was cleared after backward()"
            " (cleargrad(), zero_grad(), or grad = None), or theirs are from another backward()."
        )
    else:
        why = (
            "No leaf of the loss has a gradient: backward() has not been called on it, or all were"
            " cleared since (cleargrad(), zero_grad()). grad(), vjp() and the like return gradients"
            " and leave .grad alone."
        )
    return [f"{_headline(v)}, though the loss was computed from {_name(v)}: {gives}", why], []


def _gradients(loss: Variable, functions: Sequence[Function]) -> dict[Variable, Any] | Exception:
    """The gradients of all Variables on the way; the error where that fails."""
    gy = None
    if loss.size != 1 and loss.grad is None:
        gy = namespace(loss._data).ones_like(loss._data)
    try:
        return propagate(loss, gy, wanted={loss, *(x for f in functions for x in variables_of(f))})
    except Exception as error:
        return error


def _masked(
    v: Variable, loss: Variable, functions: list[Function], table: dict[Variable, Any]
) -> _Found:
    """The functions on the way to v where what arrived was not zero, and what left was."""
    lines = [f"{_headline(v)}: on every way from the loss to {_name(v)} the gradient becomes 0."]
    if v.grad is None:
        lines = [f"{_headline(v)}, and loss.backward() gives it zeros: the gradient gets lost."]
    if is_zero(table.get(loss)):
        return [*lines, "The backward pass starts from zeros: the loss's own .grad is 0."], []
    lead = {id(v)}  # the Variables that v is a part of
    for f in reversed(functions):
        if any(id(x) in lead for x in variables_of(f)):
            lead.update(id(y) for link in f._outputs if (y := link()) is not None)
    found = []
    for f in functions:
        outputs = [y for link in f._outputs if (y := link()) is not None]
        if all(is_zero(table[y]) for y in outputs if y in table):
            continue
        for name, x in zip(argument_names(f, f._inputs), f._inputs, strict=False):
            if isinstance(x, Variable) and id(x) in lead and is_differentiable(x):
                gx = table.get(x)
                if gx is not None and is_zero(gx):
                    found.append((f, name, x, outputs[0]))
    for f, name, x, y in found[:_MOST]:
        uses = sum(any(z is x for z in variables_of(g)) for g in functions)
        why = _WHY_ZERO.get(name_of(f))
        cancel = "; it has other uses, and gradients may cancel out" if uses > 1 else ""
        lines.append(f"At {call_of(f)}: what arrives is {range_of(table[y])}, and what it gives")
        lines[-1] += f" {name} ({range_of(x)}) is 0{f': {why}' if why else ''}{cancel}."
    return lines, [f for f, *_ in found[:_MOST]]


# Words, and what is alive.


def _is_reached(v: Variable, functions: Iterable[Function]) -> bool:
    return any(x is v for f in functions for x in variables_of(f))


def _functions_alive() -> list[Function]:
    """All functions of graphs that somebody still holds, the latest first."""
    objects = gc.get_objects()
    for x in objects:  # asked by type, for a proxy's isinstance may be anything
        if issubclass(type(x), Variable):
            getattr(x, "creator", None)  # links it as its creator's output, see Function._once
    alive = [x for x in objects if issubclass(type(x), Function) and x._inputs]
    return sorted(alive, key=lambda f: -f._number)


def _distinct(xs: Iterable[Variable]) -> list[Variable]:
    return [x for x in dict.fromkeys(xs) if is_differentiable(x)]


def _text_of_leaf(x: Variable) -> str:
    return f"{x.name} {describe(x)}" if x.name else describe(x)


def _listed(functions: Sequence[Function]) -> list[str]:
    lines = [f"  {call_of(f)}" for f in functions[:_MOST]]
    return lines + ([f"  and {len(functions) - _MOST} more"] if len(functions) > _MOST else [])


def _and_more(xs: Sequence[Any]) -> str:
    return f" and {len(xs) - _MOST} more" if len(xs) > _MOST else ""
