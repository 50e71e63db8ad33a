"""Why a function is compiled anew, in the user's names: for the log.

    KOUBAI_LOG=compile python train.py

    koubai: compiling step: first call
    koubai: compiling step: argument 0 was float32[100, 784], is float32[60, 784] now
    koubai: compiling step: optimizer.lr was 0.1, is 0.01 now

The key of a world is a list of what was seen, in the order of the walk. The nearest key among those
compiled before tells what has changed.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from koubai.compiler.trace.contents import Container

Key = tuple[Any, ...]
MOST = 3
"""Changes that are named; the others are counted."""

log = logging.getLogger("koubai.compile")


def listen() -> None:
    """Print the log, if the environment asks for it."""
    if "compile" in os.environ.get("KOUBAI_LOG", "").split(","):
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("koubai: %(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)


def reason(key: Key, told: Sequence[str], known: Sequence[Key]) -> str:
    """What is new in ``key``.

    Args:
        key: of the world that is compiled for.
        told: what each of its entries is about.
        known: the keys of those compiled before.
    """
    if not known:
        return "first call"
    nearest = min(known, key=lambda other: _distance(key, other))
    changed = [i for i, (a, b) in enumerate(zip(nearest, key, strict=False)) if a != b]
    if not changed:
        return "a number of NumPy's, on which a decision hangs, has changed"
    if len(nearest) != len(key):
        changed = changed[:1]  # what comes after it is shifted
    # Which object one is again: their numbers are shifted too.
    objects = [i for i in changed if isinstance(nearest[i], int) and isinstance(key[i], int)]
    changed = [i for i in changed if i not in objects] or objects
    texts = [f"{told[i]} {_change(nearest[i], key[i])}" for i in changed[:MOST]]
    if len(changed) > MOST:
        texts.append(f"{len(changed) - MOST} more changes")
    return "; ".join(texts)


def _distance(key: Key, other: Key) -> tuple[bool, int]:
    same = sum(a == b for a, b in zip(key, other, strict=False))
    if len(key) == len(other):
        return False, len(key) - same
    first = next((i for i, (a, b) in enumerate(zip(key, other, strict=False)) if a != b), 0)
    return True, -first


def _change(old: Any, new: Any) -> str:
    """From one entry to another."""
    if _is_container(old) and _is_container(new) and old[:2] == new[:2]:
        before, after = [_text_of_key(k) for k in old[2:]], [_text_of_key(k) for k in new[2:]]
        parts = [f"has got {', '.join(k for k in after if k not in before)}"]
        parts += [f"has lost {', '.join(k for k in before if k not in after)}"]
        parts = [part for part in parts if not part.endswith(" ")]
        return " and ".join(parts) or "has its keys in another order"
    texts = _text(old), _text(new)
    if texts[0] == texts[1]:
        return f"is another {texts[0]}"
    return f"was {texts[0]}, is {texts[1]} now"


def _is_container(entry: Any) -> bool:
    kind = entry[0] if isinstance(entry, tuple) and entry else None
    return isinstance(kind, type) and issubclass(kind, Container)


def _text_of_key(key: Any) -> str:
    return "an object" if key is None else f"{key[1]}"


def _text(entry: Any) -> str:
    """What was seen, in words."""
    if isinstance(entry, int):
        return "an object that is elsewhere too"
    if not isinstance(entry, tuple):
        return "a weak reference"
    if isinstance(entry[0], np.dtype):
        return f"{entry[0]}{list(entry[1])}"
    if isinstance(entry[0], bool):  # of the call
        recorded = "with" if entry[0] else "without"
        names = "".join(f", {name}=" for name in entry[2:])
        return f"one of {entry[1]} arguments{names} {recorded} a graph"
    kind, *rest = entry
    if _is_container(entry):
        return f"a {rest[0].__name__}"
    if kind in (tuple, frozenset):
        return f"a {kind.__name__} of {rest[0]}"
    if kind.__name__ == "function":
        return "function"
    if rest and issubclass(kind, str | bytes | int):
        return rest[0] if isinstance(rest[0], str) and kind is not str else repr(rest[0])
    return rest[0] if rest and isinstance(rest[0], str) else kind.__name__
