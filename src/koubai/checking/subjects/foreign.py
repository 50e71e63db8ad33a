"""Gradients that other packages compute: PyTorch's modules and JAX's functions, as subjects.

Arrays go to and fro through DLPack. Neither package is imported unless an object of it is given.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from koubai.checking.subjects.objects import argument_names, as_list, real
from koubai.checking.subjects.subject import Outcome, Subject, Values

Array = Any


def foreign_subject(target: Any, inputs: Sequence[Any]) -> Subject | None:
    """The target as a subject, if it is PyTorch's or JAX's."""
    if any("torch.nn" in cls.__module__ for cls in type(target).__mro__):
        return TorchModule(target, inputs)
    things = [target, *_leaves(inputs)]
    if callable(target) and any(type(x).__module__.split(".")[0].startswith("jax") for x in things):
        return JaxFunction(target, inputs)
    return None


def _leaves(x: Any) -> Iterator[Any]:
    if isinstance(x, dict):
        x = list(x.values())
    if isinstance(x, (list, tuple)):
        for y in x:
            yield from _leaves(y)
    else:
        yield x


class TorchModule(Subject):
    """A ``torch.nn.Module``, in float64: its own autograd Functions are what may be wrong."""

    def __init__(self, module: Any, args: Sequence[Any]) -> None:
        import torch

        self.module, self.name = copy.deepcopy(module).double(), type(module).__name__
        self.culprit = type(module).forward
        self.args = [np.from_dlpack(a.detach()) if torch.is_tensor(a) else a for a in args]
        self.args = [a.astype(np.float64) if real(a) else a for a in self.args]
        names = argument_names(module.forward, len(args))
        self.arguments = {
            name: i for i, (name, a) in enumerate(zip(names, self.args, strict=True)) if real(a)
        }
        self.values = {name: np.array(self.args[i]) for name, i in self.arguments.items()}
        for name, p in self.module.named_parameters():
            self.values[name] = np.array(np.from_dlpack(p.detach()))

    @contextlib.contextmanager
    def _called(self, values: Values) -> Iterator[tuple[list[Any], dict[str, Any]]]:
        """The outputs and the leaves; dropout draws the same at every call."""
        import torch

        module = copy.deepcopy(self.module)
        args = [torch.from_dlpack(np.array(a)) if np.ndim(a) else a for a in self.args]
        leaves: dict[str, Any] = {}
        for name, i in self.arguments.items():
            args[i] = leaves[name] = torch.from_dlpack(np.array(values[name])).requires_grad_()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            for name, p in module.named_parameters():
                p.data.copy_(torch.from_dlpack(np.array(values[name])))
                leaves[name] = p.requires_grad_()
            yield as_list(module(*args)), leaves

    def forward(self, values: Values) -> list[Array]:
        with self._called(values) as (ys, _):
            return [np.array(np.from_dlpack(y.detach())) for y in ys]

    def backward(self, values: Values, gys: list[Array]) -> Outcome:
        import torch

        with self._called(values) as (ys, leaves):
            grads = torch.autograd.grad(
                ys,
                list(leaves.values()),
                [torch.from_dlpack(np.array(gy)) for gy in gys],
                allow_unused=True,
            )
        found = {
            name: np.zeros(x.shape) if g is None else np.array(np.from_dlpack(g.detach()))
            for (name, x), g in zip(leaves.items(), grads, strict=True)
        }
        return Outcome([np.array(np.from_dlpack(y.detach())) for y in ys], found)


class JaxFunction(Subject):
    """A function of JAX arrays, and of trees of them: its custom derivatives may be wrong."""

    def __init__(self, f: Callable[..., Any], args: Sequence[Any]) -> None:
        import jax

        self.f, self.culprit = f, getattr(f, "__wrapped__", f)
        self.name, self.arguments = getattr(f, "__name__", type(f).__name__), {}
        names = argument_names(self.culprit, len(args))
        leaves, self.tree = jax.tree_util.tree_flatten_with_path(tuple(args))
        self.args = [np.asarray(x) for _, x in leaves]
        self.names = [
            names[path[0].idx] + jax.tree_util.keystr(path[1:]) if real(x) else ""
            for (path, _), x in zip(leaves, self.args, strict=True)
        ]
        self.values = {
            name: x.astype(np.float64)
            for name, x in zip(self.names, self.args, strict=True)
            if name
        }

    def _call(self, values: Values, gys: list[Array] | None) -> tuple[list[Array], Any]:
        import jax
        import jax.numpy as jnp

        with jax.enable_x64(True):
            leaves = [
                jnp.from_dlpack(np.array(values[name])) if name else jnp.asarray(x)
                for name, x in zip(self.names, self.args, strict=True)
            ]
            args = jax.tree_util.tree_unflatten(self.tree, leaves)
            if gys is None:
                ys, pull = self.f(*args), None
            else:
                ys, pull = jax.vjp(self.f, *args)
            flat, structure = jax.tree_util.tree_flatten(ys)
            if pull is not None and gys is not None:
                upstream = [jnp.asarray(gy, dtype=y.dtype) for gy, y in zip(gys, flat, strict=True)]
                pull = pull(jax.tree_util.tree_unflatten(structure, upstream))
            return [np.array(y) for y in flat], jax.tree_util.tree_leaves(pull)

    def forward(self, values: Values) -> list[Array]:
        return self._call(values, None)[0]

    def backward(self, values: Values, gys: list[Array]) -> Outcome:
        ys, grads = self._call(values, gys)
        found = zip(self.names, grads, strict=True)
        return Outcome(ys, {name: np.array(g) for name, g in found if name})
