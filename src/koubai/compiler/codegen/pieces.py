"""How an axis is walked in registers: full ones, then what is left over as one shorter piece."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from koubai.compiler.codegen.emitter import Emitter


@dataclass(frozen=True)
class Piece:
    """A part of an axis: ``steps`` times ``slots`` times ``lanes`` elements.

    Slots are registers side by side, whose code is written one after the other.
    """

    start: int
    steps: int
    slots: int
    lanes: int


Body = Callable[[int, str, int], None]
"""Emits the code for so many lanes, from this index on, in this slot."""


def pieces(n: int, width: int, slots: int = 1) -> list[Piece]:
    """How ``n`` elements are walked: in steps of several registers, of one, and what is left."""
    found, start = [], 0
    for count in dict.fromkeys((slots, 1)):
        steps = (n - start) // (width * count)
        if steps:
            found.append(Piece(start, steps, count, width))
            start += steps * width * count
    if n > start:
        found.append(Piece(start, 1, 1, n - start))
    return found


def walk(f: Emitter, parts: list[Piece], body: Body) -> None:
    for piece in parts:
        step = piece.slots * piece.lanes
        if piece.steps == 1:
            for slot in range(piece.slots):
                body(piece.lanes, str(piece.start + slot * piece.lanes), slot)
            continue
        with f.loop(str(piece.start), str(piece.start + piece.steps * step), step) as i:
            for slot in range(piece.slots):
                at = i if slot == 0 else f.op(f"add nsw i64 {i}, {slot * piece.lanes}")
                body(piece.lanes, at, slot)


def is_unrolled(parts: list[Piece]) -> bool:
    """Whether there is no loop: all indices are known."""
    return all(piece.steps == 1 for piece in parts)


def variants(parts: list[Piece]) -> dict[tuple[int, int], int]:
    """The lanes and slots that occur, and where each begins for the first time."""
    found: dict[tuple[int, int], int] = {}
    for piece in parts:
        for slot in range(piece.slots):
            found.setdefault((piece.lanes, slot), piece.start + slot * piece.lanes)
    return found
