"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def train(
    step: Callable[..., Any], batches: Iterable[tuple[Any, ...]]
) -> Iterator[tuple[int, float]]:
    """Call ``step`` with one batch after another.

    Args:
        step: a function of the arrays of a batch that updates the parameters and returns the loss,
            a single number: a Variable, an array or a Python number.
        batches: tuples of arrays.

    Yields:
        After each step its number, counted from 1, and the loss as a Python float.

    Raises:
        FloatingPointError: when a loss is infinite or NaN. The step that computed it has spoilt
            the parameters.

    >>> from koubai import Variable
    >>> from koubai.optim import SGD
    >>> x = Variable(2.0)
    >>> optimizer = SGD([x], lr=0.25)
    >>> def step(target):
    ...     loss = (x - target) ** 2
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> for iteration, loss in train(step, [(0.0,), (0.0,), (0.0,)]):
    ...     print(iteration, loss)
    1 4.0
    2 1.0
    3 0.25
    """
    for iteration, batch in enumerate(batches, 1):
        loss = step(*batch)
        value = float(loss.item() if hasattr(loss, "item") else loss)
        if not math.isfinite(value):
            raise FloatingPointError(
                f"the loss became {value} in iteration {iteration}: training has diverged;"
                " a smaller learning rate may help"
            )
        yield iteration, value
