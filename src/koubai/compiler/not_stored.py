"""The ``.grad`` of a parameter that a compiled step has updated.

The step computed the gradient, used it up, and kept it nowhere: often it is as large as the
parameter. What stands in its place may be cleared, asked whether it is None, and printed; whatever
would need its numbers is an error.
"""

from __future__ import annotations

from typing import Any, NoReturn

from koubai.compiler.errors import TraceError


class GradientNotStored(TraceError):
    """A gradient was read that a compiled step has used up."""


class NotStored:
    """What ``.grad`` is then; see above."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return "<gradient not stored by a compiled step>"

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise GradientNotStored(
            "this gradient is not stored: the compiled step that computed it has used it up to"
            " update the parameter; return it from the step (return loss, p.grad), or clear it,"
            " optimizer.zero_grad(), before the next backward()"
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):  # a protocol that is asked for
            raise AttributeError(name)
        self._refuse()

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse
    __truediv__ = __rtruediv__ = __pow__ = __rpow__ = __matmul__ = __rmatmul__ = _refuse
    __neg__ = __pos__ = __abs__ = __bool__ = __float__ = __int__ = __len__ = __iter__ = _refuse
    __array_namespace__ = property(_refuse)
    __getitem__ = __setitem__ = __array__ = __array_ufunc__ = __array_function__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = _refuse


NOT_STORED = NotStored()
