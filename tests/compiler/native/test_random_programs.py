"""Random array programs: the machine code computes what the interpreter does."""

from __future__ import annotations

import numpy as np
import pytest
from compiler.native.perturbed import assert_plausible, run
from compiler.random_array_programs import random_array_program

from koubai.compiler.codegen import direction, nest
from koubai.compiler.passes import optimize, partition
from koubai.compiler.program import Program
from koubai.compiler.runtime.native import NativeProgram


@pytest.mark.parametrize("seed", range(150))
def test_native_is_the_interpreter(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is computed, stored and fused: integers exactly, floats but for roundings.

    With NaN and infinities among the numbers of two programs of three. Of every third program all
    values are outputs, so that nothing is left out. Each runs three times: on inputs that others
    hold, twice, and on some that it may overwrite by outputs. Some are cut into chunks, as if they
    were large; of some, lanes lie across rows wherever that is possible.
    """
    if seed % 5 < 2:
        monkeypatch.setattr(nest, "is_across", lambda one, *_: direction.is_possible(one))
    monkeypatch.setattr(partition, "WORTH", 0)
    monkeypatch.setattr(partition, "PIECE", 1e-3)
    monkeypatch.setattr(partition, "LEAST", 0)
    program, inputs = random_array_program(seed, length=20, special=seed % 3 > 0)
    if seed % 3 == 2:
        program.outputs = list(range(len(program.inputs) + len(program.instructions)))
    shown = f"seed {seed}\n{program}\n"
    chunks, given = (1, 1, 2, 3)[seed % 4], optimize(program) if seed % 2 else program
    native = NativeProgram(given, _state(program), processors=chunks)
    before, held = [x.copy() for x in inputs], list(inputs)
    with np.errstate(all="ignore"):
        first, second = native.run(list(inputs)), native.run(list(inputs))
        in_place = native.run([x.copy() for x in inputs])
    for x, y in zip(held, before, strict=True):
        np.testing.assert_array_equal(x, y, strict=True)
    assert_plausible(program, inputs, first, shown)
    for x, y, z in zip(first, second, in_place, strict=True):
        assert x is not y
        np.testing.assert_array_equal(x, y, strict=True)  # nothing is left in the workspace
        np.testing.assert_array_equal(x, z, strict=True)


def _state(program: Program) -> list[tuple[int, int]]:
    """Inputs, and outputs of their types that may take their places."""
    pairs: dict[int, int] = {}
    for number, value in enumerate(program.outputs):
        fits = [i for i, t in enumerate(program.inputs) if t == program.type_of(value)]
        free = [i for i in fits if i not in pairs]
        if free:
            pairs[free[-1]] = number
    return list(pairs.items())


def test_the_oracle_sees_mistakes() -> None:
    """It accepts the interpreter's results, and most small changes of one element it does not."""
    rng, shares, seen = np.random.default_rng(0), [], []
    for seed in range(40):
        program, inputs = random_array_program(seed, length=20, special=seed % 3 > 0)
        values = run(program, inputs, None)
        right = [values[v] for v in program.outputs]
        shares.append(assert_plausible(program, inputs, right, f"seed {seed}"))
        outputs = [x.copy() for x in right]
        x = outputs[0].reshape(-1)
        place = rng.integers(x.size) if x.size else 0
        if not x.size or not np.isfinite(x[place]) or x[place] == 0:
            continue
        x[place] = x[place] * 0.999 if x.dtype.kind == "f" else x[place] ^ 1
        try:
            assert_plausible(program, inputs, outputs, f"seed {seed}")
            seen.append(False)
        except AssertionError:
            seen.append(True)
    assert np.mean(shares) > 0.9
    assert np.mean(seen) > 0.8, f"{np.sum(seen)} of {len(seen)}"
