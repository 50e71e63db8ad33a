"""Checking: what went wrong in a computation, and where."""

from koubai.checking.explain import explain_grad
from koubai.checking.finite import NotFinite
from koubai.checking.watch import watch

__all__ = ["NotFinite", "explain_grad", "watch"]
