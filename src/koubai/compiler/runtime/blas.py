"""The addresses of BLAS functions, which SciPy exports for Cython."""

from __future__ import annotations

import ctypes
import functools
from importlib import import_module


@functools.cache
def address(name: str) -> int:
    """Where ``name`` (``sgemm``, ``dgemm``, ...) begins."""
    capsules = import_module("scipy.linalg.cython_blas").__pyx_capi__
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype = ctypes.c_char_p
    api.PyCapsule_GetName.argtypes = [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    capsule = capsules[name]
    signature = api.PyCapsule_GetName(capsule)
    found: int = api.PyCapsule_GetPointer(capsule, signature)
    return found
