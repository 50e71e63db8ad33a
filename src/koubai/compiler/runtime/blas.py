"""The addresses of BLAS functions, which SciPy exports for Cython."""

from __future__ import annotations

import ctypes
import functools
import sys
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any


@functools.cache
def address(name: str) -> int:
    """Where ``name`` (``sgemm``, ``dgemm``, ...) begins."""
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype = ctypes.c_char_p
    api.PyCapsule_GetName.argtypes = [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    capsule = _cython_blas().__pyx_capi__[name]
    signature = api.PyCapsule_GetName(capsule)
    if signature.count(b"int *") == 0:
        raise ImportError(f"SciPy's BLAS takes other integers than 32 bits: {signature.decode()}")
    found: int = api.PyCapsule_GetPointer(capsule, signature)
    return found


@functools.cache
def _cython_blas() -> Any:
    """The extension alone: all of scipy.linalg takes ten times as long to import."""
    name = "scipy.linalg.cython_blas"
    if name in sys.modules:
        return sys.modules[name]
    import scipy

    spec = PathFinder.find_spec(name, [str(Path(scipy.__file__).parent / "linalg")])
    if spec is None or spec.loader is None:
        return import_module(name)
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
