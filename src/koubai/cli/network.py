"""The notebooks' network: how it is built, what goes in, and how a run folder keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koubai import nn
from koubai.training import load_checkpoint, save_checkpoint

SIDE = 28  # pixels
INPUTS, OUTPUTS = SIDE * SIDE, 10
MODEL = "model.safetensors"


def network(hidden: int, rng: np.random.Generator | None = None) -> nn.Sequential:
    """784 pixels, ``hidden`` rectifiers, 10 scores."""
    model = nn.Sequential(
        nn.Linear(INPUTS, hidden, rng=rng), nn.ReLU(), nn.Linear(hidden, OUTPUTS, rng=rng)
    )
    for name, parameter in model.named_parameters():
        parameter.name = name
    return model


def rows(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Images (N, 28, 28) of 0 to 255 as rows (N, 784) of 0 to 1."""
    return np.divide(images.reshape(-1, INPUTS), np.float32(255), dtype=np.float32)


def save_run(folder: Path, model: nn.Sequential, facts: dict[str, Any]) -> None:
    """Write the parameters to the run folder, with what ``load_run`` needs and other facts."""
    state = model.state_dict()
    layers = [INPUTS, state["0.b"].size, OUTPUTS]
    save_checkpoint(folder / MODEL, state, {"layers": layers, "activation": "relu", **facts})


def load_run(run: Path) -> nn.Sequential:
    """The trained network of a run: of its folder, or of the file in it.

    Raises:
        FileNotFoundError: if there is no such folder, or no model in it.
        ValueError: if the file is damaged, or holds something else. Messages name the file.
    """
    path = run / MODEL if run.is_dir() else run
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give a folder that koubai train has made")
    state, metadata = load_checkpoint(path)
    match metadata:
        case {"layers": [784, int(hidden), 10], "activation": "relu"} if hidden > 0:
            model = network(hidden)
        case _:
            raise ValueError(f"{path}: not a network that koubai train has made")
    try:
        model.load_state_dict(state)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return model
