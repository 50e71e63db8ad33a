"""Batches give every row once, arrays in step, in the order that was asked for."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from koubai.datasets import batches

SIZES = {"n": st.integers(0, 40), "batch_size": st.integers(1, 50), "drop_last": st.booleans()}


@given(**SIZES, seed=st.none() | st.integers(0, 100))
def test_every_row_once(n: int, batch_size: int, drop_last: bool, seed: int | None) -> None:
    """All batches are full but the last, and hold each row once (less a dropped last batch)."""
    rng = None if seed is None else np.random.default_rng(seed)
    result = [
        batch.tolist()
        for (batch,) in batches(np.arange(n), batch_size=batch_size, rng=rng, drop_last=drop_last)
    ]
    full, rest = divmod(n, batch_size)
    assert [len(b) for b in result] == [batch_size] * full + [rest] * (rest > 0 and not drop_last)
    rows = [row for batch in result for row in batch]
    assert len(set(rows)) == len(rows)
    assert set(rows) <= set(range(n))
    if rng is None:
        assert rows == list(range(len(rows)))


@pytest.mark.parametrize("seed", [None, 0])
def test_arrays_stay_in_step(seed: int | None) -> None:
    """Row i of one array comes with row i of every other; dtype and row shape stay."""
    labels = np.arange(10, dtype=np.uint8)
    images = np.repeat(labels.astype(np.float32), 6).reshape(10, 2, 3)
    rng = None if seed is None else np.random.default_rng(seed)
    for x, t in batches(images, labels, batch_size=4, rng=rng):
        assert (x.dtype, t.dtype) == (np.float32, np.uint8)
        assert x.shape == (len(t), 2, 3)
        assert (x == t[:, None, None]).all()


def epoch(rng: np.random.Generator) -> list[int]:
    """The order of 100 rows in one epoch."""
    return [int(row) for (b,) in batches(np.arange(100), batch_size=7, rng=rng) for row in b]


def test_each_call_shuffles_anew_and_a_seed_repeats() -> None:
    """Two calls with one generator differ; the same seed gives the same two again."""
    rng = np.random.default_rng(1)
    first, second = epoch(rng), epoch(rng)
    assert first != second
    assert sorted(first) == sorted(second) == list(range(100)) != first
    rng = np.random.default_rng(1)
    assert [epoch(rng), epoch(rng)] == [first, second]


def test_order_is_drawn_at_the_call() -> None:
    """What is drawn from the generator between the call and the first batch changes nothing."""
    rng = np.random.default_rng(1)
    iterator = batches(np.arange(100), batch_size=100, rng=rng)
    rng.random(5)
    assert next(iterator)[0].tolist() == epoch(np.random.default_rng(1))


@pytest.mark.parametrize("seed", [None, 0])
def test_batches_are_copies(seed: int | None) -> None:
    """Writing to a batch leaves the data set as it was."""
    data = np.ones(4)
    rng = None if seed is None else np.random.default_rng(seed)
    for (batch,) in batches(data, batch_size=2, rng=rng):
        batch[:] = 0
    assert data.tolist() == [1, 1, 1, 1]


def test_any_array_with_length_and_indexing() -> None:
    """An array of another library, or data read only when asked for, serves as well."""

    class Squares:
        def __len__(self) -> int:
            return 5

        def __getitem__(self, index: Any) -> Any:
            return index**2

    result = [(s.tolist(), i.tolist()) for s, i in batches(Squares(), np.arange(5), batch_size=3)]
    assert result == [([0, 1, 4], [0, 1, 2]), ([9, 16], [3, 4])]


def test_no_arrays() -> None:
    """No arrays at all is an error, at the call."""
    with pytest.raises(ValueError, match="at least one array"):
        batches(batch_size=2)


def test_different_lengths() -> None:
    """Arrays of different lengths are an error that names the lengths, at the call."""
    with pytest.raises(ValueError, match="same length, got 4, 4, 3"):
        batches(np.zeros((4, 2)), np.zeros(4), np.zeros(3), batch_size=2)


@pytest.mark.parametrize("batch_size", [0, -1])
def test_batch_size_below_one(batch_size: int) -> None:
    """A batch size below 1 is an error that names it, at the call."""
    with pytest.raises(ValueError, match=f"batch_size must be at least 1, got {batch_size}"):
        batches(np.zeros(4), batch_size=batch_size)
