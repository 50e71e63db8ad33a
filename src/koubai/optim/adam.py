"""Adam."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from koubai.arrays import Array, namespace
from koubai.core.variable import Variable
from koubai.optim.optimizer import Optimizer, fraction, like, positive, zeros_like


class Adam(Optimizer):
    """Adam: steps of a size that hardly depends on the size of the gradients.

        m = beta1 * m + (1 - beta1) * grad              their mean, decaying
        v = beta2 * v + (1 - beta2) * grad ** 2         their mean square
        m_hat = m / (1 - beta1 ** t)                    both began at 0: the bias is divided out
        v_hat = v / (1 - beta2 ** t)
        parameter = parameter - lr * m_hat / (sqrt(v_hat) + eps)

    All parameters share the step count t. One that gets its first gradient late (its ``grad`` was
    None before) begins with longer steps than in PyTorch, which counts for each by itself.

    Args:
        parameters: leaf Variables of floating-point numbers; ``model.parameters()``.
        lr: the learning rate, positive and finite; about how far a parameter moves in a step.
        betas: how much m and v keep in a step, each from 0 to below 1.
        eps: keeps the quotient finite where v is 0; positive.

    Attributes:
        m, v: one array for each parameter.
        t: how many steps have been made, a 0-d float64 array.

    Raises:
        TypeError, ValueError: as ``Optimizer``; ValueError for betas or an eps out of range.

    >>> x = Variable(3.0)
    >>> optimizer = Adam([x], lr=0.1)
    >>> (x * x).backward()
    >>> optimizer.step()
    >>> x
    Variable(2.9)

    Source: D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015,
    algorithm 1
    """

    def __init__(
        self,
        parameters: Iterable[Variable],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(parameters, lr)
        beta1, beta2 = betas
        self.betas = fraction(beta1, "Adam: betas[0]"), fraction(beta2, "Adam: betas[1]")
        self.eps = positive(eps, "Adam: eps")
        self.m = zeros_like(self.parameters)
        self.v = zeros_like(self.parameters)
        self.t = np.zeros(())

    def step(self) -> None:
        super().step()
        self.t = like(self.t + 1, self.t)

    def update(self, i: int, x: Array, g: Array) -> Array:
        beta1, beta2 = self.betas
        t = self.t + 1  # the number of this step
        self.m[i] = m = like(beta1 * self.m[i] + (1 - beta1) * g, x)
        self.v[i] = v = like(beta2 * self.v[i] + (1 - beta2) * (g * g), x)
        m_hat = m / like(1 - beta1**t, x)
        v_hat = v / like(1 - beta2**t, x)
        return x - self.lr * m_hat / (namespace(x).sqrt(v_hat) + self.eps)
