"""Which results share memory, where NumPy runs the program: it makes views.

``return y, y.copy()`` returns two arrays, and the user may write into one. To a program, whose
values nobody changes, they are one; so after a rewriting some results need copies.
"""

from __future__ import annotations

from koubai.compiler.program import Program


def newly_shared(old: Program, new: Program) -> list[int]:
    """The places of the outputs that may share memory with an input, or an output before them.

    Not those that did in the old program.
    """
    places = []
    owners: dict[int, int] = {}  # by the root, which output was the first
    for place, (before, value) in enumerate(zip(old.outputs, new.outputs, strict=True)):
        root = _root(new, value)
        if root is None:
            continue
        first = owners.setdefault(root, place)
        is_input = root < len(old.inputs)
        if first == place and not is_input:
            continue
        shared = root if is_input else _root(old, old.outputs[first], surely=True)
        if shared is None or _root(old, before, surely=True) != shared:
            places.append(place)
    return places


def _root(program: Program, value: int, surely: bool = False) -> int | None:
    """The value whose memory ``value`` may share, or ``surely`` shares, where NumPy runs it.

    None for what is read-only: nobody gets to see that but as a copy.
    """
    n = len(program.inputs)
    while value >= n:
        i = program.instructions[value - n]
        if i.op in ("broadcast_to", "constant"):
            return None
        is_view = i.op in ("permute_dims", "raise_unless")
        if i.op == "getitem" and len(i.inputs) == 1:  # a block, or a number
            is_view = bool(i.type.shape) or not surely
        elif i.op == "reshape":  # a view or a copy; with axes of length 1 more or less, a view
            shape = program.type_of(i.inputs[0]).shape
            is_view = not surely or _without_ones(shape) == _without_ones(i.type.shape)
        if not is_view:
            break
        value = i.inputs[0]
    return value


def _without_ones(shape: tuple[int, ...]) -> list[int]:
    return [n for n in shape if n != 1]
