"""From an ordinary Python function to one array program."""

from koubai.compiler.compiled import compile
from koubai.compiler.trace.traced import TraceError

__all__ = ["TraceError", "compile"]
