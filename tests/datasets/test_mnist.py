"""MNIST is the real one, from the package or from a directory; anything else is refused."""

import gzip
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

import koubai.datasets
from koubai.datasets import MNIST, mnist

PACKAGE_DATA = Path(koubai.datasets.__file__).with_name("data")
# The published MD5 of the uncompressed files, which the package itself doesn't use.
MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
NAMES = list(MD5)
LABELS = "train-labels-idx1-ubyte"


@pytest.fixture(scope="module")
def data() -> MNIST:
    """MNIST from the package; not to be written to."""
    return mnist()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory of the user's own with the four files, compressed."""
    return shutil.copytree(PACKAGE_DATA, tmp_path / "digits")


def content(name: str) -> bytes:
    """The uncompressed content of one of the files."""
    return gzip.decompress((PACKAGE_DATA / f"{name}.gz").read_bytes())


def refused(directory: Path, path: Path) -> str:
    """Expect a ValueError that begins with the file's full path, return the rest of it."""
    with pytest.raises(ValueError, match="ubyte") as caught:
        mnist(directory)
    name, separator, reason = str(caught.value).partition(": ")
    assert (name, separator) == (str(path.absolute()), ": ")
    return reason


def same(one: MNIST, other: MNIST) -> bool:
    """Whether all four arrays are equal."""
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_shapes_and_types(data: MNIST) -> None:
    """Four uint8 arrays of MNIST's shapes, by name and in that order."""
    assert data._fields == ("train_images", "train_labels", "test_images", "test_labels")
    assert [a.shape for a in data] == [(60000, 28, 28), (60000,), (10000, 28, 28), (10000,)]
    assert {a.dtype for a in data} == {np.dtype(np.uint8)}


def test_the_contents_are_the_published_files(data: MNIST) -> None:
    """Each array has the bytes of the published file, which its MD5 identifies."""
    for array, (name, md5) in zip(data, MD5.items(), strict=True):
        published = content(name)
        assert hashlib.md5(published).hexdigest() == md5
        assert array.tobytes() == published[4 + 4 * array.ndim :]


def test_labels(data: MNIST) -> None:
    """The first labels and the number of examples of each digit are MNIST's."""
    assert data.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert data.test_labels[:5].tolist() == [7, 2, 1, 0, 4]
    train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(data.train_labels).tolist() == train
    assert np.bincount(data.test_labels).tolist() == test


def test_images_are_upright_ink_on_zero(data: MNIST) -> None:
    """Pixels use the whole range with a background of 0, and a digit 1 is taller than wide."""
    assert (data.train_images.min(), data.train_images.max()) == (0, 255)
    corners = data.train_images[:, :2, :2]
    assert np.median(corners) == 0
    ones = data.train_images[data.train_labels == 1].mean(axis=0) > 100
    assert ones.any(axis=1).sum() > 2 * ones.any(axis=0).sum()


def test_arrays_are_the_callers_own(data: MNIST) -> None:
    """The arrays can be written to, and another call's arrays don't see it."""
    mine = mnist()
    for array in mine:
        assert array.flags.writeable
        array[:] = 1
    assert same(mnist(), data)


def test_directory_compressed(directory: Path, data: MNIST) -> None:
    """A directory with the four .gz files is read, its name a Path or a str."""
    assert same(mnist(directory), data)
    assert same(mnist(str(directory)), data)


def test_directory_plain(tmp_path: Path, data: MNIST) -> None:
    """A directory with the four uncompressed files is read."""
    for name in NAMES:
        (tmp_path / name).write_bytes(content(name))
    assert same(mnist(tmp_path), data)


def test_plain_goes_before_compressed(directory: Path) -> None:
    """Where a file is there both ways, the uncompressed one is read: damaged, it is refused."""
    (directory / LABELS).write_bytes(b"")
    refused(directory, directory / LABELS)


def test_missing_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing directory is named in full, with the files that should be put there."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such directory") as caught:
        mnist("nowhere")
    assert str(caught.value).startswith(f"{tmp_path / 'nowhere'}: ")
    assert all(name in str(caught.value) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_missing_file(directory: Path, name: str) -> None:
    """A missing file is named in full, with what to do; the package's isn't taken instead."""
    path = directory / f"{name}.gz"
    path.unlink()
    with pytest.raises(FileNotFoundError, match="put MNIST's files there") as caught:
        mnist(directory)
    assert str(caught.value).startswith(f"{path}: no such file")


@pytest.mark.parametrize("name", NAMES)
def test_flipped_bit(directory: Path, name: str) -> None:
    """One bit changed in valid gzip of the right size is refused, with both hashes."""
    original = content(name)
    damaged = bytearray(original)
    damaged[-1] ^= 1
    path = directory / f"{name}.gz"
    path.write_bytes(gzip.compress(damaged, compresslevel=1))
    reason = refused(directory, path)
    assert f"not MNIST's {name}" in reason
    assert f"expected an uncompressed content with SHA-256 {sha256(original)}" in reason
    assert f"found {sha256(damaged)}" in reason
    assert "put MNIST's files there" in reason


def sha256(content: bytes | bytearray) -> str:
    """The SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def damages() -> dict[str, bytes]:
    """Ways in which the uncompressed file of the training labels can be wrong."""
    original = content(LABELS)
    return {
        "empty": b"",
        "truncated": original[:-1],
        "too long": original + b"\0",
        "wrong magic": b"\x01" + original[1:],
        "another file of MNIST": content("t10k-labels-idx1-ubyte"),
    }


@pytest.mark.parametrize("damage", damages())
def test_damaged_content(directory: Path, damage: str) -> None:
    """Content that isn't the published one, byte for byte, is refused by its hash."""
    wrong = damages()[damage]
    (directory / LABELS).write_bytes(wrong)
    assert f"found {sha256(wrong)} ({len(wrong)} bytes)" in refused(directory, directory / LABELS)


def test_truncated_gzip(directory: Path) -> None:
    """A .gz file of which only the first half has arrived is refused by name."""
    path = directory / f"{LABELS}.gz"
    half = path.read_bytes()[:14000]
    path.write_bytes(half)
    assert refused(directory, path).startswith("damaged gzip data in 14000 bytes")


def test_damaged_package_file(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package's own files are checked as well; the way out is then to install it again."""
    path = directory / f"{LABELS}.gz"
    path.write_bytes(gzip.compress(b"damaged"))
    # The function's own namespace: `koubai.datasets.mnist` is the function, not its module.
    monkeypatch.setitem(mnist.__globals__, "_PACKAGE_DATA", directory)
    with pytest.raises(ValueError, match="reinstall koubai") as caught:
        mnist()
    assert str(caught.value).startswith(f"{path}: ")
