"""The types of values in generated code: one number, or several side by side.

A kernel's body is written once for any number of lanes: ``float`` for one, ``<8 x float>`` for
eight, which LLVM fits to the processor's registers.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

ELEMENTS = {
    "bool": "i1",
    "int8": "i8",
    "int16": "i16",
    "int32": "i32",
    "int64": "i64",
    "uint8": "i8",
    "uint16": "i16",
    "uint32": "i32",
    "uint64": "i64",
    "float16": "half",
    "float32": "float",
    "float64": "double",
}
"""LLVM's names; in memory, a boolean is a byte."""

MOVED = frozenset({"float16"})
"""What is only moved: many processors can't compute with it."""


@dataclass(frozen=True)
class Lanes:
    """``count`` numbers of one dtype, which an instruction works on together.

    >>> str(Lanes("float32", 8)), Lanes("float32", 8).constant(0.5)
    ('<8 x float>', 'splat (float 0x3FE0000000000000)')
    """

    dtype: str
    count: int

    @property
    def element(self) -> str:
        return ELEMENTS[self.dtype]

    def __str__(self) -> str:
        return self.element if self.count == 1 else f"<{self.count} x {self.element}>"

    def of(self, dtype: str, count: int | None = None) -> Lanes:
        """As many lanes, of another dtype."""
        return Lanes(dtype, count or self.count)

    def constant(self, x: Any) -> str:
        """The literal for ``x`` in every lane."""
        text = literal(self.dtype, x)
        return text if self.count == 1 else f"splat ({self.element} {text})"

    @property
    def itemsize(self) -> int:
        """Bytes of one number."""
        return np.dtype(self.dtype).itemsize

    @property
    def suffix(self) -> str:
        """As in the names of LLVM's intrinsics: ``v8f32``."""
        bits = {"float": "f32", "double": "f64"}.get(self.element, self.element)
        return bits if self.count == 1 else f"v{self.count}{bits}"


def literal(dtype: str, x: Any) -> str:
    """LLVM's spelling of one number: floats of both sizes are written as a double's bits."""
    kind = np.dtype(dtype)
    if dtype == "float16":
        return f"0xH{np.float16(x).view(np.uint16):04X}"
    if kind.kind == "f":
        return f"0x{struct.unpack('<Q', struct.pack('<d', float(kind.type(x))))[0]:016X}"
    if kind.kind == "b":
        return "true" if x else "false"
    return str(int(kind.type(x)))
