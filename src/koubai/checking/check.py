"""``koubai.check``: is this gradient right, and if not, where and why?"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from koubai.arrays import describe
from koubai.checking.examine import examine
from koubai.checking.inside import layers_of, nodes_of
from koubai.checking.report import Failure, Report, Warning, advice
from koubai.checking.subject import Graph, Layer, Network, Node, Subject
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
            - a Variable at the end of a graph.
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
        report = Report(repr(target))
        _look_inside(report, nodes_of([target]), rng)
        return report
    subject = subject_of(target, inputs)
    report = examine(subject, rng)
    report.is_network = isinstance(subject, Network)
    _look_inside(report, _inside(subject), rng)
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
        return nodes_of(subject.outputs())
    if isinstance(subject, Network):
        return layers_of(subject)
    return iter(())


def _look_inside(
    report: Report, parts: Iterator[tuple[Subject, str]], rng: np.random.Generator
) -> None:
    """Check the nodes of a graph, or the layers of a network; the first wrong one comes first.

    Where one of them explains that the whole is wrong, the whole's own failures are dropped.
    """
    outer, found = report.failures, []
    right = report.checked and not outer
    seen: set[tuple[str, str, str]] = set()
    inner = 0
    for part, place in parts:
        inner += 1
        result = examine(part, rng, place)
        for f in result.failures:
            what = f"{f.what} of {part.name}"
            key = (part.name, f.what, str(f.mistake))
            if key not in seen:
                seen.add(key)
                found.append(
                    Failure(what, f.where, f.index, f.expected, f.found, f.mistake, f.advice, f.why)
                )
        ours = type(part.culprit).__module__.startswith("koubai.")
        if not ours:
            for w in result.warnings:
                if (part.name, w.what, str(w.mistake)) not in seen:
                    seen.add((part.name, w.what, str(w.mistake)))
                    report.warnings.append(w)
        report.checked |= {f"{n} of {part.name}": c for n, c in result.checked.items()}
    if found and right and report.is_network:
        # Wrong in itself, but of no consequence here.
        report.warnings += [Warning(f.what, f.where, f.mistake, f.why, f.advice) for f in found]
    elif found:
        report.failures = found
    elif outer and inner and any(isinstance(f.expected, float) and not f.mistake for f in outer):
        report.failures = [
            Failure(
                f.what, f.where, f.index, f.expected, f.found, "history lost",
                advice("history lost"), f.why,
            ) if not f.mistake and _is_graph(report) else f
            for f in outer
        ]  # fmt: skip


def _is_graph(report: Report) -> bool:
    return bool(report.checked)


__all__ = ["Warning", "check"]
