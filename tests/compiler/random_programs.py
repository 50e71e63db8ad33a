"""Random programs in NumPy: lists of steps, which can be replayed on arrays of any kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Rng = np.random.Generator
Step = tuple[Callable[..., Any], tuple[int, ...]]

UNARY = [
    np.abs,
    np.exp,
    np.tanh,
    np.sqrt,
    np.log,
    np.negative,
    np.square,
    np.sin,
    np.cos,
    np.floor,
    np.sign,
    np.isfinite,
    np.isnan,
    np.logical_not,
    np.copy,
    np.transpose,
    np.round,
    lambda x: x.astype(np.float32),
    lambda x: x.astype(np.int64) if x.dtype.kind == "b" else x.astype(np.float64),
    lambda x: x > 0,
    lambda x: x * 2 + 1.5,
    lambda x: 1 - x,
    lambda x: x.copy(),
    lambda x: np.where(x > 0.5, x, 0),
    lambda x: x[..., None],
    lambda x: x.reshape(-1).copy(),
    lambda x: np.broadcast_to(x, (2, *x.shape)),
]
REDUCTIONS = [np.sum, np.mean, np.max, np.min, np.all, np.any, np.argmax, np.argmin]
BINARY = [
    np.add,
    np.subtract,
    np.multiply,
    np.divide,
    np.maximum,
    np.minimum,
    np.less,
    np.equal,
    np.logical_and,
    np.matmul,
]


def random_program(rng: Rng, length: int) -> tuple[list[Any], list[Step]]:
    """Arrays to begin with, and steps: functions of earlier values. All of them work in NumPy."""
    shapes: list[tuple[int, ...]] = [(3, 4), (4,), (3, 1), (), (4, 3), (0, 4)]
    inputs: list[Any] = [
        np.asarray(rng.normal(size=shapes[rng.integers(len(shapes))]) * 3).astype(dtype)
        for dtype in rng.choice(["f", "d", "d", "i", "?"], 4)
    ]
    steps: list[Step] = []
    while len(steps) < length:
        step = _random_step(rng, len(inputs) + len(steps))
        try:
            values = replay([x.copy() for x in inputs], [*steps, step])
        except (TypeError, ValueError, IndexError, RuntimeWarning):
            continue  # shapes or dtypes that do not go together; the mean of nothing
        if np.size(values[-1]) <= 200:
            steps.append(step)
    return inputs, steps


def _random_step(rng: Rng, n: int) -> Step:
    i, j = (int(k) for k in rng.integers(n, size=2))
    kind = rng.integers(6)
    if kind == 0:
        axis = [None, 0, -1][rng.integers(3)]
        keepdims = bool(rng.integers(2))
        reduce = REDUCTIONS[rng.integers(len(REDUCTIONS))]
        return lambda x: reduce(x, axis=axis, keepdims=keepdims), (i,)
    if kind == 1:
        index = [0, -1, slice(1, None), (slice(None), 0), [0, 0], np.array([1, 0]), ...][
            rng.integers(7)
        ]
        return lambda x: x[index], (i,)
    if kind == 2:
        return _write(rng), (i, j)
    if kind == 3:
        return UNARY[rng.integers(len(UNARY))], (i,)
    return BINARY[rng.integers(len(BINARY))], (i, j)


def _write(rng: Rng) -> Callable[..., Any]:
    """A write in place; the result is the array written to."""

    def add(x: Any, y: Any) -> Any:
        x += y
        return x

    def put(x: Any, y: Any) -> Any:
        x[0] = y
        return x

    def mask(x: Any, y: Any) -> Any:
        x[x > 0] = 1
        return x

    def through_a_view(x: Any, y: Any) -> Any:
        x[..., 0] -= 1
        return x.T

    return [add, put, mask, through_a_view][rng.integers(4)]


def replay(inputs: list[Any], steps: list[Step]) -> list[Any]:
    """All values, those of the inputs first. Warnings of NumPy's (log of -1) are no matter."""
    values = list(inputs)
    for f, places in steps:
        values.append(f(*[values[i] for i in places]))
    return values
