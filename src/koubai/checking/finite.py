"""Which operation made the first NaN or Inf, and what is said about it.

The rule: NaN always stops. Inf stops the operation that makes it of finite numbers; one that was
given Inf, a mask of -inf for instance, may pass Inf on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from koubai import arrays
from koubai.arrays import is_differentiable, shape_of
from koubai.checking.graphs import (
    argument_names,
    call_of,
    lines_of_path,
    name_of,
    path,
    variables_of,
)
from koubai.checking.numbers import (
    first_bad,
    has_inf,
    has_nan,
    is_finite,
    kind_of_bad,
    numbers_of,
    range_of,
)
from koubai.core import Function, Variable
from koubai.core.variable import array_of
from koubai.location import describe_location

ELEMENTWISE = {"activations", "choice", "elementwise", "exponential", "hyperbolic", "trigonometric"}
"""The files of koubai.ops whose results belong to one element of each input."""

HINTS = {
    "divide": "keep what you divide by away from 0: a / (b + 1e-8), or where(b == 0, 1, b)",
    "reciprocal": "keep x away from 0: 1 / (x + 1e-8), or where(x == 0, 1, x)",
    "log": "keep x above 0: log(x + 1e-8); of probabilities, use log_softmax or"
    " softmax_cross_entropy on the scores",
    "exp": "softmax, logsumexp, sigmoid and softplus do not overflow; or bound x with clip",
    "sqrt": "keep x above 0, where the derivative is infinite: sqrt(x + 1e-8)",
    "pow": "keep x1 above 0 where x2 is not a whole number, or below 1",
    "softmax": "a row of -inf throughout has no softmax: leave one of its places unmasked",
    "linear": "the numbers have grown too large: a smaller learning rate, smaller first weights, or"
    " inputs scaled to about 1",
}
HINTS["matmul"] = HINTS["linear"]
HINTS["logsoftmax"] = HINTS["softmaxcrossentropy"] = HINTS["softmax"]


class NotFinite(FloatingPointError):
    """The first NaN or Inf inside ``koubai.watch()``, and where it comes from."""


def stops(result: Any, given: Sequence[Any]) -> bool:
    """Whether ``result``, computed from ``given``, breaks the rule above."""
    return not is_finite(result) and (has_nan(result) or all(map(is_finite, given)))


# Forward.


def check_call(f: Function, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
    """Raise if a call of ``f`` gave what it should not.

    Raises:
        NotFinite: with the ranges, the user's line, and where NaN among the inputs came from.
    """
    for y in outputs:
        if stops(y, inputs):
            names = argument_names(f, inputs)
            elementwise = type(f).__module__.rpartition(".")[2] in ELEMENTWISE
            lines = explained(name_of(f), y, list(zip(names, inputs, strict=False)), elementwise)
            if f._location is not None:
                lines.insert(-1, f"called at {describe_location(f._location)}")
            if (i := culprit(y, inputs)) is not None:
                lines.insert(-1, _origin(names[i], inputs[i]))
            raise NotFinite(_joined(lines))


def culprit(result: Any, given: Sequence[Any]) -> int | None:
    """The number of the input that ``result`` has it from: the first with NaN, else with Inf."""
    for test in (has_nan, has_inf):
        for i, x in enumerate(given):
            if test(x):
                return i
    return None


def explained(
    name: str, y: Any, given: Sequence[tuple[str, Any]], elementwise: bool, result: str = "result"
) -> list[str]:
    """The lines of a message: what happened, the ranges, and the hint (empty if there is none)."""
    source = culprit(y, [x for _, x in given])
    place = first_bad(y)
    lines = [_headline(name, y, None if source is None else given[source])]
    if place:
        lines[0] += f"; the first at {list(place)}"
    for label, x in given:
        at = _value_at(x, place, shape_of(array_of(y))) if elementwise else ""
        lines.append(f"{label}: {range_of(x)}{at}")
    lines.append(f"{result}: {range_of(y)}")
    passed_on = source is not None and has_nan(given[source][1])
    return [*lines, "" if passed_on else HINTS.get(name.lower(), "")]


def _headline(name: str, y: Any, source: tuple[str, Any] | None) -> str:
    if source is None:
        return f"{name} made {kind_of_bad(y)} of finite numbers"
    label, x = source
    if has_nan(x):
        return f"{name} was given NaN, in {label}, and passed it on"
    return f"{name} made {kind_of_bad(y)} of Inf, which is in {label}"


def _value_at(x: Any, place: tuple[int, ...], shape: tuple[int, ...]) -> str:
    values = numbers_of(x)
    if values is None or not place or not arrays.broadcasts(values.shape, shape):
        return ""
    return f"; there {np.broadcast_to(values, shape)[place]:.6g}"


def _origin(label: str, x: Any) -> str:
    """Where the NaN or Inf in input ``label`` came from: back to the first that holds one."""
    kind = kind_of_bad(x)
    if not isinstance(x, Variable):
        return f"{label} is an array that was passed in: look where its {kind} comes from"
    first = x
    while first._creator is not None:
        bad = [v for v in first._creator._inputs if not is_finite(v)]
        variables = [v for v in bad if isinstance(v, Variable)]
        if not variables:
            what = "was given it in an array" if bad else "made it"
            return f"{label} has its {kind} from before watch(): {call_of(first._creator)}, {what}"
        first = variables[0]
    leaf = f"the leaf {first.name!r}" if first.name else "a leaf"
    whose = f"{label} is {leaf}" if first is x else f"it comes from {leaf}, {range_of(first)}"
    return f"{whose}: data or a parameter that holds {kind}; look where it was made or changed"


def _joined(lines: Sequence[str]) -> str:
    *lines, hint = lines
    return "\n  ".join([*lines, f"Try: {hint}"] if hint else lines)


# Backward.


def check_pass(y: Variable, functions: Sequence[Function], gradients: dict[Variable, Any]) -> None:
    """Raise if a function made NaN or Inf in a backward pass from ``y``.

    Args:
        y: where the pass started.
        functions: those that were asked, in that order.
        gradients: of all Variables on the way.

    Raises:
        NotFinite: with the gradient that the function got, and the path from it to y.
    """
    if has_nan(gradients[y]):
        raise NotFinite(
            f"backward() starts from NaN: the gradient of {_named(y)} to start from, gy or the"
            f" .grad that was set on it, is {range_of(gradients[y])}"
        )
    for f in functions:
        xs = variables_of(f)
        outputs = [link() for link in f._outputs]
        gys = [None if output is None else gradients.get(output) for output in outputs]
        known = [gy for gy in gys if gy is not None]
        if any(stops(gradients.get(x), [*known, *f._inputs]) for x in xs):
            _refuse(y, f, gys, gradients)
    given = [v for f in functions for v in f._inputs]
    for x, gx in gradients.items():  # no function made it: a sum did
        if stops(gx, given):
            raise NotFinite(
                f"the gradient of {_named(x)} became {kind_of_bad(gx)} when it was summed, over all"
                f" uses of it and all rows that it was repeated to: {range_of(gx)}"
            )


def _refuse(y: Variable, f: Function, gys: Sequence[Any], gradients: dict[Variable, Any]) -> None:
    """Raise if it was f that made it, not another function that uses the same Variable."""
    names = argument_names(f, f._inputs)
    for i, (gx, x) in enumerate(_shares(f, gys)):
        seen = array_of(gx)
        with np.errstate(all="ignore"):
            fitted = arrays.cast(seen, x.dtype)
        given = [
            (f"the gradient it was given{f' ({j})' if len(gys) > 1 else ''}", gy)
            for j, gy in enumerate(gys)
            if gy is not None
        ] + list(zip(names, f._inputs, strict=False))
        if not stops(fitted, [v for _, v in given]):
            continue
        label = next((n for n, v in zip(names, f._inputs, strict=False) if v is x), f"input {i}")
        lines = explained(
            f"the backward of {name_of(f)}",
            fitted,
            given,
            type(f).__module__.rpartition(".")[2] in ELEMENTWISE,
            f"the gradient it gave {label}",
        )
        lines[-1] = HINTS.get(name_of(f).lower(), "")
        if is_finite(seen):
            lines[-1] = f"the gradient, {range_of(seen)}, does not fit into {x.dtype}"
        if f._location is not None:
            lines.insert(-1, f"{name_of(f)} was called at {describe_location(f._location)}")
        way = lines_of_path(path(y, f)[1:])
        if way:
            lines[-1:-1] = [f"from there to {_named(y)}:", *[f"  {line}" for line in way]]
        raise NotFinite(_joined(lines))


def _shares(f: Function, gys: Sequence[Any]) -> list[tuple[Any, Variable]]:
    """What ``f`` alone gives its inputs; the Variables may have more from others."""
    zeros = [
        arrays.namespace(*map(array_of, f._inputs)).zeros(shape, dtype=dtype)
        for shape, dtype in f._tuple_types
    ]
    given = [zeros[j] if gy is None else arrays.copy(array_of(gy)) for j, gy in enumerate(gys)]
    gxs = f.backward(*given)
    gxs = list(gxs) if isinstance(gxs, (tuple, list)) else [gxs]
    xs = list(f._inputs)
    if len(gxs) != len(xs):  # one for each differentiable input
        xs = [x for x in xs if is_differentiable(x)]
    pairs = zip(gxs, xs, strict=False)
    return [(gx, x) for gx, x in pairs if gx is not None and is_differentiable(x)]


def _named(x: Variable) -> str:
    if x.name:
        return repr(x.name)
    return f"the result of {name_of(x._creator)}" if x._creator is not None else "a leaf"
