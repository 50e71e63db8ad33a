"""Algebra: an instruction that is equal to a simpler one, or to its operand.

Equal to the bit, also for NaN, infinities and both zeros: ``x - 0.0`` is x, but ``x + 0.0`` is not,
for it turns -0.0 into 0.0; ``x * 0`` is not 0, for x may be NaN. (Which NaN it is, is no matter.)

Two rules hold for all that is elementwise: a constant that is one number everywhere needs to be
there but once, and what is broadcast is computed before, not after:

    %2 = constant value=<1, 1, ... 1> : float32[100, 50]
    %3 = add %1 %2                                          # add %1 1.0
    %4 = broadcast_to %0 shape=(100, 50)
    %5 = exp %4                                             # broadcast_to (exp %0)

A copy is its operand: nothing writes into values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from koubai.compiler.passes.rewrite import Rewriter, rewrite
from koubai.compiler.primitives import BOOL, ELEMENTWISE, PRIMITIVES
from koubai.compiler.program import Instruction, Program

_MAPS = frozenset({*ELEMENTWISE, "erf", "round", "where", "cast"})


def simplify(program: Program) -> Program:
    """``program`` by the rules of this file."""
    return rewrite(program, [simplified])


def simplified(new: Rewriter, instruction: Instruction) -> int | None:
    """The rule."""
    if instruction.op in _MAPS:
        value = _narrowed(new, instruction)
        if value is not None:
            return value
    rule = _RULES.get(instruction.op)
    return None if rule is None else rule(new, instruction)


def _narrowed(new: Rewriter, i: Instruction) -> int | None:
    """Of an elementwise primitive: with operands as they were before they were broadcast."""
    narrow = {x: source for x in i.inputs if (source := _unbroadcast(new, i, x)) is not None}
    if not narrow:
        return None
    operands = [narrow.get(x, x) for x in i.inputs]
    return new.broadcast_to(i, new.emit(i, i.op, *operands, **i.params), i.type.shape)


def _unbroadcast(new: Rewriter, i: Instruction, x: int) -> int | None:
    source = new.sources[x]
    if source is None:
        return None
    if source.op == "broadcast_to":
        return source.inputs[0]
    if source.op == "constant" and source.type.shape and (number := new.single(x)) is not None:
        return new.constant(i, number)
    return None


def _is(new: Rewriter, x: int, number: float) -> bool:
    """Whether all elements of ``x`` are known to be ``number``; 0.0 is not -0.0."""
    known = new.single(x)
    if known is None or known.item() != number:
        return False
    return number != 0 or known.dtype.kind != "f" or bool(np.signbit(known)) == _is_minus(number)


def _is_minus(number: float) -> bool:
    return math.copysign(1, number) < 0


def _as(new: Rewriter, i: Instruction, x: int) -> int:
    """``x`` as the value of ``i``, which has the same elements, broadcast."""
    return new.broadcast_to(i, x, i.type.shape)


def _negated(new: Rewriter, x: int) -> int | None:
    """What ``x`` is the negative of."""
    source = new.source(x, "negative")
    return source.inputs[0] if source else None


# Elementwise.


def _add(new: Rewriter, i: Instruction) -> int | None:
    x, y = i.inputs
    zero = -0.0 if i.type.dtype.kind == "f" else 0
    for one, other in ((x, y), (y, x)):
        if _is(new, other, zero):
            return _as(new, i, one)
        if _is(new, other, 0.0) and not _may_be_minus_zero(new, one):
            return _as(new, i, one)
        if (negated := _negated(new, other)) is not None:
            return new.emit(i, "subtract", one, negated)
    return None


def _subtract(new: Rewriter, i: Instruction) -> int | None:
    x, y = i.inputs
    if _is(new, y, 0.0):
        return _as(new, i, x)
    negated = _negated(new, y)
    return None if negated is None else new.emit(i, "add", x, negated)


def _multiply(new: Rewriter, i: Instruction) -> int | None:
    x, y = i.inputs
    for one, other in ((x, y), (y, x)):
        if _is(new, other, 1):
            return _as(new, i, one)
        if _is(new, other, -1):
            return _as(new, i, new.emit(i, "negative", one))
    return None


def _divide(new: Rewriter, i: Instruction) -> int | None:
    """By powers of two: the product with 1/y is the same, as both only change the exponent."""
    x, y = i.inputs
    divisor = new.constants.get(y)
    if divisor is None or not divisor.size:
        return None
    with np.errstate(all="ignore"):
        mantissa, _ = np.frexp(divisor)
        inverse = np.asarray(1 / divisor)
    normal = np.abs(inverse) >= np.finfo(divisor.dtype).smallest_normal
    if not bool(np.all((np.abs(mantissa) == 0.5) & normal & np.isfinite(inverse))):
        return None
    return new.emit(i, "multiply", x, new.constant(i, inverse, divisor.dtype))


def _negative(new: Rewriter, i: Instruction) -> int | None:
    return _negated(new, i.inputs[0])


def _abs(new: Rewriter, i: Instruction) -> int | None:
    if i.type.dtype.kind != "f":  # the smallest integer has no positive
        return None
    negated = _negated(new, i.inputs[0])
    return None if negated is None else new.emit(i, "abs", negated)


def _pow(new: Rewriter, i: Instruction) -> int | None:
    # Not 0.5: the power of -0.0 is 0.0, its root is -0.0. Nor 3: x * x * x is rounded twice.
    x, y = i.inputs
    if _is(new, y, 1):
        return _as(new, i, x)
    return _as(new, i, new.emit(i, "multiply", x, x)) if _is(new, y, 2) else None


def _compared_with_zero(new: Rewriter, i: Instruction) -> int | None:
    """A truth value that was made a number: (x == 0) is not x, (x != 0) is x."""
    for x, y in (i.inputs, i.inputs[::-1]):
        source = new.source(x, "cast")
        if source and new.types[source.inputs[0]].dtype == BOOL and _is(new, y, 0):
            truth = source.inputs[0]
            if i.op == "equal":
                truth = new.emit(i, "logical_not", truth)
            return _as(new, i, truth)
    return None


def _logical_not(new: Rewriter, i: Instruction) -> int | None:
    source = new.source(i.inputs[0], "logical_not")
    return source.inputs[0] if source and new.types[source.inputs[0]].dtype == BOOL else None


def _where(new: Rewriter, i: Instruction) -> int | None:
    condition, x, y = i.inputs
    if x == y:
        return _as(new, i, x)
    if (known := new.single(condition)) is not None:
        return _as(new, i, x if known else y)
    source = new.source(condition, "logical_not")
    if source and new.types[source.inputs[0]].dtype == BOOL:
        return new.emit(i, "where", source.inputs[0], y, x)
    return None


def _cast(new: Rewriter, i: Instruction) -> int | None:
    (x,) = i.inputs
    if new.types[x].dtype == i.type.dtype:
        return x
    source = new.source(x, "cast")
    if source and _holds(new.types[source.inputs[0]].dtype, source.type.dtype):
        return new.emit(i, "cast", source.inputs[0], dtype=i.params["dtype"])
    return None


def _holds(narrow: np.dtype[Any], wide: np.dtype[Any]) -> bool:
    """Whether ``wide`` has every number of ``narrow``; NumPy's can_cast takes int64 to float64."""
    if narrow.kind in "iu" and wide.kind == "f":
        return 8 * narrow.itemsize <= np.finfo(wide).nmant + 1
    return np.can_cast(narrow, wide)


# Elements that stay as they are, elsewhere.


def _copy(new: Rewriter, i: Instruction) -> int | None:
    return i.inputs[0]


def _reshape(new: Rewriter, i: Instruction) -> int | None:
    (x,) = i.inputs
    if new.shape(x) == i.type.shape:
        return x
    source = new.source(x, "reshape")
    return None if source is None else new.reshape(i, source.inputs[0], i.type.shape)


def _permute_dims(new: Rewriter, i: Instruction) -> int | None:
    (x,), axes = i.inputs, i.params["axes"]
    if axes == tuple(range(len(axes))):
        return x
    source = new.source(x, "permute_dims")
    if source is None:
        return None
    both = tuple([source.params["axes"][axis] for axis in axes])
    return new.emit(i, "permute_dims", source.inputs[0], axes=both)


def _broadcast_to(new: Rewriter, i: Instruction) -> int | None:
    (x,) = i.inputs
    if new.shape(x) == i.type.shape:
        return x
    source = new.source(x, "broadcast_to")
    return None if source is None else _as(new, i, source.inputs[0])


def _concat(new: Rewriter, i: Instruction) -> int | None:
    axis = i.params["axis"]
    parts = [x for x in i.inputs if new.shape(x)[axis]] or [i.inputs[0]]
    if len(parts) == 1:
        return parts[0]
    return None if len(parts) == len(i.inputs) else new.emit(i, "concat", *parts, axis=axis)


def _whole(shape: tuple[int, ...], index: tuple[Any, ...]) -> bool:
    """Whether x[index], of ``shape``, has all elements in their order: x[:, None], x[...]."""
    axes = [part for part in index if part is not None]
    if Ellipsis in axes:
        place = axes.index(Ellipsis)
        axes[place : place + 1] = [slice(None)] * (len(shape) - len(axes) + 1)
    for part, n in zip(axes, shape, strict=False):
        if isinstance(part, slice):
            if part.indices(n) != (0, n, 1):
                return False
        elif type(part) is not int or n != 1:
            return False
    return True


def _getitem(new: Rewriter, i: Instruction) -> int | None:
    x = i.inputs[0]
    if _whole(new.shape(x), i.params["index"]):
        return new.reshape(i, x, i.type.shape)
    return None


def _setitem(new: Rewriter, i: Instruction) -> int | None:
    x, value = i.inputs[:2]
    if not _whole(i.type.shape, i.params["index"]):
        return None
    block = PRIMITIVES["getitem"].infer(new.types[x], index=i.params["index"]).shape
    extra = len(new.shape(value)) - len(block)  # it may have more axes, of length 1
    value = new.reshape(i, value, new.shape(value)[max(extra, 0) :])
    return new.reshape(i, new.broadcast_to(i, value, block), i.type.shape)


def _scatter_add(new: Rewriter, i: Instruction) -> int | None:
    if not _whole(i.type.shape, i.params["index"]):
        return None
    block = PRIMITIVES["getitem"].infer(i.type, index=i.params["index"]).shape
    return new.reshape(i, new.broadcast_to(i, i.inputs[0], block), i.type.shape)


# Sums and other reductions.


def _sum(new: Rewriter, i: Instruction) -> int | None:
    """Of one element each: x + 0.0, for a sum begins with 0.0."""
    (x,) = i.inputs
    if not _is_of_single_elements(new, i):
        return None
    x = new.reshape(i, x, i.type.shape)
    if i.type.dtype.kind != "f":
        return x
    return new.emit(i, "add", x, new.constant(i, 0, i.type.dtype))


def _reduction(new: Rewriter, i: Instruction) -> int | None:
    """Of one element each: the element."""
    if not _is_of_single_elements(new, i):
        return None
    return new.reshape(i, i.inputs[0], i.type.shape)


def _is_of_single_elements(new: Rewriter, i: Instruction) -> bool:
    (x,) = i.inputs
    type_ = new.types[x]
    single = all(type_.shape[axis] == 1 for axis in i.params["axis"])
    return single and type_.dtype == i.type.dtype  # a sum of booleans is an integer


def _may_be_minus_zero(new: Rewriter, x: int) -> bool:
    """Whether -0.0 may be among the elements, as far as the instruction that computes x tells.

    (A product of matrices that underflows may be, if the multiply-add is fused, or not.)
    """
    source = new.sources[x]
    if source is None:
        return True
    if source.op in ("sum", "matmul", "exp", "abs", "random_uniform"):
        return False
    if source.op in ("reshape", "permute_dims", "broadcast_to", "concat"):
        return any(_may_be_minus_zero(new, y) for y in source.inputs)
    if source.op == "multiply":
        return source.inputs[0] != source.inputs[1]
    if source.op == "add":  # only -0.0 + -0.0 is -0.0
        return not any(_is(new, y, 0.0) for y in source.inputs)
    return source.op != "cast" or new.types[source.inputs[0]].dtype.kind == "f"


_RULES: dict[str, Callable[[Rewriter, Instruction], int | None]] = {
    "abs": _abs,
    "add": _add,
    "all": _reduction,
    "any": _reduction,
    "broadcast_to": _broadcast_to,
    "cast": _cast,
    "concat": _concat,
    "copy": _copy,
    "divide": _divide,
    "equal": _compared_with_zero,
    "getitem": _getitem,
    "logical_not": _logical_not,
    "max": _reduction,
    "min": _reduction,
    "multiply": _multiply,
    "negative": _negative,
    "not_equal": _compared_with_zero,
    "permute_dims": _permute_dims,
    "pow": _pow,
    "prod": _reduction,
    "reshape": _reshape,
    "scatter_add": _scatter_add,
    "setitem": _setitem,
    "subtract": _subtract,
    "sum": _sum,
    "where": _where,
}
