"""What a graph or a network is made of: nodes or layers, each with what flowed through it."""

from __future__ import annotations

import contextlib
import copy
from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from koubai.checking.graphs import functions_of
from koubai.checking.subjects import Layer, Node, Subject, first_that_runs, same_random_numbers
from koubai.core import Function, Variable
from koubai.core.function import as_of
from koubai.errors import where


def nodes_of(
    ys: list[Any], uncalled: Mapping[int, Function] = MappingProxyType({})
) -> Iterator[tuple[Subject, str]]:
    """The functions behind some Variables, in the order of their calls.

    Args:
        ys: at the end of the graph.
        uncalled: by id, functions as they were before, without the state of their calls.
    """
    ordered = functions_of(*(y for y in ys if isinstance(y, Variable)))[::-1]
    for i, f in enumerate(ordered):
        inputs = [as_of(x, f) if isinstance(x, Variable) else x for x in f._inputs]
        called = where(f).strip()
        place = f", node {i + 1} of {len(ordered)} in the graph"
        node = first_that_runs(Node, uncalled.get(id(f), f), inputs)
        node.culprit = f
        yield node, f"{place}, {called}" if called else place


def layers_of(subject: Subject) -> Iterator[tuple[Subject, str]]:
    """The layers inside a network or layer, each with the arguments of its last forward."""
    network = subject.fresh(subject.values)
    layers = _find_layers(network)
    forwards, backwards = Counter[str](), Counter[str]()
    calls: dict[str, tuple[Any, Any]] = {}
    upstream: dict[str, Any] = {}

    def recorded(name: str, layer: Any) -> tuple[Any, Any]:
        forward, backward = layer.forward, layer.backward
        before = copy.deepcopy(layer)

        def forward_(*args: Any, **kwargs: Any) -> Any:
            forwards[name] += 1
            calls[name] = (before, copy.deepcopy((*args, *kwargs.values())))
            return forward(*args, **kwargs)

        def backward_(*gys: Any) -> Any:
            backwards[name] += 1
            upstream[name] = copy.deepcopy(gys)
            return backward(*gys)

        return forward_, backward_

    for name, layer in layers.items():
        layer.forward, layer.backward = recorded(name, layer)
    with np.errstate(all="ignore"), same_random_numbers(), contextlib.suppress(Exception):
        subject.run(network)
    for name, (layer, args) in calls.items():
        part = first_that_runs(Layer, layer, args)
        part.culprit, part.cache_lost = layers[name], forwards[name] > backwards[name] > 0
        part.path = name
        gys = upstream.get(name, ())
        if all(np.size(gy) == 1 for gy in gys):
            # A loss, which may rely on being the last: it is given the 1 that it is given here.
            part.upstream = [np.asarray(gy, dtype=float) for gy in gys] or [np.ones(())]
        yield part, f", the layer {name}"


def _find_layers(network: Any) -> dict[str, Any]:
    """Objects with forward and backward in a network's attributes and containers, by their path."""
    found: dict[str, Any] = {}
    stack = [("", vars(network))] if hasattr(network, "__dict__") else []
    seen: set[int] = set()
    while stack:
        path, x = stack.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        if isinstance(x, dict):
            stack += [
                (f"{path}[{k!r}]" if path else str(k), value) for k, value in reversed(x.items())
            ]
        elif isinstance(x, (list, tuple)):
            stack += [(f"{path}[{i}]", value) for i, value in reversed(list(enumerate(x)))]
        elif hasattr(x, "forward") and hasattr(x, "backward") and hasattr(x, "__dict__"):
            found[path] = x
            stack += [(f"{path}.{name}", value) for name, value in reversed(vars(x).items())]
    return found
