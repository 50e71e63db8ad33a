"""The addresses of BLAS functions, which SciPy exports for Cython."""

from __future__ import annotations

import ctypes
import itertools
import sys
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

from koubai.compiler.runtime.once import once


@once
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


@once
def thread_functions() -> tuple[int, int]:
    """The addresses of SciPy's OpenBLAS's functions that tell and set how many threads it uses;
    zeros, if its BLAS is another."""
    from threadpoolctl import ThreadpoolController

    address("sgemm")  # loads it
    found = ThreadpoolController().select(internal_api="openblas").lib_controllers
    paths = sorted([Path(x.filepath) for x in found], key=lambda path: not _is_scipys(path))
    for path in paths:
        library = ctypes.CDLL(str(path))
        for prefix, suffix in itertools.product(("scipy_", ""), ("", "64_", "_64", "_64_")):
            names = [f"{prefix}openblas_{x}_num_threads{suffix}" for x in ("get", "set")]
            if all(hasattr(library, name) for name in names):
                get, set_ = (ctypes.cast(getattr(library, x), ctypes.c_void_p) for x in names)
                return get.value or 0, set_.value or 0
    return 0, 0


def _is_scipys(path: Path) -> bool:
    """By its folder: NumPy's own copy has SciPy's name, .../numpy.libs/libscipy_openblas64_.so."""
    return any(part.startswith("scipy") for part in path.parts[:-1])


@once
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
