"""Optimizers: from gradients to the next values of the parameters."""

from koubai.optim.adam import Adam
from koubai.optim.optimizer import Optimizer
from koubai.optim.sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer"]
