"""Where things are in the memory of Python's and NumPy's objects.

Generated code reads some fields of objects itself. The offsets below are those of CPython 3.11 to
3.14 with its global lock, and of NumPy 2; ``as_expected`` holds them against objects made for that,
once in a process. Where they differ, nothing is read that way, and calls take the slow path.
"""

from __future__ import annotations

import ctypes
import functools
import sys
import sysconfig
import types
from typing import Any

import numpy as np

TYPE = 8  # of an object
VALUE = 16  # the number in a float or a NumPy scalar, the contents of a cell
SIZE = 16  # of a tuple, a list or a dict
TUPLE_ITEMS = tuple.__basicsize__  # 24; since Python 3.14 the hash is before them
LIST_ITEMS = 24  # where they are

DATA, NDIM, DIMENSIONS, STRIDES, DTYPE, FLAGS = 16, 24, 32, 40, 56, 64  # of an ndarray
WRITEABLE = 0x400  # one of its flags
KIND = 24  # of a dtype: kind, character, byte order, unused, number


def word(address: int) -> int:
    """The eight bytes at ``address``."""
    return ctypes.c_uint64.from_address(address).value


def bits(x: Any) -> tuple[int, int]:
    """The bytes of the number in a float or a NumPy scalar, and a mask of those that count."""
    size = 8 if type(x) is float else x.dtype.itemsize
    mask = (1 << 8 * size) - 1
    return word(id(x) + VALUE) & mask, mask


def slot_offset(slot: types.MemberDescriptorType) -> int | None:
    """Where an instance keeps what ``slot`` gives; None if that is not known.

    A descriptor is a head of two words, its class, its name, its qualified name, and a pointer to
    (name, type, offset).
    """
    owner, name = slot.__objclass__, slot.__name__
    if (word(id(slot) + 16), word(id(slot) + 24)) != (id(owner), id(name)):
        return None
    offset = word(word(id(slot) + 40) + 16)
    return offset if 16 <= offset <= owner.__basicsize__ - 8 else None


_MANAGED = 1 << 4  # a class whose instances' dicts are where Python likes to have them


def dict_offset(x: Any, its_dict: dict[str, Any] | None) -> int | None:
    """Where instances of the class of ``x`` keep their ``__dict__``; None if that is not known.

    There may be no dict yet: a zero is there then, or an odd number.
    """
    kind = type(x)
    offset = -24 if kind.__flags__ & _MANAGED else kind.__dictoffset__
    is_known = (offset == -24 or offset > 0) and word(id(x) + offset) == id(its_dict)
    return offset if is_known else None


class _Slots:
    __slots__ = ("one", "two")


@functools.cache
def as_expected() -> bool:
    """Whether all of the above is true in this process."""
    if (
        sys.implementation.name != "cpython"
        or sysconfig.get_config_var("Py_GIL_DISABLED")
        or sys.maxsize != 2**63 - 1
        or sys.byteorder != "little"
        or np.ndarray.__basicsize__ < FLAGS + 8
    ):
        return False
    return all(check() for check in (_heads, _sequences, _numbers, _slots, _arrays))


def _heads() -> bool:
    objects: list[Any] = [1, 1.5, "a", [], {}, (), np.zeros(2), _Slots(), _heads, _Slots]
    cell = types.CellType(objects)
    return word(id(cell) + VALUE) == id(objects) and all(
        word(id(x) + TYPE) == id(type(x)) for x in objects
    )


def _sequences() -> bool:
    items: list[Any] = [[], {}, 1.5]
    whole = tuple(items)
    for x, start in ((whole, id(whole) + TUPLE_ITEMS), (items, word(id(items) + LIST_ITEMS))):
        if word(id(x) + SIZE) != 3 or [word(start + 8 * i) for i in range(3)] != [*map(id, items)]:
            return False
    dicts: list[dict[Any, Any]] = [{}, {"a": 1}, {1: 2, "b": 3}]
    return all(word(id(x) + SIZE) == len(x) for x in dicts)


def _numbers() -> bool:
    for kind in (float, np.float64, np.float32, np.float16, np.int64, np.int8, np.uint16):
        x: Any = kind(7)
        if bits(x)[0].to_bytes(8, "little")[: np.dtype(kind).itemsize] != np.asarray(x).tobytes():
            return False
    return True


def _slots() -> bool:
    x = _Slots()
    x.one, x.two = [], {}  # type: ignore[attr-defined]
    for name in ("one", "two"):
        offset = slot_offset(vars(_Slots)[name])
        if offset is None or word(id(x) + offset) != id(getattr(x, name)):
            return False
    return True


def _arrays() -> bool:
    x = np.zeros((3, 4, 5), np.float32)[:, ::-2]
    a = id(x)
    if (word(a + DATA), word(a + NDIM) & 0xFFFFFFFF, word(a + DTYPE)) != (
        x.ctypes.data,
        x.ndim,
        id(x.dtype),
    ):
        return False
    for code in "fdlB?e":
        for dtype in (np.dtype(code), np.dtype(code).newbyteorder()):
            text = f"{dtype.kind}{dtype.char}{dtype.byteorder}\0".encode()
            if word(id(dtype) + KIND).to_bytes(8, "little") != text + dtype.num.to_bytes(
                4, "little"
            ):
                return False
    for offset, numbers in ((DIMENSIONS, x.shape), (STRIDES, x.strides)):
        if tuple((ctypes.c_int64 * 3).from_address(word(a + offset))) != numbers:
            return False
    before = word(a + FLAGS) & 0xFFFFFFFF
    x.flags.writeable = False
    return before == x.flags.num | WRITEABLE and word(a + FLAGS) & 0xFFFFFFFF == x.flags.num
