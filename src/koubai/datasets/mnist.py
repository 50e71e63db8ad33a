"""MNIST, the handwritten digits, from the files in the package or from a directory."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from koubai.datasets.idx import parse_idx, read_content

_PACKAGE_DATA = Path(__file__).with_name("data")

# SHA-256 of each file's uncompressed content: how tightly gzip has packed it doesn't matter.
_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


class MNIST(NamedTuple):
    """The four arrays of MNIST: 70 000 handwritten digits, each 28 by 28 pixels.

    Pixels are 0 (background) to 255 (ink), in rows from the top; labels are the digits 0 to 9.
    """

    train_images: NDArray[np.uint8]  # (60000, 28, 28)
    train_labels: NDArray[np.uint8]  # (60000,)
    test_images: NDArray[np.uint8]  # (10000, 28, 28)
    test_labels: NDArray[np.uint8]  # (10000,)


def mnist(data_dir: str | os.PathLike[str] | None = None) -> MNIST:
    """Load MNIST, every file checked by its hash.

    The result is the real MNIST, wherever the files come from. Files that only look like it
    (Fashion-MNIST has the same names and shapes) are refused; `read_idx` reads those.

    Args:
        data_dir: A directory with the four files `train-images-idx3-ubyte`,
            `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`,
            each as it is or, with `.gz` after its name, compressed with gzip (where both are
            there, the uncompressed one is read). None: the files in the package.

    Returns:
        Four new, writable arrays of uint8: `train_images` (60000, 28, 28), `train_labels`
        (60000,), `test_images` (10000, 28, 28) and `test_labels` (10000,).

    Raises:
        FileNotFoundError: The directory or one of the files is not there.
        ValueError: A file is damaged, truncated or not MNIST's: its gzip data can't be
            decompressed, or the SHA-256 of its uncompressed content is not the known one. The
            message names the file, what was expected and what was found.

    Example:
        >>> from koubai.datasets import mnist
        >>> data = mnist()
        >>> data.train_images.shape
        (60000, 28, 28)
        >>> data.train_labels[:5]
        array([5, 0, 4, 1, 9], dtype=uint8)

    Source:
        Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits",
        http://yann.lecun.com/exdb/mnist/ (CC BY-SA 3.0)
    """
    if data_dir is None:
        directory, remedy = _PACKAGE_DATA, "reinstall koubai"
    else:
        directory = Path(data_dir).absolute()
        remedy = (
            f"put MNIST's files there ({', '.join(_SHA256)}; plain or .gz), "
            "or name no directory, for the files in the package"
        )
    if not directory.is_dir():
        raise FileNotFoundError(f"{directory}: no such directory; {remedy}")
    return MNIST(*(_load(directory, name, remedy) for name in _SHA256))


def _load(directory: Path, name: str, remedy: str) -> NDArray[np.uint8]:
    path = directory / name
    if not path.is_file():
        path = directory / f"{name}.gz"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file, nor one without .gz; {remedy}")
    content = read_content(path)
    expected, found = _SHA256[name], hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ValueError(
            f"{path}: not MNIST's {name}, or damaged: expected an uncompressed content with "
            f"SHA-256 {expected}, found {found} ({len(content)} bytes); {remedy}"
        )
    return parse_idx(content, path)
