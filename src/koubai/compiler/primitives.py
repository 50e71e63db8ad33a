"""The primitives of array programs: for each, the type of its result and what it does in NumPy.

There are few, and each is strict: the operands of an elementwise primitive have the dtypes of one
of NumPy's loops (the tracer converts with ``cast`` first), while their shapes broadcast. Everything
else is composed of them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from koubai import arrays
from koubai.arrays import random_uniform

BOOL = np.dtype(bool)


@functools.cache
def dtype_name(dtype: np.dtype[Any]) -> str:
    """``str(dtype)``, which takes NumPy longer than all else that is done with a type."""
    return str(dtype)


@dataclass(frozen=True)
class Type:
    """The dtype and the shape of a value."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.dtype.kind not in arrays.REAL:
            arrays.as_array(np.broadcast_to(np.empty((), self.dtype), self.shape))  # says what

    def __str__(self) -> str:
        return f"{dtype_name(self.dtype)}{list(self.shape)}"


class Bundle(Type):
    """Of what a loop makes: several values, which ``part`` takes out one by one."""

    def __init__(self, parts: tuple[Type, ...]) -> None:
        super().__init__(BOOL, ())
        object.__setattr__(self, "parts", parts)

    parts: tuple[Type, ...]

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.parts))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bundle) and other.parts == self.parts

    def __hash__(self) -> int:
        return hash(self.parts)


@dataclass(frozen=True)
class Primitive:
    """``infer(*types, **params)`` is the result's type, ``run(*arrays, **params)`` the result."""

    infer: Callable[..., Type]
    run: Callable[..., Any]


class Operand:
    """In the index of getitem, setitem and scatter_add: the place of an array operand."""

    def __repr__(self) -> str:
        return "array"


OPERAND = Operand()


def loop(name: str, dtypes: Sequence[Any]) -> tuple[np.dtype[Any], ...]:
    """The dtypes of the operands and of the result with which NumPy computes ``name``.

    ``int`` and ``float`` among ``dtypes`` are Python numbers, which are weak.

    >>> loop("add", [np.dtype("float32"), float])
    (dtype('float32'), dtype('float32'), dtype('float32'))
    >>> loop("exp", [np.dtype("int64")])
    (dtype('float64'), dtype('float64'))
    """
    return _loop(name, *dtypes)


@functools.lru_cache(maxsize=None, typed=True)  # int is not the same as np.dtype(int)
def _loop(name: str, *dtypes: Any) -> tuple[np.dtype[Any], ...]:
    resolved: tuple[np.dtype[Any], ...] = _ufunc(name).resolve_dtypes((*dtypes, None))
    return resolved


def _ufunc(name: str) -> Any:
    """NumPy's function ``name``; SciPy's, where NumPy has none."""
    if hasattr(np, name):
        return getattr(np, name)
    from scipy import special  # takes longer to import than all of koubai

    return getattr(special, name)


def _result_dtype(name: str, types: Sequence[Type]) -> np.dtype[Any]:
    *dtypes, result = loop(name, [type_.dtype for type_ in types])
    if any(type_.dtype != dtype for type_, dtype in zip(types, dtypes, strict=True)):
        raise ValueError(
            f"operands must be cast to {', '.join(map(str, dtypes))} first, not"
            f" {', '.join(map(str, types))}"
        )
    return result


def _elementwise(name: str, run: Callable[..., Any] | None = None) -> Primitive:
    def infer(*types: Type) -> Type:
        shapes = {type_.shape for type_ in types}
        shape = shapes.pop() if len(shapes) == 1 else np.broadcast_shapes(*shapes)
        return Type(_result_dtype(name, types), shape)

    return Primitive(infer, run or getattr(np, name))


def _infer_where(condition: Type, x1: Type, x2: Type) -> Type:
    if condition.dtype != BOOL:
        raise ValueError(f"the condition must be boolean, not {condition}")
    if x1.dtype != x2.dtype:
        raise ValueError(f"the choices must have one dtype, not {x1} and {x2}")
    return Type(x1.dtype, np.broadcast_shapes(condition.shape, x1.shape, x2.shape))


def _reduced(shape: tuple[int, ...], axis: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for i, n in enumerate(shape) if i not in axis)


def _check_axes(x: Type, axes: tuple[int, ...]) -> None:
    if len(set(axes)) != len(axes) or not all(0 <= axis < len(x.shape) for axis in axes):
        raise ValueError(f"{axes} are not axes of {x}")


def _refuse_empty(name: str, x: Type, axes: tuple[int, ...]) -> None:
    if 0 in [x.shape[axis] for axis in axes]:
        raise ValueError(f"{name} of {x} along {axes}: there is no {name} of nothing")


def _reduction(name: str, has_identity: bool = True) -> Primitive:
    function = getattr(np, name)

    def infer(x: Type, axis: tuple[int, ...]) -> Type:
        _check_axes(x, axis)
        if not has_identity:
            _refuse_empty(name, x, axis)
        return Type(function(np.zeros(1, x.dtype)).dtype, _reduced(x.shape, axis))

    return Primitive(infer, lambda x, axis: function(x, axis=axis))


def _cumulative(name: str) -> Primitive:
    function = getattr(np, name)

    def infer(x: Type, axis: int) -> Type:
        _check_axes(x, (axis,))
        return Type(function(np.zeros(1, x.dtype)).dtype, x.shape)

    return Primitive(infer, lambda x, axis: function(x, axis=axis))


def _argument(name: str) -> Primitive:
    def infer(x: Type, axis: int) -> Type:
        _check_axes(x, (axis,))
        _refuse_empty(name, x, (axis,))
        return Type(np.dtype(np.intp), _reduced(x.shape, (axis,)))

    return Primitive(infer, lambda x, axis: getattr(np, name)(x, axis=axis))


def _infer_argsort(x: Type, axis: int, descending: bool, stable: bool) -> Type:
    _check_axes(x, (axis,))
    return Type(np.dtype(np.intp), x.shape)


def _infer_reshape(x: Type, shape: tuple[int, ...]) -> Type:
    if math.prod(shape) != math.prod(x.shape) or min(shape, default=0) < 0:
        raise ValueError(f"cannot reshape {x} to {shape}")
    return Type(x.dtype, shape)


def _infer_permute_dims(x: Type, axes: tuple[int, ...]) -> Type:
    if sorted(axes) != list(range(len(x.shape))):
        raise ValueError(f"axes {axes} are no order of the axes of {x}")
    return Type(x.dtype, tuple(x.shape[axis] for axis in axes))


def _infer_broadcast_to(x: Type, shape: tuple[int, ...]) -> Type:
    if np.broadcast_shapes(x.shape, shape) != shape:
        raise ValueError(f"cannot broadcast {x} to {shape}")
    return Type(x.dtype, shape)


def _infer_concat(*xs: Type, axis: int) -> Type:
    if not xs:
        raise ValueError("need at least one array to join")
    x = xs[0]
    _check_axes(x, (axis,))
    rest = _reduced(x.shape, (axis,))
    if any(len(t.shape) != len(x.shape) or _reduced(t.shape, (axis,)) != rest for t in xs):
        raise ValueError("the shapes must be equal, except along the axis")
    if any(t.dtype != x.dtype for t in xs):
        raise ValueError("the arrays must be cast to one dtype first")
    length = sum(t.shape[axis] for t in xs)
    return Type(x.dtype, (*x.shape[:axis], length, *x.shape[axis + 1 :]))


def _infer_matmul(x1: Type, x2: Type) -> Type:
    if not x1.shape or not x2.shape:
        raise ValueError(f"cannot multiply {x1} and {x2} as matrices; write x1 * x2")
    a, b = x1.shape, x2.shape
    a, b = (1, *a) if len(a) == 1 else a, (*b, 1) if len(b) == 1 else b
    if a[-1] != b[-2]:
        raise ValueError(f"cannot multiply {x1} and {x2} as matrices")
    shape = (*np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1])
    if len(x1.shape) == 1:
        shape = (*shape[:-2], shape[-1])
    return Type(_result_dtype("matmul", (x1, x2)), shape[:-1] if len(x2.shape) == 1 else shape)


def fill(index: tuple[Any, ...], operands: tuple[Any, ...]) -> tuple[Any, ...]:
    """``index`` with the array operands in their places."""
    given = iter(operands)
    return tuple(next(given) if part is OPERAND else part for part in index)


def _indexed(x: Type, operands: tuple[Type, ...], index: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape of x[index]: NumPy's own rule, asked with arrays that take no storage."""
    if any(t.dtype.kind not in "iu" for t in operands):
        raise IndexError(f"an index must hold integers, not {', '.join(map(str, operands))}")
    zeros = tuple(np.broadcast_to(np.zeros((), t.dtype), t.shape) for t in operands)
    like_x = np.broadcast_to(np.zeros((), x.dtype), x.shape)
    shape: tuple[int, ...] = like_x[fill(index, zeros)].shape
    return shape


def _infer_getitem(x: Type, *operands: Type, index: tuple[Any, ...]) -> Type:
    return Type(x.dtype, _indexed(x, operands, index))


def _infer_setitem(x: Type, value: Type, *operands: Type, index: tuple[Any, ...]) -> Type:
    shape, given = _indexed(x, operands, index), value.shape
    while len(given) > len(shape) and given[0] == 1:  # NumPy allows leading axes of length 1
        given = given[1:]
    if np.broadcast_shapes(given, shape) != shape or value.dtype != x.dtype:
        raise ValueError(f"cannot write {value} into {Type(x.dtype, shape)}")
    return x


def _infer_scatter_add(
    x: Type, *operands: Type, index: tuple[Any, ...], shape: tuple[int, ...]
) -> Type:
    expected = _indexed(Type(x.dtype, shape), operands, index)
    if np.broadcast_shapes(x.shape, expected) != expected:
        raise ValueError(f"cannot add {x} to {Type(x.dtype, expected)}")
    return Type(x.dtype, shape)


def _setitem(x: Any, value: Any, *operands: Any, index: tuple[Any, ...]) -> Any:
    y = x.copy("K")
    y[fill(index, operands)] = value
    return y


def _scatter_add(x: Any, *operands: Any, index: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    return arrays.scatter_add(x, fill(index, operands), shape)


def _infer_random_uniform(key: Type, counter: Type, shape: tuple[int, ...], dtype: str) -> Type:
    words = np.dtype(np.uint64)
    if (key, counter) != (Type(words, (2,)), Type(words, ())):
        raise ValueError(f"key and counter must be uint64[2] and uint64[], not {key}, {counter}")
    return Type(np.dtype(dtype), shape)


def _raise_unless(condition: Any, message: str) -> Any:
    if not condition:
        raise ValueError(message)
    return condition


# Linear algebra, by LAPACK: stacks of matrices, of one dtype that it knows.


def _matrices(name: str, *types: Type, square: bool = True) -> tuple[int, ...]:
    """The shape of the first operand, after a look at all."""
    shape = types[0].shape
    if len(shape) < 2 or (square and shape[-1] != shape[-2]):
        raise ValueError(f"{name} of {types[0]}: needs {'square ' * square}matrices")
    if {type_.dtype for type_ in types} not in ({np.dtype(np.float32)}, {np.dtype(np.float64)}):
        raise TypeError(f"{name} of {', '.join(map(str, types))}: needs float32 or float64")
    return shape


def _of_matrix(name: str, result: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Primitive:
    """One that makes an array of the shape ``result(shape)`` of square matrices of ``shape``."""
    return Primitive(
        lambda x: Type(x.dtype, result(_matrices(name, x))), lambda x: getattr(np.linalg, name)(x)
    )


def _infer_pinv(x: Type, rtol: Any) -> Type:
    *stack, m, n = _matrices("pinv", x, square=False)
    return Type(x.dtype, (*stack, n, m))


def _infer_solve(x1: Type, x2: Type) -> Type:
    *stack, n, _ = _matrices("solve", x1, x2)
    vector = len(x2.shape) == 1
    rows = x2.shape if vector else x2.shape[-2:]
    if not rows or rows[0] != n:
        raise ValueError(f"solve: {x1} does not go with {x2}")
    return Type(x1.dtype, (*np.broadcast_shapes(tuple(stack), x2.shape[:-2]), *rows))


PARTS: dict[str, Callable[[int, int], list[tuple[int, ...]]]] = {
    "eigh": lambda m, n: [(n,), (n, n)],
    "qr": lambda m, n: [(m, min(m, n)), (min(m, n), n)],
    "slogdet": lambda m, n: [(), ()],
    "svd": lambda m, n: [(m, min(m, n)), (min(m, n),), (min(m, n), n)],
}
"""The shapes of what a factorisation of a matrix (m, n) returns. As one primitive has one result,
it is a row: the elements of one part after those of the other."""


def _factorisation(name: str, **kwargs: Any) -> Primitive:
    def infer(x: Type) -> Type:
        *stack, m, n = _matrices(name, x, square=name in ("eigh", "slogdet"))
        return Type(x.dtype, (*stack, sum(map(math.prod, PARTS[name](m, n)))))

    def run(x: Any) -> Any:
        *stack, m, n = x.shape
        parts = getattr(np.linalg, name)(x, **kwargs)
        shapes = [(*stack, math.prod(shape)) for shape in PARTS[name](m, n)]
        return np.concatenate(
            [np.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)], axis=-1
        )

    return Primitive(infer, run)


# Loops.


def _infer_loop(
    *types: Type, body: Any, constants: int, carries: int, length: int, reverse: bool
) -> Type:
    carried = types[constants : constants + carries]
    stacks = types[constants + carries :]
    for stack in stacks:
        if stack.shape[:1] != (length,):
            raise ValueError(f"{stack} has not {length} elements, one for each step")
    elements = [Type(stack.dtype, stack.shape[1:]) for stack in stacks]
    given = [*types[:constants], *carried, *elements]
    if given != body.inputs:
        raise ValueError(
            f"the body takes {list(map(str, body.inputs))}, not {list(map(str, given))}"
        )
    results = [body.type_of(value) for value in body.outputs]
    if results[:carries] != list(carried):
        raise ValueError("what is carried must have the same type before and after a step")
    made = [Type(y.dtype, (length, *y.shape)) for y in results[carries:]]
    return Bundle((*carried, *made))


def _run_loop(
    *arrays: Any, body: Any, constants: int, carries: int, length: int, reverse: bool
) -> tuple[Any, ...]:
    from koubai.compiler.interpret import interpret  # it runs primitives

    fixed, stacks = arrays[:constants], arrays[constants + carries :]
    carried = list(arrays[constants : constants + carries])
    types = [body.type_of(value) for value in body.outputs[carries:]]
    made = [np.empty((length, *y.shape), y.dtype) for y in types]
    for i in reversed(range(length)) if reverse else range(length):
        results = interpret(body, [*fixed, *carried, *(x[i] for x in stacks)])
        carried = results[:carries]
        for stack, y in zip(made, results[carries:], strict=True):
            stack[i] = y
    return (*(x.copy() for x in carried), *made)


def _infer_part(x: Type, index: int) -> Type:
    if not isinstance(x, Bundle):
        raise ValueError(f"only what a loop makes has parts, not {x}")
    return x.parts[index]


ELEMENTWISE = [
    "abs",
    "acos",
    "acosh",
    "add",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "divide",
    "equal",
    "exp",
    "expm1",
    "floor",
    "greater",
    "greater_equal",
    "hypot",
    "isfinite",
    "isinf",
    "isnan",
    "less",
    "less_equal",
    "log",
    "log10",
    "log1p",
    "log2",
    "logaddexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
    "pow",
    "reciprocal",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "subtract",
    "tan",
    "tanh",
]

PRIMITIVES: dict[str, Primitive] = {
    "constant": Primitive(lambda value: Type(value.dtype, value.shape), lambda value: value),
    "copy": Primitive(lambda x, order="K": x, lambda x, order="K": x.copy(order)),
    "cast": Primitive(
        lambda x, dtype: Type(np.dtype(dtype), x.shape), lambda x, dtype: x.astype(dtype)
    ),
    **{name: _elementwise(name) for name in ELEMENTWISE},
    "erf": _elementwise("erf", arrays.erf),
    "round": Primitive(
        lambda x: Type(np.round(np.zeros(1, x.dtype)).dtype, x.shape), lambda x: np.round(x)
    ),
    "where": Primitive(_infer_where, np.where),
    "sum": _reduction("sum"),
    "prod": _reduction("prod"),
    "cumulative_sum": _cumulative("cumulative_sum"),
    "cumulative_prod": _cumulative("cumulative_prod"),
    "max": _reduction("max", has_identity=False),
    "min": _reduction("min", has_identity=False),
    "all": _reduction("all"),
    "any": _reduction("any"),
    "argmax": _argument("argmax"),
    "argmin": _argument("argmin"),
    "argsort": Primitive(_infer_argsort, arrays.argsort),
    "reshape": Primitive(_infer_reshape, np.reshape),
    "permute_dims": Primitive(_infer_permute_dims, np.permute_dims),
    "broadcast_to": Primitive(_infer_broadcast_to, np.broadcast_to),
    "concat": Primitive(_infer_concat, lambda *xs, axis: np.concatenate(xs, axis=axis)),
    "matmul": Primitive(_infer_matmul, np.matmul),
    "getitem": Primitive(_infer_getitem, lambda x, *operands, index: x[fill(index, operands)]),
    "setitem": Primitive(_infer_setitem, _setitem),
    "scatter_add": Primitive(_infer_scatter_add, _scatter_add),
    "random_uniform": Primitive(_infer_random_uniform, random_uniform),
    "cholesky": _of_matrix("cholesky", lambda shape: shape),
    "det": _of_matrix("det", lambda shape: shape[:-2]),
    "inv": _of_matrix("inv", lambda shape: shape),
    "pinv": Primitive(_infer_pinv, lambda x, rtol: np.linalg.pinv(x, rtol=rtol)),
    "solve": Primitive(_infer_solve, np.linalg.solve),
    "eigh": _factorisation("eigh"),
    "qr": _factorisation("qr"),
    "slogdet": _factorisation("slogdet"),
    "svd": _factorisation("svd", full_matrices=False),
    "loop": Primitive(_infer_loop, _run_loop),
    "part": Primitive(_infer_part, lambda x, index: x[index]),
    "raise_unless": Primitive(lambda condition, message: condition, _raise_unless),
}
