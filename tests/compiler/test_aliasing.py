"""Writes in place, views, and arrays that share memory: as in eager, or refused; never silent."""

from __future__ import annotations

import copy
import operator
from typing import Any

import numpy as np
import pytest
from compiler.agree import agree, assert_same

import koubai
from koubai import Variable
from koubai.compiler import TraceError

X = np.arange(1.0, 7.0).reshape(2, 3)


def same(f: Any, *args: Any) -> None:
    """Eager and compiled, twice: equal results, and equal arguments afterwards."""
    agree(lambda: (f, None), args, args)


def write(f: Any) -> Any:
    """f as a function that returns what became of its argument, of a copy, and of its views."""

    def g(x: Any) -> Any:
        y = x.copy()
        row, column, turned = y[0], y[:, 1:], y.T
        f(x)
        f(y)
        return y, row, column, turned, row[1:], turned[0]

    return g


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x.__setitem__(0, 9),
        lambda x: x.__setitem__((0, 1), 9.5),
        lambda x: x.__setitem__((slice(None), 1), [7, 8]),
        lambda x: x.__setitem__(..., x + 1),
        lambda x: x.__setitem__(slice(None), x[::-1]),
        lambda x: x.__setitem__((slice(None), slice(1, None)), x[:, :-1]),
        lambda x: x.__setitem__(x > 2, 0),
        lambda x: x.__setitem__((x > 2,), np.float32(1.1)),
        lambda x: x.__setitem__(x.sum(axis=1) > 7, 5),
        lambda x: x.__setitem__(x.sum(axis=1) > 7, np.array([1.0, 2.0, 3.0])),
        lambda x: x.__setitem__(x.sum(axis=1) > 7, x[0] * 2),
        lambda x: x.__setitem__(x.sum() > 3, 5),
        lambda x: x.__setitem__(x > 2, [4]),
        lambda x: x.__setitem__(np.array([[True, False, True], [False, True, False]]), [1, 2, 3]),
        lambda x: x.__setitem__(([0, 1], [2, 2]), [5, 6]),
        lambda x: x.__setitem__(([0, 0], [2, 2]), [5, 6]),
        lambda x: x.__setitem__((np.argmax(x, axis=0) * 0, np.argmax(x, axis=0)), 5),
        lambda x: x.__setitem__(0, np.ones((1, 1, 3))),
        lambda x: x.__setitem__((0, x[0, 0].astype(int)), x[1, 1]),
        lambda x: x[0].__setitem__(1, 9),
        lambda x: x.T[1].__setitem__(slice(None), 9),
        lambda x: x[:, None, ::-1].__setitem__((0, 0, 0), 9),
        lambda x: x.reshape(2, 1, 3).__setitem__((0, 0, 0), 9),
        lambda x: x.reshape(2, 3).__setitem__(x > 3, 9),
        lambda x: x.reshape(2, 1, 3).transpose(2, 0, 1)[1].__setitem__(0, 9),
        lambda x: x.__setitem__([], 9),
        lambda x: x[1:].__iadd__(1),
        lambda x: x.__iadd__(1),
        lambda x: x.__isub__(x),
        lambda x: x.__imul__([1, 2, 3]),
        lambda x: x.__itruediv__(3),
        lambda x: x.__ipow__(2),
        lambda x: x[:, :2].__imatmul__(np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)),
        lambda x: x.__iadd__(x.T[1, 0]),
        lambda x: x.T.__iadd__(np.float32(2)),
        lambda x: [row.__imul__(2) for row in x],
        lambda x: x.astype(np.float64).__iadd__(1),
        lambda x: x.copy().__iadd__(1),
        lambda x: (+x).__iadd__(1),
        lambda x: x[[0, 1]].__iadd__(1),
        lambda x: (
            x[x[0, 0].astype(int) :].__iadd__(1) if not hasattr(x, "trace") else x[1:].__iadd__(1)
        ),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_writes(f: Any, dtype: Any) -> None:
    """A write changes the array, what it is a view of and its views, and nothing else."""
    same(write(f), X.astype(dtype))


def test_statements() -> None:
    """The statements of a hand-written layer, as they are written."""

    def f(x: Any, t: Any, table: Any) -> Any:
        rows = np.arange(len(x))
        y = x.copy()
        y[rows, t] -= 1
        y[:, 0] += 10
        y[0] *= 2
        y[0][1] = -5
        table[t] = x
        table[t] += 1
        dx = np.zeros_like(x)
        dx[0] = x[1]
        dx += x
        hs = np.zeros((2, 4, 3), like=x)
        for i in range(4):
            hs[:, i, :] = x * i
        empty = np.empty_like(x)
        empty[...] = 3
        total = x[0]
        total = total + 1
        return y, dx, hs, empty, total

    same(f, X, np.array([2, 0]), np.zeros((4, 3)))


def test_names_share_an_array_but_not_a_number() -> None:
    """``a = b; a += 1`` changes b if it is an array; NumPy's scalars and Python's numbers don't."""

    def f(x: Any) -> Any:
        results = []
        zero_d = (np.zeros((), like=x), koubai.asarray(x.sum()), np.where(x[0, 0] > 0, 1.0, 2.0))
        for a in (x, *zero_d, x.sum(), x[0, 0], x.max() * 2, x.mean(), x[0] @ x[1], +zero_d[0]):
            b = a
            b += 1.0
            results += [a, b, a is b]
        return results

    same(f, X)


def test_scalars_have_no_views() -> None:
    """A reshaped NumPy scalar is an array of its own; a 0-d array has views."""

    def f(x: Any) -> Any:
        s, zero_d = x.sum(), np.zeros((), like=x)
        views = [s.reshape(1), s[None], s[...], s.T, zero_d.reshape(1), zero_d[None], zero_d[...]]
        for v in views:
            v += 1
        return s, zero_d, views

    same(f, X)


def test_a_scalar_and_an_array_without_axes() -> None:
    """Arguments of one dtype and shape, but ``a += 1`` means two things: two programs."""

    @koubai.compile
    def f(a: Any) -> Any:
        b = a
        b += 1
        return a, b

    for _ in range(2):
        assert_same(f(np.float64(1.0)), (np.float64(1.0), np.float64(2.0)))
        a = np.array(1.0)
        results = f(a)
        assert_same(results, (np.array(2.0), np.array(2.0)))
        assert results[0] is results[1] is a


def test_masks_in_place() -> None:
    """``mask &= other``, |= and ^= write into the mask."""

    def f(x: Any) -> Any:
        mask, other = x > 2, x < 5
        same = mask
        mask &= other
        mask |= other[1]
        mask ^= True
        return mask, same, mask is same

    same(f, X)


def test_views_are_taken_anew() -> None:
    """A view that was taken before a write shows the write, in both directions, at any depth."""

    def f(x: Any) -> Any:
        a = x * 1
        b = a[:, 1:]
        c = b.T
        d = c[0]
        results = [d + 0]
        a += 1
        results.append(d + 0)
        d[...] = 7
        results += [a + 0, b + 0, c + 0]
        c *= 2
        b[0] = [1, 2]
        return results, a, b, c, d

    same(f, X)


def test_a_view_by_a_number_of_numpys() -> None:
    """``W[i]`` is a view for a NumPy integer i, and a copy for a 0-d array."""

    def f(W: Any, i: Any) -> Any:
        row = W[i]
        row += 1
        return row

    same(f, X, np.int64(1))
    same(f, X, 1)
    same(f, X, np.array(1))


def test_a_reshape_that_is_used_alone() -> None:
    """The book's layers write into ``np.dot(...).reshape(...)``: the dot itself is used no more."""

    def f(x: Any) -> Any:
        y = np.dot(x, x.T).reshape(4)
        y[y > 20] = 0
        z = x.reshape(-1)
        z2 = z * 2
        z2 += 1
        return y, z2, x.reshape(3, 2)

    same(f, X)


@pytest.mark.parametrize(
    "f",
    [
        lambda x, y: (x.__iadd__(1), y + 1),
        lambda x, y: (y.__iadd__(1), x + 1),
        lambda x, y: (y.__setitem__(0, 1), x.T + 1),
        lambda x, y: (x[0].__iadd__(1), y + 1),
        lambda x, y: (y[0:1].__iadd__(1), x[0]),
        lambda x, y: (x.__iadd__(1), y),
        lambda x, y: (y.__iadd__(1), x),
        lambda x, y: (y.__iadd__(1), x.T),
    ],
)
def test_a_reshape_that_is_used_beside_its_base(f: Any) -> None:
    """It is a view or a copy, depending on the order in memory: refused."""

    @koubai.compile
    def g(x: Any) -> Any:
        x = x * 1
        return f(x, x.reshape(-1))

    with pytest.raises(TraceError, match=r"(?s)x\.copy\(\)\.reshape.*test_aliasing\.py"):
        g(X)


def test_a_reshape_of_an_argument_that_is_written_to() -> None:
    """Nobody knows whether the argument changes: refused; the other way round nobody asks."""

    @koubai.compile
    def f(x: Any) -> None:
        y = x.reshape(-1)
        y += 1

    with pytest.raises(TraceError, match=r"x\.copy\(\)\.reshape"):
        f(X.copy())

    def g(x: Any) -> Any:
        y = x.reshape(-1)
        z = y * 2
        x += 1
        return z

    same(g, X)


def test_copies_are_no_views() -> None:
    """astype, copy, a cast and advanced indexing make arrays of their own."""

    def f(x: Any) -> Any:
        copies = [x.astype(x.dtype), x.copy(), np.copy(x), x[[0, 1]], x[np.array([0, 1])], +x]
        copies += [x.astype(np.float32), koubai.copy(x), np.astype(x, x.dtype)]
        copies += [copy.copy(x), copy.deepcopy(x), copy.deepcopy({"x": [x]})["x"][0]]
        same_ones = [x.astype(x.dtype, copy=False), koubai.asarray(x)]
        for y in copies:
            y += 1
        return x, [y is x for y in same_ones]

    same(f, X)


SHARING = [
    ("overlapping views", lambda x: (x[:2], x[1:])),
    ("a view and its base", lambda x: (x, x[1:])),
    ("transposed", lambda x: (x, x.T)),
    ("the same memory twice", lambda x: (x, x[:])),
]


@pytest.mark.parametrize(("name", "split"), SHARING)
def test_arguments_that_share_memory(name: str, split: Any) -> None:
    """A write to one would have to change the other: refused, also where it was compiled before."""

    @koubai.compile
    def f(a: Any, b: Any) -> Any:
        a += 1
        return b * 2

    @koubai.compile
    def reads(a: Any, b: Any) -> Any:
        return a.sum() * b

    x = np.arange(9.0).reshape(3, 3)
    a, b = split(x)
    assert_same(reads(a, b), a.sum() * b)
    f(a.copy(), b.copy())
    with pytest.raises(TraceError, match="argument 0, which shares its memory with argument 1"):
        f(a, b)
    assert_same(x, np.arange(9.0).reshape(3, 3))
    assert len(f.programs) == 1


def test_neighbours_share_no_memory() -> None:
    """Columns of one array overlap in their bounds, but not in their elements."""
    x = np.arange(12.0).reshape(3, 4)

    def f(a: Any, b: Any) -> Any:
        a += b
        b *= 2

    expected = x.copy()
    f(expected[:, :2], expected[:, 2:])
    koubai.compile(f)(x[:, :2], x[:, 2:])
    assert_same(x, expected)


def test_results_share_what_eager_shares() -> None:
    """A view that is returned or kept is one: of an argument, written to or not, of a result."""

    def f(x: Any, y: Any, i: Any) -> Any:
        rows, turned, new = x[1:], y.T, x * 2
        x += 1
        return rows, rows[0], turned[0:1], new, new[i], new.reshape(-1), new[:, None], [rows]

    x, y = X.copy(), X.copy()
    expected = f(x, y, np.int64(1))
    expected_arrays = [x, y, *expected[:-1], expected[-1][0]]
    x, y = X.copy(), X.copy()
    compiled = koubai.compile(f)
    for _ in range(2):
        x[...] = X
        actual = compiled(x, y, np.int64(1))
        assert_same(expected, actual)
        arrays = [x, y, *actual[:-1], actual[-1][0]]
        for i, one in enumerate(arrays):
            for j, other in enumerate(arrays):
                shares = np.shares_memory(expected_arrays[i], expected_arrays[j])
                assert np.shares_memory(one, other) == shares, (i, j)
                assert (one is other) == (expected_arrays[i] is expected_arrays[j])


def test_state_that_shares_memory_with_an_argument() -> None:
    """A layer that kept a view of the last batch, and is given a batch that it writes to."""
    kept: dict[str, Any] = {}

    @koubai.compile
    def f(x: Any) -> Any:
        kept["x"] = x[0]
        x *= 2
        return kept["x"]

    x = X.copy()
    assert_same(f(x), 2 * X[0])
    assert_same(x, 2 * X)
    x = X.copy()
    assert_same(f(x), 2 * X[0])


def test_memory_shared_with_what_is_not_used() -> None:
    """An array in reach that the program neither reads nor writes may share memory."""

    class Gates:
        def __init__(self) -> None:
            self.all = np.zeros((2, 4))
            self.first, self.last = self.all[:, :2], self.all[:, 2:]

        def step(self, x: Any) -> None:
            self.first += x
            self.last -= self.first

    gates, expected = Gates(), Gates()
    compiled = koubai.compile(gates.step)
    for i in range(3):
        compiled(np.full((2, 2), float(i)))
        expected.step(np.full((2, 2), float(i)))
    assert_same(gates.all, expected.all)
    reads = koubai.compile(lambda: (gates.first.__iadd__(1), gates.all * 2))
    with pytest.raises(TraceError, match="shares its memory with"):
        reads()


def test_read_only_arrays() -> None:
    """A write to a read-only array is an error, as in eager, and nothing has been changed."""
    frozen, other = X.copy(), X.copy()
    frozen.flags.writeable = False

    @koubai.compile
    def f(a: Any, b: Any) -> None:
        a += 1
        b += 1

    with pytest.raises(ValueError, match="argument 1, which is read-only"):
        f(other, frozen)
    assert_same(other, X)


def test_writes_that_numpy_refuses() -> None:
    """What is an error in eager is one here too, with the line."""
    cases: list[Any] = [
        lambda x: x.astype(int).__iadd__(0.5),
        lambda x: x.astype(int).__itruediv__(2),
        lambda x: x[0].__iadd__(x),
        lambda x: x.__setitem__(0, [1, 2]),
        lambda x: x.__setitem__(9, 1),
        lambda x: x.__setitem__(x[0] > 0, 1),
        lambda x: x.__setitem__(x.T > 0, 1),
        lambda x: x.__setitem__(x[:1] > 0, 1),
        lambda x: operator.setitem(x.sum(), (), 1),
        lambda x: operator.setitem(x.sum(), ..., 1),
        lambda x: np.broadcast_to(x, (2, 2, 3)).__setitem__(0, 1),
        lambda x: x.__iadd__(Variable(x)),
        lambda x: x.__setitem__(0, Variable(x[0])),
    ]
    for f in cases:
        with pytest.raises((ValueError, IndexError, TypeError)):
            f(X.copy())
        with pytest.raises((TraceError, ValueError, IndexError, TypeError)) as caught:
            koubai.compile(f)(X.copy())
        assert "test_aliasing.py" in str(caught.value), caught.value


def test_results_do_not_share_what_eager_does_not_share() -> None:
    """An output of the program that stands for two arrays becomes two arrays."""

    def f(x: Any) -> Any:
        a = x.sum()
        b = koubai.asarray(a)
        y = x + 1
        z = koubai.asarray(y, copy=True)
        return a, b, y, z, x.copy(), [y, y]

    compiled = koubai.compile(f)
    a, b, y, z, copied, both = compiled(X)
    assert type(a) is np.float64
    assert type(b) is np.ndarray
    assert both[0] is both[1] is y
    arrays = [b, y, z, copied, X]
    for i, one in enumerate(arrays):
        for other in arrays[:i]:
            assert not np.shares_memory(one, other)
    assert all(array.flags.writeable for array in arrays)
