"""The IDX file format: one array of any shape and of one of six types, big-endian."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The third byte of a file says which type its elements have.
_TYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read the array that an IDX file holds, plain or compressed with gzip.

    Args:
        path: The file. Its first two bytes, not its name, tell whether it is gzip.

    Returns:
        A new, writable array of the file's shape and type (uint8, int8, int16, int32, float32
        or float64), in the machine's own byte order.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The gzip data are damaged, the file does not begin as an IDX file does, or it
            has fewer or more bytes than its header announces. The message names the file.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from koubai.datasets import read_idx
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     path = Path(directory, "labels.idx")
        ...     # uint8 (8), one dimension (1), of length 3
        ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]))
        ...     read_idx(path)
        array([5, 0, 4], dtype=uint8)

    Source:
        "The IDX file format" in http://yann.lecun.com/exdb/mnist/
    """
    return parse_idx(read_content(path), path)


def read_content(path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a file, decompressed if they are gzip; errors as in `read_idx`."""
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{Path(path).absolute()}: no such file; give the path of an IDX file, plain or gzip"
        ) from None
    # An IDX file begins with two zeros, so these bytes can't be mistaken for it.
    if not content.startswith(_GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"{Path(path).absolute()}: damaged gzip data in {len(content)} bytes: {error}"
        ) from error


def parse_idx(content: bytes, path: str | os.PathLike[str]) -> NDArray[Any]:
    """Return the array in the uncompressed `content`; `path` is for the messages of errors."""
    name = Path(path).absolute()
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _TYPES:
        codes = ", ".join(f"{code:02x}" for code in _TYPES)
        raise ValueError(
            f"{name}: not an IDX file: expected the bytes 00 00, a type code ({codes}) and the "
            f"number of dimensions, found {content[:4].hex(' ') or 'an empty file'}"
        )
    dtype, ndim = _TYPES[content[2]], content[3]
    header = 4 + 4 * ndim
    if len(content) < header:
        raise ValueError(
            f"{name}: truncated: expected {header} bytes of header for {ndim} dimensions, "
            f"found {len(content)} bytes"
        )
    shape = struct.unpack(f">{ndim}I", content[4:header])
    expected = header + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise ValueError(
            f"{name}: {'truncated' if len(content) < expected else 'too long'}: expected "
            f"{expected} bytes for {dtype.name} {shape}, found {len(content)}"
        )
    try:
        elements = np.frombuffer(content, dtype, offset=header).reshape(shape)
    except ValueError as error:  # a shape that NumPy can't have, such as 65 dimensions
        raise ValueError(f"{name}: {ndim} dimensions of {shape}: {error}") from error
    # The copy makes the array writable, which a view of `bytes` is not.
    return elements.astype(dtype.newbyteorder("="))
