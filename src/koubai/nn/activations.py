"""Nonlinear functions as layers, to stand between others in a ``Sequential``."""

from __future__ import annotations

from koubai.core.variable import Variable
from koubai.nn.module import Module
from koubai.ops.elementwise import relu, sigmoid, tanh


class ReLU(Module):
    """max(x, 0), elementwise: ``koubai.relu``.

    >>> ReLU()(Variable([-1.0, 2.0]))
    Variable([0., 2.])
    """

    def forward(self, x: Variable) -> Variable:
        return relu(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x)), elementwise: ``koubai.sigmoid``.

    >>> Sigmoid()(Variable([0.0]))
    Variable([0.5])
    """

    def forward(self, x: Variable) -> Variable:
        return sigmoid(x)


class Tanh(Module):
    """The hyperbolic tangent, elementwise: ``koubai.tanh``.

    >>> Tanh()(Variable([0.0]))
    Variable([0.])
    """

    def forward(self, x: Variable) -> Variable:
        return tanh(x)
