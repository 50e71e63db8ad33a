"""What backward of one operation costs, against its forward, at a million elements.

The bar is 3: a backward does about twice the work of its forward, one part for each of two inputs,
or for what it reads again, and writes an array as large as the input where a sum only reads one.
Both allocate as they do in a program, but from memory that the process has already: the first touch
of a fresh page costs more than the arithmetic, and which of the two pays is the allocator's whim.

Of an operation whose forward makes a view, or reads a few elements only, no multiple of that means
anything, for the gradient has as many elements as the input: these are held against a copy of the
input or of the result, whichever is larger, as if forward had touched every element.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import koubai
from benchmarks.measure import Row, in_turns, seconds
from koubai import Variable

SIDE = 1000
SIZE = SIDE * SIDE
BAR = 3.0
ROUNDS = 15

Call = Callable[..., Any]


def _keep_memory() -> None:
    """Let the C library (glibc; others have no such call) give no freed memory back."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        trim_threshold, mmap_threshold = -1, -3  # of malloc.h
        libc.mallopt(trim_threshold, -1)
        libc.mallopt(mmap_threshold, 1 << 30)


def _row(name: str, call: Call, *xs: Any, against_copy: bool = False) -> Row:
    """One operation: the time of ``call(*xs).backward(gy)``, without ``call`` itself."""
    _keep_memory()
    variables = [Variable(x) for x in xs]
    y = call(*xs)
    gy = np.random.default_rng(1).normal(size=y.shape).astype(xs[0].dtype)
    larger = max(xs[0], y, key=np.size)

    def forward() -> float:
        return seconds(lambda: larger.copy() if against_copy else call(*variables))

    def backward() -> float:
        for x in variables:
            x.cleargrad()
        y = call(*variables)
        return seconds(lambda: y.backward(gy))

    a, b, spread = in_turns(backward, forward, ROUNDS)
    against = "a copy" if against_copy else "its forward"
    return Row(f"backward of {name}", a * 1e3, b * 1e3, against, "ms", BAR, spread)


def _numbers(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def _integers(high: int, *shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, high, shape)


def reductions() -> list[Row]:
    """Of all elements, of columns and of rows; running ones too."""
    x = _numbers(SIDE, SIDE)
    # Of numbers near 1, so that no product underflows.
    near_1 = 1 + x / SIDE
    rows = [_row("x * w", lambda x, w: x * w, x, _numbers(SIDE, SIDE, seed=2))]
    functions = {
        f.__name__: f
        for f in (
            koubai.sum,
            koubai.mean,
            koubai.prod,
            koubai.max,
            koubai.min,
            koubai.var,
            koubai.std,
            koubai.logsumexp,
            koubai.linalg.vector_norm,
        )
    }
    for name, f in functions.items():
        data = near_1 if name == "prod" else x
        for axis in (None, 0, -1):
            call = lambda x, f=f, axis=axis: f(x, axis=axis)  # noqa: E731
            rows.append(_row(f"{name}, axis={axis}", call, data))
            if name in ("sum", "prod", "max") and axis == -1:
                rows.append(_row(f"{name}, axis={axis}, float32", call, data.astype(np.float32)))
    for f in (koubai.cumulative_sum, koubai.cumulative_prod):
        name = f.__name__
        rows.append(_row(f"{name} of a vector", f, near_1.reshape(-1)))
        for axis in (0, -1):
            call = lambda x, f=f, axis=axis: f(x, axis=axis)  # noqa: E731
            rows.append(_row(f"{name}, axis={axis}", call, near_1))
    rows.append(
        _row("cumulative_prod, float32", koubai.cumulative_prod, near_1.reshape(-1).astype("f"))
    )
    return rows


def indexing() -> list[Row]:
    """Reading and writing by slices, masks and integers; what picks, repeats or moves elements."""
    x, vector = _numbers(SIDE, SIDE), _numbers(SIZE)
    rows_, places = _integers(SIDE, SIDE), _integers(SIZE, SIZE)
    pairs = _integers(SIDE, SIDE, SIDE), _integers(SIDE, SIDE, SIDE, seed=1)
    mask = x > 0
    table, words = _numbers(SIDE, 100), _integers(SIDE, SIZE // 100)
    return list(
        _of(
            ("x[1:-1, 1:-1]", lambda x: x[1:-1, 1:-1], x, True),
            ("x[::2]", lambda x: x[::2], x, True),
            ("x[rows]", lambda x: x[rows_], x),
            ("x[:, columns]", lambda x: x[:, rows_], x),
            ("x[1:, columns]", lambda x: x[1:, rows_], x),
            ("x[i, j]", lambda x: x[pairs], x),
            ("vector[i]", lambda x: x[places], vector),
            ("vector[i], float32", lambda x: x[places], vector.astype(np.float32)),
            ("x[mask]", lambda x: x[mask], x),
            ("x[mask of rows]", lambda x: x[mask[0]], x),
            ("take, axis=0", lambda x: koubai.take(x, rows_, axis=0), x),
            ("take, axis=-1", lambda x: koubai.take(x, rows_, axis=-1), x),
            ("take of a vector", lambda x: koubai.take(x, places), vector),
            ("take_along_axis, 0", lambda x: koubai.take_along_axis(x, pairs[0], axis=0), x),
            ("take_along_axis, -1", lambda x: koubai.take_along_axis(x, pairs[0]), x),
            ("embedding", lambda W: koubai.embedding(words, W), table),
            ("embedding, float32", lambda W: koubai.embedding(words, W), table.astype(np.float32)),
            ("scatter_add", lambda x: koubai.scatter_add(x, (places,), (SIZE,)), vector),
            ("scatter_add of rows", lambda x: koubai.scatter_add(x, rows_, (SIDE, SIDE)), x),
            ("x[1:-1] = value", _set((slice(1, -1),)), x),
            ("x[mask] = 0", _set(mask), x),
            ("x[rows] = 0", _set(rows_), x),
            ("repeat of a vector", lambda x: koubai.repeat(x, 4), vector[: SIZE // 4]),
            ("repeat, axis=0", lambda x: koubai.repeat(x, 4, axis=0), x[: SIDE // 4]),
            ("sort", koubai.sort, x),
            ("windows of 5", lambda x: koubai.sliding_window_view(x, 5), vector[: SIZE // 5], True),
            ("windows of 5 * w", _weighted_windows, vector[: SIZE // 5]),
            (
                "windows of 3, 3",
                lambda x: koubai.sliding_window_view(x, (3, 3)),
                x[:333, :333],
                True,
            ),
        )
    )


def einsum() -> list[Row]:
    """Products of matrices and of other things; diagonals and sums."""
    x, w, stack = _numbers(SIDE, SIDE), _numbers(SIDE, SIDE, seed=1), _numbers(100, 100, 100)
    v = _numbers(SIDE)

    def product(text: str) -> Call:
        return lambda *xs: koubai.einsum(text, *xs)

    return [
        _row(f"einsum {text!r}", product(text), *xs, against_copy=text in ("ii", "ii->i"))
        for text, *xs in (
            ("ij,jk->ik", x, w),
            ("bij,bjk->bik", stack, stack[::-1].copy()),
            ("i,j->ij", v, v[::-1].copy()),
            ("ij,ij->", x, w),
            ("ij,ij->i", x, w),
            ("ij,j->i", x, v),
            ("ij->", x),
            ("ij->i", x),
            ("ij->j", x),
            ("ii", x),
            ("ii->i", x),
        )
    ]


def _of(*cases: tuple[Any, ...]) -> Iterator[Row]:
    for name, call, x, *against_copy in cases:
        yield _row(name, call, x, against_copy=bool(against_copy))


def _set(index: Any) -> Call:
    def call(x: Any) -> Any:
        y = x * 1.0
        y[index] = 0.0
        return y

    return call


def _weighted_windows(x: Any) -> Any:
    return koubai.sliding_window_view(x, 5) * 2.0
