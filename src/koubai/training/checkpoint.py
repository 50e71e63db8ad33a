"""Parameters on disk, in the safetensors format."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koubai.training.files import replacing

# All metadata go under this one key of the file's, as JSON: values keep their types, and two files
# of the same content are the same bytes (the format leaves the order of keys open).
_KEY = "koubai"


def save_checkpoint(
    path: str | os.PathLike[str], state: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]
) -> None:
    """Write arrays and what is to be known about them; the file is whole or not there.

    Args:
        path: of the file; one that is there is replaced.
        state: arrays by name, as from ``Module.state_dict()``.
        metadata: anything that JSON has a form for.

    Raises:
        OSError: if the file can't be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "model.safetensors")
    ...     save_checkpoint(path, {"W": np.eye(2)}, {"layers": [2, 2]})
    ...     state, metadata = load_checkpoint(path)
    >>> state["W"].shape, metadata
    ((2, 2), {'layers': [2, 2]})
    """
    from safetensors.numpy import save

    arrays = {name: np.asarray(array, order="C") for name, array in state.items()}
    text = json.dumps({**metadata, "sha256": _digest(arrays, metadata)})
    with replacing(path) as beside:
        beside.write_bytes(save(arrays, {_KEY: text}))


def load_checkpoint(
    path: str | os.PathLike[str],
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """What ``save_checkpoint`` has written: the arrays by name, and the metadata.

    A safetensors file from elsewhere has the metadata {}.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no safetensors file, or damaged (its content has a checksum). The
            message names the file.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata: dict[str, Any] = json.loads(header.get(_KEY, "{}"))
    except (SafetensorError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not a safetensors file, or damaged: {error}") from error
    if _KEY in header and metadata.pop("sha256", None) != _digest(state, metadata):
        raise ValueError(f"{path}: damaged: the content is not what was saved")
    return state, metadata


def _digest(state: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(metadata).encode())
    for name in sorted(state):
        array = state[name]
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
