"""What an object that stands for an array answers to, beside being one: the table.

A ``Variable`` and a traced array stand for an array in code that was written for NumPy, so both
have the same operators and ndarray methods, and answer to NumPy's own protocols. Each of these is
a function of the object's array namespace: ``x + y`` is ``namespace(x).add(x, y)``, and so are
``np.add(x, y)`` and ``ndarray + x``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self

from koubai.arrays import namespace

# Python's operators, by the standard's name of the function. The first six work both ways round.
OPERATORS = {
    "__add__": "add",
    "__sub__": "subtract",
    "__mul__": "multiply",
    "__truediv__": "divide",
    "__pow__": "pow",
    "__matmul__": "matmul",
    "__neg__": "negative",
    "__pos__": "copy",
    "__abs__": "abs",
    "__eq__": "equal",
    "__ne__": "not_equal",
    "__lt__": "less",
    "__le__": "less_equal",
    "__gt__": "greater",
    "__ge__": "greater_equal",
    "__getitem__": "getitem",
    "__setitem__": "setitem",
}
REFLECTED = ("add", "sub", "mul", "truediv", "pow", "matmul")
# The ndarray methods, which all take the array and then what the function of that name takes.
METHODS = (
    "all",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "astype",
    "clip",
    "copy",
    "cumprod",
    "cumsum",
    "diagonal",
    "dot",
    "max",
    "mean",
    "min",
    "nonzero",
    "prod",
    "repeat",
    "round",
    "squeeze",
    "std",
    "sum",
    "take",
    "var",
)

# What NumPy's functions are called in the standard, where the names differ.
STANDARD_NAMES = {
    "absolute": "abs",
    "amax": "max",
    "amin": "min",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "concatenate": "concat",
    "cumprod": "cumulative_prod",
    "cumsum": "cumulative_sum",
    "power": "pow",
    "true_divide": "divide",
}
# What arguments are called in the standard, that NumPy calls by another name too.
STANDARD_KEYWORDS = {"a_min": "min", "a_max": "max", "ddof": "correction"}


# Where NumPy keeps functions that the standard names, or koubai by NumPy's name.
MODULES = ("numpy", "numpy.lib.stride_tricks", None)


def _inner(x: Any) -> ArrayMethods | None:
    """The array in a Variable, if it has these methods too."""
    inner = getattr(type(x), "data", None) and x.data
    return inner if isinstance(inner, ArrayMethods) else None


class ArrayMethods:
    """The operators, ndarray methods and NumPy protocols of an object with a namespace."""

    __slots__ = ()
    shape: Any
    dtype: Any
    cannot: ClassVar[str]
    """Why a NumPy function is refused, with the way out: "... {function} ..."."""

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def T(self) -> Self:
        result: Self = namespace(self).transpose(self)
        return result

    def reshape(self, *shape: Any) -> Self:
        """In another shape: ``x.reshape(2, 3)`` or ``x.reshape((2, 3))``."""
        result: Self = namespace(self).reshape(self, _one_or_all(shape))
        return result

    def transpose(self, *axes: Any) -> Self:
        """Axes reversed, or in the order given: ``x.transpose(1, 0)`` or ``((1, 0))``."""
        result: Self = namespace(self).transpose(self, _one_or_all(axes) if axes else None)
        return result

    def flatten(self) -> Self:
        """A copy with all elements in one row."""
        result: Self = namespace(self).copy(self.reshape(-1))
        return result

    def ravel(self) -> Self:
        """All elements in one row."""
        return self.reshape(-1)

    def __format__(self, spec: str) -> str:
        """``f"{loss:.4f}"``: a single number, printed; without a format, as ``str``."""
        return format(self.item(), spec) if spec else str(self)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError(f"len() of a 0-d {type(self).__name__}")
        return int(self.shape[0])

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    # What would turn it into plain numbers is refused: nothing leaves the graph, or the trace,
    # silently. In a function that is being compiled, the traced array in a Variable knows best
    # what to write instead.

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if (inner := _inner(self)) is not None:
            return inner.__array__(dtype, copy)
        several = "; to make one array of several write np.stack(...)"
        raise TypeError(self.cannot.format(function="np.array()") + several)

    def __float__(self) -> float:
        if (inner := _inner(self)) is not None:
            return float(inner)
        raise TypeError(self.cannot.format(function="float()"))

    def __int__(self) -> int:
        if (inner := _inner(self)) is not None:
            return int(inner)
        raise TypeError(self.cannot.format(function="int()"))

    def __reduce_ex__(self, protocol: Any) -> Any:
        """What ``copy.copy``, ``copy.deepcopy`` and ``pickle`` ask for; a leaf is as any object."""
        if getattr(self, "creator", None) is not None:
            in_graph = "; a copy that keeps it is v.copy()"
            raise TypeError(self.cannot.format(function="copy or pickle") + in_graph)
        return super().__reduce_ex__(protocol)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        unknown = kwargs.keys() - {"axis"}  # that of np.vecdot
        if method != "__call__" or unknown:
            how = f".{method}" if method != "__call__" else f" with {', '.join(sorted(unknown))}="
            raise TypeError(self.cannot.format(function=f"np.{ufunc.__name__}{how}"))
        return self.__array_function__(ufunc, (), inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = STANDARD_NAMES.get(func.__name__, func.__name__)
        module = getattr(func, "__module__", None) or "numpy"  # None of ufuncs
        # np.linalg.norm is not np.norm: what stands in numpy.linalg is looked for in our linalg.
        room = getattr(namespace(self), "linalg", None) if module == "numpy.linalg" else None
        room = namespace(self) if module in MODULES else room
        function = getattr(room, name, None)
        if function is None:
            raise TypeError(self.cannot.format(function=f"{module}.{func.__name__}"))
        return function(*args, **{STANDARD_KEYWORDS.get(k, k): x for k, x in kwargs.items()})

    if TYPE_CHECKING:  # bound by bind_methods, or of the classes themselves

        def item(self) -> Any: ...

        def __add__(self, other: Any) -> Self: ...
        def __radd__(self, other: Any) -> Self: ...
        def __sub__(self, other: Any) -> Self: ...
        def __rsub__(self, other: Any) -> Self: ...
        def __mul__(self, other: Any) -> Self: ...
        def __rmul__(self, other: Any) -> Self: ...
        def __truediv__(self, other: Any) -> Self: ...
        def __rtruediv__(self, other: Any) -> Self: ...
        def __pow__(self, other: Any) -> Self: ...
        def __rpow__(self, other: Any) -> Self: ...
        def __matmul__(self, other: Any) -> Self: ...
        def __rmatmul__(self, other: Any) -> Self: ...
        def __neg__(self) -> Self: ...
        def __pos__(self) -> Self: ...
        def __abs__(self) -> Self: ...
        def __eq__(self, other: object) -> Any: ...
        def __ne__(self, other: object) -> Any: ...
        def __lt__(self, other: Any) -> Any: ...
        def __le__(self, other: Any) -> Any: ...
        def __gt__(self, other: Any) -> Any: ...
        def __ge__(self, other: Any) -> Any: ...
        def __getitem__(self, index: Any) -> Self: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def all(self, axis: Any = None, *, keepdims: bool = False) -> Any: ...
        def any(self, axis: Any = None, *, keepdims: bool = False) -> Any: ...
        def argmax(self, axis: int | None = None, *, keepdims: bool = False) -> Any: ...
        def argmin(self, axis: int | None = None, *, keepdims: bool = False) -> Any: ...
        def argsort(self, axis: int = -1) -> Any: ...
        def astype(self, dtype: Any) -> Self: ...
        def clip(self, min: Any = None, max: Any = None) -> Self: ...
        def copy(self) -> Self: ...
        def cumprod(self, axis: int | None = None) -> Self: ...
        def cumsum(self, axis: int | None = None) -> Self: ...
        def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Self: ...
        def dot(self, other: Any) -> Self: ...
        def max(self, axis: Any = None, *, keepdims: bool = False) -> Self: ...
        def mean(self, axis: Any = None, *, keepdims: bool = False) -> Self: ...
        def min(self, axis: Any = None, *, keepdims: bool = False) -> Self: ...
        def nonzero(self) -> Any: ...
        def prod(self, axis: Any = None, *, keepdims: bool = False) -> Self: ...
        def repeat(self, repeats: Any, axis: int | None = None) -> Self: ...
        def round(self) -> Any: ...
        def squeeze(self, axis: Any = None) -> Self: ...
        def std(
            self, axis: Any = None, *, correction: float = 0.0, keepdims: bool = False
        ) -> Self: ...
        def sum(self, axis: Any = None, *, keepdims: bool = False) -> Self: ...
        def take(self, indices: Any, axis: int | None = None) -> Self: ...
        def var(
            self, axis: Any = None, *, correction: float = 0.0, keepdims: bool = False
        ) -> Self: ...


def _one_or_all(args: tuple[Any, ...]) -> Any:
    return args[0] if len(args) == 1 and not isinstance(args[0], int) else args


def bind_methods(cls: type[ArrayMethods], xp: Any) -> None:
    """Give ``cls``, whose array namespace is ``xp``, the operators and methods of the table.

    They are bound to the functions themselves, not looked up in the namespace at each call: an
    operator costs no more than the function.
    """
    for method, name in OPERATORS.items():
        setattr(cls, method, getattr(xp, name))
    for method in METHODS:
        setattr(cls, method, getattr(xp, STANDARD_NAMES.get(method, method)))
    for stem in REFLECTED:
        setattr(cls, f"__r{stem}__", _reflected(getattr(xp, OPERATORS[f"__{stem}__"])))


def _reflected(function: Any) -> Any:
    return lambda self, other: function(other, self)
