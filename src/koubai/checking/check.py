"""``koubai.check``: is this gradient right, and if not, where and why?"""

from __future__ import annotations

import inspect
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from koubai.arrays import describe
from koubai.checking.examine import examine
from koubai.checking.inside import layers_of, nodes_of
from koubai.checking.progress import Progress
from koubai.checking.report import Caution, Failure, Report, advice
from koubai.checking.subjects import (
    Graph,
    Layer,
    Network,
    Node,
    Subject,
    first_that_runs,
    foreign_subject,
)
from koubai.core import Function, Variable
from koubai.nn import Module


def check(target: Any, /, *inputs: Any, seed: int = 0) -> Report:
    """Hold hand-written gradients against numerical ones; find, locate and name the mistakes.

    Args:
        target: what to check, one of

            - a function of Variables, or an ``nn.Module``: its graph, node by node;
            - a ``Function``, an instance or a class;
            - any object with ``forward`` and ``backward``, one that knows nothing of koubai too:
              gradients are what ``backward`` returns, and arrays in ``dW`` beside ``W`` or in
              ``grads`` beside ``params``;
            - any object with ``params``, ``loss(x, t)`` and ``gradient(x, t)``: a network of the
              books, with the layers inside it;
            - a Variable at the end of a graph;
            - a ``torch.nn.Module``, or a function of JAX arrays (its custom derivatives).
        inputs: what ``forward`` is called with: floating-point arrays and numbers are
            differentiated, integers (labels, indices) are not, unless all inputs are plain numbers.
        seed: of the upstream gradients and directions, which are random.

    Returns:
        A report: ``print`` it, look at ``.ok``, ``.failures`` and ``.warnings``, or call
        ``.raise_if_failed()`` in a test.

    Raises:
        TypeError: for a target that is none of these.
        ValueError: if the forward raises with these inputs.

    >>> class Square:
    ...     def forward(self, x):
    ...         self.x = x
    ...         return x * x
    ...     def backward(self, dout):
    ...         return dout * self.x                 # the 2 is missing
    >>> report = check(Square(), np.array([1.0, 2.0, 3.0]))
    >>> report.ok, report.failures[0].what, report.failures[0].mistake
    (False, 'x', 'factor')
    """
    from threadpoolctl import threadpool_limits

    # Thousands of small products: threads would spend the time waiting for one another.
    with warnings.catch_warnings(), threadpool_limits(1):
        # What NumPy says of steps out of the domain, and of imaginary parts that are dropped.
        warnings.simplefilter("ignore")
        # Not the numbers that somebody drew the inputs with, from a generator of the same seed.
        return _check(target, inputs, np.random.default_rng([seed, 2718281828]))


def _check(target: Any, inputs: tuple[Any, ...], rng: np.random.Generator) -> Report:
    if isinstance(target, Variable):
        if inputs:
            raise TypeError("check(v): a Variable is checked with the graph behind it, no inputs")
        if target.creator is None:
            raise ValueError(
                f"check({describe(target)}): this Variable is a leaf, nothing computed it"
            )
        report = Report(repr(target))
        _look_inside(report, nodes_of([target]), rng)
        return report
    subject = subject_of(target, inputs)
    report = examine(subject, rng)
    _look_inside(report, _inside(subject), rng, subject)
    return report


def subject_of(target: Any, inputs: tuple[Any, ...]) -> Subject:
    """The target, seen as a subject."""
    if isinstance(target, type):
        needed = [
            p.name
            for p in inspect.signature(target).parameters.values()
            if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        if needed:
            name = target.__name__
            raise TypeError(f"check({name}, ...): write {name}({', '.join(needed)}), an instance")
        target = target()
    foreign = foreign_subject(target, inputs)
    if foreign is not None:
        return foreign
    if isinstance(target, Module):
        return first_that_runs(Graph, target, inputs)
    if isinstance(target, Function):
        return first_that_runs(Node, target, inputs)
    if all(hasattr(target, name) for name in ("params", "gradient", "loss")):
        return first_that_runs(Network, target, inputs)
    if hasattr(target, "forward") and hasattr(target, "backward"):
        return first_that_runs(Layer, target, inputs)
    if callable(target):
        return first_that_runs(Graph, target, inputs)
    raise TypeError(
        f"check({describe(target)}): give a function, a Function, a module, a Variable, an object"
        " with forward and backward, or a network with params, loss and gradient"
    )


def _inside(subject: Subject) -> Iterator[tuple[Subject, str]]:
    if isinstance(subject, Graph):
        return nodes_of(*subject.outputs())
    if isinstance(subject, Network) or type(subject) is Layer:
        return layers_of(subject)
    return iter(())


@dataclass(frozen=True)
class _Inside:
    """What the checks of all parts say together.

    Attributes:
        failures: of the innermost parts that are wrong, the first one first.
        cache_lost: a layer that was called again before its backward; "" if there is none.
        is_sure: whether there was none that can't be told.
    """

    failures: list[Failure]
    cache_lost: str
    is_sure: bool


def _look_inside(
    report: Report,
    parts: Iterator[tuple[Subject, str]],
    rng: np.random.Generator,
    whole: Subject | None = None,
) -> None:
    """Check the nodes of a graph, or the layers of a network; the first wrong one comes first.

    Where one of them explains that the whole is wrong, the whole's own failures are dropped.
    """
    inside = _examine_all(report, parts, rng)
    if inside.failures and isinstance(whole, (Layer, Network)) and report.ok:
        # Wrong by itself, but of no consequence here.
        report.warnings += [
            Caution(f.what, f.where, f.mistake, f.why, f.advice) for f in inside.failures
        ]
    elif inside.failures:
        report.failures = inside.failures
    elif isinstance(whole, Graph) and inside.is_sure:
        _name(report, "history lost", "every backward on the way is right, but the whole is not")
    elif inside.cache_lost:
        why = f"the forward of {inside.cache_lost} was called again before its backward"
        _name(report, "stale cache", why)


def _examine_all(
    report: Report, parts: Iterator[tuple[Subject, str]], rng: np.random.Generator
) -> _Inside:
    """Check all parts; the report gets what was looked at, and the warnings.

    What is wrong with one of many like parts is said once.
    """
    failures: dict[Any, tuple[str, Failure]] = {}  # with the path of the part
    cautions: dict[Any, Caution] = {}
    cache_lost, is_sure = "", True
    for part, place, label in _labelled(parts):
        result = examine(part, rng, place)
        report.checked |= {f"{n} of {label}": count for n, count in result.checked.items()}
        report.unknown |= {f"{n} of {label}": why for n, why in result.unknown.items()}
        report.kinks |= {f"{n} of {label}": why for n, why in result.kinks.items()}
        if part.cache_lost and not cache_lost:
            cache_lost = part.name
        is_sure = is_sure and not result.unknown
        for f in result.failures:
            key = part.name, f.what, f.mistake
            failures.setdefault(key, (part.path, replace(f, what=f"{f.what} of {label}")))
        if not type(part.culprit).__module__.startswith("koubai."):
            for w in result.warnings:
                cautions.setdefault((part.name, w.what, w.mistake), w)
    report.warnings += cautions.values()
    # What is wrong inside a layer makes the layer around it wrong too.
    paths = [path for path, _ in failures.values()]
    innermost = [
        f for path, f in failures.values() if not any(p.startswith(f"{path}.") for p in paths)
    ]
    return _Inside(innermost, cache_lost, is_sure)


def _labelled(parts: Iterator[tuple[Subject, str]]) -> Iterator[tuple[Subject, str, str]]:
    """Those parts that have a gradient, each with its place and a label: "Relu", "Relu 2"."""
    progress, named = Progress(), Counter[str]()
    for part, place in parts:
        named[part.name] += 1
        if part.values:
            progress.say(f"{part.name}{place}")
            count = named[part.name]
            yield part, place, part.name if count == 1 else f"{part.name} {count}"
    progress.end()


def _name(report: Report, mistake: str, why: str) -> None:
    """Say of what is unexplained so far what the insides tell."""
    report.failures = [
        f
        if f.mistake or f.index is None
        else replace(f, mistake=mistake, advice=advice(mistake), why=why)
        for f in report.failures
    ]
