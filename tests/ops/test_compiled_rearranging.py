"""NumPy's functions that join, move, repeat, pick and sort elements, in a compiled function."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import koubai

ARRAYS = [
    np.array([[0.5, -0.0, 2.5], [np.inf, np.nan, -1.5]]),
    np.array([[0.5, 1.5, 2.5], [3.5, 0.25, -1.5]], np.float32),
    np.array([[3, -1, 0], [5, 2, -7]]),
    np.array([[3, 0, 255]], np.uint8),
    np.array([[True, False, True]]),
    np.ones((2, 1, 3)),
    np.zeros((1, 1), np.float32),
    np.zeros((2, 0)),
    np.arange(7.0),
]

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "concat": lambda x: np.concat([x, x, np.ones(x.shape, np.float32)], axis=-1),
    "concatenate": lambda x: np.concatenate((x, x)),
    "concat of all": lambda x: np.concat([x, x], axis=None),
    "stack": lambda x: np.stack([x, x, np.ones(x.shape, np.float32)], axis=-1),
    "stack in front": lambda x: np.stack([x, x]),
    "unstack": lambda x: np.unstack(x),
    "unstack along the last": lambda x: np.unstack(x, axis=-1),
    "squeeze": lambda x: (np.squeeze(x), x.squeeze()),
    "squeeze along": lambda x: np.squeeze(x, axis=-2),
    "expand_dims": lambda x: (np.expand_dims(x, 0), np.expand_dims(x, (0, -1))),
    "moveaxis": lambda x: np.moveaxis(x, 0, -1),
    "flip": lambda x: (np.flip(x), np.flip(x, 0)),
    "broadcast_arrays": lambda x: np.broadcast_arrays(x, np.ones(1))[0] + 0,
    "prod": lambda x: (np.prod(x), x.prod(axis=0), np.prod(x, axis=-1, keepdims=True)),
    "var": lambda x: np.var(x, axis=0, correction=0.5),
    "std": lambda x: np.std(x, axis=0, keepdims=True),
    "cumulative_sum": lambda x: np.cumulative_sum(x, axis=-1),
    "cumulative_sum, initial": lambda x: np.cumulative_sum(x, axis=0, include_initial=True),
    "cumsum": lambda x: np.cumsum(x, axis=0),
    "cumulative_prod": lambda x: np.cumulative_prod(x, axis=-1),
    "cumulative_prod, initial": lambda x: np.cumulative_prod(x, axis=0, include_initial=True),
    "take": lambda x: (np.take(x, [[0, -1]], axis=0), np.take(x, 0, axis=0)),
    "take of all": lambda x: np.take(x, np.array([0, -1])),
    "take_along_axis": lambda x: np.take_along_axis(x, np.argsort(x, stable=True), axis=-1),
    "argsort": lambda x: np.argsort(x, axis=0, stable=True),
    "sort": lambda x: (np.sort(x), np.sort(x, axis=0)),
    "repeat": lambda x: (np.repeat(x, 2), np.repeat(x, 1, axis=0)),
    "repeat each": lambda x: np.repeat(x, [2] * x.shape[-1], axis=-1),
    "tile": lambda x: (np.tile(x, 2), np.tile(x, (2, 1, 3)), np.tile(x, 1)),
    "roll": lambda x: (np.roll(x, 1), np.roll(x, (1, 2), axis=(0, -1))),
    "pad": lambda x: (np.pad(x, 1), np.pad(x, ((1, 2),), constant_values=3)),
    "sliding_window_view": lambda x: np.lib.stride_tricks.sliding_window_view(x, 1, axis=-1) + 0,
}


def _outcome(f: Any, x: Any) -> Any:
    """The results of f, or None if it raised."""
    with np.errstate(all="ignore"):
        try:
            y = f(x)
        except (ValueError, IndexError, TypeError):
            return None
    return y if isinstance(y, tuple) else (y,)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpys_functions_compiled(name: str) -> None:
    """NumPy's values, types and dtypes, to the bit; what NumPy refuses is refused."""
    for x in ARRAYS:
        expected = _outcome(FUNCTIONS[name], x)
        actual = _outcome(koubai.compile(FUNCTIONS[name]), x)
        assert (expected is None) == (actual is None), x
        for y, z in zip(expected or (), actual or (), strict=True):
            assert type(y) is type(z)
            assert (y.shape, y.dtype) == (z.shape, z.dtype)
            np.testing.assert_array_equal(y, z)
