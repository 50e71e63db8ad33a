"""Mini-batches: the rows of some arrays, a few at a time, in order or shuffled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np


class Rows(Protocol):
    """What `batches` needs of an array: a length, and indexing by an array of integers."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Any: ...


def batches(
    *arrays: Rows,
    batch_size: int,
    rng: np.random.Generator | None = None,
    drop_last: bool = False,
) -> Iterator[tuple[Any, ...]]:
    """Iterate once over the rows of some arrays together, `batch_size` rows at a time.

    The arguments are checked and the order is drawn when `batches` is called, not when the first
    batch is taken. Call it anew for each epoch.

    Args:
        arrays: One array or more, of any dtypes and of shapes (n, ...) with the same n.
        batch_size: The number of rows in a batch, at least 1.
        rng: None: rows in their order. A generator: rows in a random order, drawn anew by every
            call, so that one seed gives one sequence of epochs.
        drop_last: Leave out the last batch if it has fewer than `batch_size` rows. With
            n < batch_size there is then no batch at all.

    Returns:
        An iterator of tuples with one array of shape (batch_size, ...) for each of `arrays`; the
        last ones may be shorter. Batches are copies: writing to one changes nothing else.

    Raises:
        ValueError: No arrays, arrays of different lengths, or `batch_size` below 1.

    Example:
        >>> import numpy as np
        >>> from koubai.datasets import batches
        >>> x, t = np.array([[0, 1], [2, 3], [4, 5]]), np.array([0, 1, 2])
        >>> for x_batch, t_batch in batches(x, t, batch_size=2):
        ...     print(x_batch.tolist(), t_batch.tolist())
        [[0, 1], [2, 3]] [0, 1]
        [[4, 5]] [2]
        >>> rng = np.random.default_rng(0)
        >>> [t_batch.tolist() for (t_batch,) in batches(t, batch_size=2, rng=rng)]
        [[2, 0], [1]]

    Source:
        L. Bottou, "Stochastic Gradient Descent Tricks", in Neural Networks: Tricks of the Trade,
        2nd ed., Springer 2012 (why the examples are shuffled)
    """
    if not arrays:
        raise ValueError("batches needs at least one array")
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        raise ValueError(
            f"batches needs arrays of the same length, got {', '.join(map(str, lengths))}"
        )
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    n = lengths[0]
    order = np.arange(n) if rng is None else rng.permutation(n)
    # A generator expression, not `yield`: the checks above then happen at the call.
    return (
        tuple(array[order[start : start + batch_size]] for array in arrays)
        for start in range(0, n - n % batch_size if drop_last else n, batch_size)
    )
