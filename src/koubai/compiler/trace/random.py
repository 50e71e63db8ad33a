"""Random numbers of traced arrays: a function of a counter that the world holds."""

from __future__ import annotations

from typing import Any

import numpy as np

from koubai.compiler.trace.lifting import traced
from koubai.compiler.trace.traced import Traced


def random_uniform(key: Any, counter: Traced, shape: tuple[int, ...], dtype: Any) -> Traced:
    key = traced(counter.trace, key, np.uint64)
    return counter.trace.emit("random_uniform", key, counter, shape=shape, dtype=str(dtype))
