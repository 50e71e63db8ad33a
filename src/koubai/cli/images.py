"""Pictures of digits, made to look like those of MNIST.

MNIST's digits are white on black, 20 pixels high or wide, and their centre of mass is in the middle
of 28 by 28 pixels. A network that has seen nothing else recognises nothing else.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from koubai.cli.network import SIDE

INK_SIDE = 20  # the digit itself
_FAINTEST = 0.1  # of the range of brightness: less is paper, not a drawing
_INK = 0.25  # of the darkest ink: less belongs to the paper's grain when the digit is cut out


def read_digit(path: Path) -> NDArray[np.uint8]:
    """A picture file as the network knows digits.

    The border tells the colour of the paper: if it is nearer to the brightest than to the darkest
    pixel, the picture is dark on bright and gets inverted. The paper becomes 0, the strongest ink
    255. A picture of another size than 28 by 28 is cut down to its ink, scaled to 20 pixels and
    centred by mass, as MNIST's were; one of 28 by 28 stays where it is.

    Args:
        path: of a PNG, or another file that Pillow reads, in colours or grey; what is transparent
            is white.

    Returns:
        (28, 28), uint8: 0 is paper, 255 is ink.

    Raises:
        OSError: if there is no such file, or none that Pillow reads.
        ValueError: if the picture is damaged, or has one brightness everywhere.

    Source: the procedure is that of "The MNIST database", http://yann.lecun.com/exdb/mnist/
    """
    grey = _grey(path)
    low, high = float(grey.min()), float(grey.max())
    if high - low < _FAINTEST * 255:
        raise ValueError("there is nothing in the picture but one brightness")
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = float(np.median(border))
    ink = paper - grey if paper - low > high - paper else grey - paper
    ink = np.maximum(ink, 0)
    if ink.shape != (SIDE, SIDE):
        ink = _centred(ink)
    digit: NDArray[np.uint8] = np.rint(ink * (255 / ink.max())).astype(np.uint8)
    return digit


def _grey(path: Path) -> NDArray[np.float32]:
    """Brightness, from 0 to 255."""
    try:
        with Image.open(path) as image:
            if image.mode.startswith("I"):  # 16 bits, which convert() would clip
                return np.asarray(image, np.float32) / np.float32(257)
            colours = image.convert("RGBA")
    except (SyntaxError, Image.DecompressionBombError) as error:  # what Pillow raises for some
        raise ValueError(str(error)) from error
    white = Image.new("RGBA", colours.size, "white")
    return np.asarray(Image.alpha_composite(white, colours).convert("L"), np.float32)


def _centred(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """The ink alone, 20 pixels in its larger direction, its centre of mass in the middle."""
    strong = ink > _INK * ink.max()
    ys, xs = np.flatnonzero(strong.any(axis=1)), np.flatnonzero(strong.any(axis=0))
    ink = ink[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]
    height, width = ink.shape
    scale = INK_SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    ink = np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BICUBIC))
    ink = np.maximum(ink, 0)
    digit = np.zeros((SIDE, SIDE), np.float32)
    place = []
    for axis in (0, 1):
        mass = ink.sum(axis=1 - axis)
        centre = float(mass @ np.arange(len(mass)) / mass.sum())
        place.append(min(max(round(SIDE / 2 - centre), 0), SIDE - len(mass)))
    top, left = place
    digit[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return digit
