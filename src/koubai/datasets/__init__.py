"""Data to train on: MNIST in the box, a reader for IDX files, and mini-batches."""

from koubai.datasets.batches import batches
from koubai.datasets.idx import read_idx
from koubai.datasets.mnist import MNIST, mnist

__all__ = ["MNIST", "batches", "mnist", "read_idx"]
