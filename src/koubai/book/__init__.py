"""The notebooks' names: layers, functions and the network of the book that they follow.

The layers are koubai's own operations under those names, used by hand

>>> layer = MulLayer()
>>> price = layer.forward(100, 2)
>>> dapple, dnumber = layer.backward(1.1)

or, unchanged, inside a graph: ``layer(Variable(100.0), 2)``. A class of your own that inherits
from ``Layer`` (or ``koubai.Function``) can be used in both ways too.

Source: K. Saitoh, "Deep Learning from Scratch", O'Reilly Japan 2016 (chapters 4 and 5), and its
second volume, 2018 (MatMul and RNN).
"""

from koubai.book.functions import cross_entropy_error, softmax
from koubai.book.gradient import numerical_gradient
from koubai.book.layers import (
    AddLayer,
    Affine,
    DivLayer,
    Layer,
    MatMul,
    MulLayer,
    Relu,
    ReluLayer,
    SigmoidLayer,
    SoftmaxWithLoss,
    TanhLayer,
)
from koubai.book.mnist import load_mnist
from koubai.book.rnn import RNN
from koubai.book.two_layer_net import TwoLayerNet

__all__ = [
    "RNN",
    "AddLayer",
    "Affine",
    "DivLayer",
    "Layer",
    "MatMul",
    "MulLayer",
    "Relu",
    "ReluLayer",
    "SigmoidLayer",
    "SoftmaxWithLoss",
    "TanhLayer",
    "TwoLayerNet",
    "cross_entropy_error",
    "load_mnist",
    "numerical_gradient",
    "softmax",
]
