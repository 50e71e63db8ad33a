"""The IDX reader gives back what the file holds, or says which file is wrong, and how."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from koubai.datasets import read_idx

# From the format's description: type code, struct letter, NumPy's name. No line of this is the
# reader's own table.
TYPES = [
    (0x08, "B", "uint8"),
    (0x09, "b", "int8"),
    (0x0B, "h", "int16"),
    (0x0C, "i", "int32"),
    (0x0D, "f", "float32"),
    (0x0E, "d", "float64"),
]
SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5)
LABELS = bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4])  # uint8, one dimension of length 3


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that hypothesis may write again for every example."""
    return tmp_path_factory.mktemp("idx") / "array.idx"


def refused(path: Path, content: bytes) -> str:
    """Write `content`, expect a ValueError that names the file in full, return the rest."""
    path.write_bytes(content)
    with pytest.raises(ValueError, match="idx") as caught:
        read_idx(path)
    name, separator, reason = str(caught.value).partition(": ")
    assert (name, separator) == (str(path.absolute()), ": ")
    return reason


@pytest.mark.parametrize(("code", "letter", "name"), TYPES)
@given(data=st.data(), compress=st.booleans())
def test_round_trip(
    path: Path, code: int, letter: str, name: str, data: st.DataObject, compress: bool
) -> None:
    """Every type and shape, plain or gzip, is read back bit for bit, native and writable."""
    written = data.draw(
        hnp.arrays(name, SHAPES, elements={"allow_nan": False} if letter in "fd" else None)
    )
    content = struct.pack(f">BBBB{written.ndim}I", 0, 0, code, written.ndim, *written.shape)
    content += struct.pack(f">{written.size}{letter}", *written.ravel().tolist())
    path.write_bytes(gzip.compress(content) if compress else content)

    read = read_idx(path)

    assert type(read) is np.ndarray
    assert read.dtype == np.dtype(name)
    assert read.dtype.isnative
    assert read.shape == written.shape
    assert read.tobytes() == written.tobytes()
    assert read.flags.writeable
    assert read.flags.c_contiguous


def test_path_may_be_a_string(path: Path) -> None:
    """A path may be a str as well as a Path."""
    path.write_bytes(LABELS)
    assert read_idx(str(path)).tolist() == [5, 0, 4]


def test_gzip_is_recognised_by_content(tmp_path: Path) -> None:
    """The name says nothing: gzip without `.gz` and plain data with it are both read."""
    (tmp_path / "labels").write_bytes(gzip.compress(LABELS))
    (tmp_path / "labels.gz").write_bytes(LABELS)
    assert read_idx(tmp_path / "labels").tolist() == [5, 0, 4]
    assert read_idx(tmp_path / "labels.gz").tolist() == [5, 0, 4]


def test_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file is named with its full path, relative though it was, and what to give."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="give the path of an IDX file") as caught:
        read_idx("nowhere.idx")
    assert str(tmp_path / "nowhere.idx") in str(caught.value)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "found an empty file"),
        (b"\0\0\x08", "found 00 00 08"),
        (b"\x01" + LABELS[1:], "found 01 00 08 01"),
        (b"\0\x01" + LABELS[2:], "found 00 01 08 01"),
        (b"\0\0\x0a" + LABELS[3:], "found 00 00 0a 01"),
        (b"\x89PNG\r\n", "found 89 50 4e 47"),
    ],
)
def test_wrong_magic(path: Path, content: bytes, found: str) -> None:
    """A file that doesn't begin as IDX does is refused; the message shows how it does begin."""
    reason = refused(path, content)
    assert reason.startswith("not an IDX file")
    assert "(08, 09, 0b, 0c, 0d, 0e)" in reason
    assert reason.endswith(found)


@pytest.mark.parametrize("length", range(4, len(LABELS)))
def test_truncated(path: Path, length: int) -> None:
    """A file cut anywhere after its magic is refused, with the size it should have had."""
    reason = refused(path, LABELS[:length])
    assert reason.startswith("truncated")
    assert f"expected {8 if length < 8 else 11} bytes" in reason
    assert f"found {length}" in reason


def test_too_long(path: Path) -> None:
    """Bytes after the last element are refused, not dropped."""
    assert refused(path, LABELS + b"\0") == "too long: expected 11 bytes for uint8 (3,), found 12"


def test_too_many_dimensions(path: Path) -> None:
    """A shape that the format allows and NumPy doesn't is refused with the file's name too."""
    content = bytes([0, 0, 8, 65]) + struct.pack(">65I", *[1] * 65) + b"\x07"
    assert refused(path, content).startswith("65 dimensions")


@given(length=st.integers(2, len(gzip.compress(LABELS)) - 1))
def test_truncated_gzip(path: Path, length: int) -> None:
    """Compressed data cut anywhere are refused as damaged gzip."""
    reason = refused(path, gzip.compress(LABELS)[:length])
    assert reason.startswith(f"damaged gzip data in {length} bytes")


@pytest.mark.parametrize("position", [-1, -8, 12], ids=["size", "checksum", "data"])
def test_damaged_gzip(path: Path, position: int) -> None:
    """A changed byte in the compressed data, the checksum or the size is refused."""
    content = bytearray(gzip.compress(LABELS))
    content[position] ^= 0xFF
    assert refused(path, bytes(content)).startswith("damaged gzip data")
