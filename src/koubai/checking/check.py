"""``koubai.check``: is this gradient right, and if not, where and why?"""

from __future__ import annotations

import inspect
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from koubai.arrays import describe
from koubai.checking.examine import examine
from koubai.checking.inside import layers_of, nodes_of
from koubai.checking.progress import Progress
from koubai.checking.report import Failure, Report, Warning, advice
from koubai.checking.subjects import Graph, Layer, Network, Node, Subject, foreign_subject
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
        return _first_that_runs(Graph, target, inputs)
    if isinstance(target, Function):
        return _first_that_runs(Node, target, inputs)
    if all(hasattr(target, name) for name in ("params", "gradient", "loss")):
        return _first_that_runs(Network, target, inputs)
    if hasattr(target, "forward") and hasattr(target, "backward"):
        return _first_that_runs(Layer, target, inputs)
    if callable(target):
        return _first_that_runs(Graph, target, inputs)
    raise TypeError(
        f"check({describe(target)}): give a function, a Function, a module, a Variable, an object"
        " with forward and backward, or a network with params, loss and gradient"
    )


def _first_that_runs(kind: Any, target: Any, inputs: tuple[Any, ...]) -> Subject:
    """In float64, for precision, unless the code takes only the dtypes that it was given."""
    subject: Subject = kind(target, inputs)
    try:
        with np.errstate(all="ignore"):
            subject.forward(subject.values)
    except Exception:
        narrow: Subject = kind(target, inputs, promote=False)
        try:
            with np.errstate(all="ignore"):
                narrow.forward(narrow.values)
        except Exception:
            return subject  # examine says what it raises
        return narrow
    return subject


def _inside(subject: Subject) -> Iterator[tuple[Subject, str]]:
    if isinstance(subject, Graph):
        return nodes_of(*subject.outputs())
    if isinstance(subject, Network) or type(subject) is Layer:
        return layers_of(subject)
    return iter(())


def _look_inside(
    report: Report,
    parts: Iterator[tuple[Subject, str]],
    rng: np.random.Generator,
    whole: Subject | None = None,
) -> None:
    """Check the nodes of a graph, or the layers of a network; the first wrong one comes first.

    Where one of them explains that the whole is wrong, the whole's own failures are dropped.
    """
    found: list[Failure] = []
    paths: list[str] = []
    seen: set[tuple[str, str, str | None]] = set()
    cache_lost, sure = "", True
    progress, named = Progress(), Counter[str]()
    for part, place in parts:
        named[part.name] += 1
        label = part.name if named[part.name] == 1 else f"{part.name} {named[part.name]}"
        if not part.values:
            continue
        progress.say(f"{part.name}{place}")
        result = examine(part, rng, place)
        report.checked |= {f"{n} of {label}": count for n, count in result.checked.items()}
        report.unknown |= {f"{n} of {label}": why for n, why in result.unknown.items()}
        report.kinks |= {f"{n} of {label}": why for n, why in result.kinks.items()}
        cache_lost = cache_lost or part.name if part.cache_lost else cache_lost
        sure = sure and not result.unknown
        for f in result.failures:
            if (part.name, f.what, f.mistake) not in seen:
                found.append(replace(f, what=f"{f.what} of {label}"))
                paths.append(part.path)
            seen.add((part.name, f.what, f.mistake))
        if not type(part.culprit).__module__.startswith("koubai."):
            for w in result.warnings:
                if (part.name, w.what, w.mistake) not in seen:
                    report.warnings.append(w)
                seen.add((part.name, w.what, w.mistake))
    progress.end()
    # What is wrong inside a layer makes the layer around it wrong too.
    inner = [not any(q.startswith(f"{p}.") for q in paths) for p in paths]
    found = [f for f, innermost in zip(found, inner, strict=True) if innermost]
    if found and isinstance(whole, (Layer, Network)) and report.ok:
        # Wrong by itself, but of no consequence here.
        report.warnings += [Warning(f.what, f.where, f.mistake, f.why, f.advice) for f in found]
    elif found:
        report.failures = found
    elif isinstance(whole, Graph) and sure:
        _name(report, "history lost", "every backward on the way is right, but the whole is not")
    elif cache_lost:
        why = f"the forward of {cache_lost} was called again before its backward"
        _name(report, "stale cache", why)


def _name(report: Report, mistake: str, why: str) -> None:
    """Say of what is unexplained so far what the insides tell."""
    report.failures = [
        f
        if f.mistake or f.index is None
        else replace(f, mistake=mistake, advice=advice(mistake), why=why)
        for f in report.failures
    ]


__all__ = ["Warning", "check"]
