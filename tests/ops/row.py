"""What a row of the table of operations says, and the arguments that it is written with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import koubai

Function = Callable[..., Any]
Rng = np.random.Generator


@dataclass(frozen=True)
class Drawn:
    """An argument to be drawn at random: an array of ``shape``."""

    name: str
    shape: tuple[int, ...]
    draw: Callable[[Rng, tuple[int, ...]], Any]
    differentiable: bool = True

    def __call__(self, rng: Rng) -> Any:
        return np.asarray(self.draw(rng, self.shape))

    def __repr__(self) -> str:
        return f"{self.name}{list(self.shape)}"


@dataclass(frozen=True)
class Sample:
    """Arguments to call an operation with; whether array-api-strict and PyTorch can do it too."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    strict: bool
    torch: bool


@dataclass(frozen=True)
class Special:
    """A point where a choice was made: the value, and the gradients of its sum, one an array.

    ``torch=False`` marks a choice that is not PyTorch's; the docstring of the Function says why.
    ``divides=True`` says that NumPy divides by 0 on the way to a finite value.
    """

    args: tuple[Any, ...]
    value: Any
    gradients: tuple[Any, ...]
    kwargs: dict[str, Any]
    torch: bool
    divides: bool

    def warnings(self) -> np.errstate:
        """NumPy may warn of a division by zero, or of NaN, only where these are expected."""
        numbers = np.concatenate([np.ravel(x) for x in (self.value, *self.gradients)])
        return np.errstate(
            divide="ignore" if self.divides or np.isinf(numbers).any() else None,
            invalid="ignore" if np.isnan(numbers).any() else None,
        )


@dataclass(frozen=True)
class Wrong:
    """A call that must raise ``error`` with all of ``words`` in its message."""

    args: tuple[Any, ...]
    words: tuple[str, ...]
    error: type[Exception]
    kwargs: dict[str, Any]


@dataclass
class Operation:
    """What the tests need to know of one operation."""

    name: str  # as in koubai; "linalg.inv" for one of linalg
    samples: list[Sample]
    call: Any = None  # koubai's function of that name
    reference: Any = None  # NumPy's
    protocol: Any = None  # the NumPy function that a Variable may be passed to, if there is one
    torch: str | Function | None = None  # the same in PyTorch: its name there, or a function
    torch_name: str = ""  # what PyTorch calls it, for the docs, if ``torch`` is a function
    order: int = 2  # the highest derivative that is tested
    special: tuple[Special, ...] = ()
    wrong: tuple[Wrong, ...] = ()

    def __post_init__(self) -> None:
        room, _, name = self.name.rpartition(".")  # of linalg.inv, for instance
        self.call = self.call or getattr(getattr(koubai, room, koubai), name)
        self.protocol = self.protocol or getattr(getattr(np, room, np), name, None)
        self.reference = self.reference or self.protocol
        if isinstance(self.torch, str):
            self.torch_name = f"torch.{self.torch}"


def sample(*args: Any, strict: bool = True, torch: bool = True, **kwargs: Any) -> Sample:
    return Sample(args, kwargs, strict, torch)


def special(
    *args: Any,
    value: Any,
    gradients: tuple[Any, ...],
    torch: bool = True,
    divides: bool = False,
    **kwargs: Any,
) -> Special:
    return Special(args, value, gradients, kwargs, torch, divides)


def wrong(
    *args: Any, says: tuple[str, ...], error: type[Exception] = ValueError, **kwargs: Any
) -> Wrong:
    return Wrong(args, says, error, kwargs)


# Arguments.


def real(*shape: int) -> Drawn:
    return Drawn("real", shape, lambda rng, shape: rng.normal(size=shape))


def positive(*shape: int) -> Drawn:
    """Between 0.5 and 2."""
    return Drawn("positive", shape, lambda rng, shape: rng.uniform(0.5, 2, shape))


def nonzero(*shape: int) -> Drawn:
    """Between 0.5 and 2, or between -2 and -0.5."""

    def draw(rng: Rng, shape: tuple[int, ...]) -> Any:
        return rng.uniform(0.5, 2, shape) * rng.choice([-1.0, 1.0], shape)

    return Drawn("nonzero", shape, draw)


def sparse(*shape: int) -> Drawn:
    """Half of them, about, are 0."""

    def draw(rng: Rng, shape: tuple[int, ...]) -> Any:
        return rng.normal(size=shape) * rng.integers(0, 2, shape)

    return Drawn("sparse", shape, draw)


def zero_diagonal(*shape: int) -> Drawn:
    """Between 0.5 and 2, or between -2 and -0.5, but 0 where all indices are equal."""

    def draw(rng: Rng, shape: tuple[int, ...]) -> Any:
        x = rng.uniform(0.5, 2, shape) * rng.choice([-1.0, 1.0], shape)
        diagonal = np.arange(min(shape))
        x[(diagonal,) * len(shape)] = 0
        return x

    return Drawn("zero_diagonal", shape, draw)


def between(low: float, high: float) -> Callable[..., Drawn]:
    """``between(-1, 1)(2, 3)`` is an array of the shape (2, 3) of numbers from -1 to 1."""

    def drawn(*shape: int) -> Drawn:
        name = f"between({low}, {high})"
        return Drawn(name, shape, lambda rng, shape: rng.uniform(low, high, shape))

    return drawn


def probabilities(*shape: int) -> Drawn:
    """Rows that sum to 1."""
    return Drawn("probabilities", shape, lambda rng, s: rng.dirichlet(np.ones(s[-1]), s[:-1]))


def regular(*shape: int) -> Drawn:
    """Matrices far from singular ones."""

    def draw(rng: Rng, shape: tuple[int, ...]) -> Any:
        return rng.uniform(-0.5, 0.5, shape) + 2 * np.eye(shape[-1])

    return Drawn("regular", shape, draw)


def singular(*shape: int) -> Drawn:
    """Matrices whose last row is their first."""

    def draw(rng: Rng, shape: tuple[int, ...]) -> Any:
        x = rng.normal(size=shape)
        x[..., -1, :] = x[..., 0, :]
        return x

    return Drawn("singular", shape, draw)


def mixed(*shape: int) -> Drawn:
    """Regular matrices and singular ones, of rank n - 1, of rank 1 and 0, in turn."""

    def draw(rng: Rng, shape: tuple[int, ...]) -> Any:
        x = rng.uniform(-0.5, 0.5, shape) + 2 * np.eye(shape[-1])
        x[1::4, -1] = x[1::4, 0]
        x[2::4] = x[2::4, :1]
        x[3::4] = 0
        return x

    return Drawn("mixed", shape, draw)


def mask(*shape: int) -> Drawn:
    return Drawn("mask", shape, lambda rng, shape: rng.random(shape) < 0.5, False)


def integers(low: int, high: int, *shape: int) -> Drawn:
    """Whole numbers from low to high - 1."""
    return Drawn("integers", shape, lambda rng, shape: rng.integers(low, high, shape), False)


def array(*values: Any) -> Any:
    return np.array(values, dtype=float)


def ones(*shape: int) -> Any:
    return np.ones(shape)
