"""Whose code it is: the user's own, koubai's, or Python's and installed packages'."""

from __future__ import annotations

import functools
import os
import site
import sys
import sysconfig
from pathlib import Path

_INSTALLED = tuple(
    str(Path(folder).resolve()) + os.sep
    for folder in {
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        *site.getsitepackages(),
        site.getusersitepackages(),
    }
)
_KOUBAI = str(Path(__file__).parents[2]) + os.sep


@functools.cache
def is_users_file(filename: str) -> bool:
    """Whether code from ``filename`` is the user's; what was typed at a prompt is.

    >>> import numpy
    >>> is_users_file(numpy.__file__), is_users_file("<stdin>"), is_users_file(__file__)
    (False, True, False)
    """
    if filename.startswith("<"):
        return not filename.startswith("<frozen")
    return not str(Path(filename).resolve()).startswith((*_INSTALLED, _KOUBAI))


def is_users_module(name: str) -> bool:
    """Whether the imported module ``name`` is the user's own."""
    filename = getattr(sys.modules.get(name), "__file__", None)
    if filename is None:
        return name not in sys.builtin_module_names
    return is_users_file(filename)


def is_looked_into(cls: type) -> bool:
    """Whether the attributes of instances are part of a world: of users' classes and koubai's."""
    module = cls.__module__
    if module.startswith("koubai."):
        return not module.startswith("koubai.compiler.")
    return is_users_module(module)
