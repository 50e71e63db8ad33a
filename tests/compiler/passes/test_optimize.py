"""All passes together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiler.agree import assert_same
from compiler.passes.equal_runs import WITHOUT_PRODUCTS, Writing, assert_pass_is_right, run
from compiler.random_array_programs import (
    INDEXING,
    MOVES,
    REDUCTIONS,
    SCANS,
    random_array_program,
)

import koubai
from koubai import nn, optim
from koubai.compiler.passes import optimize
from koubai.compiler.program import Program, verify

INTEGERS = ("add", "subtract", "multiply", "negative", "maximum", "where", "cast", "matmul")


@pytest.mark.parametrize("first", range(0, 100, 50))
def test_random_programs(first: int) -> None:
    """The same outputs, to the bit; optimizing again finds nothing."""
    assert_pass_is_right(optimize, range(first, first + 50), WITHOUT_PRODUCTS)


@pytest.mark.parametrize("first", range(0, 100, 50))
def test_random_programs_of_integers(first: int) -> None:
    """With products of matrices, which are exact here."""
    ops = (*INTEGERS, *REDUCTIONS, *SCANS, *MOVES, *INDEXING)
    assert_pass_is_right(optimize, range(first, first + 50), ops, ["int64", "int32", "bool"])


def step_of_adam() -> tuple[Program, list[Any]]:
    """A step of training, and inputs for it."""
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(5, 4, rng=rng), nn.ReLU(), nn.Linear(4, 3, rng=rng))
    optimizer = optim.Adam(model.parameters(), 0.01)

    def step(x: Any, t: Any) -> Any:
        model.zero_grad()
        loss = koubai.softmax_cross_entropy(model(x), t)
        loss.backward()
        optimizer.step()
        return loss

    compiled = koubai.compile(step)
    for _ in range(2):
        compiled(rng.normal(size=(6, 5)), rng.integers(0, 3, 6))
    program = compiled.programs[-1]
    inputs: list[Any] = []
    for type_ in program.inputs:
        if type_.dtype.kind == "i":
            inputs.append(rng.integers(0, 3, type_.shape))
        else:
            inputs.append(np.asarray(rng.uniform(0.1, 1, type_.shape)).astype(type_.dtype))
    return program, inputs


def test_a_step_of_training() -> None:
    """Each of the four parameters' updates has its own ten instructions, and no more."""
    program, inputs = step_of_adam()
    new = optimize(program)
    verify(new)
    for a, b in zip(run(program, inputs), run(new, inputs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    ops = [i.op for i in new.instructions]
    assert ops.count("pow") == 2  # one for each beta, not for each parameter
    assert len(ops) < 0.65 * len(program.instructions)
    assert not {"copy", "broadcast_to"} & set(ops)
    texts = [line.partition(" = ")[2] for line in new.lines()]
    assert len(set(texts)) == len(texts)


def test_constants_made_by_algebra_are_folded_and_merged() -> None:
    """What one pass leaves, the next one finds."""
    program, inputs = random_array_program(3)
    p = Writing(*program.inputs[:1])
    x = p("cast", 0, dtype="float32")
    ones = p.constant(np.ones(p.program.type_of(x).shape))
    four = p("add", p("add", ones, ones), p("add", ones, ones))
    quarter = p.constant(0.25)
    program = p.outputs(p("add", p("divide", x, four), p("multiply", x, quarter)))
    new = optimize(program)
    assert [i.op for i in new.instructions if i.op != "cast"] == ["constant", "multiply", "add"]
    assert_same(run(program, inputs[:1]), run(new, inputs[:1]))
