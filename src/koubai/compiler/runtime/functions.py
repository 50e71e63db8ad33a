"""Kernel functions in this process, by their texts: each is compiled once."""

from __future__ import annotations

from collections.abc import Iterable

from koubai.compiler.codegen.product import GEMM
from koubai.compiler.runtime import blas
from koubai.compiler.runtime.jit import Library, compile_text

_ATTRIBUTES = 'attributes #0 = { nounwind "no-builtins" "prefer-vector-width"="256" }'
_DECLARATIONS = [
    (f"@{name}(", f"declare void @{name}({', '.join(['ptr'] * 13)})", name)
    for name in GEMM.values()
]

_known: dict[str, tuple[int, Library]] = {}


def addresses(codes: Iterable[str]) -> dict[str, int]:
    """Where the functions with these texts, in which they are called NAME, begin."""
    codes = list(dict.fromkeys(codes))
    new = [code for code in codes if code not in _known]
    if new:
        names = [f"k{i}" for i in range(len(new))]
        parts = [
            code.replace("@NAME(", f"@{name}(", 1) for name, code in zip(names, new, strict=True)
        ]
        used = [(text, name) for mark, text, name in _DECLARATIONS if any(mark in x for x in new)]
        text = "\n".join([*(declaration for declaration, _ in used), *parts, _ATTRIBUTES])
        library = compile_text(text, names, {name: blas.address(name) for _, name in used})
        for name, code in zip(names, new, strict=True):
            _known[code] = library.addresses[name], library
    return {code: _known[code][0] for code in codes}
