"""Elementary functions in generated code, against NumPy in a wider type.

Float32 is compared with float64; float64 with the processor's 80-bit numbers, where it has them.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import platform
import re
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
from scipy import special

from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.codegen.functions import FUNCTIONS
from koubai.compiler.codegen.lanes import Lanes
from koubai.compiler.runtime import jit

BINARY = {"atan2", "hypot", "logaddexp", "pow"}
NAMES = {
    "acos": "arccos",
    "acosh": "arccosh",
    "asin": "arcsin",
    "asinh": "arcsinh",
    "atan": "arctan",
    "atan2": "arctan2",
    "atanh": "arctanh",
    "pow": "power",
}
X86 = platform.machine().lower() in ("x86_64", "amd64")
PROCESSORS = ["host", *(["x86-64"] if X86 else [])]  # the latter has no FMA, no rounding
DTYPES = ["float32", "float64"]
WIDER = {"float32": np.float64, "float64": np.longdouble}
ULPS = 4
PI = np.arctan2(np.longdouble(0), np.longdouble(-1))


# Compiling


@functools.cache
def machine(processor: str) -> Any:
    if processor == "host":
        return jit.backend().machine
    target = llvm.Target.from_triple(jit.backend().triple)
    return target.create_target_machine(cpu=processor, opt=2, reloc="pic")


def kernel(name: str, dtype: str, lanes: int) -> str:
    """y[i] = name(x0[i], ...) for all i < n, a multiple of ``lanes``."""
    xs = [f"%x{i}" for i in range(2 if name in BINARY else 1)]
    t = Lanes(dtype, lanes)
    f = Emitter(f"{name}_{dtype}_{lanes}", [*(f"ptr {x}" for x in xs), "ptr %y", "i64 %n"])
    with f.loop("0", "%n", lanes) as i:
        place = [f.op(f"getelementptr {t.element}, ptr {p}, i64 {i}") for p in (*xs, "%y")]
        values = [f.op(f"load {t}, ptr {p}, align 4") for p in place[:-1]]
        f.do(f"store {t} {FUNCTIONS[name](f, t, *values)}, ptr {place[-1]}, align 4")
    return f.text()


@functools.cache
def module(processor: str, lanes: int) -> Any:
    """All functions, compiled for a processor."""
    texts = [kernel(name, dtype, lanes) for name in FUNCTIONS for dtype in DTYPES]
    m = machine(processor)
    parsed = llvm.parse_assembly(
        "\n".join(texts) + '\nattributes #0 = { nounwind "no-builtins" }\n'
    )
    parsed.triple, parsed.data_layout = jit.backend().triple, str(m.target_data)
    parsed.verify()
    builder = llvm.create_pass_builder(m, llvm.create_pipeline_tuning_options(1))
    builder.getModulePassManager().run(parsed, builder)
    return parsed


@functools.cache
def library(processor: str, lanes: int) -> jit.Library:
    names = [f"{name}_{dtype}_{lanes}" for name in FUNCTIONS for dtype in DTYPES]
    return jit.link([machine(processor).emit_object(module(processor, lanes))], names, {})


def compiled(name: str, dtype: str, processor: str, lanes: int = 8) -> Callable[..., Any]:
    pointers = [ctypes.c_void_p] * (3 if name in BINARY else 2)
    f = library(processor, lanes).function(f"{name}_{dtype}_{lanes}", *pointers, ctypes.c_int64)

    def call(*xs: Any) -> Any:
        size = xs[0].size
        padded = [np.concatenate([x, np.ones(-size % 8, dtype)]) for x in xs]
        y = np.empty_like(padded[0])
        f(*(x.ctypes.data for x in (*padded, y)), y.size)
        return y[:size]

    return call


# What is right


def erf(x: Any) -> Any:
    """By the series 2/sqrt(pi) e^(-x^2) sum of 2^n x^(2n+1) / (1 3 ... (2n+1)), all terms > 0."""
    if x.dtype == np.float64:
        return special.erf(x)
    a = np.minimum(abs(x), 9)
    total = term = a
    for n in range(1, 300):
        term = term * (2 * a * a) / (2 * n + 1)
        total = total + term
    y = np.exp(-a * a) * total * 2 / np.sqrt(PI)
    return np.copysign(np.where(a == 9, 1, y), x)


def exact(name: str, *xs: Any) -> Any:
    """In the wider type."""
    wide = [x.astype(WIDER[x.dtype.name]) for x in xs]
    f: Any = erf if name == "erf" else getattr(np, NAMES.get(name, name))
    return f(*wide)


def errors(y: Any, right: Any, largest: Any = 0.0) -> Any:
    """Of ``y``, in units of the last place; infinite where NaN, inf or the sign of 0 is wrong.

    The unit is that of ``right``, or of ``largest`` if that is larger.
    """
    info = np.finfo(y.dtype)
    rounded = right.astype(y.dtype)
    _, exponent = np.frexp(np.maximum(abs(rounded), largest))
    unit = np.ldexp(np.ones((), right.dtype), np.maximum(exponent - 1, info.minexp) - info.nmant)
    e = np.where(np.isfinite(rounded), abs(y.astype(right.dtype) - right) / unit, np.inf)
    e = np.where((y == rounded) | (np.isnan(y) & np.isnan(rounded)), 0, e)
    wrong_zero = (y == 0) & (rounded == 0) & (np.signbit(y) != np.signbit(rounded))
    return np.where(wrong_zero | np.isnan(e), np.inf, e)


def some(dtype: str, rng: np.random.Generator, count: int) -> Any:
    """``count`` floats of each sign and exponent, and as many again of moderate size."""
    bits = np.finfo(dtype).nmant
    integers = np.dtype(f"uint{np.finfo(dtype).bits}")
    exponents = np.arange(2 << np.finfo(dtype).nexp, dtype=integers) << integers.type(bits)
    fractions = rng.integers(0, 1 << bits, (count, exponents.size), integers)
    everywhere = (exponents | fractions).reshape(-1).view(dtype)
    scale = rng.choice([1.0, 4.0, 30.0, 100.0, 800.0], everywhere.size)
    return np.concatenate([everywhere, (rng.uniform(-1, 1, scale.size) * scale).astype(dtype)])


def special_values(dtype: str) -> Any:
    info = np.finfo(dtype)
    one = np.ones((), dtype)
    positive = [
        *(0, info.smallest_subnormal, info.smallest_normal, info.max, np.inf, np.nan),
        *(
            0.25,
            0.5,
            np.nextafter(one, 0 * one),
            1,
            np.nextafter(one, 2 * one),
            1.5,
            2,
            3,
            4,
            5,
            10,
        ),
        *(np.pi / 4, np.pi / 2, np.pi, np.sqrt(2), np.sqrt(0.5), 2.0**24 + 2, 2.0**53, 2.0**53 + 2),
    ]
    values = np.array(positive, dtype)
    return np.concatenate([values, -values])


def arguments(name: str, dtype: str, rng: np.random.Generator) -> list[Any]:
    """Floats of every exponent and the special values, and where the function is difficult."""
    xs = [some(dtype, rng, 100 if dtype == "float32" else 5), special_values(dtype)]
    if name in ("sin", "cos", "tan"):  # near multiples of pi/2
        turns = np.floor(2 ** rng.uniform(0, 60, 20000)).astype(np.longdouble)
        nearest = [
            16367173 * 2.0**72,
            6381956970095103 * 2.0 ** (72 if dtype == "float32" else 797),
        ]
        xs += [(turns * PI / 2).astype(dtype), np.array(nearest, dtype)]
    x = np.concatenate(xs)
    if name not in BINARY:
        return [x]
    near = (x * rng.uniform(-3, 3, x.size)).astype(dtype)
    pairs = [(x, rng.permutation(x)), (x, near), np.meshgrid(xs[1], xs[1])]
    if name == "pow":  # x^y = e^z: of every size, integer exponents, x near 1
        low, high = (-105, 90) if dtype == "float32" else (-747, 711)
        for base in (x, 1 + 2.0 ** rng.uniform(-50, -1, 20000)):
            base = abs(base[np.isfinite(base) & (base != 0)]).astype(dtype)
            z = rng.uniform(low, high, base.size) / np.log(base.astype(np.float64))
            pairs.append((base, z.astype(dtype)))
        pairs.append((rng.uniform(-9, 9, 20000), rng.integers(-40, 40, 20000)))
    return [
        np.concatenate([np.ravel(p).astype(dtype) for p in ps]) for ps in zip(*pairs, strict=True)
    ]


cases = pytest.mark.parametrize(
    ("name", "dtype"),
    [
        pytest.param(
            name,
            dtype,
            marks=pytest.mark.skipif(
                np.finfo(WIDER[dtype]).nmant <= np.finfo(dtype).nmant,
                reason="no wider type to compare with",
            ),
        )
        for name in FUNCTIONS
        for dtype in DTYPES
    ],
)


@cases
@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_accurate(name: str, dtype: str) -> None:
    """Within 4 units in the last place everywhere, with FMA and without; special values right."""
    seed = int(np.random.default_rng().integers(2**32))
    print("seed", seed)
    xs = arguments(name, dtype, np.random.default_rng(seed))
    right = exact(name, *xs)
    # The maximum may cancel with the rest: log(e^x + e^y) = max + log(1 + e^(min - max)).
    largest = abs(np.maximum(*xs)) if name == "logaddexp" else 0.0
    for processor, lanes in itertools.product(PROCESSORS, (1, 8)):
        y = compiled(name, dtype, processor, lanes)(*xs)
        e = errors(y, right, largest)
        worst = int(np.argmax(e))
        assert e[worst] <= ULPS, (processor, lanes, [x[worst] for x in xs], y[worst], right[worst])


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("lanes", [1, 8])
def test_no_calls(processor: str, lanes: int) -> None:
    """Nothing calls a library: not exp, nor rounding, which old processors lack."""
    assembly = machine(processor).emit_assembly(module(processor, lanes))
    assert FUNCTIONS
    assert not re.findall(r"^\s+(?:callq?|bl|jmpq?\s+[^.]*@PLT)\s.*", assembly, re.MULTILINE)
