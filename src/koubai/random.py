"""Random numbers from one explicit generator: a key, and a counter that counts what was drawn.

The generator is counter-based: the numbers are a function of the key and the counter (Philox), so
two arrays are its whole state, and a compiled function that draws from it is a program of the
counter like any other. All distributions are made of the same uniforms by formulas, so they are the
same eager and compiled.

Source: J. K. Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC11 (Philox4x64-10).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from koubai import arrays
from koubai.arrays import Array, describe, namespace
from koubai.ops.choice import where
from koubai.ops.elementwise import multiply

Shape = int | tuple[int, ...]


class Generator:
    """A stream of random numbers.

    Args:
        seed: a whole number from 0; the same seed gives the same stream everywhere. None for one
            from the operating system.

    Attributes:
        key: two 64-bit words, made from the seed.
        counter: how many blocks of four 64-bit words have been drawn, a 0-d uint64 array.

    >>> Generator(0).uniform((2,))
    array([0.01406704, 0.25776725])
    """

    def __init__(self, seed: int | None = None) -> None:
        if seed is not None and (not isinstance(seed, int | np.integer) or seed < 0):
            raise ValueError(f"seed must be a whole number from 0, not {seed!r}")
        self.key = np.random.SeedSequence(seed).generate_state(2, np.uint64)
        self.counter = np.zeros((), np.uint64)

    def state(self) -> dict[str, Array]:
        """Where the stream is now: two arrays, for ``restore`` or a file."""
        return {"key": self.key.copy(), "counter": arrays.copy(self.counter)}

    def restore(self, state: dict[str, Array]) -> None:
        """Continue from what ``state()`` returned."""
        key, counter = np.asarray(state["key"]), np.asarray(state["counter"])
        if key.dtype != np.uint64 or key.shape != (2,) or counter.dtype != np.uint64:
            raise ValueError(
                f"no state of a generator: key is {describe(key)} and counter {describe(counter)},"
                " not uint64[2] and uint64[]"
            )
        self.key, self.counter = key.copy(), counter.copy()

    def uniform(
        self, shape: Shape = (), low: float = 0.0, high: float = 1.0, dtype: Any = np.float64
    ) -> Array:
        """Numbers from ``low`` to below ``high``, all equally probable."""
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        u = arrays.random_uniform(self.key, self.counter, shape, np.dtype(dtype))
        self.counter = self.counter + np.uint64(-(-math.prod(shape) // 4))
        u = u if (low, high) == (0.0, 1.0) else low + u * (high - low)
        arrays.refuse_complex(u)
        return u

    def normal(
        self, shape: Shape = (), mean: float = 0.0, std: float = 1.0, dtype: Any = np.float64
    ) -> Array:
        """Numbers from a normal distribution, by the transform of Box and Muller (1958)."""
        u1, u2 = self.uniform(shape, dtype=dtype), self.uniform(shape, dtype=dtype)
        xp = namespace(u1)
        arrays.refuse_complex(mean, std)
        return mean + std * (xp.sqrt(-2 * xp.log(1 - u1)) * xp.cos(2 * math.pi * u2))

    def bernoulli(self, p: float, shape: Shape = ()) -> Array:
        """Truth values, True with probability ``p``."""
        if not 0 <= p <= 1:
            raise ValueError(f"a probability lies between 0 and 1, not {p}")
        return self.uniform(shape) < p

    def randint(self, low: int, high: int, shape: Shape = ()) -> Array:
        """Whole numbers from ``low`` to below ``high``, int64."""
        if not low < high:
            raise ValueError(f"low must be below high, not {low} and {high}")
        u = self.uniform(shape)
        xp = namespace(u)
        return xp.astype(xp.floor(u * (high - low)), np.int64) + low

    def permutation(self, x: int | Array) -> Array:
        """The numbers from 0 to below ``x``, or the rows of an array, in random order."""
        arrays.refuse_complex(x)
        n = x if isinstance(x, int) else x.shape[0]
        u = self.uniform((n,))
        order = namespace(u).argsort(u)
        return order if isinstance(x, int) else x[order]

    def choice(self, x: int | Array, shape: Shape = (), p: Array | None = None) -> Array:
        """Numbers from 0 to below ``x``, or rows of an array, drawn with replacement.

        Args:
            x: how many, or the array.
            shape: how often to draw.
            p: their probabilities, which add up to 1; None for equal ones.
        """
        arrays.refuse_complex(x, p)
        n = x if isinstance(x, int) else x.shape[0]
        if p is None:
            index = self.randint(0, n, shape)
        else:
            p = np.asarray(p, dtype=np.float64)
            if p.shape != (n,) or (p < 0).any() or not math.isclose(p.sum(), 1, abs_tol=1e-8):
                raise ValueError(f"p must be {n} probabilities that add up to 1, not {describe(p)}")
            u = self.uniform(shape)
            xp = namespace(u)
            below = xp.reshape(u, (*u.shape, 1)) >= np.cumsum(p)[:-1]
            index = xp.sum(xp.astype(below, np.int64), axis=-1)
        return index if isinstance(x, int) else x[index]


default = Generator()
"""The generator that functions use when none is given."""


def seed(seed: int) -> None:
    """Start the default generator's stream anew.

    >>> from koubai import random
    >>> random.seed(0)
    >>> random.uniform((2,))
    array([0.01406704, 0.25776725])
    """
    default.restore(Generator(seed).state())


def uniform(
    shape: Shape = (), low: float = 0.0, high: float = 1.0, dtype: Any = np.float64
) -> Array:
    """``Generator.uniform`` of the default generator."""
    return default.uniform(shape, low, high, dtype)


def normal(
    shape: Shape = (), mean: float = 0.0, std: float = 1.0, dtype: Any = np.float64
) -> Array:
    """``Generator.normal`` of the default generator."""
    return default.normal(shape, mean, std, dtype)


def bernoulli(p: float, shape: Shape = ()) -> Array:
    """``Generator.bernoulli`` of the default generator."""
    return default.bernoulli(p, shape)


def randint(low: int, high: int, shape: Shape = ()) -> Array:
    """``Generator.randint`` of the default generator."""
    return default.randint(low, high, shape)


def permutation(x: int | Array) -> Array:
    """``Generator.permutation`` of the default generator."""
    return default.permutation(x)


def choice(x: int | Array, shape: Shape = (), p: Array | None = None) -> Array:
    """``Generator.choice`` of the default generator."""
    return default.choice(x, shape, p)


def dropout(x: Any, p: float = 0.5, *, generator: Generator | None = None) -> Any:
    """``x`` with each element set to 0 with probability ``p``, the others scaled by 1/(1-p).

    Source: N. Srivastava et al., "Dropout", JMLR 15 (2014); scaled while training, as is usual now.

    >>> from koubai import Variable
    >>> dropout(Variable([1.0, 1.0, 1.0, 1.0]), 0.5, generator=Generator(1))
    Variable([2., 2., 2., 0.])
    """
    if not 0 <= p < 1:
        raise ValueError(f"dropout: p must be from 0 to below 1, not {p}")
    kept = (generator or default).bernoulli(1 - p, x.shape)
    return where(kept, multiply(x, 1 / (1 - p)), 0.0)
