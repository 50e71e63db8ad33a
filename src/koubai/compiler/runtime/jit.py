"""LLVM, through llvmlite: text in, functions in this process out.

    text --optimized, emit_object--> object code --link--> functions

The first step is the slow one, and depends on nothing but the text and the processor: its result is
kept on disk (cache.py). So no text may hold an address of this process; what is outside is
declared, and linking says where it is.

One JIT serves the process. What is linked together is a library; its code lives as long as the
``Library`` object.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

try:
    import llvmlite
    import llvmlite.binding as llvm
except ImportError:
    IS_THERE = False  # for some platforms there are no wheels: NumPy runs the programs there
else:
    IS_THERE = True

from koubai.compiler.registers import Registers
from koubai.compiler.runtime import cache
from koubai.compiler.runtime.once import lock, once

_OPTIONS = {"opt": 1, "reloc": "pic", "codemodel": "default"}
_PASSES = ("sroa", "instruction_combine")

_numbers = itertools.count()


@dataclass(frozen=True)
class _Backend:
    """``maker`` is all that object code depends on, but for the text.

    ``machine`` makes fast code; ``quick_machine`` makes it in a fifth of the time. ``width`` is how
    many float32 a register holds that is best used.
    """

    jit: Any
    machine: Any
    quick_machine: Any
    triple: str
    maker: str
    width: int


@once
def backend() -> _Backend:
    """The code generator for this processor."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()
    triple = llvm.get_process_triple()
    features = llvm.get_host_cpu_features()
    processor = {"cpu": llvm.get_host_cpu_name(), "features": features.flatten()}

    def machine(**options: Any) -> Any:
        options = {**processor, **_OPTIONS, **options}
        return llvm.Target.from_triple(triple).create_target_machine(**options)

    versions = llvmlite.__version__, llvm.llvm_version_info
    maker = repr((triple, processor, _OPTIONS, _PASSES, versions))
    # The JIT owns its machine; the one that emits code must be another.
    # The first processors with AVX-512 are slowed down by its registers; later ones have VBMI2 too.
    width = 16 if features.get("avx512vl") and features.get("avx512vbmi2") else 8
    jit = llvm.create_lljit_compiler(machine())
    return _Backend(jit, machine(), machine(opt=0), triple, maker, width)


@once
def registers() -> Registers | None:
    """For vectors, of this processor; None if it is another than those that tiles were tried on."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f") and features.get("avx512vl"):
        return Registers(count=32, size=64)
    if features.get("avx2") and features.get("fma"):
        return Registers(count=16, size=32)
    return None


class Library:
    """Functions linked together.

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


def parsed(text: str) -> Any:
    """The module of ``text``, verified.

    Raises:
        RuntimeError: what LLVM finds wrong with the text.
    """
    b = backend()
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = b.triple, str(b.machine.target_data)
    module.verify()
    return module


def optimized(text: str) -> Any:
    """The module of ``text``, verified, with what is on the stack in registers.

    The kernels are written as vector code, with what does not change before the loops: the rest of
    LLVM's optimiser takes ten times as long and finds nothing.

    Raises:
        RuntimeError: what LLVM finds wrong with the text.
    """
    b, module = backend(), parsed(text)
    builder = llvm.create_pass_builder(b.machine, llvm.create_pipeline_tuning_options(1))
    passes = llvm.create_new_function_pass_manager()
    for name in _PASSES:
        getattr(passes, f"add_{name}_pass")()
    for function in module.functions:
        if not function.is_declaration:
            passes.run(function, builder)
    return module


def object_code(text: str, effort: int = 2) -> bytes:
    """The object code of the module ``text``: from the disk, where another process has put it.

    Args:
        effort: 1 for code that the passes would find nothing in, 0 for what need not be fast.
    """
    b = backend()
    key = cache.key(text, b.maker if effort == 2 else f"{b.maker}, effort {effort}")
    code = cache.load(key)
    if code is None:
        module = optimized(text) if effort == 2 else parsed(text)
        code = bytes((b.machine if effort else b.quick_machine).emit_object(module))
        cache.store(key, code)
    return code


def compile_text(
    text: str,
    exports: Sequence[str],
    imports: Mapping[str, int] | None = None,
    seldom: str = "",
) -> Library:
    """Compile the module ``text``, which is not a program's.

    Args:
        text: LLVM IR.
        seldom: another module, linked with it, that need not be fast.
        exports: names of the functions to be called from outside.
        imports: the addresses of what the module declares but does not define.
    """
    with lock:
        codes = [object_code(text, effort=1)]
        if seldom:
            codes.append(object_code(seldom, effort=0))
        return link(codes, exports, imports or {})


def link(codes: Iterable[bytes], exports: Sequence[str], imports: Mapping[str, int]) -> Library:
    """Load object code."""
    builder = llvm.JITLibraryBuilder()
    for code in codes:
        builder.add_object_img(code)
    for name, address in imports.items():
        builder.import_symbol(name, address)
    for name in exports:
        builder.export_symbol(name)
    return Library(builder.link(backend().jit, f"koubai{next(_numbers)}"), exports)
