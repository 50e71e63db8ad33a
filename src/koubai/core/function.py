"""``Function``: one operation, its ``forward`` and its ``backward``.

    class Square(Function):
        def forward(self, x):           # arrays in, an array out
            self.x = x                  # keep what backward needs, as any attribute
            return x * x

        def backward(self, gy):         # the gradient of the output in, of the inputs out
            return 2 * self.x * gy

The same text serves by hand (``f.forward(3.0)``), as a node of a graph (``f(Variable(3.0))``), for
higher orders (forward run again on Variables, so that what it keeps has a history) and in a
compiled step (forward run on traced arrays).

An instance *is* its latest call: ``y = f(x)`` makes ``y.creator is f``. When it is called again
while older results are alive, those get a snapshot of it as their creator:

    f = Square(); a = f(x); b = f(a)    # b.creator is f; a.creator is a copy that kept x
"""

from __future__ import annotations

import copy
import inspect
import itertools
import weakref
from typing import Any

import numpy as np

from koubai import arrays
from koubai.arrays import NUMBERS, Array, describe, is_array, is_floating
from koubai.core.location import Location, caller, describe_location
from koubai.core.variable import Variable, array_of, as_array, recording

_PLAIN = frozenset((np.ndarray, int, float, bool, np.float64, np.float32))
_next_number = itertools.count(1).__next__
_new, _ref, _ndarray = object.__new__, weakref.ref, np.ndarray


class _Link:
    """A read-only view of the graph that gives way: a user's ``self.input = x`` shadows it."""

    def __init__(self, name: str, first: bool) -> None:
        self.name, self.first = name, first

    def __get__(self, function: Any, owner: Any = None) -> Any:
        if function is None:
            return self
        links = getattr(function, self.name)
        if not links:
            raise AttributeError(f"{type(function).__name__} has not been called on a Variable yet")
        if self.name == "_outputs":
            links = tuple(link() for link in links)
        return links[0] if self.first else links


class Function:
    """One differentiable operation: subclass it and write ``forward`` and ``backward``.

    ``forward(*xs)`` gets arrays and returns an array, or a tuple of arrays. ``backward(*gys)`` gets
    the gradient of each output and returns the gradient of each input, of the input's shape;
    where an operation broadcasts, of the output's shape (the engine sums it). For an input that
    has no gradient (indices, labels) it returns None. Calling an instance with at least one
    ``Variable`` records it in the graph and returns Variables; with arrays alone it returns arrays.

    Attributes:
        input, inputs: what it was called with, the first and all (Variables and constants).
        output, outputs: the Variables that it computed (None once nobody uses them).

    >>> class Square(Function):
    ...     def forward(self, x):
    ...         self.x = x
    ...         return x * x
    ...     def backward(self, gy):
    ...         return 2 * self.x * gy
    >>> f = Square()
    >>> x = Variable(3.0)
    >>> y = f(x)
    >>> y.creator is f, f.input is x, f.output is y
    (True, True, True)
    >>> f.backward(1.0)
    array(6.)
    """

    _inputs: tuple[Any, ...] = ()
    # Weak, for an output holds its creator already: no cycles, so graphs are freed at once.
    _outputs: tuple[weakref.ref[Variable], ...] = ()
    _number = 0  # creation order, which is a topological order
    _location: Location | None = None
    # Of each output of a function that returns a tuple: (shape, dtype), for one without gradient.
    _tuple_types: tuple[Any, ...] | None = None
    _is_ours = True
    _is_simple = True  # ours, and one output: the common case of the backward pass

    input, inputs = _Link("_inputs", first=True), _Link("_inputs", first=False)
    output, outputs = _Link("_outputs", first=True), _Link("_outputs", first=False)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._is_ours = cls._is_simple = cls.__module__.startswith("koubai.")

    def forward(self, *xs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def backward(self, *gys: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no backward")

    def needs_grad(self, index: int) -> bool:
        """Whether anybody will use the gradient of input ``index``; by hand, always.

        A ``backward`` may return None for the others, to save the work of a large product.
        """
        return not self._inputs or is_differentiable(self._inputs[index])

    def __call__(self, *inputs: Any) -> Variable:
        # The return type is the common case; arrays alone give an array, and a forward that
        # returns a tuple gives a tuple. Written out without helpers, for this body and the loop of
        # the backward pass are the time that an eager operation takes.
        if self._outputs:
            self._leave_snapshot()
        xs = []
        in_graph = False
        for x in inputs:
            if isinstance(x, Variable):
                xs.append(x._data)
                in_graph = True
            elif type(x) in _PLAIN:
                xs.append(x)
            else:
                xs.append(_constant(self, x))
        y: Any
        try:
            y = self.forward(*xs)
        except (ValueError, TypeError, IndexError) as error:
            raise explained(error, self, inputs) from (None if self._is_ours else error)
        if not in_graph:
            arrays_alone: Variable = y
            return arrays_alone
        if isinstance(y, (tuple, list)):
            several: Variable = self._outputs_of(inputs, y)
            return several
        output: Variable = _new(Variable)
        output._data = y if type(y) is _ndarray and self._is_ours else _result(self, y)
        output._creator = output.grad = output.name = None
        if recording.get():
            output._creator = self
            self._inputs = inputs
            self._outputs = (_ref(output),)
            self._number = _next_number()
            if not self._is_ours:
                self._location = caller()
        return output

    def _outputs_of(self, inputs: tuple[Any, ...], ys: Any) -> Any:
        """What ``__call__`` does with the one output, for several."""
        outputs = tuple([Variable(_result(self, y)) for y in ys])
        self._tuple_types = tuple([(y.shape, y.dtype) for y in outputs])
        self._is_simple = False
        if recording.get():
            for output in outputs:
                output._creator = self
            self._inputs = inputs
            self._outputs = tuple([_ref(output) for output in outputs])
            self._number = _next_number()
            self._location = caller()
        return outputs

    def _leave_snapshot(self) -> None:
        """Before it is called again: results that are still alive get a copy as their creator."""
        alive = [y for link in self._outputs if (y := link()) is not None and y._creator is self]
        if alive:
            snapshot = copy.copy(self)
            for output in alive:
                output._creator = snapshot
        self._inputs = self._outputs = ()

    def rerun(self) -> Function:
        """A copy whose ``forward`` has run again, on Variables: what it keeps has a history.

        Its ``backward``, called with Variables, computes gradients that can be differentiated.

        Raises:
            ValueError: if forward gives another output now than it did.
        """
        again = copy.copy(self)
        again._outputs = ()
        inputs = [
            as_of(x, self) if isinstance(x, Variable) else _constant(self, x) for x in self._inputs
        ]
        y = again.forward(*[x if is_differentiable(x) else array_of(x) for x in inputs])
        for new, link in zip(
            y if isinstance(y, (tuple, list)) else (y,), self._outputs, strict=True
        ):
            old = link()
            if old is not None and not _same(array_of(new), old._data):
                raise ValueError(
                    f"the forward of {type(self).__name__} gave another output when it was run"
                    " again for a derivative of higher order: it is random, keeps state from call"
                    f" to call, or an input was changed in place\n  {self.where()}"
                )
        if not self._is_ours:
            again._inputs = tuple(_guarded(x) if is_differentiable(x) else x for x in inputs)
        return again

    def where(self) -> str:
        """The line of the user's code that called it, for messages."""
        return f"called at {describe_location(self._location)}" if self._location else "by hand"


class Copy(Function):
    """A copy of an array: y = x."""

    def forward(self, x: Array) -> Array:
        return arrays.copy(x)

    def backward(self, gy: Array) -> Array:
        return gy


class _GuardedInput(Variable):
    """``self.input`` during a ``backward`` whose result will be differentiated again."""

    __slots__ = ()

    def _refuse(self, data: Any = None) -> Array:
        raise ValueError(
            "self.input.data is a constant to a derivative of higher order, which would come out"
            " wrong; write self.input (or keep x in forward: self.x = x)"
        )

    data = property(_refuse, _refuse)


def _guarded(x: Variable) -> Variable:
    guarded: Variable = Copy()(x)
    guarded.__class__ = _GuardedInput
    return guarded


def is_differentiable(x: object) -> bool:
    """Whether ``x`` is a Variable of floating-point numbers."""
    return isinstance(x, Variable) and is_floating(x._data)


def as_of(x: Variable, function: Function) -> Variable:
    """``x`` as ``function`` saw it: ``x[mask] = 0`` may have changed it since.

    Such a write makes x the output of a SetItem whose first input is the older x, so older uses
    are told from newer ones by their creation numbers.
    """
    while (creator := x._creator) is not None and creator._number > function._number:
        x = creator._inputs[0]
    return x


def set_aside(x: Variable) -> Variable:
    """The present ``x`` as a Variable of its own in x's place in the graph, before x changes."""
    older = Variable(x._data, x.name)
    older._creator = creator = x._creator
    if creator is not None:
        creator._outputs = tuple(
            [_ref(older) if link() is x else link for link in creator._outputs]
        )
    return older


def become(x: Variable, new: Variable) -> None:
    """Let ``x`` be what ``new``, a result of one output, is."""
    x._data, x._creator = new._data, new._creator
    if x._creator is not None:
        x._creator._outputs = (_ref(x),)


def explained(error: Exception, function: Function, xs: tuple[Any, ...]) -> Exception:
    """``error``, of the same built-in kind, naming the operation, its arguments and the line."""
    names = list(inspect.signature(function.forward).parameters)
    names += [f"input {i}" for i in range(len(names), len(xs))]
    arguments = ", ".join(
        f"{name}: {describe(array_of(x))}" for name, x in zip(names, xs, strict=False)
    )
    kind = next(k for k in (ValueError, TypeError, IndexError) if isinstance(error, k))
    return kind(
        f"{type(function).__name__}({arguments}): {error}\n"
        f"  called at {describe_location(caller())}"
    )


def _constant(function: Function, x: Any) -> Array:
    """What is no Variable among the inputs: an array or a number as it is, a list as an array."""
    if isinstance(x, NUMBERS) or is_array(x):
        return x
    if isinstance(x, (list, tuple)):
        return as_array(x)
    raise TypeError(
        f"{type(function).__name__} takes Variables, arrays and numbers, not {describe(x)}\n"
        f"  called at {describe_location(caller())}"
    )


def _result(function: Function, y: Any) -> Array:
    """What ``forward`` returned, as an array."""
    if isinstance(y, Variable):
        raise TypeError(
            f"the forward of {type(function).__name__} got arrays and returned a Variable, whose"
            " history would be lost: pass that Variable to the call, as an input"
        )
    try:
        return as_array(y)
    except TypeError as error:
        raise TypeError(
            f"the forward of {type(function).__name__} returned {describe(y)}"
        ) from error


def _same(new: Array, old: Array) -> bool:
    """Equal up to rounding; traced arrays have no values to compare."""
    if not isinstance(old, np.ndarray) or not isinstance(new, np.ndarray | np.generic):
        return True
    if new.shape != old.shape:
        return False
    if not is_floating(old):
        return bool(np.all(new == old))
    tolerance = 1e4 * float(np.finfo(old.dtype).eps)
    scale = np.max(np.abs(old), where=np.isfinite(old), initial=0.0)
    return bool(np.allclose(new, old, rtol=0.0, atol=tolerance * scale, equal_nan=True))
