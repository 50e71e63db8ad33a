"""A naive engine, the oracle for the real one: every path from the result to a leaf by itself."""

from __future__ import annotations

from typing import Any

from koubai import Variable


def gradients(
    y: Variable, gy: Any, found: dict[Variable, Any] | None = None
) -> dict[Variable, Any]:
    """Of the leaves that ``y`` was computed from: the sum over all paths, by recursion."""
    found = {} if found is None else found
    if y.creator is None:
        found[y] = found.get(y, 0) + gy
        return found
    gxs = y.creator.backward(gy)
    for x, gx in zip(y.creator.inputs, gxs if isinstance(gxs, tuple) else (gxs,), strict=True):
        if isinstance(x, Variable):
            gradients(x, _unbroadcast(gx, x.shape), found)
    return found


def _unbroadcast(gx: Any, shape: tuple[int, ...]) -> Any:
    while gx.ndim > len(shape):
        gx = gx.sum(axis=0)
    for axis, n in enumerate(shape):
        gx = gx.sum(axis=axis, keepdims=True) if n == 1 else gx
    return gx
