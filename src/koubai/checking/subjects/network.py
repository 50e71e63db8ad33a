"""An object with ``params``, ``loss`` and ``gradient``."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from koubai.checking.subjects.objects import as_list, is_numbers, promoted, real, shared, write
from koubai.checking.subjects.subject import Outcome, Subject, Values, same_random_numbers

Array = Any


class Network(Subject):
    """An object with ``params``, ``loss(x, t)`` and ``gradient(x, t)``, as in the books."""

    def __init__(self, network: Any, args: Sequence[Any], promote: bool = True) -> None:
        self.whole = self.network = promoted(network) if promote else copy.deepcopy(network)
        self.name, self.culprit, self.arguments = type(network).__name__, network, {}
        self.args = [promoted(a) if promote else copy.deepcopy(a) for a in args]
        params = self.network.params
        keys = params if isinstance(params, dict) else range(len(params))
        self.places = {f"params[{key!r}]": key for key in keys}
        self.values = {name: np.array(params[key]) for name, key in self.places.items()}

    def fresh(self, values: Values, memo: dict[int, Any] | None = None) -> Any:
        network = copy.deepcopy(self.network, memo)
        for name, key in self.places.items():
            write(network.params[key], values[name])
        return network

    def run(self, instance: Any) -> None:
        instance.gradient(*copy.deepcopy(self.args))

    def forward(self, values: Values, memo: dict[int, Any] | None = None) -> list[Array]:
        with self.repeatable():
            return as_list(self.fresh(values, memo).loss(*copy.deepcopy(self.args)))

    def parameter(self, name: str) -> Any:
        return self.network.params[self.places[name]]

    def backward(self, values: Values, gys: list[Array]) -> Outcome:
        with same_random_numbers():
            gradients = self.gradients(self.fresh(values), gys)
        return Outcome(self.forward(values), gradients, shared=shared(gradients, {}))

    def after_another(
        self, others: Values, values: Values, gys: list[Array]
    ) -> dict[str, Any] | None:
        with same_random_numbers():
            network = self.fresh(values)
            network.loss(*[a * 1.25 if real(a) else a for a in copy.deepcopy(self.args)])
            return self.gradients(network, gys)

    def gradients(self, network: Any, gys: list[Array]) -> dict[str, Any]:
        """What the network says, times the upstream gradient, which it knows nothing of."""
        found = network.gradient(*copy.deepcopy(self.args))
        if found is None:
            found = getattr(network, "grads", {})
        gradients: dict[str, Any] = {}
        for name, key in self.places.items():
            with contextlib.suppress(KeyError, IndexError, TypeError):
                g = found[key]
                gradients[name] = np.asarray(g) * gys[0] if is_numbers(g) else g
        return gradients
