"""``Optimizer``: what all of them share.

Two rules hold in every update, here and in subclasses, and both serve the compiler, which runs
``step()`` once on traced arrays and makes it part of one program:

- Arrays are rebound (``p.data = ...``, ``self.m[i] = ...``), never written into. An array that
  somebody has kept from before is a snapshot.
- Array values are never asked for: only arithmetic and ``namespace(x)``'s functions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from koubai.arrays import NUMBERS, Array, describe, is_array, is_floating, namespace
from koubai.core.variable import Variable, array_of
from koubai.errors import counted


class Optimizer:
    """Changes parameters along their gradients: subclass it and write ``update``.

    State is made in ``__init__``: lists with one array for each parameter.

    Args:
        parameters: leaf Variables of floating-point numbers, each once; ``model.parameters()``.
        lr: the learning rate, positive and finite.

    Attributes:
        parameters: a list of them.
        lr: may be set to another number between steps.

    Raises:
        TypeError: for something that is not a Variable, or one of integers or booleans.
        ValueError: for no parameters at all, one given twice, one that was computed from others
            (only leaves receive gradients), and an lr out of range.
    """

    def __init__(self, parameters: Iterable[Variable], lr: float) -> None:
        name = type(self).__name__
        # Iterating over a Variable would give its rows, over a Sequential its layers.
        no_list = isinstance(parameters, (Variable, Mapping)) or _is_module(parameters)
        if no_list or not isinstance(parameters, Iterable):
            raise TypeError(f"{name} takes a list of Variables, not {_instead(parameters)}")
        self.parameters = list(parameters)
        if not self.parameters:
            raise ValueError(
                f"{name} got no parameters; a module's are those of its fields that are"
                " nn.Parameter, or modules with such fields"
            )
        places: dict[int, int] = {}
        for i, p in enumerate(self.parameters):
            if not isinstance(p, Variable):
                raise TypeError(
                    f"{name}: parameter {i} is {describe(p)}, not a Variable;"
                    " write model.parameters()"
                )
            if not is_floating(p.data):
                raise TypeError(
                    f"{name}: parameter {i} is {describe(p)}, which has no gradient;"
                    " write Variable(x.astype(float))"
                )
            if p.creator is not None:
                raise ValueError(
                    f"{name}: parameter {i}, {describe(p)}, was computed from other Variables and"
                    " gets no gradient; give those, or Variable(p.data)"
                )
            if id(p) in places:
                raise ValueError(
                    f"{name}: parameters {places[id(p)]} and {i} are the same Variable, which"
                    " would be updated twice a step"
                )
            places[id(p)] = i
        self.lr = positive(lr, f"{name}: lr")

    def step(self) -> None:
        """Update every parameter that has a gradient; those whose ``grad`` is None stay.

        Raises:
            ValueError: if a gradient has not its parameter's shape. Nothing has been changed.
        """
        gradients = [self._gradient(i) for i in range(len(self.parameters))]
        for i, (p, g) in enumerate(zip(self.parameters, gradients, strict=True)):
            if g is not None:
                x = p.data
                p.data = like(self.update(i, x, g), x)

    def update(self, i: int, x: Array, g: Array) -> Array:
        """The next value of parameter ``i``.

        Args:
            i: its place in ``parameters`` and in the lists of state.
            x: its value; not to be written into.
            g: its gradient, of the shape and dtype of x; not to be written into or kept.

        Returns:
            A new array of x's shape.
        """
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.parameters:
            p.cleargrad()

    def _gradient(self, i: int) -> Array | None:
        p = self.parameters[i]
        g = array_of(p.grad)  # a Variable after backward(create_graph=True)
        if g is None:
            return None
        if not is_array(g) or tuple(g.shape) != p.shape:
            raise ValueError(
                f"{type(self).__name__}.step(): the grad of parameter {i} is {describe(g)}, and"
                f" the parameter {describe(p)}: the shapes must be equal"
            )
        return like(g, p.data)

    def __repr__(self) -> str:
        settings = [
            f"{name}={x!r}" for name, x in vars(self).items() if isinstance(x, (float, tuple))
        ]
        parameters = counted(len(self.parameters), "parameter")
        return f"{type(self).__name__}({', '.join([parameters, *settings])})"


def _is_module(x: object) -> bool:
    return callable(getattr(x, "parameters", None))


def _instead(given: object) -> str:
    """What was given in the place of a list of Variables, and what to write."""
    if callable(given) and getattr(given, "__name__", "") == "parameters":
        return "the method itself; write model.parameters(), with parentheses"
    if _is_module(given):
        return f"the module, a {type(given).__name__}; write model.parameters()"
    if isinstance(given, Mapping):
        return "a dict; write list(params.values()), if its values are Variables"
    return f"{describe(given)}; write model.parameters(), or [x] for a single one"


def like(x: Array, other: Array) -> Array:
    """``x`` as an array of the library and the dtype of ``other``.

    Every new value goes through here. NumPy's arithmetic turns 0-d arrays into scalars, which are
    no arrays to the compiler; and a float64 scalar (a step count, a learning rate from
    ``np.geomspace``) would turn float32 parameters into float64.
    """
    if type(x) is type(other) is np.ndarray and x.dtype == other.dtype:
        return x  # nearly always; the rest takes longer than a small update
    xp = namespace(other)
    return xp.astype(xp.asarray(x), other.dtype, copy=False)


def zeros_like(parameters: Iterable[Variable]) -> list[Array]:
    """State to begin with: an array of zeros for each parameter."""
    return [namespace(p.data).zeros_like(p.data) for p in parameters]


def positive(x: float, name: str) -> float:
    """``x`` as a Python float, which leaves float32 arrays float32; ValueError if out of range."""
    if not isinstance(x, NUMBERS) or not 0 < x < math.inf:
        raise ValueError(f"{name} must be a positive finite number, got {describe(x)}")
    return float(x)


def fraction(x: float, name: str) -> float:
    """``x`` as a Python float, from 0 to below 1; ValueError if out of range."""
    if not isinstance(x, NUMBERS) or not 0 <= x < 1:
        raise ValueError(f"{name} must be a number from 0 to below 1, got {describe(x)}")
    return float(x)
