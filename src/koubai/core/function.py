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

import itertools
import weakref
from typing import Any

import numpy as np

from koubai import arrays, errors
from koubai.arrays import Array, as_array, gives_way, is_differentiable, operand
from koubai.core.variable import Variable, array_of
from koubai.links import Link
from koubai.location import Location, caller
from koubai.recording import is_recording
from koubai.snapshot import leave_snapshot, snapshot

_numbers = itertools.count(1)
_new, _ref, _ndarray = object.__new__, weakref.ref, np.ndarray


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
    >>> f.backward(np.ones(()))
    np.float64(6.0)
    """

    _inputs: tuple[Any, ...] = ()
    # Weak, for an output holds its creator already: no cycles, so graphs are freed at once.
    _outputs: tuple[weakref.ref[Variable], ...] = ()
    _number = 0  # creation order, which is a topological order
    _location: Location | None = None  # kept of users' functions, whose backward may be wrong
    # Of each output of a forward that returns a tuple: (shape, dtype), for one without gradient.
    _tuple_types: tuple[Any, ...] = ()
    _is_ours = True

    input, inputs = Link("_inputs", first=True), Link("_inputs", first=False)
    output, outputs = Link("_outputs", first=True), Link("_outputs", first=False)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._is_ours = cls.__module__.startswith("koubai.")

    def forward(self, *xs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def backward(self, *gys: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no backward")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def needs_grad(self, index: int) -> bool:
        """Whether anybody will use the gradient of input ``index``; by hand, always.

        A ``backward`` may return None for the others, to save the work of a large product.
        """
        return not self._inputs or is_differentiable(self._inputs[index])

    def __call__(self, *inputs: Any) -> Variable:
        # The return type is the common case; arrays alone give an array, and a forward that
        # returns a tuple gives a tuple.
        if self._outputs:
            leave_snapshot(self)
        result = self._once(*inputs)
        if type(result) is Variable and result._creator is self:
            self._outputs = (_ref(result),)
            if not self._is_ours:
                self._location = caller()
        return result

    def _once(self, *inputs: Any) -> Variable:
        """The call itself, and all of it for an instance of ours that was made for this call.

        Nobody holds such an instance, to call it again or to ask for its output; somebody who
        takes it from ``y.creator`` finds the link to y, which is made there. Written out without
        helpers, for this body and the loop of the backward pass are the time that an eager
        operation takes.
        """
        try:
            if len(inputs) == 2:  # the most common case: a loop and a star take half as long again
                x1, x2 = inputs
                a = x1._data if type(x1) is Variable else operand(array_of(x1))
                b = x2._data if type(x2) is Variable else operand(array_of(x2))
                y = self.forward(a, b)
            else:
                x1 = inputs[0] if inputs else None
                xs = [x._data if isinstance(x, Variable) else operand(x) for x in inputs]
                y = self.forward(*xs)
            if type(x1) is not Variable and True not in [isinstance(x, Variable) for x in inputs]:
                return y  # type: ignore[no-any-return]
            if type(y) is not _ndarray or not self._is_ours:
                if isinstance(y, (tuple, list)):
                    return self._joined(inputs, y)  # type: ignore[no-any-return]
                y = as_array(y)
            result = _new(Variable)
            result._data = y
            result._creator = result.grad = result.name = None
            if is_recording():
                result._creator = self
                self._inputs, self._number = inputs, next(_numbers)
            return result
        except (ValueError, TypeError, IndexError, AttributeError) as error:
            raise errors.call_failed(error, self, inputs) from None if self._is_ours else error

    def _joined(self, inputs: tuple[Any, ...], ys: Any) -> Any:
        """What ``__call__`` does with one output, for several."""
        outputs = tuple([Variable(as_array(y)) for y in ys])
        if is_recording():
            for output in outputs:
                output._creator = self
            self._inputs, self._outputs = inputs, tuple([_ref(output) for output in outputs])
            self._number, self._location = next(_numbers), caller()
            self._tuple_types = tuple([(y.shape, y.dtype) for y in outputs])
        return outputs

    def differentiable_backward(self, *gys: Variable) -> Any:
        """Gradients that can be differentiated: backward on Variables, by a copy of this function.

        Its ``forward`` is run again, on Variables, so that what it keeps has a history too.

        Raises:
            ValueError: if forward gives another output now than it did.
        """
        again = snapshot(self)
        xs = [as_of(x, self) if is_differentiable(x) else array_of(x) for x in self._inputs]
        y = again.forward(*[operand(x) if gives_way(x) else Variable(x) for x in xs])
        ys = y if isinstance(y, (tuple, list)) else (y,)
        for new, link in zip(ys, self._outputs, strict=True):
            if (old := link()) is not None and not arrays.alike(array_of(new), old._data):
                raise errors.not_repeatable(self)
        if not self._is_ours:
            again._inputs = tuple(_guarded(x) if isinstance(x, Variable) else x for x in xs)
        kept = dict(vars(again))
        gxs = again.backward(*gys)
        # What backward assigned, self.dW for instance, belongs to the user's own object.
        vars(self).update({k: v for k, v in vars(again).items() if kept.get(k) is not v})
        return gxs


class _GuardedInput(Variable):
    """``self.input`` during a ``backward`` whose result will be differentiated again."""

    __slots__ = ()

    def _refuse(self, data: Any = None) -> Array:
        raise errors.constant_input()

    data = property(_refuse, _refuse)


def _guarded(x: Variable) -> Variable:
    guarded: Variable = arrays.copy(x)
    guarded.__class__ = _GuardedInput
    return guarded


def as_of(x: Variable, function: Function) -> Variable:
    """``x`` as ``function`` saw it: ``x[mask] = 0`` may have changed it since.

    Such a write makes x the output of a SetItem whose first input is the older x, so older uses
    are told from newer ones by their creation numbers.
    """
    while (creator := x._creator) is not None and creator._number > function._number:
        x = creator._inputs[0]
    return x
