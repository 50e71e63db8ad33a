"""The random array programs that passes and code generation are tested with."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from compiler.random_array_programs import LINALG, LOOPS, MAPS, OPS, random_array_program

from koubai.compiler.interpret import interpret
from koubai.compiler.primitives import PRIMITIVES
from koubai.compiler.program import verify


def test_they_run_and_hold_all_primitives() -> None:
    """Each is accepted by the verifier and runs; no primitive is missing, nor much too rare."""
    ops = (*OPS, *LINALG, *LOOPS)
    assert set(ops) == set(PRIMITIVES)
    found: Counter[str] = Counter()
    for seed in range(150):
        program, inputs = random_array_program(seed, length=40, ops=ops)
        verify(program)
        with np.errstate(all="ignore"):
            interpret(program, inputs)
        found.update(instruction.op for instruction in program.instructions)
    assert not {op for op in (*OPS, *LOOPS) if found[op] < 3}


def test_they_are_the_same_for_the_same_seed() -> None:
    """A failure can be repeated from its seed."""
    for seed in range(10):
        (one, x), (two, y) = random_array_program(seed), random_array_program(seed)
        assert one.text() == two.text()
        assert [a.tobytes() for a in x] == [b.tobytes() for b in y]


@pytest.mark.parametrize(
    ("dtypes", "ops"),
    [(["float32"], ("add", "exp")), (["int32", "bool"], MAPS), (["float64"], OPS)],
)
def test_knobs(dtypes: Any, ops: Any) -> None:
    """Only what is asked for, and constants."""
    for seed in range(10):
        program, inputs = random_array_program(seed, length=10, dtypes=dtypes, ops=ops)
        assert len(program.instructions) >= 10
        assert {str(x.dtype) for x in inputs[:4]} <= set(dtypes)
        assert {i.op for i in program.instructions} <= {*ops, "constant"}


def test_impossible_wishes_are_refused() -> None:
    """Rather than looked for without end."""
    with pytest.raises(ValueError, match="no program of matmul was found"):
        random_array_program(0, length=2, dtypes=["bool"], ops=["matmul"])
