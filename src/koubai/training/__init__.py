"""Training: the loop, its log, its accuracy and its parameters on disk.

    def step(x, t):
        loss = softmax_cross_entropy(model(x), t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    for iteration, loss in train(step, batches(x, t, batch_size=100, rng=rng)):
        ...

The loop is a generator, so whatever else is to happen (a progress bar, an evaluation, an end before
the end) stands in the ``for`` statement's body, as ordinary code.
"""

from koubai.training.checkpoint import load_checkpoint, save_checkpoint
from koubai.training.files import replacing
from koubai.training.interrupt import Interrupt, catch_interrupt
from koubai.training.log import JsonLines
from koubai.training.loop import train
from koubai.training.metrics import accuracy

__all__ = [
    "Interrupt",
    "JsonLines",
    "accuracy",
    "catch_interrupt",
    "load_checkpoint",
    "replacing",
    "save_checkpoint",
    "train",
]
