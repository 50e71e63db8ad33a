"""Views as strides, against NumPy's views, on random chains of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from koubai.compiler import layout
from koubai.compiler.advanced import lookup
from koubai.compiler.layout import Layout
from koubai.compiler.primitives import OPERAND, fill

Rng = np.random.Generator


def as_array(x: Layout, memory: Any) -> Any:
    """What ``x`` sees of a buffer."""
    strides = [stride * memory.itemsize for stride in x.strides]
    return as_strided(memory.reshape(-1)[x.offset :], x.shape, strides)


def lengths(rng: Rng) -> tuple[int, ...]:
    choice = rng.choice([0, 1, 1, 2, 3, 4, 6], size=rng.integers(5), p=[0.04, *[0.16] * 6])
    return tuple(int(n) for n in choice)


def random_index(rng: Rng, shape: tuple[int, ...], with_arrays: bool = False) -> list[Any]:
    """Integers, slices and OPERANDs (for arrays) for some of the axes; None, and an Ellipsis."""
    first = int(rng.integers(len(shape) + 1))
    last = int(rng.integers(len(shape) - first + 1)) if rng.random() < 0.4 else 0
    parts = [_part(rng, n, with_arrays) for n in shape[:first]]
    if last or rng.random() < 0.3:
        parts.append(Ellipsis)
    parts += [_part(rng, n, with_arrays) for n in shape[len(shape) - last :]]
    if rng.random() < 0.3:
        parts.insert(int(rng.integers(len(parts) + 1)), None)
    return parts


def _part(rng: Rng, n: int, with_arrays: bool) -> Any:
    kind = rng.integers(5 if with_arrays else 3)
    if kind == 0 and n:
        return int(rng.integers(-n, n))
    if kind > 2 and n:
        return OPERAND
    start, stop = (None if rng.random() < 0.4 else int(rng.integers(-7, 8)) for _ in range(2))
    return slice(start, stop, [None, 1, 2, -1, -3][rng.integers(5)])


def random_shape(rng: Rng, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Another shape for as many elements: axes are joined, parted, or gain a 1."""
    new = [n for n in shape if n != 1 or rng.random() < 0.5]
    for _ in range(2):
        kind, i = rng.integers(3), int(rng.integers(len(new) + 1))
        if kind == 0:
            new.insert(i, 1)
        elif kind == 1 and i + 1 < len(new):
            new[i : i + 2] = [new[i] * new[i + 1]]
        elif i < len(new) and new[i]:
            d = int(rng.choice([d for d in range(1, new[i] + 1) if new[i] % d == 0]))
            new[i : i + 1] = [d, new[i] // d]
    return tuple(new)


@pytest.mark.parametrize("seed", range(100))
def test_chains_of_views(seed: int) -> None:
    """Each view of a view sees what NumPy's does; what reshapes there without a copy, does here."""
    rng = np.random.default_rng(seed)
    for _ in range(10):
        memory = np.arange(np.prod(shape := lengths(rng), dtype=int)).reshape(shape)
        x, expected = layout.whole(0, shape), memory
        for _ in range(6):
            kind = rng.integers(4)
            if kind == 0:
                axes = [int(axis) for axis in rng.permutation(len(x.shape))]
                x, expected = layout.permuted(x, axes), expected.transpose(axes)
            elif kind == 1:
                wider = tuple(int(rng.integers(1, 4)) if n == 1 else n for n in x.shape)
                wider = (*lengths(rng)[:1], *wider)
                x, expected = layout.broadcast(x, wider), np.broadcast_to(expected, wider)
            elif kind == 2:
                index = random_index(rng, x.shape)
                x, expected = layout.indexed(x, index), expected[tuple(index)]
            else:
                shape = random_shape(rng, x.shape)
                reshaped = layout.reshaped(x, shape)
                if reshaped is None:
                    with pytest.raises(ValueError, match="copy"):
                        expected.reshape(shape, copy=False)
                    break
                x, expected = reshaped, expected.reshape(shape)
            np.testing.assert_array_equal(as_array(x, memory), expected, strict=True)
            if x.is_contiguous:
                in_order = memory.reshape(-1)[x.offset :][: expected.size]
                np.testing.assert_array_equal(in_order, expected.reshape(-1))
            if expected.size > 200:
                break


@pytest.mark.parametrize("seed", range(100))
def test_lookups(seed: int) -> None:
    """``x[rows, ..., columns]`` of random views, with arrays that broadcast, negative ones too."""
    rng = np.random.default_rng(seed)
    found = 0
    for _ in range(20):
        shape = lengths(rng)
        memory = np.arange(np.prod(shape, dtype=int)).reshape(shape)
        axes = [int(axis) for axis in rng.permutation(len(shape))]
        x, expected = layout.permuted(layout.whole(0, shape), axes), memory.transpose(axes)
        index = random_index(rng, x.shape, with_arrays=True)
        if OPERAND not in index:
            continue
        arrays = indices(rng, index, x.shape)
        expected = expected[fill(tuple(index), tuple(arrays))]
        lookup_ = lookup(x, index, [array.shape for array in arrays])
        if lookup_ is None:
            continue
        found += 1
        assert lookup_.base.shape == expected.shape, f"seed {seed}: {index}"
        places = lookup_.base.offset + np.zeros(expected.shape, int)
        for axis, stride in enumerate(lookup_.base.strides):
            steps = np.arange(expected.shape[axis]) * stride
            places = places + steps.reshape((-1, *[1] * (expected.ndim - axis - 1)))
        after = expected.ndim - lookup_.first - lookup_.ndim
        for array, (step, length) in zip(arrays, lookup_.steps, strict=True):
            offsets = np.asarray(array % length * step)
            places = places + offsets.reshape((*array.shape, *[1] * after))
        np.testing.assert_array_equal(memory.reshape(-1)[places], expected)
    assert found


def indices(rng: Rng, index: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """Arrays for the OPERANDs in ``index`` of something of this shape."""
    joint = tuple(int(n) for n in rng.integers(1, 4, rng.integers(3)))
    given = sum(part is not None and part is not Ellipsis for part in index)
    arrays, axis = [], 0
    for part in index:
        if part is Ellipsis:
            axis += len(shape) - given
        elif part is not None:
            if part is OPERAND:
                own = joint[rng.integers(len(joint) + 1) :]
                own = tuple(1 if rng.random() < 0.2 else n for n in own)
                arrays.append(np.asarray(rng.integers(-shape[axis], shape[axis], own)))
            axis += 1
    return arrays
