"""Functions from functions: derivatives of a Python function with respect to its arguments.

An argument may be an array or a number, a dict, list or tuple of such, nested at will, or a module,
whose parameters are meant. Derivatives come in the same form (of a module, as a dict by the names
of its parameters): arrays; or Variables, so that the result can be differentiated again, if an
argument is or holds a Variable, or if the function uses one with respect to which an enclosing
transform differentiates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from koubai import arrays
from koubai.arrays import as_array, describe, is_floating, namespace
from koubai.core import Variable, propagate
from koubai.errors import counted
from koubai.ops.elementwise import multiply
from koubai.ops.joining import stack
from koubai.ops.reduction import sum
from koubai.ops.shaping import reshape
from koubai.recording import recorded
from koubai.trees import flatten


class _Differentiated:
    """The arguments of a call, those in ``argnums`` as Variables of its own.

    Attributes:
        args: for the call.
        xs: the Variables among them, flat.
        higher: whether results are to be Variables.
    """

    def __init__(self, name: str, args: tuple[Any, ...], argnums: Sequence[int]) -> None:
        self._name, self.args, self.xs = name, list(args), []
        self._builds: list[tuple[int, Any]] = []
        self.higher = any(
            isinstance(leaf, Variable) and not hasattr(arg, "named_parameters")
            for arg in args
            for leaf in flatten(arg)[0]
        )
        for i in argnums:
            if not -len(args) <= i < len(args):
                raise ValueError(f"{name}: argnums names argument {i}, called with {len(args)}")
            leaves, build = flatten(args[i])
            if hasattr(args[i], "named_parameters"):
                xs = leaves  # a module uses its own parameters
            else:
                xs = [_fresh(leaf, name, i) for leaf in leaves]
                self.args[i] = build(xs)
            self.xs += xs
            self._builds.append((len(xs), build))

    def call(self, f: Callable[..., Any], kwargs: dict[str, Any]) -> Any:
        """The result of f, which must not write into its arguments."""
        creators = [x.creator for x in self.xs]
        enclosing = _differentiated.get()
        token = _differentiated.set((*enclosing, *self.xs))
        try:
            with recorded(True):
                y = f(*self.args, **kwargs)
        finally:
            _differentiated.reset(token)
        if any(x.creator is not creator for x, creator in zip(self.xs, creators, strict=True)):
            raise ValueError(
                f"{self._name}: the function wrote into an argument; let it write into a copy,"
                " x = x.copy()"
            )
        self.higher = self.higher or _depends(flatten(y)[0], set(enclosing))
        return y

    def gradients(self, y: Variable, gy: Any = None, create_graph: bool = False) -> list[Any]:
        """The gradient of y for each of ``xs``; zeros where y does not depend on it."""
        table = propagate(y, gy, create_graph, wanted=set(self.xs))
        return [table[x] if x in table else _zeros(x, create_graph) for x in self.xs]

    def build(self, leaves: list[Any]) -> list[Any]:
        """One tree for each differentiated argument."""
        trees, rest = [], leaves
        for n, build in self._builds:
            trees.append(build(rest[:n]))
            rest = rest[n:]
        return trees


# What the calls of transforms that are running now differentiate with respect to. In
#     grad(lambda x: x * grad(lambda y: x * y * y)(3.0))(2.0)
# the inner gradient depends on the outer x, although no argument of it is a Variable.
_differentiated: ContextVar[tuple[Variable, ...]] = ContextVar("differentiated", default=())


def _depends(ys: list[Any], xs: set[Variable]) -> bool:
    """Whether any of ``ys`` was computed from any of ``xs``."""
    stack = [y for y in ys if isinstance(y, Variable)] if xs else []
    seen = set(stack)
    while stack:
        y = stack.pop()
        if y in xs:
            return True
        for x in y.creator.inputs if y.creator is not None else ():
            if isinstance(x, Variable) and x not in seen:
                seen.add(x)
                stack.append(x)
    return False


def _fresh(x: Any, name: str, index: int) -> Variable:
    """An argument as a Variable of its own: uses of x elsewhere in the function don't count."""
    fresh = arrays.copy(x) if isinstance(x, Variable) else Variable(as_array(x))
    if not is_floating(fresh.data):
        raise ValueError(
            f"{name}: argument {index} is {describe(fresh)}: only real numbers have derivatives;"
            " write x.astype(float)"
        )
    return fresh


def _zeros(x: Variable, create_graph: bool) -> Any:
    zeros = namespace(x.data).zeros_like(x.data)
    return Variable(zeros) if create_graph else zeros


def _argnums(argnums: int | Sequence[int]) -> Sequence[int]:
    return (argnums,) if isinstance(argnums, int) else argnums


def _result(y: Any, name: str) -> Variable:
    if not isinstance(y, Variable):
        raise ValueError(
            f"{name}: the function returned {describe(y)}, which does not depend on the arguments;"
            " compute it from them with koubai's or NumPy's functions"
        )
    return y


def value_and_grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function that returns the value of ``f`` and its derivatives.

    Args:
        f: a function whose result is a single number.
        argnums: which positional arguments to differentiate with respect to; one, or several.

    Returns:
        A function of the arguments of f that returns ``(value, gradient)``, with a tuple of
        gradients for several argnums.

    Raises:
        ValueError: if f does not return a single real number that depends on the arguments, or
            writes into one of them.

    >>> value_and_grad(lambda x: x * x)(3.0)
    (array(9.), array(6.))
    """
    several = not isinstance(argnums, int)

    def with_grad(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        wrt = _Differentiated("grad", args, _argnums(argnums))
        y = _result(wrt.call(f, kwargs), "grad")
        if y.size != 1:
            raise ValueError(
                f"grad: the function must return a single number, not {describe(y)}; for several"
                " there are jacobian and vjp"
            )
        gxs = wrt.build(wrt.gradients(y, create_graph=wrt.higher))
        return y if wrt.higher else y.data, tuple(gxs) if several else gxs[0]

    return with_grad


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function that returns the derivatives of ``f``, as ``value_and_grad`` does.

    >>> cube = lambda x: x**3
    >>> grad(cube)(2.0), grad(grad(cube))(2.0)
    (array(12.), array(12.))
    """
    with_value = value_and_grad(f, argnums)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        return with_value(*args, **kwargs)[1]

    return gradient


def vjp(f: Callable[..., Any], *args: Any) -> tuple[Any, Callable[..., Any]]:
    """The value of ``f(*args)``, and the function that multiplies its Jacobian from the left.

    Returns:
        ``(y, pullback)``: ``pullback(gy)``, with gy of y's shape (and form, if y is a tree), is a
        tuple with gy^T J for each argument.

    >>> import numpy as np
    >>> y, pullback = vjp(lambda x: x * x, np.array([1.0, 2.0]))
    >>> pullback(np.array([1.0, 10.0]))
    (array([ 2., 40.]),)
    """
    wrt = _Differentiated("vjp", args, range(len(args)))
    y = wrt.call(f, {})
    ys, build = flatten(y)
    for leaf in ys:
        _result(leaf, "vjp")

    def pullback(gy: Any) -> tuple[Any, ...]:
        higher = wrt.higher or any(isinstance(g, Variable) for g in flatten(gy)[0])
        root, seed = _joined(ys, flatten(gy)[0], "vjp")
        return tuple(wrt.build(wrt.gradients(root, seed, create_graph=higher)))

    return y if wrt.higher else build([leaf.data for leaf in ys]), pullback


def _joined(ys: list[Variable], gys: list[Any], name: str) -> tuple[Variable, Any]:
    """One Variable and its gradient, whose backward pass is that of all ``ys`` with ``gys``."""
    if len(gys) != len(ys):
        raise ValueError(f"{name} needs {counted(len(ys), 'gradient')}, one for each output")
    if len(ys) == 1:
        return ys[0], gys[0]
    with recorded(True):
        root = sum(multiply(ys[0], gys[0]))
        for y, gy in zip(ys[1:], gys[1:], strict=True):
            root = root + sum(multiply(y, gy))
    return root, None


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The value of ``f(*primals)`` and its derivative in the direction ``tangents``, J v.

    It costs two backward passes: gy^T J is linear in gy, and its derivative with respect to gy, in
    the direction v, is J v.

    >>> import numpy as np
    >>> jvp(lambda x: x * x, [np.array([1.0, 2.0])], [np.array([1.0, 10.0])])
    (array([1., 4.]), array([ 2., 40.]))
    """
    wrt = _Differentiated("jvp", tuple(primals), range(len(primals)))
    vs = [v for tangent in tangents for v in flatten(tangent)[0]]
    if [arrays.shape_of(v) for v in vs] != [x.shape for x in wrt.xs]:
        raise ValueError("jvp: the tangents must have the shapes of the primals")
    ys, build = flatten(wrt.call(f, {}))
    derivatives = []
    for y in ys:
        u = Variable(_zeros(_result(y, "jvp"), create_graph=False))
        with recorded(True):
            gxs = wrt.gradients(y, u, create_graph=True)
            dot = sum(multiply(gxs[0], vs[0]))
            for gx, v in zip(gxs[1:], vs[1:], strict=True):
                dot = dot + sum(multiply(gx, v))
        table = propagate(dot, create_graph=wrt.higher, wanted={u}) if dot.creator else {}
        derivatives.append(table[u] if u in table else _zeros(y, wrt.higher))
    return build(ys if wrt.higher else [y.data for y in ys]), build(derivatives)


def jacobian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function that returns all derivatives of all outputs of ``f``.

    Returns:
        A function of the arguments of f: for an output of the shape S and an argument of the shape
        T, an array of the shape S + T. One backward pass for each element of the output.

    >>> import numpy as np
    >>> jacobian(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    several = not isinstance(argnums, int)

    def with_jacobian(*args: Any, **kwargs: Any) -> Any:
        wrt = _Differentiated("jacobian", args, _argnums(argnums))
        y = _result(wrt.call(f, kwargs), "jacobian")
        xp = namespace(y.data)
        rows: list[list[Any]] = [[] for _ in wrt.xs]
        for i in range(y.size):
            one_hot = xp.reshape(xp.astype(xp.arange(y.size) == i, y.dtype), y.shape)
            for row, g in zip(rows, wrt.gradients(y, one_hot, wrt.higher), strict=True):
                row.append(g)
        whole = [_stacked(row, x, y.shape, wrt.higher) for row, x in zip(rows, wrt.xs, strict=True)]
        jacobians = wrt.build(whole)
        return tuple(jacobians) if several else jacobians[0]

    return with_jacobian


def _stacked(rows: list[Any], x: Variable, shape: tuple[int, ...], higher: bool) -> Any:
    if not rows:
        zeros = namespace(x.data).zeros((*shape, *x.shape), dtype=x.dtype)
        return Variable(zeros) if higher else zeros
    if higher:
        return reshape(stack(rows), (*shape, *x.shape))
    xp = namespace(rows[0])
    return xp.reshape(xp.stack(rows), (*shape, *x.shape))


def hessian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """A function that returns the second derivatives of ``f``, which returns a single number.

    Returns:
        A function of the arguments of f: for an argument of the shape T, an array of the shape
        T + T.

    >>> import numpy as np
    >>> hessian(lambda x: (x**3).sum())(np.array([1.0, 2.0]))
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    return jacobian(grad(f, argnums), argnums)


def hvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, ...]:
    """The Hessian of ``f`` times a vector, H v, without the Hessian: the gradient of grad f . v.

    Args:
        f: a function whose result is a single number.
        primals: its arguments.
        tangents: v, one for each argument, of its form and shape.

    Returns:
        A tuple with one result for each argument.

    >>> import numpy as np
    >>> hvp(lambda x: (x**3).sum(), [np.array([1.0, 2.0])], [np.array([1.0, 1.0])])
    (array([ 6., 12.]),)
    """
    vs = [v for tangent in tangents for v in flatten(tangent)[0]]

    def directional(*args: Any) -> Variable:
        gxs = flatten(grad(f, tuple(range(len(args))))(*args))[0]
        if len(gxs) != len(vs):
            raise ValueError(f"hvp: {len(gxs)} tangents are needed, not {len(vs)}")
        dot = sum(multiply(gxs[0], vs[0]))
        for gx, v in zip(gxs[1:], vs[1:], strict=True):
            dot = dot + sum(multiply(gx, v))
        return dot

    wrt = _Differentiated("hvp", tuple(primals), range(len(primals)))
    y = wrt.call(directional, {})
    return tuple(wrt.build(wrt.gradients(y, create_graph=wrt.higher)))
