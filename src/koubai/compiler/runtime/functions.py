"""Kernel functions in this process, by their texts: each is compiled once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from koubai.compiler.codegen.product import GEMM
from koubai.compiler.runtime import blas
from koubai.compiler.runtime.jit import Library, compile_text
from koubai.compiler.runtime.once import lock

_ATTRIBUTES = 'attributes #0 = { nounwind "no-builtins" "prefer-vector-width"="256" }'
_DECLARATIONS = [
    (f"@{name}(", f"declare void @{name}({', '.join(['ptr'] * 13)})", name)
    for name in GEMM.values()
]

_known: dict[str, tuple[int, Library]] = {}


def module_text(codes: Sequence[str]) -> str:
    """One module of the functions with these texts, in which they are called NAME: k0, k1, ..."""
    used = [text for mark, text, _ in _DECLARATIONS if any(mark in code for code in codes)]
    named = [code.replace("@NAME(", f"@k{i}(", 1) for i, code in enumerate(codes)]
    return "\n".join([*used, *named, _ATTRIBUTES])


def addresses(codes: Iterable[str]) -> dict[str, int]:
    """Where the functions with these texts begin."""
    with lock:
        return _addresses(list(dict.fromkeys(codes)))


def _addresses(codes: list[str]) -> dict[str, int]:
    new = [code for code in codes if code not in _known]
    if new:
        names = [f"k{i}" for i in range(len(new))]
        used = [name for mark, _, name in _DECLARATIONS if any(mark in code for code in new)]
        library = compile_text(module_text(new), names, {name: blas.address(name) for name in used})
        for name, code in zip(names, new, strict=True):
            _known[code] = library.addresses[name], library
    return {code: _known[code][0] for code in codes}
