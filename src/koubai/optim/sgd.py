"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable

from koubai.arrays import Array
from koubai.core.variable import Variable
from koubai.optim.optimizer import Optimizer, fraction, like, zeros_like


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if it is not 0.

        velocity = momentum * velocity + grad
        parameter = parameter - lr * velocity

    Args:
        parameters: leaf Variables of floating-point numbers; ``model.parameters()``.
        lr: the learning rate, positive and finite.
        momentum: how much of the velocity a step keeps, from 0 to below 1.

    Attributes:
        velocity: one array for each parameter.

    Raises:
        TypeError, ValueError: as ``Optimizer``; ValueError for a momentum out of range.

    >>> x = Variable(3.0)
    >>> optimizer = SGD([x], lr=0.1)
    >>> (x * x).backward()
    >>> optimizer.step()
    >>> x
    Variable(2.4)

    Source: B. T. Polyak, "Some methods of speeding up the convergence of iteration methods",
    USSR Computational Mathematics and Mathematical Physics 4 (5), 1964; in the form of
    I. Sutskever et al., "On the importance of initialization and momentum", ICML 2013, with the
    learning rate outside the velocity, as in PyTorch.
    """

    def __init__(self, parameters: Iterable[Variable], lr: float, momentum: float = 0.0) -> None:
        super().__init__(parameters, lr)
        self.momentum = fraction(momentum, "SGD: momentum")
        self.velocity = zeros_like(self.parameters)

    def update(self, i: int, x: Array, g: Array) -> Array:
        if self.momentum:
            self.velocity[i] = g = like(self.momentum * self.velocity[i] + g, x)
        step = -self.lr * g
        step += x  # in place: one array less to go through the caches
        return step
