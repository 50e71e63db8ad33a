"""Adam for JAX, which has no optimizers of its own: ``koubai.optim.Adam``'s formula."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


def start(params: Any) -> Any:
    """The state before the first step: parameters, m, v, and the number of steps made."""
    zeros = lambda: jax.tree.map(jnp.zeros_like, params)  # noqa: E731
    return params, zeros(), zeros(), jnp.zeros((), jnp.int32)


def update(state: Any, grads: Any, lr: float) -> Any:
    """The next state."""
    params, m, v, t = state
    t = t + 1
    m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, grads)
    v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, grads)

    def change(p: Any, m: Any, v: Any) -> Any:
        m_hat, v_hat = m / _one_less_power(BETA1, t), v / _one_less_power(BETA2, t)
        return p - lr * m_hat / (jnp.sqrt(v_hat) + EPS)

    return jax.tree.map(change, params, m, v), m, v, t


def _one_less_power(beta: float, t: Any) -> Any:
    """1 - beta ** t; by itself, in float32, 1 - 0.999 has lost four of its seven digits."""
    return -jnp.expm1(t * math.log(beta))
