"""What several of the book's tests need."""

from typing import Any

import pytest

from koubai.book import load_mnist


@pytest.fixture(scope="module")
def digits() -> Any:
    """MNIST as the notebooks load it, images 0 to 1 and labels one-hot; not to be written to."""
    return load_mnist(normalize=True, one_hot_label=True)
