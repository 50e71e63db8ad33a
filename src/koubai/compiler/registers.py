"""The processor's registers for vectors, and for which products these are better than BLAS."""

from __future__ import annotations

from dataclasses import dataclass

MOST = 2**16
"""Elements of b: what is larger is read too often from beyond the second cache."""


@dataclass(frozen=True)
class Registers:
    """What the processor has for vectors.

    Attributes:
        count: how many registers.
        size: of one, in bytes.
    """

    count: int
    size: int

    @property
    def is_wide(self) -> bool:
        """As AVX-512 has them."""
        return self.count >= 32 and self.size >= 64

    def pay(self, m: int, n: int, k: int) -> bool:
        """Whether tiles are faster than BLAS, for matrices (m, k) and (k, n).

        Not if b is large, or wide for few terms; nor, without AVX-512, for many rows.
        """
        return 0 < n <= 8 * k and n * k <= MOST and (self.is_wide or m <= 64)

    def rows(self, m: int, vectors: int) -> int:
        """Of a tile for ``m`` rows; an even number, so that there are few functions."""
        most = 8 if self.is_wide or vectors == 1 else 6
        tiles = -(-m // most)
        return 2 * -(-m // (2 * tiles))

    def columns(self, n: int, lanes: int) -> list[tuple[int, int, int]]:
        """Registers beside each other in a tile, and the columns for which there are such tiles:
        from the first to the one after the last."""
        vectors, most = -(-n // lanes), 3 if self.is_wide else 2
        tiles = -(-vectors // most)
        more = -(-vectors // tiles)
        cut = min(n, (vectors - tiles * (more - 1)) * more * lanes)
        return [(more, 0, cut)] + ([(more - 1, cut, n)] if cut < n else [])
