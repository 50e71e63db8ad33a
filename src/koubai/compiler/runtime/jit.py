"""LLVM, through llvmlite: text in, functions in this process out.

One JIT serves the process. What is compiled together is a library; its code lives as long as the
``Library`` object.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm

_numbers = itertools.count()


@dataclass(frozen=True)
class _Backend:
    jit: Any
    machine: Any
    triple: str


@functools.cache
def backend() -> _Backend:
    """The code generator for this processor."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()
    triple = llvm.get_process_triple()

    def machine() -> Any:
        return llvm.Target.from_triple(triple).create_target_machine(
            cpu=llvm.get_host_cpu_name(),
            features=llvm.get_host_cpu_features().flatten(),
            opt=1,
            reloc="pic",
            codemodel="default",
        )

    # The JIT owns its machine; the one that emits code must be another.
    return _Backend(llvm.create_lljit_compiler(machine()), machine(), triple)


class Library:
    """Functions compiled together.

    Attributes:
        addresses: where each exported function begins.
    """

    def __init__(self, tracker: Any, names: Sequence[str]) -> None:
        self._tracker = tracker  # the code is freed with it
        self.addresses: dict[str, int] = {name: tracker[name] for name in names}

    def function(self, name: str, *types: Any) -> Any:
        """The exported function ``name``, which returns nothing, through ctypes."""
        f: Any = ctypes.CFUNCTYPE(None, *types)(self.addresses[name])
        f.library = self  # alive while the function is
        return f


def optimized(text: str) -> Any:
    """The module of ``text``, verified, with what is on the stack in registers.

    The kernels are written as vector code, with what does not change before the loops: the rest of
    LLVM's optimiser takes ten times as long and finds nothing.

    Raises:
        RuntimeError: what LLVM finds wrong with the text.
    """
    b = backend()
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = b.triple, str(b.machine.target_data)
    module.verify()
    builder = llvm.create_pass_builder(b.machine, llvm.create_pipeline_tuning_options(1))
    passes = llvm.create_new_function_pass_manager()
    passes.add_sroa_pass()
    passes.add_instruction_combine_pass()
    for function in module.functions:
        if not function.is_declaration:
            passes.run(function, builder)
    return module


def compile_text(
    text: str, exports: Sequence[str], imports: Mapping[str, int] | None = None
) -> Library:
    """Compile the module ``text``.

    Args:
        text: LLVM IR.
        exports: names of the functions to be called from outside.
        imports: the addresses of what the module declares but does not define.
    """
    code = backend().machine.emit_object(optimized(text))
    return link(code, exports, imports or {})


def link(code: bytes, exports: Sequence[str], imports: Mapping[str, int]) -> Library:
    """Load object code."""
    builder = llvm.JITLibraryBuilder().add_object_img(code)
    for name, address in imports.items():
        builder.import_symbol(name, address)
    for name in exports:
        builder.export_symbol(name)
    return Library(builder.link(backend().jit, f"koubai{next(_numbers)}"), exports)
