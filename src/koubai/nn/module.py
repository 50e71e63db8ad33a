"""``Module``: a plain Python object that computes something, with parameters among its fields.

    class Net(Module):
        def __init__(self):
            self.first = Linear(784, 50)
            self.last = Linear(50, 10)

        def forward(self, x):
            return self.last(relu(self.first(x)))

Nothing is registered. The parameters are found when somebody asks for them, by walking the fields:
a ``Parameter`` is one, and modules, lists, tuples and dicts are looked into. A name is the path of
the walk, ``first.W``. One walk, ``_walk`` below, answers every question that a module is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from reprlib import recursive_repr
from typing import Any, Self

from koubai import arrays
from koubai.arrays import Array, describe, is_array
from koubai.core.variable import Variable


class Parameter(Variable):
    """A ``Variable`` that belongs to a module and that an optimizer changes.

    >>> Parameter([1.0, 2.0])
    Parameter([1., 2.])
    """

    __slots__ = ()


class Module:
    """A layer, or a network of them: write ``__init__`` with the fields, and ``forward``.

    Calling a module calls ``forward``. Fields are ordinary attributes, and no
    ``super().__init__()`` is needed.

    Attributes:
        training: whether it is being trained (``train()``, the default) or used (``eval()``); for
            layers that behave differently then.

    >>> class Scale(Module):
    ...     def __init__(self):
    ...         self.factor = Parameter(2.0)
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> scale = Scale()
    >>> scale(3.0)
    Variable(6.)
    >>> scale
    Scale(factor=float64[])
    """

    training: bool = True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes.

        Raises:
            NotImplementedError: if a subclass has not written it.
        """
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    def fields(self) -> Iterator[tuple[str, Any]]:
        """What the walk goes through, with names: the attributes, in the order of assignment."""
        yield from vars(self).items()

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """This module (its name is empty) and all inside it, each once, with dotted names."""
        return ((name, x) for name, x in _walk(self) if isinstance(x, Module))

    def modules(self) -> Iterator[Module]:
        """This module and all inside it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """All parameters with their dotted names; a shared one once, by its first name.

        >>> from koubai.nn import Linear, ReLU, Sequential
        >>> model = Sequential(Linear(2, 3), ReLU(), Linear(3, 1))
        >>> [name for name, _ in model.named_parameters()]
        ['0.W', '0.b', '2.W', '2.b']
        """
        return ((name, x) for name, x in _walk(self) if isinstance(x, Parameter))

    def parameters(self) -> Iterator[Parameter]:
        """All parameters, each once, in the order of ``named_parameters()``."""
        return (parameter for _, parameter in self.named_parameters())

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.cleargrad()

    def train(self, mode: bool = True) -> Self:
        """Set ``training`` here and in all modules inside; returns the module itself."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """``train(False)``: from now on the module is used, not trained."""
        return self.train(False)

    def state_dict(self) -> dict[str, Array]:
        """The parameters' arrays by name: copies, which training does not change.

        Raises:
            ValueError: if two parameters have the same name (fields or keys such as 1 and "1").
        """
        return {name: arrays.copy(p.data) for name, p in self._parameters_by_name().items()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Give the parameters the values in ``state``, copied; the reverse of ``state_dict``.

        Args:
            state: an array for each parameter, of its name, shape and dtype.

        Raises:
            ValueError: if an array is missing, is not expected, or has the wrong shape or dtype.
                The message names all of them, and nothing has been changed.

        >>> from koubai.nn import Linear
        >>> trained, fresh = Linear(2, 3), Linear(2, 3)
        >>> fresh.load_state_dict(trained.state_dict())
        >>> bool((fresh.W.data == trained.W.data).all())
        True
        """
        parameters = self._parameters_by_name()
        faults = [f"{name} is missing" for name in parameters if name not in state]
        faults += [f"{name} is not expected" for name in state if name not in parameters]
        for name, p in parameters.items():
            if name in state and not _fits(state[name], p):
                faults.append(f"{name} is {describe(state[name])}, expected {describe(p)}")
        if faults:
            raise ValueError(
                f"load_state_dict of {type(self).__name__}: {'; '.join(faults)}."
                " Nothing was loaded."
            )
        for name, p in parameters.items():
            p.data = arrays.copy(state[name])

    def _parameters_by_name(self) -> dict[str, Parameter]:
        by_name: dict[str, Parameter] = {}
        for name, parameter in self.named_parameters():
            if name in by_name:
                raise ValueError(
                    f"two parameters of {type(self).__name__} are named {name!r}, and one would"
                    " replace the other in a state_dict: rename a field or a key"
                )
            by_name[name] = parameter
        return by_name

    @recursive_repr()
    def __repr__(self) -> str:
        """Parameters by shape, plain settings by value, modules inside on lines of their own."""
        parts, lines = [], []
        for name, x in _walk(self, into_modules=False):
            if isinstance(x, Module):
                lines.append(f"  {name}: {x!r}".replace("\n", "\n  "))
            else:
                parts.append(f"{name}={describe(x)}")
        settings = [
            f"{name}={x!r}"
            for name, x in self.fields()
            if name != "training" and isinstance(x, (bool, int, float, str))
        ]
        head = f"{type(self).__name__}({', '.join(settings + parts)}"
        return "\n".join([head, *lines, ")"]) if lines else f"{head})"


def _walk(root: Module, into_modules: bool = True) -> Iterator[tuple[str, Module | Parameter]]:
    """The modules and parameters in reach of ``root``, depth first, each once, with their names.

    ``into_modules=False`` stops at the modules inside, and leaves out root itself.
    """
    seen = {id(root)}

    def walk(
        fields: Iterable[tuple[Any, Any]], prefix: str
    ) -> Iterator[tuple[str, Module | Parameter]]:
        inside: Iterable[tuple[Any, Any]]
        for key, x in fields:
            if not isinstance(x, (Module, Parameter, list, tuple, dict)) or id(x) in seen:
                continue
            seen.add(id(x))
            name = f"{prefix}{key}"
            if isinstance(x, (Module, Parameter)):
                yield name, x
                inside = x.fields() if isinstance(x, Module) and into_modules else ()
            else:
                inside = x.items() if isinstance(x, dict) else enumerate(x)
            yield from walk(inside, name + ".")

    if into_modules:
        yield "", root
    yield from walk(root.fields(), "")


def _fits(x: Array, parameter: Parameter) -> bool:
    return is_array(x) and tuple(x.shape) == parameter.shape and x.dtype == parameter.dtype
