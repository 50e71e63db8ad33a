"""A program as machine code: compiled, and run on NumPy arrays."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from koubai.compiler.codegen.schedule import LoopStep
from koubai.compiler.interpret import interpret
from koubai.compiler.kernels import Fallback
from koubai.compiler.passes import optimize
from koubai.compiler.program import Program
from koubai.compiler.runtime import jit
from koubai.compiler.runtime.by_numpy import Run, Views, by_numpy
from koubai.compiler.runtime.code import Code, Part, Rows
from koubai.compiler.runtime.coverage import known_dtypes
from koubai.compiler.runtime.driver import Entry, Output


def native_program(
    program: Program, state: Sequence[tuple[int, int]] = (), scalars: Collection[int] = ()
) -> NativeProgram | None:
    """Machine code for ``program``; None if a dtype in it is unknown to the code generator, or
    there is no LLVM.

    Args:
        state: inputs, and the numbers of the outputs that take their places.
        scalars: inputs that come as Python floats, or as scalars of NumPy's.
    """
    if not jit.IS_THERE or not known_dtypes(program):
        return None
    return NativeProgram(optimize(program), state, scalars)


class NativeProgram:
    """Machine code for ``program``, which runs on NumPy arrays.

    The first row of steps is run by ``entry``, which also makes the outputs; ``later`` are the
    other parts, mostly none.
    """

    def __init__(
        self,
        program: Program,
        state: Sequence[tuple[int, int]] = (),
        scalars: Collection[int] = (),
        processors: int | None = None,
    ) -> None:
        self.code = code = Code(program, state, processors=processors)
        self.program, self.scalars = program, scalars
        self.plan, self.memory, self.schedule = code.plan, code.memory, code.schedule
        self.replaced, self.error = code.replaced, code.error
        self.lock = threading.RLock()
        self._running = False
        self.views = Views(self.plan, self.memory, code.workspace, scalars)
        self.parts = list(code.parts)
        first = self.parts[0] if self.parts else None
        self.entry = self._entry(first if isinstance(first, Rows) else Rows.none())
        later = self.parts[1:] if isinstance(first, Rows) else self.parts
        self.later = [self.prepared(part) for part in later]

    def _entry(self, rows: Rows) -> Entry:
        slots, outputs = self.schedule.slots, []
        for number, b in enumerate(self.plan.outputs):
            type_ = self.plan.types[b]
            replaces = self.replaced.get(number)
            outputs.append(Output(slots[b], replaces, type_.shape, type_.dtype))
        places = [slots.get(i, -1) for i in range(len(self.program.inputs))]
        pool_words = self.code.pool_words(rows)
        return Entry(
            self.code.table, rows.steps, places, self.scalars, outputs, pool_words, rows.shared
        )

    def run(self, inputs: list[Any]) -> list[Any]:
        """The outputs for ``inputs``, arrays of the program's input types.

        An array in ``inputs`` that nobody holds but the list and one other place is overwritten by
        the output that replaces it.
        """
        outputs = self._run(inputs)
        if outputs is None:  # among the inputs is a view, for instance; or it has stopped
            outputs = self._run(self._in_order(inputs))
        return interpret(self.program, inputs) if outputs is None else outputs

    def _run(self, inputs: list[Any]) -> list[Any] | None:
        """The outputs; None if an array does not lie in order, or the program has stopped."""
        outputs: list[Any] | None
        if not self.later:
            outputs = self.entry.call(inputs)
            return outputs
        with self.lock:  # NumPy lets other threads run, and a long loop does
            if self._running:  # called by what runs in between, a handler of a signal for instance
                return None
            self._running = True
            try:
                outputs = self.entry.call(inputs)
                if outputs is None:
                    return None
                for part in self.later:
                    part(inputs, outputs)
                    if self.error[0]:
                        return None
                return outputs
            finally:
                self._running = False

    def _in_order(self, inputs: Sequence[Any]) -> list[Any]:
        """Arrays as machine code can read them."""
        return [
            # Numbers stay as they are: native code reads them in the object itself.
            x if i in self.scalars else np.require(x, requirements=["C", "A", "E"])
            for i, x in enumerate(inputs)
        ]

    def load(self, inputs: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Run nothing yet: inputs and outputs for the parts, whose addresses are in the table."""
        arrays = self._in_order(inputs)
        entry = self._entry(Rows.none())  # which must live during the call
        return arrays, entry.call(arrays)

    def prepared(self, part: Part) -> Run:
        """A part, to be called after ``load``."""
        if isinstance(part, Rows) or (
            isinstance(part, LoopStep) and self.code.bodies[part.loop.value].is_native
        ):
            run = self.code.runner([part])
            return lambda inputs, outputs: run()
        kernel = part if isinstance(part, Fallback) else part.loop
        return by_numpy(kernel, self.views)
