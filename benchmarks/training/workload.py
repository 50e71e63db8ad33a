"""What a file here defines: a training step in several frameworks, over the same batches.

``in_koubai(start)``, ``in_pytorch(start)``, ``in_jax(start)`` build the network of the file from
the same first parameters and return its ``step(*batch)``, which trains on one batch and returns the
loss. ``entrants`` makes the entrants of a race of them, each as fast as its framework makes it:
``koubai.compile`` is given the very step that also runs without it, ``torch.compile`` the loss with
its gradients, for a whole step takes it longer (the fused optimizer is one call already).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import koubai

Parameters = dict[str, Any]  # by koubai's names, float32
Batch = tuple[Any, ...]  # the arguments of a step
Step = Callable[..., Any]
Build = Callable[[Parameters], Step]


@dataclass(frozen=True)
class Entrant:
    """One who takes part.

    Attributes:
        build: from the first parameters to the step.
        framework: a key of ``frameworks.FRAMEWORKS``: whose arrays the step takes and returns.
        one_thread: whether it gets a single thread, and its BLAS; all others have their defaults.
        may_fail: whether it is left out when the first step fails, not an error.
        steps: how many training steps one call makes.
        batches: its own, if it wants others than the workload's.
    """

    build: Build
    framework: str
    one_thread: bool = False
    may_fail: bool = False
    steps: int = 1
    batches: Callable[[], Sequence[Batch]] | None = None


@dataclass(frozen=True)
class Workload:
    """A network and the batches that it is trained on, in turn and over again.

    Attributes:
        start: makes the first parameters, the same on every call.
        batches: makes the batches in NumPy, the same on every call.
        entrants: by name.
    """

    start: Callable[[], Parameters]
    batches: Callable[[], Sequence[Batch]]
    entrants: Mapping[str, Entrant]


def entrants(
    in_koubai: Build, in_pytorch: Callable[..., Step], in_jax: Build
) -> dict[str, Entrant]:
    """Those who take part in every race."""
    return {
        "koubai compiled": Entrant(compiled(in_koubai), "koubai"),
        "koubai compiled, 1 thread": Entrant(compiled(in_koubai), "koubai", one_thread=True),
        "koubai": Entrant(in_koubai, "koubai", one_thread=True),
        "PyTorch": Entrant(in_pytorch, "torch"),
        # It needs a C++ compiler, which not every machine has.
        "torch.compile": Entrant(partial(in_pytorch, compiled=True), "torch", may_fail=True),
        "JAX jit": Entrant(in_jax, "jax"),
    }


def bare(products: Callable[[], Sequence[tuple[Any, Any]]]) -> Entrant:
    """Nothing but the matrix products of a step, by BLAS on one thread: what no step can beat.

    Args:
        products: makes the pairs of matrices; a transposed one is a view, as BLAS takes it.
    """

    def build(start: Parameters) -> Step:
        ready = [(a, b, a @ b) for a, b in products()]

        def step(*batch: Any) -> None:
            for a, b, out in ready:
                np.matmul(a, b, out=out)

        return step

    return Entrant(build, "numpy", one_thread=True)


def compiled(in_koubai: Build) -> Build:
    """From the first parameters to the compiled step."""
    return lambda start: koubai.compile(in_koubai(start))
