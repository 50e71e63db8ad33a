"""``Case``: one hand-written gradient, and what a check of it has to say.

What a gradient is called, in ``Case.wrong``:

=========================  =====================================================================
"x"                        an input: the parameter of ``forward``, or of the function
"W"                        an attribute of a layer that keeps its gradient in ``dW``
"params[0]"                a parameter whose gradient is ``grads[0]``
"params['W1']"             a parameter whose gradient is ``gradient(x, t)['W1']``
"first.W"                  a parameter of a module, as ``named_parameters()`` calls it
"x"                        a leaf of a graph, by the name of the Variable
=========================  =====================================================================

``forward`` may take integers (labels, indices), and labels t as rows of floats: a ``backward`` that
returns nothing for those is right. A plain layer gets one gradient for each output, and its own
gradients must have the shapes of its inputs; what a ``Function`` returns may be broadcast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Inputs = Callable[[np.random.Generator], tuple[Any, ...]]

KINDS = (
    "upstream ignored",
    "added instead of multiplied",
    "sign",
    "factor",
    "transposed",
    "swapped",
    "sum missing",
    "sum instead of mean",
    "mean instead of sum",
    "diagonal only",
    "output instead of input",
    "input instead of output",
    "outer derivative forgotten",
    "inner derivative forgotten",
    "local derivative forgotten",
    "mask inverted",
    "mask boundary",
    "overwritten",
    "stale cache",
    "wrong shape",
    "wrong dtype",
    "wrong count",
    "none",
    "random forward",
    "history lost",
    "unexplained",
)
WARNINGS = ("upstream mutated", "input mutated", "aliased")
"""The gradients are right, but the layer writes where it should not, or lets others do so."""


@dataclass(frozen=True)
class Case:
    """A target of ``koubai.check`` with its inputs and the verdict that is due.

    Attributes:
        name: of the case, unique.
        target: makes a fresh target, the same each time.
        inputs: draws the arguments that follow the target: ``check(target(), *inputs(rng))``.
        mistake: one of KINDS or WARNINGS; None if all is right.
        wrong: which gradients are wrong. Empty if all is right, and where the mistake belongs to
            no single one ("wrong count", "random forward").
        located: the qualified name of the class (or function) whose backward is at fault.
        warns: the verdict is "right", with a warning.
        notes: what makes the case hard, or what else could be said of it.
        also: other names that are as true of it; ``notes`` says why.
    """

    name: str
    target: Callable[[], Any]
    inputs: Inputs
    mistake: str | None
    wrong: tuple[str, ...] = ()
    located: str = ""
    warns: bool = False
    notes: str = ""
    also: tuple[str, ...] = ()


def normal(*shapes: tuple[int, ...]) -> Inputs:
    """Arrays of these shapes, of the standard normal distribution."""
    return lambda rng: tuple(np.asarray(rng.standard_normal(shape)) for shape in shapes)


def positive(*shapes: tuple[int, ...]) -> Inputs:
    """Arrays of these shapes, of numbers between 0.5 and 2."""
    return lambda rng: tuple(np.asarray(rng.uniform(0.5, 2, shape)) for shape in shapes)


def labelled(n: int, features: int, classes: int, one_hot: bool = False) -> Inputs:
    """Rows x (n, features), and their labels t: integers (n,), or rows of integers (n, classes)."""

    def draw(rng: np.random.Generator) -> tuple[Any, ...]:
        t = rng.permutation(np.arange(n) % classes)
        x = rng.standard_normal((n, features))
        return x, np.eye(classes, dtype=int)[t] if one_hot else t

    return draw


def given(*values: Any) -> Inputs:
    """These values: copies of arrays and lists (as arrays), anything else as it is."""
    return lambda rng: tuple(np.array(v) if isinstance(v, np.ndarray | list) else v for v in values)


def weights(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    """An array of the standard normal distribution, the same each time."""
    return np.asarray(np.random.default_rng(seed).standard_normal(shape))
