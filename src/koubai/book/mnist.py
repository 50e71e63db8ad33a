"""``load_mnist``: the handwritten digits as the notebooks want them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from koubai.datasets import mnist

Split = tuple[NDArray[Any], NDArray[Any]]


def load_mnist(
    normalize: bool = True, flatten: bool = True, one_hot_label: bool = False
) -> tuple[Split, Split]:
    """MNIST, from the package itself: ``(x_train, t_train), (x_test, t_test)``.

    Args:
        normalize: pixels as float32 from 0 to 1; else as uint8 from 0 to 255.
        flatten: images as rows, (N, 784); else (N, 1, 28, 28).
        one_hot_label: labels as rows of float64, (N, 10), with a 1 at the digit; else the digits
            themselves, uint8, (N,).

    Returns:
        Images and labels to train on, N = 60000, and to test with, N = 10000: new arrays.

    Raises:
        FileNotFoundError, ValueError: if the package's files are gone or damaged.

    Source: K. Saitoh, "Deep Learning from Scratch", O'Reilly Japan 2016, section 3.6.

    >>> (x_train, t_train), (x_test, t_test) = load_mnist(one_hot_label=True)
    >>> x_train.shape, t_train.shape, x_test.shape, t_test.shape
    ((60000, 784), (60000, 10), (10000, 784), (10000, 10))
    """

    def split(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Split:
        x: NDArray[Any] = images.reshape((-1, 784) if flatten else (-1, 1, 28, 28))
        if normalize:
            x = x.astype(np.float32)
            x /= 255
        return x, np.eye(10)[labels] if one_hot_label else labels

    data = mnist()
    return (
        split(data.train_images, data.train_labels),
        split(data.test_images, data.test_labels),
    )
