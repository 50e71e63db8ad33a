"""The tests of the tests: an operation with a wrong gradient is refused by its checks.

Each mistake is made in the ``backward`` of the operation itself, for every row of the table. If a
row's samples were too tame to notice one (a symmetric matrix for a transposed gradient, ones for a
forgotten factor), the test here would fail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import pytest
from op_table import OPERATIONS
from ops.checks import (
    Call,
    Check,
    applies,
    check_alone,
    check_first_derivative,
    check_float32,
    check_jvp,
    check_memory,
    check_second_derivative,
    second_order,
)
from ops.row import Operation, Sample

from koubai import Variable

Gradients = tuple[Any, ...]
Backward = Callable[..., Any]
ROWS = {operation.name: operation for operation in OPERATIONS}


def _function_class(operation: Operation, sample: Sample) -> type:
    """The Function that the sample records, whose backward is to be spoiled."""
    call = Call(operation, sample)
    y = call.ours(*[Variable(x) for x in call.xs])
    assert y.creator is not None
    return type(y.creator)


def _refused(operation: Operation, check: Check, spoil: Callable[[Backward], Backward]) -> bool:
    """Whether the check fails on a sample of the operation with its backward replaced."""
    for sample in operation.samples:
        if not applies(check, operation, sample):
            continue
        cls = _function_class(operation, sample)
        with mock.patch.object(cls, "backward", spoil(cls.backward)):  # type: ignore[attr-defined]
            try:
                check(operation, sample)
            except (AssertionError, ValueError):
                return True
    return False


def _result(change: Callable[[Gradients], Gradients]) -> Callable[[Backward], Backward]:
    """A mistake in what backward returns."""

    def spoil(backward: Backward) -> Backward:
        def wrong(self: Any, *gys: Any) -> Gradients:
            gxs = backward(self, *gys)
            return change(gxs if isinstance(gxs, tuple) else (gxs,))

        return wrong

    return spoil


def _each(change: Callable[[Any], Any]) -> Callable[[Backward], Backward]:
    """A mistake in each gradient."""
    return _result(lambda gxs: tuple(None if g is None else change(g) for g in gxs))


MISTAKES = {
    "zero": _each(lambda g: g * 0),
    "negated": _each(lambda g: -g),
    "x 2.001": _each(lambda g: g * 2.001),
    "x 1.00001": _each(lambda g: g * 1.00001),
    "transposed": _each(np.transpose),
    "wrong shape": _each(lambda g: g[np.newaxis]),
    "summed": _each(lambda g: np.sum(g, axis=-1, keepdims=True) if g.ndim else g * 2),
    "missing": _result(lambda gxs: gxs[:-1]),
    "one too many": _result(lambda gxs: (*gxs, gxs[-1])),
    "swapped": _result(lambda gxs: gxs[::-1]),
}

ONE_INPUT = {r.name for r in OPERATIONS if len(Call(r, r.samples[0]).places) == 1}
SAME = {("swapped", name) for name in ONE_INPUT | {"add"}}
"""Mistakes that are none: of one gradient, and of two equal ones, there is nothing to swap."""


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_wrong_gradients_are_refused(mistake: str, name: str) -> None:
    """check_first_derivative fails, or the engine raises, for each mistake in each operation."""
    if (mistake, name) in SAME:
        return
    assert _refused(ROWS[name], check_first_derivative, MISTAKES[mistake])


def _without_history(backward: Backward) -> Backward:
    """What forward kept is a constant: a right first derivative, a wrong second one."""

    def wrong(self: Any, *gys: Any) -> Any:
        for key, value in vars(self).items():
            if not key.startswith("_"):
                vars(self)[key] = _constant(value)
        return backward(self, *gys)

    return wrong


def _constant(x: Any) -> Any:
    if isinstance(x, tuple):
        return tuple(map(_constant, x))
    return Variable(x.data) if isinstance(x, Variable) else x


def _is_linear(operation: Operation) -> bool:
    """Whether its gradients depend on no input: all second derivatives are 0."""
    for sample in operation.samples:
        call = Call(operation, sample)
        vs = [call.random_like(x) for x in call.xs]
        *second, _ = second_order(call, call.xs, call.upstream(), vs)
        if any(g is not None and np.any(g) for g in second):
            return False
    return True


@pytest.mark.parametrize("name", ROWS)
def test_wrong_second_derivatives_are_refused(name: str) -> None:
    """check_second_derivative fails if backward forgets that what it uses depends on the input."""
    if not _is_linear(ROWS[name]):
        assert _refused(ROWS[name], check_second_derivative, _without_history)
        assert not _refused(ROWS[name], check_first_derivative, _without_history)


def test_which_operations_are_linear() -> None:
    """Of those the test above is silent; the check of second derivatives is not."""
    for name in ("add", "relu", "getitem", "sum"):
        assert _is_linear(ROWS[name])
    for name in ("multiply", "exp", "matmul", "prod"):
        assert not _is_linear(ROWS[name])


def _in_place(backward: Backward) -> Backward:
    def wrong(self: Any, *gys: Any) -> Any:
        gys[0][...] = gys[0] * 1
        return backward(self, *gys)

    return wrong


def _promoting(backward: Backward) -> Backward:
    def wrong(self: Any, *gys: Any) -> Any:
        return backward(self, *[gy * np.ones(1) for gy in gys])

    return wrong


def _aliasing(backward: Backward) -> Backward:
    def wrong(self: Any, *gys: Any) -> Any:
        gxs = backward(self, *gys)
        whole = gxs if isinstance(gxs, tuple) else (gxs,)
        first = next(g for g in whole if g is not None)
        return tuple(first if g is not None and g.shape == first.shape else g for g in whole)

    return wrong


@pytest.mark.parametrize("name", ROWS)
def test_writing_into_the_upstream_gradient_is_refused(name: str) -> None:
    """check_memory fails if backward writes into what it was given, even the same values."""
    assert _refused(ROWS[name], check_memory, _in_place)


@pytest.mark.parametrize("name", ["multiply", "divide", "where", "mean_squared_error"])
def test_one_array_for_two_gradients_is_refused(name: str) -> None:
    """check_memory fails if two inputs get the same array, and would see each other's changes."""
    assert _refused(ROWS[name], check_memory, _aliasing)


@pytest.mark.parametrize("name", [name for name in ROWS if name != "astype"])
def test_promotion_to_float64_is_refused(name: str) -> None:
    """check_float32 fails if backward computes float32 gradients in float64."""
    assert _refused(ROWS[name], check_float32, _promoting)


@pytest.mark.parametrize("name", ["multiply", "matmul", "linear"])
def test_gradients_that_depend_on_the_other_inputs_are_refused(name: str) -> None:
    """check_alone fails if an input's gradient is another when the others are constants."""

    def spoil(backward: Backward) -> Backward:
        def wrong(self: Any, *gys: Any) -> Any:
            factor = 1 if self.needs_grad(0) and self.needs_grad(1) else 2
            return tuple(None if g is None else factor * g for g in backward(self, *gys))

        return wrong

    assert _refused(ROWS[name], check_alone, spoil)


@pytest.mark.parametrize("name", ["exp", "multiply", "matmul", "sum"])
def test_a_backward_that_is_not_linear_is_refused(name: str) -> None:
    """check_jvp fails if the gradient of 2 gy is not twice that of gy."""
    assert _refused(ROWS[name], check_jvp, _each(lambda g: g + 0.1))
