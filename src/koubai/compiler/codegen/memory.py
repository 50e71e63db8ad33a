"""Reading and writing memory, for any number of lanes and any stride. A boolean is a byte."""

from __future__ import annotations

from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.codegen.lanes import Lanes


def in_memory(t: Lanes) -> Lanes:
    return t.of("uint8") if t.dtype == "bool" else t


def element_pointer(f: Emitter, dtype: str, pointer: str, index: str) -> str:
    element = in_memory(Lanes(dtype, 1)).element
    return f.op(f"getelementptr {element}, ptr {pointer}, i64 {index}")


def load(f: Emitter, t: Lanes, pointer: str, stride: int = 1) -> str:
    """``t.count`` elements, ``stride`` elements apart; with stride 0, one in all lanes."""
    if t.count > 1 and stride == 0:
        return splat(f, t, load(f, Lanes(t.dtype, 1), pointer))
    m = in_memory(t)
    if t.count == 1 or stride == 1:
        x = f.op(f"load {m}, ptr {pointer}, align {t.itemsize}")
    else:
        x = "poison"
        for i, place in enumerate(_places(f, t, pointer, stride)):
            y = f.op(f"load {m.element}, ptr {place}, align {t.itemsize}")
            x = f.op(f"insertelement {m} {x}, {m.element} {y}, i64 {i}")
    return f.op(f"icmp ne {m} {x}, {m.constant(0)}") if t.dtype == "bool" else x


def store(f: Emitter, t: Lanes, x: str, pointer: str, stride: int = 1) -> None:
    """Write ``t.count`` elements, ``stride`` elements apart."""
    m = in_memory(t)
    if t.dtype == "bool":
        x = f.op(f"zext {t} {x} to {m}")
    if t.count == 1 or stride == 1:
        f.do(f"store {m} {x}, ptr {pointer}, align {t.itemsize}")
        return
    for i, place in enumerate(_places(f, t, pointer, stride)):
        y = f.op(f"extractelement {m} {x}, i64 {i}")
        f.do(f"store {m.element} {y}, ptr {place}, align {t.itemsize}")


def splat(f: Emitter, t: Lanes, x: str) -> str:
    """One number in all lanes."""
    if t.count == 1:
        return x
    first = f.op(f"insertelement {t} poison, {t.element} {x}, i64 0")
    return f.op(f"shufflevector {t} {first}, {t} poison, <{t.count} x i32> zeroinitializer")


def lane(f: Emitter, t: Lanes, x: str, i: int) -> str:
    """The number in lane ``i``."""
    return x if t.count == 1 else f.op(f"extractelement {t} {x}, i64 {i}")


def _places(f: Emitter, t: Lanes, pointer: str, stride: int) -> list[str]:
    return [element_pointer(f, t.dtype, pointer, str(i * stride)) for i in range(t.count)]
