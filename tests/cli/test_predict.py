"""``koubai predict`` reads pictures as people make them, and says clearly what it can't read."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from koubai.cli.images import read_digit
from koubai.cli.network import network, save_run
from koubai.datasets import MNIST, mnist
from koubai.training import save_checkpoint

Command = Any


@pytest.fixture(scope="module")
def data() -> MNIST:
    """MNIST."""
    return mnist()


@pytest.fixture
def picture(tmp_path: Path, data: MNIST) -> Path:
    """A digit as MNIST has it."""
    path = tmp_path / "digit.png"
    Image.fromarray(data.test_images[0]).save(path)
    return path


def table_of(out: str) -> list[tuple[str, int, float]]:
    """The rows of the printed table: file, digit, probability."""
    if not out:  # no table, where no picture could be read
        return []
    head, *lines = out.splitlines()
    assert lines
    assert head.split() == ["file", "digit", "probability"]
    rows = [line.rsplit(maxsplit=2) for line in lines]
    return [(file, int(digit), float(p.rstrip("%")) / 100) for file, digit, p in rows]


def as_is(image: Any) -> Image.Image:
    return Image.fromarray(image)


def ink_on_paper(image: Any) -> Image.Image:
    return Image.fromarray(255 - image)


def large_photo(image: Any) -> Image.Image:
    """Dark grey on light grey, ten times as large, in a corner of a sheet that is no square."""
    sheet = np.full((420, 500), 200, np.uint8)
    large = np.kron(image, np.ones((10, 10)))
    sheet[100:380, 30:310] = 200 - large * (160 / 255)
    return Image.fromarray(sheet)


def transparent(image: Any) -> Image.Image:
    """Blue ink on nothing, five times as large."""
    alpha = np.kron(image, np.ones((5, 5), np.uint8))
    rgba = np.zeros((*alpha.shape, 4), np.uint8)
    rgba[..., 2], rgba[..., 3] = 120, alpha
    return Image.fromarray(rgba)


@pytest.mark.parametrize(
    ("make", "least"), [(as_is, 46), (ink_on_paper, 46), (large_photo, 44), (transparent, 44)]
)
def test_digits_are_recognised(
    koubai: Command, trained: Path, tmp_path: Path, data: MNIST, make: Any, least: int
) -> None:
    """Of fifty test images most are right, in MNIST's own form and as people draw and save them."""
    paths = [tmp_path / f"{i}.png" for i in range(50)]
    for path, image in zip(paths, data.test_images, strict=False):
        make(image).save(path)
    status, out, err = koubai("predict", trained, *paths)
    assert (status, err) == (0, "")
    table = table_of(out)
    assert [file for file, _, _ in table] == [str(path) for path in paths]
    assert all(0.1 <= probability <= 1 for _, _, probability in table)
    right = sum(row[1] == t for row, t in zip(table, data.test_labels, strict=False))
    assert right >= least


def test_probability_is_softmax_of_the_scores(
    koubai: Command, trained: Path, picture: Path, data: MNIST
) -> None:
    """The number printed is the network's, on exactly MNIST's pixels for one of its images."""
    from koubai.training import load_checkpoint

    state, _ = load_checkpoint(trained / "model.safetensors")
    x = read_digit(picture).reshape(1, 784) / 255
    h = np.maximum(x @ state["0.W"] + state["0.b"], 0)
    scores = h @ state["2.W"] + state["2.b"]
    p = np.exp(scores) / np.exp(scores).sum()
    ((_, digit, probability),) = table_of(koubai("predict", trained, picture)[1])
    assert digit == p.argmax() == data.test_labels[0]
    assert abs(probability - p.max()) < 1e-4
    (row,) = table_of(koubai("predict", trained / "model.safetensors", picture)[1])
    assert row[1] == digit, "the file itself will do for the run"


def test_pictures_of_mnists_size_keep_their_pixels(tmp_path: Path, data: MNIST) -> None:
    """28 by 28: no cutting, no scaling; only the ink's strength is brought to 255."""
    for i in range(20):
        image = data.test_images[i]
        for picture in (image, 255 - image):
            Image.fromarray(picture).save(tmp_path / "a.png")
            expected = np.rint(image * (255 / image.max()))
            np.testing.assert_array_equal(read_digit(tmp_path / "a.png"), expected)


def test_other_sizes_are_centred_as_mnist_is(tmp_path: Path, data: MNIST) -> None:
    """A digit anywhere on a large sheet gets 20 pixels, its centre of mass in the middle."""
    for i in range(20):
        large_photo(data.test_images[i]).save(tmp_path / "a.png")
        digit = read_digit(tmp_path / "a.png")
        assert (digit.shape, digit.dtype, digit.max()) == ((28, 28), np.uint8, 255)
        ys, xs = np.nonzero(digit > 64)
        assert 18 <= max(np.ptp(ys), np.ptp(xs)) + 1 <= 20
        y, x = np.indices(digit.shape)
        mass = digit / digit.sum()
        assert abs((y * mass).sum() - 14) <= 1
        assert abs((x * mass).sum() - 14) <= 1


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_all_kinds_of_png(tmp_path: Path, data: MNIST, mode: str) -> None:
    """Bilevel, grey, palette, colour, transparency and 16 bits show the same digit."""
    image = data.test_images[0]
    if mode == "I;16":
        picture = Image.fromarray(image.astype(np.uint16) * 257)
    else:
        picture = Image.fromarray(image).convert(mode)
    picture.save(tmp_path / "a.png")
    digit = read_digit(tmp_path / "a.png").astype(float)
    expected = image.astype(float) * (255 / image.max())
    assert np.abs(digit - expected).mean() < (8 if mode == "1" else 1)


def test_one_brightness_is_no_digit(tmp_path: Path) -> None:
    """A sheet with nothing but its grain is refused, not stretched until something is seen."""
    grain = np.random.default_rng(0).integers(100, 120, size=(40, 40))
    for picture in (grain.astype(np.uint8), grain.astype(np.uint16) * 257):
        Image.fromarray(picture).save(tmp_path / "a.png")
        with pytest.raises(ValueError, match="nothing in the picture but one brightness"):
            read_digit(tmp_path / "a.png")


def test_a_reader_that_leaves(trained: Path, picture: Path) -> None:
    """``koubai predict ... | head -0``: no traceback."""
    code = "import sys; from koubai.cli import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "predict", trained, picture],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) == 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("missing", "No such file or directory"),
        ("folder", "Is a directory"),
        ("text", "cannot identify image file"),
        ("truncated", "truncated"),
        ("blank", "nothing in the picture"),
    ],
)
def test_a_picture_that_cannot_be_read(
    koubai: Command, trained: Path, picture: Path, tmp_path: Path, fault: str, message: str
) -> None:
    """One line that names the file, exit status 1; the other pictures are classified."""
    bad = tmp_path / "bad.png"
    if fault == "folder":
        bad.mkdir()
    elif fault == "text":
        bad.write_text("not a picture")
    elif fault == "truncated":
        bad.write_bytes(picture.read_bytes()[:-60])
    elif fault == "blank":
        Image.new("L", (28, 28), 255).save(bad)
    status, out, err = koubai("predict", trained, bad, picture)
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith(f"koubai predict: error: {bad}: ")
    assert message in err
    assert [row[0] for row in table_of(out)] == [str(picture)]


def test_no_picture_that_can_be_read(koubai: Command, trained: Path, tmp_path: Path) -> None:
    """Errors alone, without the head of a table that would have no rows."""
    status, out, err = koubai("predict", trained, tmp_path / "a.png", tmp_path / "b.png")
    assert (status, out, err.count("\n")) == (1, "", 2)


def test_damaged_pictures_never_give_a_traceback(
    koubai: Command, trained: Path, picture: Path, tmp_path: Path
) -> None:
    """A PNG with any one byte changed is classified or refused, in one line."""
    content, bad = picture.read_bytes(), tmp_path / "bad.png"
    for i in range(0, len(content), 3):
        bad.write_bytes(content[:i] + bytes([content[i] ^ 255]) + content[i + 1 :])
        status, out, err = koubai("predict", trained, bad)
        assert (status, len(table_of(out)), err.count("\n")) in ((0, 1, 0), (1, 0, 1))


@pytest.mark.parametrize("fault", ["missing", "empty", "truncated", "changed", "other", "shapes"])
def test_a_run_that_cannot_be_used(
    koubai: Command, trained: Path, picture: Path, tmp_path: Path, fault: str
) -> None:
    """One line that names the run, exit status 1, nothing on stdout."""
    run = tmp_path / "run"
    model = run / "model.safetensors"
    if fault == "empty":
        run.mkdir()
    elif fault != "missing":
        shutil.copytree(trained, run)
        content = model.read_bytes()
        if fault == "truncated":
            model.write_bytes(content[:-100])
        elif fault == "changed":
            model.write_bytes(content[:-100] + bytes([content[-100] ^ 1]) + content[-99:])
        elif fault == "other":
            save_checkpoint(model, {"x": np.ones(3)}, {})
        else:
            state = network(4).state_dict()
            save_checkpoint(model, state, {"layers": [784, 5, 10], "activation": "relu"})
    status, out, err = koubai("predict", run, picture)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"koubai predict: error: {run}")


def test_any_number_of_hidden_units(koubai: Command, tmp_path: Path, picture: Path) -> None:
    """The network is rebuilt from the file, whatever --hidden was."""
    save_run(tmp_path, network(7), {})
    assert koubai("predict", tmp_path, picture)[0] == 0


def test_an_image_is_needed(koubai: Command, trained: Path) -> None:
    """No picture: one line, exit status 2."""
    status, out, err = koubai("predict", trained)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "IMAGE" in err
