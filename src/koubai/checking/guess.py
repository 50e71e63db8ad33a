"""Make what a layer needs to be called, from the names of its arguments.

What the names leave open, whether x is a matrix or a batch of images, is tried out: the first call
with which forward and backward run is taken; where there is none, the first with which the forward
runs, for the backward may be what is wrong.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from koubai.arrays import describe
from koubai.checking import names
from koubai.checking.by_call import by_call, variable_of
from koubai.checking.names import IMAGES, INPUTS, OUTPUTS, ROWS, Parameter, Shape, required
from koubai.checking.subjects import as_list, reachable, real
from koubai.core import Function, Variable
from koubai.core.variable import array_of
from koubai.nn import Module

# Of x: any numbers, and the domains of log, sqrt and arcsin, and of arccosh.
_DOMAINS = ((-2.0, 2.0), (0.2, 0.8), (1.2, 2.0))


class CannotGuess(ValueError):
    """There is nothing obvious to call a layer with; the text says what is missing.

    Attributes:
        is_base: whether the forward is left to subclasses, so that there is nothing to check.
    """

    def __init__(self, why: str, is_base: bool = False) -> None:
        super().__init__(why)
        self.is_base = is_base


@dataclass(frozen=True)
class Call:
    """What ``koubai.check`` is called with.

    Attributes:
        target, inputs: its arguments.
        description: of both, for the report: "Affine(W: float64[4, 3]), x: float64[5, 4]".
        doubt: a more usual call, and why it was not taken; or "".
    """

    target: Any
    inputs: tuple[Any, ...]
    description: str
    doubt: str = ""


def guess(target: Any, seed: int = 0) -> Call:
    """Make an object of a class, and inputs for its forward; or inputs for an object or function.

    Args:
        target: a class or object with ``forward`` and ``backward``, or with ``loss`` and
            ``gradient``; a function of Variables.
        seed: of the numbers.

    Raises:
        CannotGuess: if an argument could be anything, or the forward does not run with any guess.

    >>> class Scale:
    ...     def __init__(self, W):
    ...         self.W = W
    ...     def forward(self, x):
    ...         return x @ self.W
    ...     def backward(self, dout):
    ...         return dout @ self.W.T
    >>> guess(Scale).description
    'Scale(W: float64[4, 3]), x: float64[5, 4]'
    """
    if not names.inputs(forward_of(target)):
        raise CannotGuess("its forward takes no inputs", is_base=True)
    if isinstance(target, type) and not issubclass(target, Function | Module):
        variable = variable_of(target)
        if variable is not None:
            return _guess(by_call(target, variable), seed)
    return _guess(target, seed)


def _guess(target: Any, seed: int) -> Call:
    only_forward: Call | None = None
    first: Exception | None = None  # of the most usual call
    for make, made in _objects(target, seed):
        for inputs in _inputs(make(), seed):
            said = ", ".join(f"{name}: {describe(x)}" for name, x in inputs.items())
            xs = tuple(inputs.values())
            description = ", ".join(filter(None, [made, said]))
            try:
                backward = _forward(make(), xs)
            except Exception as error:
                if first is None:
                    first = error
                    first.add_note(description)
                continue
            try:
                backward()
            except Exception as error:
                if only_forward is None:
                    doubt = f"with {said} forward runs, but backward raises {_said(error)}"
                    only_forward = Call(make(), xs, description, doubt)
                continue
            # Labels of another kind are no other call; an x of another shape is.
            usual = only_forward is None or _shape(only_forward.inputs) == _shape(xs)
            doubt = "" if only_forward is None or usual else only_forward.doubt
            return Call(make(), xs, description, doubt)
    if only_forward is not None:
        return Call(only_forward.target, only_forward.inputs, only_forward.description)
    assert first is not None
    is_base = isinstance(first, NotImplementedError | _NoNumbers)
    raise CannotGuess(f"with {first.__notes__[0]} forward raises {_said(first)}", is_base)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def _shape(inputs: tuple[Any, ...]) -> Shape:
    return np.shape(inputs[0])


def is_layer(x: Any) -> bool:
    """Whether an object, or a class, has a forward and a backward."""
    return callable(getattr(x, "forward", None)) and callable(getattr(x, "backward", None))


def is_network(x: Any) -> bool:
    """Whether an object, or a class, is a network of the books."""
    return callable(getattr(x, "loss", None)) and callable(getattr(x, "gradient", None))


def forward_of(x: Any) -> Callable[..., Any]:
    """What takes the inputs of an object, a class or a function."""
    f: Callable[..., Any] = x.loss if is_network(x) else getattr(x, "forward", x)
    return f


class _NoNumbers(TypeError):
    """A forward that returns nothing, ``pass``, for instance."""


def _forward(target: Any, inputs: tuple[Any, ...]) -> Callable[[], Any]:
    """Call the forward.

    Returns:
        What calls the backward, if that is written by hand.

    Raises:
        Exception: what the forward raises; and for outputs that are not finite.
    """
    inputs = copy.deepcopy(inputs)
    by_hand = is_network(target) or (is_layer(target) and not isinstance(target, Function | Module))
    if by_hand:
        outputs = as_list(forward_of(target)(*inputs))
    else:
        outputs = as_list(target(*[Variable(x) if real(x) else x for x in inputs]))
    ys = [array_of(y) for y in outputs]
    for y in ys:
        if not isinstance(y, int | float | np.ndarray | np.generic):
            raise _NoNumbers(f"it gives {describe(y)}, no numbers")
        if not np.isfinite(y).all():
            raise FloatingPointError("it gives NaN or Inf")
    if is_network(target):
        return lambda: target.gradient(*inputs)
    if isinstance(target, Module) or not is_layer(target):
        return lambda: None
    return lambda: target.backward(*[np.ones_like(y) if np.ndim(y) else 1.0 for y in ys])


def _objects(target: Any, seed: int) -> Iterator[tuple[Callable[[], Any], str]]:
    """Ways to make the object, the same at every call, each with its description."""
    if not isinstance(target, type):
        yield lambda: copy.deepcopy(target), ""
        return
    failed: Exception | None = None
    parameters = required(target)
    for world in names.WORLDS if parameters else names.WORLDS[:1]:
        rng = np.random.default_rng([seed, 1])
        try:
            settings = {p.name: names.setting(p, world, rng) for p in parameters}
        except LookupError as error:
            raise CannotGuess(str(error.args[0])) from error
        said = ", ".join(f"{name}: {describe(x)}" for name, x in settings.items())

        def make(settings: dict[str, Any] = settings) -> Any:
            np.random.seed(seed)  # noqa: NPY002  many constructors draw their weights from it
            return target(*copy.deepcopy(tuple(settings.values())))

        try:
            make()
        except Exception as error:
            failed = failed or error
            continue
        yield make, f"{target.__name__}({said})" if settings else ""
        failed = None
    if failed is not None:
        raise CannotGuess(f"its constructor raises {_said(failed)}") from failed


def _inputs(target: Any, seed: int) -> Iterator[dict[str, Any]]:
    """Inputs of the forward by name, the most usual ones first."""
    parameters = names.inputs(forward_of(target))
    has_weights = any(names.WEIGHT.fullmatch(p.name) for p in parameters)
    # A "w" may be a factor of x's shape, too.
    readings = [[p.name for p in parameters if _is_like_x(p, w)] for w in (has_weights, False)]
    targets = [p.name for p in parameters if names.LABELS.fullmatch(p.name)]
    arrays = _arrays(target)
    for shapes, like_x, (low, high) in itertools.product(_shapes(arrays), readings, _DOMAINS):
        if len(shapes) > 1 and len(like_x) != len(shapes):
            continue
        rng = np.random.default_rng([seed, 2])
        shape_of = dict(zip(like_x, itertools.cycle(shapes), strict=False))
        values = {}
        for p in parameters:
            if p.name in shape_of:
                values[p.name] = _number(p, rng.uniform(low, high, size=shape_of[p.name]))
            else:
                values[p.name] = _other(p, shapes[0], arrays, rng)
        for t in names.labels(shapes[0], rng) if targets else [None]:
            yield values | dict.fromkeys(targets, t)


def _arrays(target: Any) -> list[Any]:
    """The arrays that an object holds: its weights."""
    parameters = target.parameters() if isinstance(target, Module) else ()
    return [*reachable(target), *(p.data for p in parameters)]


def _shapes(arrays: list[Any]) -> Iterator[Sequence[Shape]]:
    """Shapes of x to try; and of x and another input, where they differ."""
    # An x as wide as a weight is high; reversed, for weights of the other layout.
    widths = [n for a in arrays for n in np.shape(a)]
    widths = [INPUTS] * (INPUTS in widths or not widths) + widths + [INPUTS]
    widths = list(dict.fromkeys(widths))[:8]
    filters = {np.shape(a)[1] for a in arrays if np.ndim(a) == 4}
    yield from ([(IMAGES[0], channels, *IMAGES[2:])] for channels in sorted(filters))
    yield from ([(ROWS, n)] for n in widths)
    yield [(ROWS, INPUTS), (INPUTS, OUTPUTS)]  # a product
    yield [(ROWS, INPUTS), (INPUTS,)]  # and a row
    yield from ([(n,)] for n in widths)
    yield [()]
    yield from ([(2, ROWS, n)] for n in widths)
    yield [IMAGES]


def _is_like_x(p: Parameter, has_weights: bool) -> bool:
    """Whether an input may have any shape. A "b" may, where there is no "W" beside it."""
    named = [names.LABELS, names.INDICES, names.TRAINING]
    if has_weights:
        named += [names.WEIGHT, names.BIAS]
    if any(pattern.fullmatch(p.name) for pattern in named) or names.is_annotated(p, bool):
        return False
    return not names.STATE.fullmatch(p.name) or p.name in ("c", "h")


def _number(p: Parameter, x: Any) -> Any:
    """``x``, as a short number where the annotation wants one."""
    return round(float(np.mean(x)), 2) if names.is_annotated(p, float) or not np.ndim(x) else x


def _other(p: Parameter, x: Shape, arrays: list[Any], rng: np.random.Generator) -> Any:
    """An input of which the name says what it is, beside an x of some shape."""
    name = p.name
    if names.TRAINING.fullmatch(name) or names.is_annotated(p, bool):
        return True
    if names.INDICES.fullmatch(name):
        return rng.integers(OUTPUTS, size=x)
    if names.STATE.fullmatch(name):
        # As many as rows of the other matrix, Wh.
        heights = [len(a) for a in arrays if np.ndim(a) == 2 and (len(a),) != x[-1:]]
        rows = x[:1] if len(x) > 1 else ()  # of a step, or of a sequence (N, T, D)
        return rng.normal(size=(*rows, *([*heights, OUTPUTS][:1] if x else ())))
    make = names.weight if names.WEIGHT.fullmatch(name) else names.bias
    return make(name, names.World(), rng)
