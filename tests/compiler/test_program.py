"""Array programs: their text, their verifier, their interpreter."""

from __future__ import annotations

import dataclasses
import tracemalloc
from typing import Any

import numpy as np
import pytest
from compiler.agree import assert_same
from compiler.random_programs import random_program, replay

import koubai
from koubai.compiler.interpret import interpret
from koubai.compiler.primitives import PRIMITIVES, Type
from koubai.compiler.program import Instruction, Program, verify

F4, F8 = np.dtype("float32"), np.dtype("float64")
X = np.arange(6.0, dtype=np.float32).reshape(2, 3)


def program_of(f: Any, *args: Any) -> Program:
    compiled = koubai.compile(f)
    compiled(*args)
    (program,) = compiled.programs
    return program


def test_text() -> None:
    """One line an instruction: number, primitive, operands, parameters, type; the user's line."""

    def f(x: Any, y: Any) -> Any:
        z = np.sum(x + y, axis=1)
        return z * 2

    program = program_of(f, X, X[0])
    assert (
        str(program)
        == program.text()
        == (
            "inputs %0: float32[2, 3], %1: float32[3]\n"
            "%2 = add %0 %1 : float32[2, 3]\n"
            "%3 = sum %2 axis=(1,) : float32[2]\n"
            "%4 = constant value=2.0 : float32[]\n"
            "%5 = multiply %3 %4 : float32[2]\n"
            "outputs %5"
        )
    )
    assert "# test_program.py" in program.text(locations=True)
    assert "return z * 2" in program.text(locations=True).splitlines()[-2]


def test_equal_programs_have_equal_texts() -> None:
    """The same function, compiled twice; every difference that matters shows in the text."""
    index, other = np.array([0, 1]), np.array([1, 1])
    functions: list[Any] = [
        lambda x: x + 1,
        lambda x: x + 2,
        lambda x: x + np.float64(1),
        lambda x: x + np.array([1, 1, 1], np.float32),
        lambda x: x + np.array([1, 1, 2], np.float32),
        lambda x: x + np.array([[1, 1, 1]], np.float32),
        lambda x: x + np.array([0.0, 0, 0], np.float32),
        lambda x: x + np.array([-0.0, 0, 0], np.float32),
        lambda x: x.sum(axis=0),
        lambda x: x.sum(axis=1),
        lambda x: x.reshape(6),
        lambda x: x.reshape(3, 2),
        lambda x: x[0],
        lambda x: x[1],
        lambda x: x[:1],
        lambda x: x[[0, 1]],
        lambda x: x[[1, 0]],
        lambda x: x.astype(np.float64),
        lambda x: x.astype(np.int32),
        lambda x: (x, x + 1),
        lambda x: (x + 1, x),
        lambda x: x[index * 1],
        lambda x: x[other * 1],
    ]
    texts = [program_of(f, X).text() for f in functions]
    assert texts == [program_of(f, X).text() for f in functions]
    # (x, x + 1) and (x + 1, x) have one output each; index and other are inputs.
    assert len(set(texts)) == len(texts) - 3


def make() -> Program:
    """%3 = matmul %0 %1; %4 = where %2 %3 %3; %5 = sum %4."""
    x, y, mask = Type(F4, (2, 3)), Type(F4, (3, 4)), Type(np.dtype(bool), (2, 4))
    product, total = Type(F4, (2, 4)), Type(F4, ())
    return Program(
        [x, y, mask],
        [
            Instruction("matmul", (0, 1), {}, product),
            Instruction("where", (2, 3, 3), {}, product),
            Instruction("sum", (4,), {"axis": (0, 1)}, total),
        ],
        [5, 0],
    )


def changed(number: int, **changes: Any) -> Program:
    program = make()
    program.instructions[number] = dataclasses.replace(program.instructions[number], **changes)
    return program


def outputs(*values: int) -> Program:
    program = make()
    program.outputs = list(values)
    return program


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (changed(0, inputs=(0, 99)), "a value is used before it is computed: %3 = matmul %0 %99"),
        (changed(0, inputs=(0, -1)), "a value is used before it is computed"),
        (changed(1, inputs=(2, 3, 5)), "a value is used before it is computed: %4 = where"),
        (changed(1, inputs=(2, 3, 4)), "a value is used before it is computed"),
        (changed(0, type=Type(F8, (2, 4))), r"the type should be float32\[2, 4\]: %3 = matmul"),
        (changed(2, type=Type(F4, (1,))), r"the type should be float32\[\]: %5 = sum"),
        (changed(0, inputs=(0, 0)), r"cannot multiply float32\[2, 3\] and float32\[2, 3\]"),
        (changed(0, op="frobnicate"), "no such primitive: %3 = frobnicate %0 %1"),
        (changed(1, inputs=(3, 3, 3)), "the condition must be boolean"),
        (changed(1, inputs=(2, 3)), "missing 1 required positional argument"),
        (changed(2, params={}), "missing 1 required positional argument: 'axis'"),
        (changed(2, params={"axis": (0,)}), r"the type should be float32\[4\]"),
        (changed(2, params={"axis": (0, 0)}), "are not axes of"),
        (changed(2, params={"axis": (-1,)}), "are not axes of"),
        (changed(2, params={"axis": (0, 1), "more": 1}), "unexpected keyword argument 'more'"),
        (changed(2, op="argmax", params={"axis": 2}), "are not axes of"),
        (changed(2, op="reshape", params={"shape": (7,)}), r"cannot reshape .* to \(7,\)"),
        (changed(2, op="permute_dims", params={"axes": (0, 0)}), "no order of the axes"),
        (changed(2, op="broadcast_to", params={"shape": (3, 5)}), "broadcast"),
        (changed(2, op="getitem", params={"index": (9,)}), "out of bounds"),
        (
            changed(2, op="cast", params={"dtype": "complex64"}),
            "complex numbers are not supported yet",
        ),
        (changed(1, op="add", inputs=(2, 3)), "operands must be cast to float32, float32 first"),
        (changed(1, op="negative", inputs=(2,)), "negative"),
        (outputs(6), "no such value among the outputs: %6"),
        (outputs(-1), "no such value among the outputs: %-1"),
    ],
)
def test_the_verifier_refuses(program: Program, words: str) -> None:
    """Each kind of broken program, naming the first instruction that is wrong."""
    with pytest.raises(ValueError, match=words):
        verify(program)


def test_the_verifier_accepts() -> None:
    """The program that the broken ones are made from; it runs."""
    program = make()
    verify(program)
    mask = np.ones((2, 4), bool)
    total, x = interpret(program, [X, np.ones((3, 4), F4), mask])
    assert total == 4 * X.sum()
    assert_same(x, X)


def test_the_interpreter_checks_its_inputs() -> None:
    """An input of another dtype or shape is an error."""
    arrays = [X, np.ones((3, 4), F4), np.ones((2, 4), bool)]
    for i, wrong in [(0, X.astype(F8)), (1, X), (2, np.ones((4, 2), bool))]:
        given = [*arrays[:i], wrong, *arrays[i + 1 :]]
        with pytest.raises(ValueError, match=f"input %{i} must be "):
            interpret(make(), given)
    with pytest.raises(ValueError, match="zip"):
        interpret(make(), arrays[:2])


def test_the_interpreter_drops_what_is_not_needed() -> None:
    """A value lives until its last use, so that memory peaks where eager execution's does."""
    big = np.ones(100_000)
    type_ = Type(F8, big.shape)
    chain = [Instruction("copy", (i,), {}, type_) for i in range(50)]
    tracemalloc.start()
    interpret(Program([type_], chain, [50]), [big])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * big.nbytes


def sharing(xs: list[Any]) -> list[tuple[int, int, bool]]:
    """Which of the values share memory, and which are one."""
    pairs = [(i, j) for i in range(len(xs)) for j in range(i)]
    return [(i, j, xs[i] is xs[j]) for i, j in pairs if np.shares_memory(xs[i], xs[j])]


@pytest.mark.parametrize("seed", range(40))
def test_random_programs(seed: int) -> None:
    """Random compositions, with views and writes in place: traced and interpreted = NumPy.

    Values, and what shares memory with what.
    """
    rng = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        inputs, steps = random_program(rng, 20)
        expected_inputs = [x.copy() for x in inputs]
        expected = replay(expected_inputs, steps)
        compiled = koubai.compile(lambda *xs: replay(list(xs), steps))
        for _ in range(2):
            actual_inputs = [x.copy() for x in inputs]
            actual = compiled(*actual_inputs)
            assert_same(expected_inputs, actual_inputs, f"inputs, seed {seed}")
            assert_same(expected, actual, f"seed {seed}")
    assert sharing(expected) == sharing(actual)
    (program,) = compiled.programs
    verify(program)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("sum", {"axis": (0,)}),
        ("max", {"axis": (0,)}),
        ("cumulative_sum", {"axis": 0}),
        ("round", {}),
    ],
)
def test_types_are_inferred_from_no_chance_numbers(
    name: str, params: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No warning of numbers that nobody computed: what memory happens to hold is not looked at."""

    def holding_nan(shape: Any, dtype: Any) -> Any:
        return np.full(shape, 0x7FA00000, np.uint32).view(dtype)  # one that signals

    monkeypatch.setattr(np, "empty", holding_nan)
    assert PRIMITIVES[name].infer(Type(F4, (3,)), **params).dtype == F4
