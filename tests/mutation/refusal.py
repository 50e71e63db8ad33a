"""Whether the promises of the table of operations refuse a mutant."""

from __future__ import annotations

import ast
import contextlib
import functools
import io
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from mutation.targets import Target
from op_table import OPERATIONS
from ops.checks import (
    CHECKS,
    Call,
    applies,
    check_first_derivative,
    check_torch,
    check_value,
)
from ops.row import Operation, Sample
from ops.test_indexing import test_a_repeated_index_may_not_write_a_variable
from ops.test_linalg import test_gradients_of_symmetric_matrices_are_symmetric
from ops.test_operations import test_special_values
from ops.test_reductions import test_products_of_nothing

from koubai import Variable
from koubai.ops.decompositions import Cholesky, Eigh
from koubai.ops.indexing import SetItem
from koubai.ops.reduction import Prod

FURTHER: dict[type, Callable[[], None]] = {
    SetItem: test_a_repeated_index_may_not_write_a_variable,
    Cholesky: test_gradients_of_symmetric_matrices_are_symmetric,
    Prod: test_products_of_nothing,
    Eigh: test_gradients_of_symmetric_matrices_are_symmetric,
}
"""Tests of what the table cannot say."""


def refusal(target: Target, function: ast.FunctionDef) -> str | None:
    """The check that fails with ``function`` in the place of the target, and where; or None."""
    with target.replaced(function), contextlib.redirect_stdout(io.StringIO()):
        further = [(test.__name__, test) for cls, test in FURTHER.items() if cls in target.users]
        for name, check in (*_checks(_uses_of(frozenset(target.users))), *further):
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # as in the suite
                try:
                    check()
                except (Exception, pytest.fail.Exception) as error:
                    return f"{name}: {type(error).__name__}"
    return None


@dataclass(frozen=True)
class _Use:
    """A sample, the classes in its graph, and those in the graph of its gradients."""

    operation: Operation
    sample: Sample
    classes: frozenset[type]
    in_gradients: frozenset[type]


@functools.cache
def _uses_of(classes: frozenset[type]) -> list[_Use]:
    """The samples that use a class: its own row's first, whose graphs are the smallest.

    What no operation uses is part of a gradient.
    """

    def some(used: frozenset[type]) -> bool:
        return any(issubclass(u, c) for u in used for c in classes)

    uses = [use for use in _all_uses() if some(use.classes)]
    uses = uses or [use for use in _all_uses() if some(use.in_gradients)]
    return sorted(uses, key=lambda use: len(use.classes))


@functools.cache
def _all_uses() -> list[_Use]:
    uses = []
    for operation in OPERATIONS:
        for sample in operation.samples:
            call = Call(operation, sample)
            xs = [Variable(x) for x in call.xs]
            y = call.ours(*xs)
            y.backward(np.ones(y.shape), create_graph=True)
            gradients = _classes([x.grad for x in xs])
            uses.append(_Use(operation, sample, _classes([y]), gradients))
    return uses


def _classes(variables: Iterable[Any]) -> frozenset[type]:
    """Of all functions in the graph of some Variables."""
    found, left = set(), list(variables)
    while left:
        x = left.pop()
        function = x.creator if isinstance(x, Variable) else None
        if function is not None and function not in found:
            found.add(function)
            left.extend(function.inputs)
    return frozenset(map(type, found))


def _checks(uses: list[_Use]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What may refuse a mutant, that which does so most often first.

    A value does not depend on ``backward``, and PyTorch may be absent.
    """
    others = [c for c in CHECKS if c not in (check_value, check_first_derivative, check_torch)]
    for check in (check_first_derivative, *others):
        for use in uses:
            if applies(check, use.operation, use.sample):
                name = f"{check.__name__} of {use.operation.name}"
                yield name, functools.partial(check, use.operation, use.sample)
        for operation in {use.operation.name: use.operation for use in uses}.values():
            for special in operation.special if check is check_first_derivative else ():
                for dtype in (np.float32, np.float64):
                    name = f"special value of {operation.name}"
                    yield name, functools.partial(test_special_values, operation, special, dtype)
