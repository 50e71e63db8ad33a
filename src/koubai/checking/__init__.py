"""Checking: is a gradient right, what went wrong in a computation, and where."""

from koubai.checking.check import check
from koubai.checking.explain import explain_grad
from koubai.checking.finite import NotFinite
from koubai.checking.mistakes import VOCABULARY
from koubai.checking.report import Caution, Failure, GradientError, Report
from koubai.checking.watch import watch

__all__ = [
    "VOCABULARY",
    "Caution",
    "Failure",
    "GradientError",
    "NotFinite",
    "Report",
    "check",
    "explain_grad",
    "watch",
]
