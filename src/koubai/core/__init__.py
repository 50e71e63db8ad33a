"""Variables, functions and the backward pass: all that differentiation needs."""

from koubai.core.backward import propagate
from koubai.core.function import Function
from koubai.core.variable import Variable

__all__ = ["Function", "Variable", "propagate"]
