"""Checking gradients: found, located, named."""

from koubai.checking.check import check
from koubai.checking.mistakes import VOCABULARY
from koubai.checking.report import Failure, GradientError, Report

__all__ = ["VOCABULARY", "Failure", "GradientError", "Report", "check"]
