"""Tracing: a function runs once on arrays without numbers, which write down a program."""

from koubai.compiler.trace import namespace

__all__ = ["namespace"]
