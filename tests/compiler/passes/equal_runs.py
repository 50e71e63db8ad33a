"""What the tests of passes hold against each other: a program and what a pass makes of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from compiler.agree import assert_same
from compiler.random_array_programs import OPS, random_array_program

from koubai.compiler.passes.dead import remove_dead
from koubai.compiler.primitives import PRIMITIVES, Type
from koubai.compiler.program import Instruction, Program, verify

Pass = Callable[[Program], Program]

F4, F8, I8, BOOL = (np.dtype(name) for name in ("float32", "float64", "int64", "bool"))
WITHOUT_PRODUCTS = tuple(op for op in OPS if op != "matmul")


def run(program: Program, inputs: Sequence[Any]) -> list[Any]:
    """The outputs, where each value lies in memory in the order of rows.

    As NumPy adds up in the order of memory, a sum would else be another after a copy.
    """
    values = [np.array(x, order="C") for x in inputs]
    with np.errstate(all="ignore"):
        for i in program.instructions:
            result = PRIMITIVES[i.op].run(*[values[v] for v in i.inputs], **i.params)
            values.append(np.array(result, order="C"))
    return [values[v] for v in program.outputs]


def assert_equal_runs(old: Program, new: Program, inputs: Sequence[Any], where: str = "") -> None:
    """The new program is valid, has the same inputs and outputs, to the bit (NaN is NaN)."""
    verify(new)
    assert new.inputs == old.inputs
    assert_same(run(old, inputs), run(new, inputs), where)


def assert_pass_is_right(
    rewriting: Pass,
    seeds: Sequence[int] = range(150),
    ops: Collection[str] = OPS,
    dtypes: Sequence[str] | None = None,
) -> None:
    """On random programs: the same outputs; a second time it finds nothing more.

    (What it has made dead, it leaves.)
    """
    more: Any = {} if dtypes is None else {"dtypes": dtypes}
    for seed in seeds:
        program, inputs = random_array_program(seed, length=40, ops=ops, **more)
        before = program.text()
        new = rewriting(program)
        assert program.text() == before, f"seed {seed}: the program given was changed"
        assert_equal_runs(program, new, inputs, f"seed {seed}")
        again = remove_dead(rewriting(new))
        assert again.text() == remove_dead(new).text(), f"seed {seed}: not idempotent"


class Writing:
    """A program written by hand, an instruction a call, which returns the number of the value.

    >>> p = Writing(Type(F4, (3,)))
    >>> p.outputs(p("negative", 0)).text().splitlines()[1]
    '%1 = negative %0 : float32[3]'
    """

    def __init__(self, *inputs: Type) -> None:
        self.program = Program(list(inputs))

    def __call__(self, op: str, *inputs: int, **params: Any) -> int:
        type_ = PRIMITIVES[op].infer(*[self.program.type_of(i) for i in inputs], **params)
        self.program.instructions.append(Instruction(op, inputs, params, type_))
        return len(self.program.inputs) + len(self.program.instructions) - 1

    def constant(self, value: Any, dtype: Any = F4) -> int:
        return self("constant", value=np.array(value, dtype))

    def outputs(self, *values: int) -> Program:
        self.program.outputs = list(values)
        verify(self.program)
        return self.program


def lines(program: Program) -> list[str]:
    """The program's text without the inputs and the types."""
    return [line.partition(" : ")[0] for line in program.text().splitlines()[1:]]
