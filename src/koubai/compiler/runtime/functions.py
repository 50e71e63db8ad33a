"""Kernel functions in this process, by their texts: each is compiled once.

Each is a module of its own, with a name of its own, so that its object code is the same whatever
else a program has. That takes a sixth longer than one module for all, but only once: then it is on
disk, for all programs that have such a function.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from koubai.compiler.codegen.product import GEMM
from koubai.compiler.runtime import blas
from koubai.compiler.runtime.jit import Library, backend, link, object_code
from koubai.compiler.runtime.once import lock

_DECLARATIONS = {name: f"declare void @{name}({', '.join(['ptr'] * 13)})" for name in GEMM.values()}

_known: dict[str, tuple[int, Library]] = {}


def module_text(codes: Sequence[str]) -> str:
    """One module of the functions with these texts, in which they are called NAME: k0, k1, ..."""
    used = [text for name, text in _DECLARATIONS.items() if any(name in _used(x) for x in codes)]
    named = [code.replace("@NAME(", f"@k{i}(", 1) for i, code in enumerate(codes)]
    return "\n".join([*used, *named, _attributes()])


def addresses(codes: Iterable[str]) -> dict[str, int]:
    """Where the functions with these texts, in which they are called NAME, begin."""
    with lock:
        return _addresses(list(dict.fromkeys(codes)))


def _addresses(codes: list[str]) -> dict[str, int]:
    names = {code: _name(code) for code in codes if code not in _known}
    if names:
        used = {name for code in names for name in _used(code)}
        imports = {name: blas.address(name) for name in used}
        library = link(
            [object_code(_module(code, name)) for code, name in names.items()],
            list(names.values()),
            imports,
        )
        for code, name in names.items():
            _known[code] = library.addresses[name], library
    return {code: _known[code][0] for code in codes}


def _name(code: str) -> str:
    return f"k{hashlib.sha256(code.encode()).hexdigest()[:32]}"


def _attributes() -> str:
    bits = 32 * backend().width
    return f'attributes #0 = {{ nounwind "no-builtins" "prefer-vector-width"="{bits}" }}'


def uses_blas(code: str) -> bool:
    """Whether the function with this text calls BLAS."""
    return bool(_used(code))


def _used(code: str) -> list[str]:
    """The functions of BLAS that it calls."""
    return [name for name in _DECLARATIONS if f"@{name}(" in code]


def _module(code: str, name: str) -> str:
    declarations = [_DECLARATIONS[function] for function in _used(code)]
    return "\n".join([*declarations, code.replace("@NAME(", f"@{name}(", 1), _attributes()])
