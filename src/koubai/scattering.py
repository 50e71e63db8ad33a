"""Adding rows of one array to rows of another, by number: how ``arrays.scatter_add`` does it.

An index, whatever it is made of, says the numbers of rows; then one way of adding rows is enough.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def row_numbers(index: Any, shape: tuple[int, ...]) -> tuple[np.ndarray[Any, Any], int]:
    """The numbers of the rows of x that x[index] takes, for x of ``shape``, in x[index]'s order.

    A row is what lies along the last axes, those that ``index`` says nothing of.

    Returns:
        The numbers, and how many axes of x they count through.
    """
    parts = [_as_numpy(p) for p in (index if isinstance(index, tuple) else (index,))]
    axes = sum([_axes_of(p) for p in parts])
    for i, part in enumerate(parts):
        if part is ...:
            parts[i : i + 1] = [slice(None)] * (len(shape) - axes)
            axes = len(shape)
            break
    while parts and _is_everything(parts[-1]):
        parts.pop()
        axes -= 1
    lead = shape[:axes]
    if len(parts) == axes > 1 and all(_is_everything(p) for p in parts[:-1]):  # take's: faster
        last = np.arange(lead[-1])[parts[-1]]
        starts = np.arange(math.prod(lead[:-1])) * lead[-1]
        return starts.reshape(*lead[:-1], *(1,) * last.ndim) + last, axes
    numbers: np.ndarray[Any, Any] = np.arange(math.prod(lead)).reshape(lead)[tuple(parts)]
    return numbers, axes


def _as_numpy(part: Any) -> Any:
    """A part of an index, arrays and lists as NumPy's arrays."""
    if isinstance(part, (list, tuple)):
        array = np.asarray(part)
        return array if array.size else array.astype(int)
    return np.asarray(part) if hasattr(part, "__array_namespace__") else part


def _axes_of(part: Any) -> int:
    """How many axes a part of an index, other than ``...``, is about."""
    if part is None or part is ...:
        return 0
    is_mask = isinstance(part, bool) or getattr(part, "dtype", None) == np.bool_
    return np.ndim(part) if is_mask else 1


def _is_everything(part: Any) -> bool:
    return isinstance(part, slice) and part == slice(None)


def add_rows(rows: Any, numbers: Any, lead: tuple[int, ...]) -> Any:
    """Rows of zeros, ``lead`` their shape, to which ``rows`` are added, each where its number says.

    np.add.at is fast for single elements only. A product with the sparse matrix that has a 1 in
    column i and row numbers[i] adds rows, from the first to the last, and needs no sorting.
    """
    m, n, row = len(numbers), math.prod(lead), rows.shape[1:]
    if not row or rows.dtype not in (np.float32, np.float64):
        y = np.zeros((*lead, *row), dtype=rows.dtype)
        np.add.at(y.reshape(n, *row), numbers, rows)
        return y
    from scipy.sparse import csc_array  # takes longer to import than all of koubai

    places = csc_array((np.ones(m, rows.dtype), numbers, np.arange(m + 1)), shape=(n, m))
    y = places @ rows.reshape(m, -1)
    return y if y.shape == (*lead, *row) else y.reshape(*lead, *row)


def add_rows_by_take(rows: Any, numbers: Any, lead: tuple[int, ...]) -> Any:
    """As ``add_rows``, by the standard's functions: the first of each number, the second, ..."""
    xp, n, row = rows.__array_namespace__(), math.prod(lead), rows.shape[1:]
    order, times = np.argsort(numbers, stable=True), np.bincount(numbers, minlength=n)
    first = np.cumsum(times) - times
    y = xp.zeros((n, *row), dtype=rows.dtype)
    for i in range(times.max(initial=0)):
        there = times > i
        added = xp.take(rows, xp.asarray(order[np.where(there, first + i, 0)]), axis=0)
        there = xp.reshape(xp.asarray(there), (n, *(1,) * len(row)))
        y = y + xp.where(there, added, 0)
    return xp.reshape(y, (*lead, *row))
