"""What the names of arguments say: W is a matrix, t are labels, ``hidden_size`` is a number."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any
Shape = tuple[int, ...]
Parameter = inspect.Parameter

# All different, so that a gradient of a wrong shape, or along a wrong axis, shows.
ROWS, INPUTS, OUTPUTS = 5, 4, 3
IMAGES: Shape = (2, 3, 6, 6)
FILTERS: Shape = (2, 3, 3, 3)
_WIDTHS = (INPUTS, OUTPUTS, 6, 2)  # W1 leads from the first to the second, W2 on to the third

LABELS = re.compile("ts?|targets?|labels?|y_true|teacher|answers?|t_.*|.*_(label|target)s?")
INDICES = re.compile("idx|ind(ex|ices|exes)?|ids|tokens?|words?|.*_(ids|idx)")
STATE = re.compile("h|c|h_?prev|c_?prev|h0|c0|hs|prev_[hc]|state|hidden")
TRAINING = re.compile("train.*|is_train.*|.*_fla?g")
WEIGHT = re.compile("[wW]|[wW][0-9xhfigo]|[wW][xh]{2}|[wW]_.*|[wW]eights?.*|U|V|kernel")
BIAS = re.compile("b|b[0-9hx]|b_.*|bias.*|beta[0-9]?|gamma[0-9]?")
_INNER = re.compile("[wW]_?h+|U")  # from a state to the next
_NUMBER = re.compile(
    "alpha|beta|gamma|[ckpsa]|eps|epsilon|delta|rate|ratio|slope|scale|factor|momentum|lam|lambda_"
    "|temperature|power|exponent|.*_(rate|ratio|scale|factor)"
)
_SIZES = (
    (re.compile("(kernel|filter|pool|window).*|[kf][hw]"), 2),
    (re.compile("strides?"), 1),
    (re.compile("pad(ding)?"), 0),
    (re.compile("(.*_)?hid(den)?(_.*)?|H"), 6),
    (re.compile("(.*_)?(out|output|class|classes)(_.*|s)?|fan_out|units"), OUTPUTS),
    (re.compile("(.*_)?(in|input|vocab|embed|wordvec)(_.*|s)?|fan_in|D"), INPUTS),
    (re.compile("n|num|(.*_)?(size|dim|dims|features|channels)|(n|num)_.*"), INPUTS),
)


@dataclass(frozen=True)
class World:
    """What names leave open.

    Attributes:
        gates: how many matrices lie side by side in W, as in an LSTM.
        images: whether W are the filters of a convolution.
    """

    gates: int = 1
    images: bool = False


WORLDS = (World(), World(gates=4), World(gates=3), World(images=True))


def required(f: Callable[..., Any]) -> list[Parameter]:
    """The parameters of a function that have no default."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):  # of some that are built in
        return []
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return [p for p in parameters if p.default is p.empty and p.kind in kinds]


def inputs(forward: Callable[..., Any]) -> list[Parameter]:
    """The inputs of a forward, of a class or of an object; ``*xs`` counts as one."""
    try:
        parameters = list(inspect.signature(forward).parameters.values())
    except (TypeError, ValueError):
        return []
    several = [p for p in parameters if p.kind is p.VAR_POSITIONAL]
    return [p for p in required(forward) if p.name != "self"] + several


def is_annotated(p: Parameter, *kinds: type) -> bool:
    """Whether a parameter is annotated as one of some types, or with their names."""
    return any(p.annotation in (kind, kind.__name__) for kind in kinds)


def setting(p: Parameter, world: World, rng: np.random.Generator) -> Any:
    """What to give a constructor.

    Raises:
        LookupError: if the parameter's name and annotation say nothing.

    >>> def constructor(W, input_size, mystery): ...
    >>> W, size, mystery = required(constructor)
    >>> rng = np.random.default_rng(0)
    >>> setting(W, World(), rng).shape, setting(size, World(), rng)
    ((4, 3), 4)
    """
    name, annotation = p.name, str(p.annotation)
    if is_annotated(p, bool):
        return False
    if not is_annotated(p, int, float):
        if WEIGHT.fullmatch(name):
            return weight(name, world, rng)
        if BIAS.fullmatch(name):
            return bias(name, world, rng)
    if "Generator" in annotation or name in ("rng", "generator"):
        return np.random.default_rng(0)
    if name == "seed":
        return 0
    if not is_annotated(p, float):
        for pattern, size in _SIZES:
            if pattern.fullmatch(name):
                return size
    if is_annotated(p, int):
        return INPUTS
    if is_annotated(p, float) or _NUMBER.fullmatch(name):
        return 0.5
    raise LookupError(f"{name} of its constructor could be anything")


def weight(name: str, world: World, rng: np.random.Generator) -> Array:
    """A matrix, or filters."""
    if world.images:
        return rng.normal(size=FILTERS)
    if name[-1] in "123456789":
        i = int(name[-1])
        return rng.normal(size=(_width(i - 1), _width(i)))
    rows = OUTPUTS if _INNER.fullmatch(name) else INPUTS
    return rng.normal(size=(rows, OUTPUTS * world.gates))


def bias(name: str, world: World, rng: np.random.Generator) -> Array:
    """A row: a number for each column of W, or of x for what scales and shifts x."""
    if world.images:
        return rng.normal(size=FILTERS[0])
    if name[-1] in "123456789":
        return rng.normal(size=_width(int(name[-1])))
    return rng.normal(size=INPUTS if name in ("gamma", "beta") else OUTPUTS * world.gates)


def _width(i: int) -> int:
    return _WIDTHS[i % len(_WIDTHS)]


def labels(shape: Shape, rng: np.random.Generator) -> list[Any]:
    """Labels for an x of some shape, in the ways in which they are given.

    Returns:
        Their numbers; one-hot rows of x's width, and of the width of what a network makes of x;
        real numbers of the same shapes.
    """
    rows, width = shape[:-1], shape[-1] if shape else 1
    numbers = np.arange(math.prod(rows)).reshape(rows) % min(OUTPUTS, width)
    return [
        numbers if rows else 0,
        np.eye(width, dtype=int)[numbers].reshape(shape),
        np.eye(OUTPUTS, dtype=int)[numbers],
        rng.normal(size=shape),
        rng.normal(size=(*rows, OUTPUTS)),
        rng.normal(size=(*rows, 1)),
    ]


def call_to_complete(target: Any, forward: Callable[..., Any]) -> str:
    """A call of ``koubai.check`` as code: known arguments, and ``...`` for somebody to fill in.

    >>> class Pool:
    ...     def __init__(self, pool_h, mode): ...
    ...     def forward(self, x): ...
    >>> call_to_complete(Pool, Pool.forward)
    'Pool(pool_h=2, mode=...), np.random.randn(5, 4)'
    """
    if isinstance(target, type):
        settings = ", ".join(f"{p.name}={_code(p)}" for p in required(target))
        parts = [f"{target.__name__}({settings})"]
    else:
        parts = [getattr(target, "__name__", "...")]
    for p in inputs(forward):
        random = f"np.random.randn({ROWS}, {INPUTS})"
        parts.append("np.array([0, 1, 2, 0, 1])" if LABELS.fullmatch(p.name) else random)
    return ", ".join(parts)


def _code(p: Parameter) -> str:
    try:
        x = setting(p, World(), np.random.default_rng(0))
    except LookupError:
        return "..."
    if isinstance(x, np.ndarray):
        return f"np.random.randn({', '.join(map(str, x.shape))})"
    return repr(x) if isinstance(x, int | float) else "np.random.default_rng(0)"
