"""Checking: is a gradient right, what went wrong in a computation, and where."""

from koubai.checking.check import check
from koubai.checking.explain import explain_grad
from koubai.checking.finite import NotFinite
from koubai.checking.mistakes import VOCABULARY
from koubai.checking.report import Failure, GradientError, Report, Warning
from koubai.checking.watch import watch

__all__ = [
    "VOCABULARY",
    "Failure",
    "GradientError",
    "NotFinite",
    "Report",
    "Warning",
    "check",
    "explain_grad",
    "watch",
]
