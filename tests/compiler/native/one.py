"""One primitive as machine code and as the interpreter computes it."""

from __future__ import annotations

from typing import Any

import numpy as np

from koubai.compiler.interpret import interpret
from koubai.compiler.kernels import Fallback
from koubai.compiler.primitives import PRIMITIVES, Type
from koubai.compiler.program import Instruction, Program
from koubai.compiler.runtime.native import NativeProgram

Array = np.ndarray[Any, Any]


class Written:
    """A program that is written an instruction at a time, for these inputs.

    >>> w = Written(np.zeros((2, 3)))
    >>> y = w.emit("permute_dims", 0, axes=(1, 0))
    >>> native, expected = w.results(y)
    """

    def __init__(self, *inputs: Any) -> None:
        self.inputs = [np.asarray(x) for x in inputs]
        self.program = Program([Type(x.dtype, x.shape) for x in self.inputs])

    def emit(self, op: str, *operands: int, **params: Any) -> int:
        """The number of the value that it computes."""
        type_ = PRIMITIVES[op].infer(*(self.program.type_of(v) for v in operands), **params)
        self.program.instructions.append(Instruction(op, operands, params, type_))
        return len(self.inputs) + len(self.program.instructions) - 1

    def results(self, *outputs: int) -> tuple[list[Array], list[Array]]:
        """The outputs of machine code, with nothing left to NumPy, and of the interpreter."""
        self.program.outputs = list(outputs)
        native = NativeProgram(self.program)
        assert not [k for k in native.plan.kernels if isinstance(k, Fallback)], str(self.program)
        with np.errstate(all="ignore"):
            expected = interpret(self.program, self.inputs)
            first, second = native.run(list(self.inputs)), native.run(list(self.inputs))
        for x, y in zip(first, second, strict=True):
            np.testing.assert_array_equal(x, y, strict=True)  # nothing is left in the workspace
        return second, expected


def both(op: str, *arrays: Any, **params: Any) -> tuple[Array, Array]:
    """What ``op`` makes of ``arrays`` as machine code and on the interpreter."""
    w = Written(*arrays)
    (native,), (expected,) = w.results(w.emit(op, *range(len(arrays)), **params))
    return native, expected
