"""load_mnist: the book's choices of dtype, shape and labels, over the package's MNIST."""

import numpy as np
import pytest

from koubai.book import load_mnist
from koubai.datasets import MNIST, mnist


@pytest.fixture(scope="module")
def raw() -> MNIST:
    """The dataset itself; not to be written to."""
    return mnist()


def test_defaults(raw: MNIST) -> None:
    """Training before test data; rows of float32 from 0 to 1; labels as digits."""
    (x_train, t_train), (x_test, t_test) = load_mnist()
    for x, t, images, labels in (
        (x_train, t_train, raw.train_images, raw.train_labels),
        (x_test, t_test, raw.test_images, raw.test_labels),
    ):
        assert x.shape == (len(images), 784)
        assert x.dtype == np.float32
        assert (x.min(), x.max()) == (0, 1)
        np.testing.assert_array_equal(x[:100] * 255, images[:100].reshape(100, 784))
        np.testing.assert_array_equal(t, labels)
    assert t_train[:5].tolist() == [5, 0, 4, 1, 9]


def test_pixels_as_they_are(raw: MNIST) -> None:
    """normalize=False keeps uint8; flatten=False gives one channel of 28 by 28."""
    (x_train, _), (x_test, _) = load_mnist(normalize=False, flatten=False)
    assert x_train.dtype == x_test.dtype == np.uint8
    assert x_train.shape == (60000, 1, 28, 28)
    np.testing.assert_array_equal(x_test[:, 0], raw.test_images)


def test_one_hot_labels(raw: MNIST) -> None:
    """one_hot_label=True gives rows of float64 with a single 1, at the digit."""
    (_, t_train), (_, t_test) = load_mnist(normalize=False, one_hot_label=True)
    assert t_train.shape == (60000, 10)
    assert t_train.dtype == np.float64
    for t, labels in ((t_train, raw.train_labels), (t_test, raw.test_labels)):
        np.testing.assert_array_equal(t.sum(axis=1), 1)
        np.testing.assert_array_equal(t[np.arange(len(t)), labels], 1)


def test_new_arrays() -> None:
    """What one caller writes into the arrays, the next one does not see."""
    (x, t), _ = load_mnist(normalize=False)
    first = x[0].copy()
    x[0], t[0] = 99, 9
    (x, t), _ = load_mnist(normalize=False)
    np.testing.assert_array_equal(x[0], first)
    assert t[0] == 5
