"""Random numbers: Philox4x64-10, to the bit those of ``arrays.random_uniform``.

Block b of four words is the encryption of the number ``counter + 1 + b``, which has 256 bits, by
the key. A round multiplies two of its words, each with a product of twice the length, and mixes
the halves with the other two and the key. Each block is computed alone, so the processor works on
several at a time.

Source: J. K. Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC11.
"""

from __future__ import annotations

from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.codegen.kernel import Pointers
from koubai.compiler.codegen.lanes import Lanes
from koubai.compiler.codegen.memory import element_pointer, load, store

ROUNDS = 10
FACTORS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
STEPS = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
"""What is added to the key after each round."""
BITS = {"float32": 24, "float64": 53}
"""The leading bits of a word that are the number."""
BLOCK = 4
"""Words."""

_COUNT = 8  # the operand after four pointers


def draw_code(dtype: str) -> str:
    """The function that draws uniforms of ``dtype``; it is called NAME.

    Its operands: both words of the key, the counter, the result; how many numbers.
    """
    f = Emitter("NAME", ["ptr %table", "ptr %operands"])
    given, word = Pointers(f), Lanes("uint64", 1)
    first, second, counter, target = (given.add() for _ in range(4))
    key = load(f, word, first), load(f, word, second)
    start = load(f, word, counter)
    n = f.op(f"load i64, ptr {f.op(f'getelementptr i64, ptr %operands, i64 {_COUNT}')}")
    whole = f.op(f"lshr i64 {n}, 2")
    with f.loop("0", whole) as i:
        place = element_pointer(f, dtype, target, f.op(f"shl i64 {i}, 2"))
        _draw_block(f, dtype, key, start, i, place)
    rest = f.op(f"and i64 {n}, {BLOCK - 1}")
    with f.when(f.op(f"icmp ne i64 {rest}, 0")):
        block, one = f.stack(str(Lanes(dtype, BLOCK))), Lanes(dtype, 1)
        _draw_block(f, dtype, key, start, whole, block)
        end = element_pointer(f, dtype, target, f.op(f"shl i64 {whole}, 2"))
        with f.loop("0", rest) as i:
            x = load(f, one, element_pointer(f, dtype, block, i))
            store(f, one, x, element_pointer(f, dtype, end, i))
    return f.text()


def _draw_block(
    f: Emitter, dtype: str, key: tuple[str, str], start: str, i: str, target: str
) -> None:
    """The numbers of block ``i``."""
    one, bits = Lanes(dtype, 1), BITS[dtype]
    for k, word in enumerate(_encrypted(f, _numbered(f, start, i), key)):
        x = f.op(f"uitofp i64 {f.op(f'lshr i64 {word}, {64 - bits}')} to {one}")
        x = f.op(f"fmul {one} {x}, {one.constant(2.0**-bits)}")
        store(f, one, x, element_pointer(f, dtype, target, str(k)))


def _numbered(f: Emitter, start: str, i: str) -> list[str]:
    """start + 1 + i, with a carry into the second word."""
    low = f.op(f"add i64 {start}, {f.op(f'add i64 {i}, 1')}")
    carry = f.op(f"zext i1 {f.op(f'icmp ule i64 {low}, {start}')} to i64")
    return [low, carry, "0", "0"]


def _encrypted(f: Emitter, x: list[str], key: tuple[str, str]) -> list[str]:
    for number in range(ROUNDS):
        if number:
            a, b = (f.op(f"add i64 {k}, {step}") for k, step in zip(key, STEPS, strict=True))
            key = a, b
        high0, low0 = _product(f, x[0], FACTORS[0])
        high1, low1 = _product(f, x[2], FACTORS[1])
        x = [_mixed(f, high1, x[1], key[0]), low1, _mixed(f, high0, x[3], key[1]), low0]
    return x


def _product(f: Emitter, x: str, factor: int) -> tuple[str, str]:
    """All 128 bits: the upper and the lower half."""
    y = f.op(f"mul i128 {f.op(f'zext i64 {x} to i128')}, {factor}")
    high = f.op(f"trunc i128 {f.op(f'lshr i128 {y}, 64')} to i64")
    return high, f.op(f"trunc i128 {y} to i64")


def _mixed(f: Emitter, x: str, y: str, z: str) -> str:
    return f.op(f"xor i64 {f.op(f'xor i64 {x}, {y}')}, {z}")
