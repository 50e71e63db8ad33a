"""The learning curve, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from koubai.training import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRAIN, TEST = "#4878a8", "#d9772b"


def can_draw() -> bool:
    """Whether matplotlib is installed; it is not imported to find out."""
    return find_spec("matplotlib") is not None


def draw_curve(
    path: Path,
    title: str,
    losses: Sequence[float],
    per_epoch: float,
    table: Sequence[dict[str, Any]],
) -> None:
    """Draw loss and accuracy over the epochs to a PNG file.

    Args:
        path: of the file.
        title: above the picture.
        losses: of every iteration.
        per_epoch: iterations in an epoch.
        table: the lines of the log, with ``epoch``, ``train_accuracy`` and ``test_accuracy``.
    """
    from matplotlib.figure import Figure  # not pyplot, which opens windows and keeps figures

    figure = Figure(figsize=(10, 4), dpi=120, layout="constrained")
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    _draw_loss(left, np.asarray(losses), per_epoch)
    _draw_accuracy(right, table)
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.set_xlim(left=0)
        axes.locator_params(axis="x", nbins=6)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    with replacing(path) as beside:
        figure.savefig(beside)


def _draw_loss(axes: Axes, losses: Any, per_epoch: float) -> None:
    """Means over equal stretches, at most 200 of them, for the loss of one batch is noisy."""
    from matplotlib.ticker import LogLocator

    stretches = np.array_split(losses, min(len(losses), 200))
    ends = np.cumsum([len(s) for s in stretches]) / per_epoch
    marker = "o" if len(stretches) == 1 else ""
    axes.plot(ends, [s.mean() for s in stretches], marker=marker, color=TRAIN)
    axes.set_ylabel("loss of the training batches")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")


def _draw_accuracy(axes: Axes, table: Sequence[dict[str, Any]]) -> None:
    epochs = [line["epoch"] for line in table]
    for name, color in (("train", TRAIN), ("test", TEST)):
        accuracy = [100 * line[f"{name}_accuracy"] for line in table]
        label = f"{name}, {accuracy[-1]:.2f} at the end"
        axes.plot(epochs, accuracy, "o-", markersize=3, color=color, label=label)
    axes.set_ylabel("accuracy, %")
    # From the first epoch on: the step up from chance would flatten all that follows.
    later = table[1:] if len(table) > 2 else table
    seen = [100 * line[f"{name}_accuracy"] for line in later for name in ("train", "test")]
    margin = 0.1 * (max(seen) - min(seen)) + 0.1
    axes.set_ylim(min(seen) - margin, min(100, max(seen) + margin))
    axes.legend(loc="lower right", frameon=False)
