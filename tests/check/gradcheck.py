"""``python -m check.gradcheck`` in ``tests/``: the catalogue through PyTorch's gradcheck as well.

Writes ``gradcheck.json``, from which the table in ``docs/check.md`` is made; PyTorch has to be
installed. Each case is made a ``torch.autograd.Function`` of all its inputs and parameters, which
hands NumPy arrays to the forward and the backward of the case and takes NumPy arrays back; then
``torch.autograd.gradcheck`` is called with its defaults, and ``koubai.check`` with the case.

What would be unfair to gradcheck is spared it: random numbers are the same at every call, gradients
that add up begin at zero, and each backward has a forward of its own before it.
"""

from __future__ import annotations

import json
import warnings
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
    """The outputs for these tensors, with nothing left of earlier calls but what a layer keeps."""
    np.random.seed(0)  # noqa: NPY002
    koubai.random.seed(0)
    target.set({n: x.detach().numpy() for n, x in zip(target.values, xs, strict=True)})
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
            ctx.xs = [x.detach().clone() for x in xs]
            ys = fresh_forward(target, xs)
            return tuple(torch.tensor(np.asarray(y, dtype=np.float64)) for y in ys)

        @staticmethod
        def backward(ctx: Any, *gys: Any) -> Any:
            fresh_forward(target, ctx.xs)
            found = target.backward([gy.detach().numpy() for gy in gys])
            gradients = [found[name] for name in target.values]
            return tuple(None if g is None else torch.from_numpy(np.array(g)) for g in gradients)

    xs = [torch.tensor(np.asarray(x), requires_grad=True) for x in target.values.values()]
    return Wrapped.apply, xs


def gradcheck(case: Case) -> dict[str, bool] | None:
    """What gradcheck says; None if the case is not for it: not float64, or without a number."""
    import torch

    target, trial = (
        open_target(case.target(), case.inputs(np.random.default_rng(SEED))) for _ in range(2)
    )
    leave_out_labels(trial)
    target.values = {name: target.values[name] for name in trial.values}
    values = [np.asarray(x) for x in target.values.values()]
    if {x.dtype for x in values} != {np.dtype(np.float64)} or not all(x.size for x in values):
        return None
    f, xs = as_torch(target)
    said = ""
    try:
        right = torch.autograd.gradcheck(f, tuple(xs))
    except Exception as error:  # of gradcheck, of PyTorch's engine, of the case's own code
        right, said = False, str(error)
    return {
        "found": not right,
        "located": bool(case.located) and case.located in said,
        "named": bool(case.mistake) and str(case.mistake) in said,
    }


def by_koubai(case: Case) -> dict[str, bool]:
    """The same by ``koubai.check``."""
    o = outcome(case, SEED)
    return {"found": o.found, "located": o.located, "named": o.named}


def main() -> None:
    """Measure all cases, and write what came out."""
    import torch

    cases = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for case in MISTAKES + RIGHT:
            cases[case.name] = {"koubai": by_koubai(case), "gradcheck": gradcheck(case)}
    lines = [f"    {json.dumps(name)}: {json.dumps(found)}" for name, found in cases.items()]
    version = json.dumps(torch.__version__.partition("+")[0])
    text = ",\n".join(lines)
    FILE.write_text(f'{{\n  "torch": {version},\n  "cases": {{\n{text}\n  }}\n}}\n')


if __name__ == "__main__":
    main()
