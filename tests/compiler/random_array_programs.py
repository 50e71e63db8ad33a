"""Random array programs, written directly in primitives, with arrays to run them on.

    program, inputs = random_array_program(seed)
    interpret(program, inputs)

Each instruction is computed as it is written, so all that is written can be run: shapes and dtypes
go together, indices are within bounds, and no number is cast to a dtype that can't hold it, nor
anything else done that C leaves open.

What the generator is fond of: the latest values (chains); the same instruction again; the numbers
that rewriting is tempted by (0, -0.0, 1, 2, NaN); axes of length 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from koubai.compiler.primitives import ELEMENTWISE, OPERAND, PRIMITIVES, Type
from koubai.compiler.program import Instruction, Program

Array = np.ndarray[Any, Any]

DTYPES = ("float32", "float64", "bool", "int32", "int64", "uint8")

# The names of primitives, to choose ``ops`` from.
ARITHMETIC = ("add", "subtract", "multiply", "divide", "negative", "where", "cast")
MAPS = (*ELEMENTWISE, "erf", "round", "where", "cast")
REDUCTIONS = ("sum", "prod", "max", "min", "all", "any", "argmax", "argmin")
SCANS = ("cumulative_sum", "cumulative_prod", "argsort")
MOVES = ("copy", "reshape", "permute_dims", "broadcast_to", "concat")
INDEXING = ("getitem", "setitem", "scatter_add")
LINALG = ("cholesky", "det", "inv", "pinv", "solve", "eigh", "qr", "slogdet", "svd")
OTHERS = ("constant", "matmul", "random_uniform", "raise_unless")
OPS = (*MAPS, *REDUCTIONS, *SCANS, *MOVES, *INDEXING, *OTHERS)
"""All but linear algebra, which is random only in what it refuses."""

LOOPS = ("loop", "part")
"""To be asked for; a loop's body has what is in ``ops`` and can't fail for some numbers."""

_IN_LOOPS = {*MAPS, *REDUCTIONS, *SCANS, *MOVES, *LOOPS, "constant", "matmul"} - {
    "cast",
    "pow",
    "reciprocal",
}

_LARGEST = 400  # elements of a value


def random_array_program(
    seed: int,
    length: int = 30,
    dtypes: Sequence[str] = DTYPES,
    ops: Collection[str] = OPS,
    special: bool = True,
) -> tuple[Program, list[Array]]:
    """A program that ``verify`` accepts, and arrays to run it on; the same for the same arguments.

    Args:
        length: how many instructions, or one or two more.
        dtypes: those of the inputs, and what is cast to. A comparison is boolean in any case, an
            argmax int64, and so on, as far as ``ops`` has them. Indices are int64.
        ops: the primitives that are used; beside them ``constant``, where an operand is needed
            that is not there.
        special: whether NaN, infinities, -0.0 and numbers near the limits are among the inputs'.
    """
    writer = _Writer(np.random.default_rng(seed), dtypes, ops, special)
    return writer.program_of(length), writer.inputs


class _Rejected(Exception):
    """What was to be written can't be run; something else is tried."""


class _Writer:
    def __init__(
        self, rng: np.random.Generator, dtypes: Sequence[str], ops: Collection[str], special: bool
    ) -> None:
        self.rng, self.dtypes, self.ops, self.special = rng, dtypes, ops, special
        lengths = [int(n) for n in rng.choice([1, 2, 3, 4, 5, 7, 8, 17], 3)]
        if rng.random() < 0.15:
            lengths[rng.integers(3)] = 0
        self.frame = tuple(lengths)  # most shapes are its last axes, so that they broadcast
        self.inputs = [self.numbers(self.shape(), str(rng.choice(dtypes))) for _ in range(4)]
        if not set(ops).isdisjoint(INDEXING):
            self.inputs += [rng.integers(-1, 1, (3, 2)[: rng.integers(3)])]  # within all bounds
        if "random_uniform" in ops:
            key = np.array([rng.integers(2**63), 1], np.uint64)
            self.inputs += [np.array(3, np.uint64), key]
        self.values: list[Array] = list(self.inputs)
        self.program = Program([Type(x.dtype, x.shape) for x in self.inputs])

    def program_of(self, length: int) -> Program:
        groups = [ARITHMETIC] * 3 + [MAPS] * 4 + [REDUCTIONS, MOVES] * 2
        groups += [SCANS, INDEXING, LINALG, OTHERS, LOOPS[:1]]
        allowed = [[op for op in group if op in self.ops] for group in groups]
        allowed = [group for group in allowed if group]
        tries = 0
        while len(self.program.instructions) < length:
            group = allowed[self.rng.integers(len(allowed))]
            tries += 1
            try:
                self.write(group[self.rng.integers(len(group))])
            except _Rejected:
                if tries > 1000 * length:
                    raise ValueError(f"no program of {', '.join(self.ops)} was found") from None
        self.program.outputs = self.some()
        return self.program

    def some(self) -> list[int]:
        """The last value, and a few others."""
        arrays = [i for i, x in enumerate(self.values) if isinstance(x, np.ndarray)]
        others = self.rng.choice(arrays, self.rng.integers(1, 4))
        return [arrays[-1], *(int(value) for value in others)]

    def write(self, op: str) -> None:
        """One more instruction with ``op``, or an earlier one again."""
        if self.program.instructions and self.rng.random() < 0.1:
            old = self.program.instructions[self.rng.integers(len(self.program.instructions))]
            self.emit(old.op, *old.inputs, **old.params)
        else:
            getattr(self, f"_{op}", lambda: self._other(op))()

    def emit(self, op: str, *inputs: int, **params: Any) -> int:
        """Append an instruction, and compute it; the number of its value."""
        primitive, arrays = PRIMITIVES[op], [self.values[i] for i in inputs]
        try:
            type_ = primitive.infer(*[self.program.type_of(i) for i in inputs], **params)
            if math.prod(type_.shape) > _LARGEST or len(type_.shape) > 5:
                raise _Rejected
            if _is_left_open(op, arrays, type_.dtype):
                raise _Rejected
            with np.errstate(all="ignore"):
                value = primitive.run(*arrays, **params)
        except (ValueError, TypeError, IndexError) as error:
            raise _Rejected from error
        if op != "loop":
            value = np.asarray(value)
            assert Type(value.dtype, value.shape) == type_, f"{op} of {arrays} {params}: {type_}"
        self.program.instructions.append(Instruction(op, inputs, params, type_))
        self.values.append(value)
        return len(self.values) - 1

    # What to compute with.

    def shape(self) -> tuple[int, ...]:
        """The last axes of the frame, some with length 1."""
        shape = self.frame[self.rng.integers(4) :]
        return tuple(1 if self.rng.random() < 0.25 else n for n in shape)

    def numbers(self, shape: tuple[int, ...], dtype: str) -> Array:
        rng, kind = self.rng, np.dtype(dtype).kind
        if kind == "b":
            return np.asarray(rng.random(shape) < 0.5)
        if kind in "iu":
            return np.asarray(rng.integers(0 if kind == "u" else -5, 6, shape)).astype(dtype)
        x = np.asarray(rng.normal(size=shape) * 3).astype(dtype)
        if self.special:
            limits = np.finfo(dtype)
            temptations = [0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf]
            temptations += [limits.max, limits.tiny, limits.tiny / 8]
            chosen = np.asarray(rng.choice(temptations, shape)).astype(dtype)
            x = np.where(rng.random(shape) < rng.choice([0, 0.1, 0.4]), chosen, x)
        return x

    def constant(self, value: Any) -> int:
        value = np.array(value)
        value.flags.writeable = False
        return self.emit("constant", value=value)

    def any_of(self, wanted: Callable[[Array], bool] = lambda x: True) -> int:
        """The number of a value, one of the latest as often as not."""
        found = [i for i, x in enumerate(self.values) if isinstance(x, np.ndarray) and wanted(x)]
        if not found:
            raise _Rejected
        if self.rng.random() < 0.7:  # else most become integers and booleans, and stay so
            found = [i for i in found if self.values[i].dtype.kind == "f"] or found
        recent = self.rng.random() < 0.5
        return int(self.rng.choice(found[-3:] if recent else found))

    def like(self, shape: tuple[int, ...], dtype: Any, known: float = 0.3) -> int:
        """A value of ``dtype`` that broadcasts to ``shape``, a constant where there is none."""
        if self.rng.random() >= known:
            try:
                return self.any_of(lambda x: x.dtype == dtype and _broadcasts(x.shape, shape))
            except _Rejected:
                pass
        start = self.rng.integers(len(shape) + 1)
        cut = tuple(1 if self.rng.random() < 0.2 else n for n in shape[start:])
        if self.rng.random() < 0.6:
            temptations = [0, 1, 2] if dtype.kind in "ub" else [0, 1, 2, -1]
            temptations += [-0.0, 0.5, 4.0, np.nan] if dtype.kind == "f" else []
            x = np.asarray(self.rng.choice(temptations)).astype(dtype)
            return self.constant(np.broadcast_to(x, cut if self.rng.random() < 0.4 else ()))
        return self.constant(self.numbers(cut, str(dtype)))

    def axes(self, x: int) -> tuple[int, ...]:
        return tuple(i for i in range(self.values[x].ndim) if self.rng.random() < 0.5)

    def axis(self, x: int) -> int:
        if not self.values[x].ndim:
            raise _Rejected
        return int(self.rng.integers(self.values[x].ndim))

    # The primitives.

    def _other(self, op: str) -> None:
        if op in REDUCTIONS or op in SCANS:
            x = self.any_of()
            several = op in ("sum", "prod", "max", "min", "all", "any")
            more: Any = {"descending": bool(self.rng.integers(2)), "stable": True}
            self.emit(
                op,
                x,
                axis=self.axes(x) if several else self.axis(x),
                **(more if op == "argsort" else {}),
            )
        elif op in LINALG:
            self._of_matrices(op)
        else:
            self._elementwise(op)

    def _elementwise(self, op: str) -> None:
        x = self.any_of()
        if getattr(PRIMITIVES[op].run, "nin", 1) == 1:
            self.emit(op, x)
            return
        y = self.like(self.values[x].shape, self.values[x].dtype)
        self.emit(op, *((x, y) if self.rng.random() < 0.5 else (y, x)))

    def _where(self) -> None:
        x = self.any_of()
        shape = self.values[x].shape
        y = self.like(shape, self.values[x].dtype)
        condition = self.like(shape, np.dtype(bool), known=0.1)
        self.emit("where", condition, *((x, y) if self.rng.random() < 0.5 else (y, x)))

    def _constant(self) -> None:
        self.constant(self.numbers(self.shape(), str(self.rng.choice(self.dtypes))))

    def _cast(self) -> None:
        self.emit("cast", self.any_of(), dtype=str(self.rng.choice(self.dtypes)))

    def _copy(self) -> None:
        self.emit("copy", self.any_of(), **({"order": "C"} if self.rng.random() < 0.5 else {}))

    def _reshape(self) -> None:
        x = self.any_of()
        old = self.values[x].shape
        shape = [n for n in old if n != 1 or self.rng.random() < 0.5]
        kind = self.rng.integers(3)
        if kind == 0:
            shape.insert(int(self.rng.integers(len(shape) + 1)), 1)
        elif kind == 1 and len(shape) > 1:
            shape[:2] = [shape[0] * shape[1]]
        elif shape:
            i = int(self.rng.integers(len(shape)))
            divisors = [d for d in range(1, shape[i] + 1) if shape[i] % d == 0]
            d = int(self.rng.choice(divisors)) if divisors else 1
            shape[i : i + 1] = [d, shape[i] // d]
        self.emit("reshape", x, shape=tuple(shape))

    def _permute_dims(self) -> None:
        x = self.any_of(lambda x: x.ndim > 1)
        axes = self.rng.permutation(self.values[x].ndim)
        self.emit("permute_dims", x, axes=tuple(int(axis) for axis in axes))

    def _broadcast_to(self) -> None:
        x = self.any_of()
        shape = [
            int(self.rng.choice(self.frame)) if n == 1 and self.rng.random() < 0.5 else n
            for n in self.values[x].shape
        ]
        if self.rng.random() < 0.5:
            shape.insert(0, int(self.rng.choice([1, 2, 3])))
        self.emit("broadcast_to", x, shape=tuple(shape))

    def _concat(self) -> None:
        x = self.any_of(lambda x: x.ndim > 0)
        axis, first = self.axis(x), self.values[x]
        xs = [x]
        for _ in range(self.rng.integers(3)):
            xs.append(  # noqa: PERF401
                self.any_of(
                    lambda y: (
                        y.dtype == first.dtype
                        and y.ndim == first.ndim
                        and _without(y.shape, axis) == _without(first.shape, axis)
                    )
                )
            )
        self.emit("concat", *xs, axis=axis)

    def _matmul(self) -> None:
        """A product of vectors, matrices or stacks of them; with a transpose as often as not."""
        x = self.any_of(lambda x: x.ndim > 0 and x.dtype.kind != "b")
        a = self.values[x]
        kind = self.rng.integers(4)
        if kind == 0 and a.ndim > 1:
            y = self.emit("permute_dims", x, axes=(*range(a.ndim - 2), a.ndim - 1, a.ndim - 2))
        elif kind < 3:
            y = self.any_of(
                lambda b: (
                    b.dtype == a.dtype and b.ndim > 0 and b.shape[max(b.ndim - 2, 0)] == a.shape[-1]
                )
            )
        else:
            stack = [1 if self.rng.random() < 0.3 else n for n in a.shape[:-2]]
            matrix = (*stack, a.shape[-1], int(self.rng.integers(1, 6)))
            shape = matrix if self.rng.random() < 0.7 else a.shape[-1:]
            y = self.constant(self.numbers(shape, str(a.dtype)))
        self.emit("matmul", x, y)

    def _of_matrices(self, op: str) -> None:
        x = self.any_of(lambda x: x.ndim > 1 and x.dtype.kind == "f")
        square = self.values[x].shape[-1] == self.values[x].shape[-2]
        if op not in ("pinv", "qr", "svd") and not square:
            ndim = self.values[x].ndim
            turned = self.emit("permute_dims", x, axes=(*range(ndim - 2), ndim - 1, ndim - 2))
            x = self.emit("matmul", x, turned)
        if op == "solve":
            rows = self.values[x].shape[-1]
            y = self.like((rows, int(self.rng.integers(1, 4))), self.values[x].dtype)
            self.emit(op, x, y)
        else:
            self.emit(op, x, **({"rtol": 1e-5} if op == "pinv" else {}))

    def index(self, shape: tuple[int, ...]) -> tuple[tuple[Any, ...], list[int]]:
        """An index of an array of ``shape``: the part that the program shows, and operands."""
        with_arrays = self.rng.random() < 0.5
        parts: list[Any] = []
        operands: list[int] = []
        for n in shape[: len(shape) - int(self.rng.integers(2))]:
            kind = self.rng.integers(6)
            if kind == 0 and n:
                parts.append(int(self.rng.integers(-n, n)))
            elif kind == 1:
                parts.append(slice(None, None, int(self.rng.choice([1, 2, -1, -2]))))
            elif kind == 2:
                parts.append(slice(int(self.rng.integers(-1, 2)), None))
            elif kind < 5 and with_arrays and len(operands) < 3:
                parts.append(OPERAND)
                operands.append(self.indices(n))
            else:
                parts.append(slice(None))
        if self.rng.random() < 0.2:
            parts.insert(int(self.rng.integers(len(parts) + 1)), None)
        if len(parts) - parts.count(None) < len(shape) and self.rng.random() < 0.5:
            parts.append(Ellipsis)
        return tuple(parts), operands

    def indices(self, n: int) -> int:
        """Integers that are indices of an axis of length ``n``."""
        if self.rng.random() < 0.6:
            return self.any_of(
                lambda x: x.dtype.kind in "iu" and bool(np.all(x >= -n)) and bool(np.all(x < n))
            )
        shape = (2, int(self.rng.integers(1, 4)))[self.rng.integers(3) :]
        return self.constant(self.rng.integers(-n, n, shape) if n else np.zeros(0, np.int64))

    def _getitem(self) -> None:
        x = self.any_of()
        index, operands = self.index(self.values[x].shape)
        self.emit("getitem", x, *operands, index=index)

    def _setitem(self) -> None:
        x = self.any_of()
        index, operands = self.index(self.values[x].shape)
        block = self.emit("getitem", x, *operands, index=index)
        value = self.like(self.values[block].shape, self.values[x].dtype)
        self.emit("setitem", x, value, *operands, index=index)

    def _scatter_add(self) -> None:
        """The gradient of an index of some value, or of one that has its shape."""
        x = self.any_of()
        shape = self.values[x].shape
        index, operands = self.index(shape)
        block = self.emit("getitem", x, *operands, index=index)
        y = self.like(self.values[block].shape, self.values[x].dtype)
        self.emit("scatter_add", y, *operands, index=index, shape=shape)

    def _random_uniform(self) -> None:
        key = len(self.inputs) - 1
        counter = self.any_of(lambda x: x.dtype == np.uint64 and x.shape == ())
        dtype = "float32" if "float32" in self.dtypes else "float64"
        self.emit("random_uniform", key, counter, shape=self.shape(), dtype=dtype)

    def _loop(self) -> None:
        """Over the first axis of some values, with what it makes as the next values."""
        rng = self.rng
        stacks = [self.any_of(lambda x: x.ndim > 0)]
        length = len(self.values[stacks[0]])
        for _ in range(rng.integers(3)):
            stacks.append(self.any_of(lambda x: x.ndim > 0 and len(x) == length))  # noqa: PERF401
        carries = [self.any_of() for _ in range(rng.integers(1, 4))]
        constants = [self.any_of() for _ in range(rng.integers(3))]
        first = [self.values[i][0] if length else self.values[i].sum(0) for i in stacks]
        given = [np.asarray(self.values[i]) for i in (*constants, *carries)]
        given += [np.asarray(x).astype(self.values[i].dtype) for x, i in zip(first, stacks)]  # noqa: B905
        body = _Writer.__new__(_Writer)
        body.rng, body.dtypes, body.special = rng, ("float32", "float64"), self.special
        body.ops, body.frame, body.inputs = _IN_LOOPS & set(self.ops), self.frame, given
        body.values = list(given)
        body.program = Program([Type(x.dtype, x.shape) for x in given])
        program = body.program_of(int(rng.integers(2, 9)))
        after = [
            [v for v, x in enumerate(body.values) if program.type_of(v) == self.program.type_of(i)]
            for i in carries
        ]
        program.outputs = [int(rng.choice(found[-3:])) for found in after] + body.some()
        bundle = self.emit(
            "loop",
            *constants,
            *carries,
            *stacks,
            body=program,
            constants=len(constants),
            carries=len(carries),
            length=length,
            reverse=bool(rng.integers(2)),
        )
        for i in range(len(program.outputs)):
            self.emit("part", bundle, index=i)

    def _part(self) -> None:
        raise _Rejected  # each loop takes its own out

    def _raise_unless(self) -> None:
        x = self.any_of(lambda x: x.size == 1 and bool(x))
        self.emit("raise_unless", x, message="never")


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


def _broadcasts(shape: tuple[int, ...], wide: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, wide) == wide
    except ValueError:
        return False


def _is_left_open(op: str, arrays: Sequence[Array], dtype: np.dtype[Any]) -> bool:
    """Whether C, and so NumPy, may give one result or another."""
    x = arrays[0] if arrays else np.zeros(())
    if op == "cast" and x.dtype.kind == "f" and dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return not bool(np.all((x > float(limits.min) - 1) & (x < float(limits.max))))
    return op == "reciprocal" and x.dtype.kind in "iu" and not np.all(x)
