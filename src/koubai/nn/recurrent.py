"""Layers that go from step to step of a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from koubai.arrays import describe, shape_of
from koubai.core.variable import Variable
from koubai.nn import init
from koubai.nn.module import Module, Parameter
from koubai.ops.elementwise import tanh
from koubai.ops.linalg import linear
from koubai.scanning import scan


class RNN(Module):
    """Elman's recurrent network: h_t = tanh(x_t @ Wx + h_(t-1) @ Wh + b).

    All steps of a sequence, one after the other, by ``koubai.scan``: in a compiled function a
    native loop, whatever the length.

    Args:
        input_size: the length of one x_t.
        hidden_size: the length of one h_t.
        rng: where the first weights come from, spread evenly over +-1/sqrt(hidden_size), as in
            PyTorch (b begins at 0); None for a generator with an unpredictable seed.
        dtype: of the parameters, a floating-point type.

    Attributes:
        Wx: the weights of the inputs, (input_size, hidden_size).
        Wh: the weights of the state, (hidden_size, hidden_size).
        b: the bias, (hidden_size,).

    Raises:
        ValueError: for a size below 1, or a dtype that is not floating-point.

    >>> layer = RNN(3, 4, rng=np.random.default_rng(0))
    >>> layer
    RNN(Wx=float32[3, 4], Wh=float32[4, 4], b=float32[4])
    >>> states, last = layer(np.zeros((10, 2, 3), np.float32))
    >>> states.shape, last.shape
    ((10, 2, 4), (2, 4))

    Source: J. L. Elman, "Finding Structure in Time", Cognitive Science 14, 1990.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        rng: np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        for name, n in (("input_size", input_size), ("hidden_size", hidden_size)):
            if not isinstance(n, (int, np.integer)) or n < 1:
                raise ValueError(f"RNN: {name} must be a whole number from 1, got {n!r}")
        if np.dtype(dtype).kind != "f":
            raise ValueError(f"RNN: dtype must be floating-point, got {np.dtype(dtype)}")
        fan_in = 6 * hidden_size  # he_uniform's bound is sqrt(6 / fan_in)
        rng = np.random.default_rng() if rng is None else rng
        self.Wx = Parameter(init.he_uniform((input_size, hidden_size), fan_in, rng, dtype))
        self.Wh = Parameter(init.he_uniform((hidden_size, hidden_size), fan_in, rng, dtype))
        self.b = Parameter(np.zeros(hidden_size, dtype))

    def forward(self, x: Any, h: Any = None) -> tuple[Variable, Variable]:
        """All states, and the last one.

        Args:
            x: the sequence, steps first: (steps, batch, input_size), or without the batch.
            h: the state before the first step, (batch, hidden_size); None for zeros.

        Returns:
            The states (steps, batch, hidden_size), and the last of them (batch, hidden_size).

        Raises:
            ValueError: for an x or an h of another shape.
        """
        inputs, hidden = self.Wx.shape
        shape = shape_of(x)
        if len(shape) not in (2, 3) or shape[-1] != inputs:
            raise ValueError(
                f"RNN: x must be (steps, batch, {inputs}) or (steps, {inputs}), not {describe(x)}"
            )
        state, zs = (*shape[1:-1], hidden), linear(x, self.Wx, self.b)
        if h is None:
            h = np.zeros(state, zs.dtype)
        elif shape_of(h) != state or h.dtype != zs.dtype:
            wanted = f"{zs.dtype}{list(state)}"
            raise ValueError(f"RNN: h must be {wanted} for this x, not {describe(h)}")

        def step(h: Any, z: Any) -> tuple[Any, Any]:
            h = tanh(z + h @ self.Wh)
            return h, h

        last, states = scan(step, h, zs)
        return states, last
