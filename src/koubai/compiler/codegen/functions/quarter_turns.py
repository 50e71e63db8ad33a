"""Subtracting the nearest multiple of pi/2: the first step of sin, cos and tan.

The usual argument: as Cody and Waite do, k pi/2 is subtracted in parts of which all but the last
have so few bits that their products with k are exact. The bound on |x| bounds k.

A larger one: M. H. Payne and R. N. Hanek, "Radian reduction for trigonometric functions", 1983. Of
x 2/pi only the value modulo 4 is wanted, so of 2/pi, known to 1161 bits, only the 192 bits whose
products with x's 53 have a weight below 4 and are not too small to matter. No double is nearer to a
multiple of pi/2 than 2^-61, which leaves more than 60 good bits. Such arguments are rare; they are
done lane by lane, behind a branch.
"""

from __future__ import annotations

import itertools
import math

from koubai.compiler.codegen.emitter import Emitter
from koubai.compiler.codegen.lanes import Lanes
from koubai.compiler.codegen.value import Value, nearest

HALF_PI = {
    "float32": (1.570796325802803, 9.920935796805404e-10),
    "float64": (1.5707963267923333, 2.5633441515839558e-12, 1.0562999066987428e-23),
}
"""Parts with 28 and 53 bits; 38, 38 and 53."""

BOUND = {"float32": 2.0**24, "float64": 2.0**15}

TWO_OVER_PI = int(
    "145f306dc9c882a53f84eafa3ea69bb81b6c52b3278872083fca2c757bd778ac36e48dc74849ba5c"
    "00c925dd413a32439fc3bd63962534e7dd1046bea5d768909d338e04d68befc827323ac7306a673e"
    "93908bf177bf250763ff12fffbc0b301fde5e2316b414da3eda6cfd9e4f96136e9e8c7ecd3cbfd45"
    "aea4f758fd7cbe2f67a0e73ef14a525d4d7f6bf623f1aba10ac",
    16,
)
"""2/pi times 2^1161, rounded down."""

WORDS = f"<{', '.join(f'i64 {TWO_OVER_PI >> 64 * i & 2**64 - 1}' for i in range(20))}>"
"""The same, 64 bits at a time; as a literal."""

HALF_PI_BITS = 0x6487ED5110B4611A
"""pi/2 times 2^62, rounded."""


def quarter_turns(x: Value) -> tuple[Value, Value]:
    """r and an integer k, x = k pi/2 + r with |r| <= pi/4; k modulo 4 is right, NaN for inf.

    Computed in float64 for float32 too: r may be much smaller than x.
    """
    dtype = x.t.dtype
    wide = x.to("float64")
    n, k = nearest(wide * (2.0 / math.pi))
    r = wide
    for part in HALF_PI[dtype]:
        r = r - n * part
    r, k = _large_replaced(wide, r, k, BOUND[dtype])
    return (r, k) if dtype == "float64" else (r.to("float32"), k.to("int32"))


def _large_replaced(x: Value, r: Value, k: Value, bound: float) -> tuple[Value, Value]:
    """r and k, computed by ``_payne_hanek`` in the lanes with |x| >= bound."""
    f = x.f
    before = f.block
    with f.when((x.absolute() >= bound).any()):
        x_place, r_place, k_place = (_stored(f, str(v.t), v.name) for v in (x, r, k))
        words = _stored(f, "<20 x i64>", WORDS)
        with f.loop("0", str(x.t.count)) as i:
            place = f.op(f"getelementptr double, ptr {x_place}, i64 {i}")
            one = Value(f, Lanes("float64", 1), f.op(f"load double, ptr {place}"))
            size = one.absolute()
            with f.when(((size >= bound) & (size < math.inf)).name):
                for v, start in zip(_payne_hanek(one, words), (r_place, k_place), strict=True):
                    place = f.op(f"getelementptr {v.t}, ptr {start}, i64 {i}")
                    f.do(f"store {v.t} {v.name}, ptr {place}")
        large_r = r.op(f"load {r.t}, ptr {r_place}")
        large_k = k.op(f"load {k.t}, ptr {k_place}")
        after = f.block
    return (
        r.op(f"phi {r.t} [ {r.name}, %{before} ], [ {large_r.name}, %{after} ]"),
        k.op(f"phi {k.t} [ {k.name}, %{before} ], [ {large_k.name}, %{after} ]"),
    )


def _stored(f: Emitter, type_: str, value: str) -> str:
    """Where on the stack ``value`` is now."""
    place = f.stack(type_)
    f.do(f"store {type_} {value}, ptr {place}")
    return place


def _payne_hanek(x: Value, table: str) -> tuple[Value, Value]:
    """r and k of one finite double with |x| >= 2^15; ``table`` is where ``WORDS`` are."""
    f = x.f
    bits = x.bits()
    negative = bits < 0
    exponent = (bits >> 52) & 0x7FF
    mantissa = (bits & (2**52 - 1)) | 2**52

    # |x| = mantissa 2^(exponent - 1075). The window begins at bit 2046 - exponent of TWO_OVER_PI:
    # the last bit of its product with the mantissa has the weight 2^-190.
    start = 2046 - exponent
    places = [
        f.op(f"getelementptr i64, ptr {table}, i64 {((start >> 6) + i).name}") for i in range(4)
    ]
    words = [f.op(f"load i64, ptr {place}") for place in places]
    offset = (start & 63).name
    low, middle, high = (
        f.op(f"call i64 @llvm.fshr.i64(i64 {after}, i64 {word}, i64 {offset})")
        for word, after in itertools.pairwise(words)
    )
    factor = f.op(f"zext i64 {mantissa.name} to i128")
    low, middle, high = (
        f.op(f"mul i128 {f.op(f'zext i64 {word} to i128')}, {factor}")
        for word in (low, middle, high)
    )
    product = f.op(f"add i128 {f.op(f'shl i128 {high}, 64')}, {middle}")  # modulo 4
    product = f.op(f"add i128 {product}, {f.op(f'lshr i128 {low}, 64')}")

    # Two bits of whole quarter turns, then 126 of the fraction, which is taken in [-1/2, 1/2).
    rounded = f.op(f"add i128 {product}, {2**125}")
    k = x.op(f"trunc i128 {f.op(f'lshr i128 {rounded}, 126')} to i64", "int64")
    fraction = f.op(f"shl i128 {product}, 2")
    below = x.op(f"icmp slt i128 {fraction}, 0", "bool")
    opposite = f.op(f"sub i128 0, {fraction}")
    fraction = f.op(f"select i1 {below.name}, i128 {opposite}, i128 {fraction}")

    # Its leading 63 bits times pi/2, as a double: one rounding.
    zeros = f.op(f"call i128 @llvm.ctlz.i128(i128 {fraction}, i1 false)")
    leading = f.op(f"lshr i128 {f.op(f'shl i128 {fraction}, {zeros}')}, 65")
    angle = f.op(f"lshr i128 {f.op(f'mul i128 {leading}, {HALF_PI_BITS}')}, 63")
    size = x.op(f"trunc i128 {angle} to i64", "int64").to("float64")
    lost = x.op(f"trunc i128 {zeros} to i64", "int64")
    r = size * ((1023 - 62 - lost) << 52).float_of_bits()
    return (negative ^ below).select(-r, r), negative.select(-k, k)
