"""The code of a nest is written once, and taken again only where it is the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from compiler.random_array_programs import random_array_program

import koubai
from koubai.compiler.codegen import nest
from koubai.compiler.codegen.nest import NestCodes, nest_code
from koubai.compiler.kernels import Nest
from koubai.compiler.passes.fusion import Plan, fuse
from koubai.compiler.runtime.coverage import is_native

FLOAT = np.arange(12, dtype=np.float32).reshape(3, 4)
ROWS, SAME_ROWS = np.array([1, 0, 1]), np.array([1, 0, 1])
PAIRS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "operation": (lambda x: x + 2, lambda x: x * 2),
    "number": (lambda x: x * 2, lambda x: x * 3),
    "sign of zero": (lambda x: np.maximum(x, 0.0), lambda x: np.maximum(x, -0.0)),
    "dtype": (lambda x: x - 1, lambda x: x.astype(np.float64) - 1),
    "dtype of the result": (
        lambda x: x.astype(np.int64),
        lambda x: x.astype(np.int32),
    ),
    "the same twice": (lambda x: x + x, lambda x: x + x[::-1]),
    "order": (lambda x: x - x[::-1], lambda x: x[::-1] - x),
    "strides": (lambda x: x[:, ::2] + 1, lambda x: x[:, :2] + 1),
    "shape": (lambda x: x[:2] + 1, lambda x: x[:, :2] + 1),
    "length of what is looked up": (lambda x: x[ROWS], lambda x: x[:2][SAME_ROWS]),
    "axis": (lambda x: x.sum(axis=0), lambda x: x[:, :3].sum(axis=1)),
}


def kernels(program: Any) -> tuple[Plan, list[Nest]]:
    plan = fuse(program, is_native)
    return plan, [kernel for kernel in plan.kernels if isinstance(kernel, Nest)]


def program_of(f: Callable[..., Any], *args: Any) -> Any:
    compiled = koubai.compile(f)
    compiled(*args)
    (program,) = compiled.programs
    return program


@pytest.mark.parametrize("seed", range(60))
def test_as_if_written_anew(seed: int) -> None:
    """Text, pointers and whether it may fail, of each nest of a random program, met twice."""
    program, _ = random_array_program(seed, length=60, special=False)
    plan, nests = kernels(program)
    codes = NestCodes(plan, 8)
    for one in nests * 2:
        assert codes.of(one) == nest_code(one, plan, 8), f"seed {seed}"


@pytest.mark.parametrize("difference", PAIRS)
def test_what_makes_a_difference(difference: str) -> None:
    """Nests that compute two things are two, however alike."""

    first, second = PAIRS[difference]
    plan, nests = kernels(program_of(lambda x, y: (first(x), second(y)), FLOAT, FLOAT + 1))
    codes = NestCodes(plan, 8)
    one, two = (codes.of(one) for one in nests)
    assert [one, two] == [nest_code(one, plan, 8) for one in nests]
    assert one.text != two.text


def test_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recurrence of thirty steps has as many texts as one of six."""
    written: list[Nest] = []

    def counted(one: Nest, plan: Plan, width: int) -> Any:
        written.append(one)
        return nest_code(one, plan, width)

    monkeypatch.setattr(nest, "nest_code", counted)

    def texts(steps: int) -> int:
        def recurrence(x: Any, W: Any) -> Any:
            for _ in range(steps):
                x = koubai.tanh(x @ W + 1)
            return x

        plan, nests = kernels(program_of(recurrence, FLOAT, np.eye(4, dtype=np.float32)))
        assert len(nests) == steps
        codes = NestCodes(plan, 8)
        written.clear()
        for one in nests:
            codes.of(one)
        return len(written)

    assert texts(30) == texts(6) == 1
