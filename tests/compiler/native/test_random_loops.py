"""Random array programs with loops in them, and loops in these: the same as the interpreter's."""

from __future__ import annotations

import numpy as np
import pytest
from compiler.native.perturbed import assert_plausible
from compiler.random_array_programs import LOOPS, OPS, random_array_program

from koubai.compiler.passes import optimize, partition
from koubai.compiler.program import Program, verify
from koubai.compiler.runtime.native import NativeProgram

FREQUENT = ("add", "multiply", "tanh", "sum", "matmul", "permute_dims", "reshape", "maximum")


def program_with_loops(seed: int) -> tuple[Program, list[np.ndarray]]:
    """Nearly all primitives, or a few; of every second one, each array is an output."""
    ops = (*OPS, *LOOPS) if seed % 3 else (*FREQUENT, *LOOPS)
    program, inputs = random_array_program(seed, length=15, ops=ops, special=seed % 3 > 0)
    if seed % 2:
        n = len(program.inputs)
        program.outputs = [
            n + i for i, x in enumerate(program.instructions) if x.op != "loop"
        ] or program.outputs
    return program, inputs


@pytest.mark.parametrize("seed", range(120))
def test_native_is_the_interpreter(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what threads share cut into chunks, before and after the passes, twice over."""
    monkeypatch.setattr(partition, "WORTH", 0)
    monkeypatch.setattr(partition, "PIECE", 1e-3)
    monkeypatch.setattr(partition, "LEAST", 0)
    program, inputs = program_with_loops(seed)
    shown = f"seed {seed}\n{program}\n"
    given = optimize(program) if seed % 4 < 3 else program
    verify(given)
    native = NativeProgram(given, processors=(1, 2, 3)[seed % 3])
    before = [x.copy() for x in inputs]
    with np.errstate(all="ignore"):
        first, second = native.run(list(inputs)), native.run(list(inputs))
    for x, y in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(x, y, strict=True)
    assert_plausible(program, inputs, first, shown)
    for x, y in zip(first, second, strict=True):
        assert x is not y
        np.testing.assert_array_equal(x, y, strict=True)  # nothing is left from the last run
