"""Layers that multiply by a matrix of weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from koubai.core.variable import Variable
from koubai.nn import init
from koubai.nn.module import Module, Parameter
from koubai.ops.linalg import linear


class Linear(Module):
    """An affine map of rows, y = x @ W + b: the layer that the books call Affine.

    Args:
        in_features: the length of a row of x, at least 1.
        out_features: the length of a row of y, at least 1.
        bias: whether b is added.
        rng: where the first weights come from (``init.he_uniform``; b begins at 0); None for a
            generator with an unpredictable seed.
        dtype: of the parameters, a floating-point type.

    Attributes:
        W: the weights, (in_features, out_features).
        b: the bias, (out_features,); None without one.

    Raises:
        ValueError: for a number of features below 1, or a dtype that is not floating-point.

    >>> layer = Linear(784, 50, rng=np.random.default_rng(0))
    >>> layer
    Linear(W=float32[784, 50], b=float32[50])
    >>> layer(np.zeros((100, 784), np.float32)).shape
    (100, 50)

    Source: the initialisation is He et al.'s, see ``koubai.nn.init.he_uniform``.
    """

    b: Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        rng: np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        for name, n in (("in_features", in_features), ("out_features", out_features)):
            if not isinstance(n, (int, np.integer)) or n < 1:
                raise ValueError(f"Linear: {name} must be a whole number from 1, got {n!r}")
        if np.dtype(dtype).kind != "f":
            raise ValueError(f"Linear: dtype must be floating-point, got {np.dtype(dtype)}")
        self.W = Parameter(init.he_uniform((in_features, out_features), in_features, rng, dtype))
        self.b = Parameter(np.zeros(out_features, dtype)) if bias else None

    def forward(self, x: Variable) -> Variable:
        """``x`` (..., in_features) to y (..., out_features)."""
        return linear(x, self.W, self.b)
