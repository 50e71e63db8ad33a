"""Modules one after another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from koubai.nn.module import Module


class Sequential(Module):
    """A network whose layers are called one after another, each with the result of the last.

    Its layers are named by their numbers: the first one's weights are ``0.W``.

    Args:
        layers: modules, in the order of the calls.

    Raises:
        TypeError: for a layer that is not a module.

    >>> from koubai.nn import Linear, ReLU
    >>> model = Sequential(Linear(784, 50), ReLU(), Linear(50, 10))
    >>> model
    Sequential(
      0: Linear(W=float32[784, 50], b=float32[50])
      1: ReLU()
      2: Linear(W=float32[50, 10], b=float32[10])
    )
    >>> len(model), model[1]
    (3, ReLU())
    """

    def __init__(self, *layers: Module) -> None:
        for i, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(f"Sequential: layer {i} is {_instead(layer)}")
        self.layers = layers

    def fields(self) -> Iterator[tuple[str, Any]]:
        """The layers by number, not ``layers.0``; and the fields that a subclass adds."""
        yield from ((str(i), layer) for i, layer in enumerate(self.layers))
        yield from (item for item in super().fields() if item[0] != "layers")

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)

    def __getitem__(self, index: int) -> Module:
        return self.layers[index]


def _instead(given: Any) -> str:
    """What was given in the place of a module, and what to write."""
    if isinstance(given, type) and issubclass(given, Module):
        return f"the class {given.__name__}, not a module; write {given.__name__}(...)"
    if isinstance(given, (list, tuple)):
        return f"a {type(given).__name__}, not a module; write Sequential(*layers)"
    return f"{given!r:.60}, not a module; write a class with nn.Module and a forward for it"
