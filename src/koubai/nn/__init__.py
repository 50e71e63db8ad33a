"""Networks from modules: layers with parameters, and layers made of layers."""

from koubai.nn import init
from koubai.nn.activations import ReLU, Sigmoid, Tanh
from koubai.nn.linear import Linear
from koubai.nn.module import Module, Parameter
from koubai.nn.recurrent import RNN
from koubai.nn.sequential import Sequential

__all__ = [
    "RNN",
    "Linear",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "init",
]
