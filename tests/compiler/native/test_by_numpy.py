"""What there is no code for is run by NumPy, between the steps of machine code."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from compiler.native.one import Written
from compiler.native.perturbed import assert_plausible
from compiler.random_array_programs import random_array_program

from koubai.compiler.kernels import Fallback
from koubai.compiler.passes.fusion import fuse
from koubai.compiler.primitives import OPERAND, Type
from koubai.compiler.program import Instruction
from koubai.compiler.runtime import code
from koubai.compiler.runtime.native import NativeProgram


@pytest.mark.parametrize("seed", range(60))
def test_random_programs_in_pieces(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes to NumPy: one instruction of three, here, at random."""
    rng = np.random.default_rng(seed)
    is_native = code.is_native

    def is_sometimes(instruction: Instruction, types: Sequence[Type]) -> bool:
        return is_native(instruction, types) and bool(rng.random() < 0.67)

    monkeypatch.setattr(code, "is_native", is_sometimes)
    program, inputs = random_array_program(seed, length=20, special=seed % 3 > 0)
    if seed % 3 == 2:
        program.outputs = list(range(len(program.inputs) + len(program.instructions)))
    piecewise = NativeProgram(program)
    assert any(isinstance(kernel, Fallback) for kernel in piecewise.plan.kernels)
    with np.errstate(all="ignore"):
        first, second = piecewise.run(inputs), piecewise.run(inputs)
    assert_plausible(program, inputs, first, f"seed {seed}\n{program}\n")
    for x, y in zip(first, second, strict=True):
        assert x is not y
        np.testing.assert_array_equal(x, y, strict=True)


def test_little_is_left_to_numpy() -> None:
    """Of all that is no linear algebra, only what makes float16."""
    for seed in range(300):
        program, _ = random_array_program(seed, length=20)
        for kernel in fuse(program, code.is_native).kernels:
            if isinstance(kernel, Fallback):
                assert kernel.instruction.type.dtype == np.float16, f"seed {seed}: {kernel}"


def solving() -> Written:
    """Outputs: a next to last input that is updated, and a solution of the rest."""
    w = Written(np.eye(3), np.ones(3), np.zeros(5))
    updated = w.emit("add", 2, 2)
    solution = w.emit("solve", w.emit("multiply", 0, 0), w.emit("negative", 1))
    w.program.outputs = [updated, w.emit("exp", solution)]
    return w


def test_an_error_overwrites_nothing() -> None:
    """What LAPACK refuses is raised, and the state is as it was; the next call is right."""
    program = NativeProgram(solving().program, [(2, 0)])
    state = np.ones(5)
    with pytest.raises(np.linalg.LinAlgError):
        program.run([np.zeros((3, 3)), np.ones(3), state])
    np.testing.assert_array_equal(state, np.ones(5))
    updated, y = program.run([2 * np.eye(3), np.ones(3), state])
    np.testing.assert_array_equal(updated, 2 * np.ones(5))
    np.testing.assert_allclose(y, np.exp(-np.ones(3) / 4))


def test_inputs_that_do_not_lie_in_order() -> None:
    """Views of all kinds, and an array of another class, are copied; they stay what they are."""
    program = NativeProgram(solving().program)
    a = np.random.default_rng(0).normal(size=(3, 3)) + 3 * np.eye(3)
    turned, row = np.asfortranarray(a), np.repeat(np.arange(3.0), 2)[::2]
    given = [turned, row, np.arange(5.0).view(np.recarray)]
    copies = [x.copy() for x in given]
    updated, y = program.run(given)
    np.testing.assert_allclose(y, np.exp(np.linalg.solve(a * a, -np.arange(3.0))))
    np.testing.assert_array_equal(updated, 2 * np.arange(5.0))
    for x, copy in zip(given, copies, strict=True):
        np.testing.assert_array_equal(x, copy)


def test_nothing_after_the_end() -> None:
    """A view of an empty array begins where it has no memory."""
    w = Written(np.zeros((0, 4, 3)))
    part = w.emit("getitem", 0, index=(slice(None), slice(1, None)))
    w.program.outputs = [w.emit("inv", part)]
    (y,) = NativeProgram(w.program).run([np.zeros((0, 4, 3))])
    assert y.shape == (0, 3, 3)


def test_threads_do_not_mix_their_calls() -> None:
    """Though NumPy lets others run while it works, and all calls share one workspace."""
    w = Written(np.zeros((60, 60)))
    w.program.outputs = [w.emit("sum", w.emit("inv", w.emit("add", 0, 0)), axis=(0, 1))]
    program = NativeProgram(w.program)

    def run(k: int) -> Any:
        return [program.run([k * np.eye(60)])[0] for _ in range(20)]

    with ThreadPoolExecutor(4) as pool:
        for k, found in enumerate(pool.map(run, range(1, 9)), 1):
            np.testing.assert_allclose(found, 30 / k)


def test_a_number_among_what_numpy_needs() -> None:
    """A scalar, as it is or repeated, is read by NumPy and by machine code."""
    w = Written(np.float64(0.0), np.eye(3), np.zeros(3))
    b = w.emit("broadcast_to", 0, shape=(3,))
    w.program.outputs = [w.emit("add", w.emit("solve", 1, b), 0)]
    program = NativeProgram(w.program, scalars=[0])
    for number in (3.0, np.float64(5.0)):
        for a in (2 * np.eye(3), 2 * np.eye(3, order="F")):
            (y,) = program.run([number, a, np.zeros(3)])
            np.testing.assert_array_equal(y, np.full(3, 1.5 * number))


def test_a_program_that_stops_after_numpy() -> None:
    """An index that is too large, in machine code after it, raises what NumPy does."""
    w = Written(np.eye(3), np.arange(3))
    w.program.outputs = [w.emit("getitem", w.emit("inv", 0), 1, index=(OPERAND,))]
    program = NativeProgram(w.program)
    with pytest.raises(IndexError, match="3 is out of bounds"):
        program.run([np.eye(3), np.array([0, 3, 1])])
    (y,) = program.run([2 * np.eye(3), np.array([2, 1, 0])])
    np.testing.assert_array_equal(y, np.eye(3)[::-1] / 2)
