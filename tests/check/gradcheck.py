"""``python -m check.gradcheck`` in ``tests/``: the catalogue through PyTorch's and JAX's checks.

Writes ``gradcheck.json``, from which the table in ``docs/check.md`` is made; PyTorch and JAX have
to be installed. Each case is made a ``torch.autograd.Function``, and a ``jax.custom_vjp``, of all
its inputs and parameters, which hands NumPy arrays to the forward and the backward of the case and
takes NumPy arrays back; then ``torch.autograd.gradcheck`` and ``jax.test_util.check_grads`` are
called with their defaults, and ``koubai.check`` with the case.

What would be unfair to them is spared them: random numbers are the same at every call, gradients
that add up begin at zero, and each backward has a forward of its own before it.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from check.case import Case
from check.differences import Target, open_target
from check.mistakes import CASES as MISTAKES
from check.outcome import outcome
from check.right import CASES as RIGHT

import koubai
from koubai import Variable, nn

FILE = Path(__file__).with_name("gradcheck.json")
SEED = 0


def fresh_forward(target: Target, xs: Any) -> Any:
    """The outputs for these arrays, with nothing left of earlier calls but what a layer keeps."""
    np.random.seed(0)  # noqa: NPY002
    koubai.random.seed(0)
    target.set(dict(zip(target.values, xs, strict=True)))
    if isinstance(target.target, nn.Module):
        target.target.zero_grad()
    for leaf in getattr(target, "leaves", {}).values():
        assert isinstance(leaf, Variable)
        leaf.grad = None
    added_up = [getattr(target.target, f"d{name}", None) for name in target.values]
    for gradient in [*added_up, *(getattr(target.target, "grads", None) or [])]:
        if isinstance(gradient, np.ndarray):
            gradient[...] = 0
    return target.forward()


def leave_out_labels(target: Target) -> None:
    """Labels as rows of floats are constants where backward gives nothing for them."""
    try:
        gradients = target.backward([np.ones(np.shape(y)) for y in target.forward()])
    except Exception:  # a mistake, which gradcheck is to find
        return
    target.values = {name: x for name, x in target.values.items() if name in gradients}


def as_torch(target: Target) -> tuple[Any, list[Any]]:
    """The target as a function of tensors, and the tensors."""
    import torch

    class Wrapped(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *xs: Any) -> Any:
            ctx.xs = [x.detach().clone().numpy() for x in xs]
            ys = fresh_forward(target, [x.detach().numpy() for x in xs])
            return tuple(torch.tensor(np.asarray(y, dtype=np.float64)) for y in ys)

        @staticmethod
        def backward(ctx: Any, *gys: Any) -> Any:
            fresh_forward(target, ctx.xs)
            found = target.backward([gy.detach().numpy() for gy in gys])
            gradients = [found[name] for name in target.values]
            return tuple(None if g is None else torch.from_numpy(np.array(g)) for g in gradients)

    xs = [torch.tensor(np.asarray(x), requires_grad=True) for x in target.values.values()]
    return Wrapped.apply, xs


def as_jax(target: Target) -> tuple[Any, list[Any]]:
    """The target as a function of JAX arrays, and the arrays."""
    import jax

    xs = [np.asarray(x) for x in target.values.values()]
    ys = [np.asarray(y, dtype=np.float64) for y in fresh_forward(target, xs)]
    of_xs, of_ys = (tuple(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in s) for s in (xs, ys))

    def forward(*xs: Any) -> Any:
        return tuple(
            np.asarray(y, dtype=np.float64) for y in fresh_forward(target, map(np.array, xs))
        )

    def backward(xs: Any, gys: Any) -> Any:
        fresh_forward(target, map(np.array, xs))
        found = target.backward([np.array(gy) for gy in gys])
        return tuple(np.asarray(found[name]) for name in target.values)

    @jax.custom_vjp
    def f(*xs: Any) -> Any:
        return jax.pure_callback(forward, of_ys, *xs)

    f.defvjp(lambda *xs: (f(*xs), xs), lambda xs, gys: jax.pure_callback(backward, of_xs, xs, gys))
    return f, xs


def gradcheck(case: Case) -> dict[str, bool] | None:
    """What PyTorch's gradcheck says; None if the case is not for it."""
    import torch

    if (target := target_for_others(case)) is None:
        return None
    f, xs = as_torch(target)
    return said_by(case, lambda: torch.autograd.gradcheck(f, tuple(xs)))


def check_grads(case: Case) -> dict[str, bool] | None:
    """What JAX's check_grads says, in reverse mode; None if the case is not for it."""
    import jax
    import jax.test_util

    if (target := target_for_others(case)) is None:
        return None

    def run() -> bool:
        f, xs = as_jax(target)
        jax.test_util.check_grads(f, tuple(xs), order=1, modes=["rev"])
        return True

    with jax.enable_x64(True):
        return said_by(case, run)


def said_by(case: Case, run: Callable[[], bool]) -> dict[str, bool]:
    """What a check that answers True, or raises, has said of a case."""
    said = ""
    try:
        right = run()
    except Exception as error:  # of the check, of the package's engine, of the case's own code
        right, said = False, str(error)
    return {
        "found": not right,
        "located": bool(case.located) and case.located in said,
        "named": bool(case.mistake) and str(case.mistake) in said,
    }


def target_for_others(case: Case) -> Target | None:
    """The target with its differentiable values; None if not float64, or without a number."""
    target, trial = (
        open_target(case.target(), case.inputs(np.random.default_rng(SEED))) for _ in range(2)
    )
    leave_out_labels(trial)
    target.values = {name: target.values[name] for name in trial.values}
    values = [np.asarray(x) for x in target.values.values()]
    if {x.dtype for x in values} != {np.dtype(np.float64)} or not all(x.size for x in values):
        return None
    return target


def by_koubai(case: Case) -> dict[str, bool]:
    """The same by ``koubai.check``."""
    o = outcome(case, SEED)
    return {"found": o.found, "located": o.located, "named": o.named}


def main() -> None:
    """Measure all cases, and write what came out."""
    import jax
    import torch

    cases = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for case in MISTAKES + RIGHT:
            cases[case.name] = {
                "koubai": by_koubai(case),
                "gradcheck": gradcheck(case),
                "check_grads": check_grads(case),
            }
    lines = [f"    {json.dumps(name)}: {json.dumps(found)}" for name, found in cases.items()]
    version = json.dumps(torch.__version__.partition("+")[0])
    jax_version, text = json.dumps(jax.__version__), ",\n".join(lines)
    versions = f'  "torch": {version},\n  "jax": {jax_version},\n'
    FILE.write_text(f'{{\n{versions}  "cases": {{\n{text}\n  }}\n}}\n')


if __name__ == "__main__":
    main()
