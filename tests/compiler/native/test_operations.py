"""Every operation as machine code computes what it does eagerly: forward and backward."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from compiler.native.close import assert_close
from op_table import OPERATIONS
from ops.checks import Call
from ops.row import Drawn, Operation, Sample

import koubai
from koubai import Variable

pytestmark = pytest.mark.native

LENGTHS = [{2: 7, 3: 9, 4: 31, 5: 130}, {2: 8, 3: 16, 4: 2, 5: 100}]
"""Axes of the table's samples made longer: registers of eight, none, one or many, and a rest."""
LARGEST = 20_000


@pytest.mark.parametrize("operation", [pytest.param(o, id=o.name) for o in OPERATIONS])
def test_operation(operation: Operation) -> None:
    """Value and gradients, in both dtypes; all samples in one program, to save time."""

    def run(given: Any) -> Any:
        return [_with_gradients(operation, *one) for one in given]

    compiled = koubai.compile(run)
    with np.errstate(all="ignore"):
        calls = list(_calls(operation))
        expected = run(calls)
        for actual in (compiled(calls), compiled(calls)):
            for call, x, y in zip(calls, actual, expected, strict=True):
                units = 500 if operation.name.startswith("linalg.") else 64
                assert_close(x, y, units, f"{operation.name}: {call}")
    (program,) = compiled.cache.compiled.values()
    assert program.native is not None


def _with_gradients(operation: Operation, args: Any, kwargs: Any, places: Any, gy: Any) -> Any:
    variables = [Variable(x) if i in places else x for i, x in enumerate(args)]
    y = operation.call(*variables, **kwargs)
    y.backward(gy)
    return y.data, [variables[i].grad for i in places]


def _calls(operation: Operation) -> Iterator[tuple[Any, ...]]:
    """Arguments, those to differentiate, and the gradient of the result, of each sample.

    Those of float32 with longer axes are float64 without, and the other way round. What the table
    says of special points is here too. Where a longer axis does not go with the other arguments,
    or the result were large, there is none; nor of linear algebra, where LAPACK does the work.
    """
    dtypes = (np.float32, np.float64)
    for i, one in enumerate(operation.samples):
        yield _drawn(Call(operation, one, dtypes[i % 2]))
        longer = _stretched(one, LENGTHS[i // 2 % 2])
        if longer != one and not operation.name.startswith("linalg."):
            with contextlib.suppress(ValueError, TypeError, IndexError):
                yield _drawn(Call(operation, longer, dtypes[1 - i % 2]))
    for point in operation.special:
        places = [i for i, x in enumerate(point.args) if _is_real(x)]
        yield list(point.args), point.kwargs, places, np.ones(np.shape(point.value))


def _drawn(call: Call) -> tuple[Any, ...]:
    y = call.ours(*call.xs)
    if y.size > LARGEST:
        raise ValueError("too large")
    return [_known_mask(x) for x in call.args], call.sample.kwargs, call.places, call.random_like(y)


def _stretched(sample: Sample, lengths: dict[int, int]) -> Sample:
    args = [
        replace(x, shape=tuple(lengths.get(n, n) for n in x.shape)) if isinstance(x, Drawn) else x
        for x in sample.args
    ]
    return replace(sample, args=tuple(args))


def _is_real(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def _known_mask(x: Any) -> Any:
    """A mask among the arguments as a list: an array's numbers aren't known in a trace."""
    if isinstance(x, tuple):
        return tuple(_known_mask(part) for part in x)
    return x.tolist() if getattr(x, "dtype", None) == np.dtype(bool) and x.size else x
