"""What the engine says when something is wrong: what, where, and what to write instead.

Each function makes the exception; the code that found the mistake raises it.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from koubai.arrays import describe
from koubai.location import caller, describe_location


def _name(function: Any) -> str:
    return type(function).__name__


def where(function: Any) -> str:
    """The line that called a function of a graph, if it is known: the end of a message."""
    if not function._inputs:
        return (
            "\n  it has no inputs: koubai.Function's __call__ was not what called it. After"
            " y.set_creator(f) the graph is walked by hand; for y.backward() write y = f(x)"
        )
    location = function._location
    return f"\n  called at {describe_location(location)}" if location else ""


def counted(n: int, what: str) -> str:
    """A number of things.

    >>> counted(1, "image"), counted(1000, "image")
    ('1 image', '1,000 images')
    """
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


# Calls.


def call_failed(error: Exception, function: Any, xs: Sequence[Any]) -> Exception:
    """``error``, of the same built-in kind, with the operation, its arguments and the line."""
    parameters = inspect.signature(function.forward).parameters.values()
    names = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL]
    names += [f"input {i}" for i in range(len(names), len(xs))]
    arguments = ", ".join(f"{name}: {describe(x)}" for name, x in zip(names, xs, strict=False))
    kinds = (ValueError, TypeError, IndexError, AttributeError)
    kind = next(k for k in kinds if isinstance(error, k))
    return kind(
        f"{_name(function)}({arguments}): {error}\n  called at {describe_location(caller())}"
    )


def not_called(function: Any) -> AttributeError:
    return AttributeError(f"{_name(function)} has not been called on a Variable yet")


def not_repeatable(function: Any) -> ValueError:
    return ValueError(
        f"the forward of {_name(function)} gave another output when it was run again for a"
        " derivative of higher order: it is random, keeps state from call to call, or an input"
        f" was changed in place{where(function)}"
    )


def constant_input() -> ValueError:
    return ValueError(
        "self.input.data is a constant to a derivative of higher order, which would come out"
        " wrong; write self.input (or keep x in forward: self.x = x)"
    )


# The backward pass.


def nothing_computed(y: Any) -> ValueError:
    return ValueError(
        f"backward(): {y!r} was not computed from other Variables: it is a leaf, or was computed"
        " inside no_grad()"
    )


def nothing_differentiable() -> ValueError:
    return ValueError(
        "backward(): nothing differentiable in reach, all Variables that this one was computed"
        " from hold integers or booleans; write Variable(x.astype(float)) for real numbers"
    )


def not_real(y: Any) -> ValueError:
    return ValueError(
        f"backward() of {describe(y)}: integers and booleans have no gradient; compute with real"
        " numbers (Variable(x.astype(float)))"
    )


def not_a_number(y: Any) -> ValueError:
    return ValueError(
        f"backward() of {describe(y)}, which is not a single number, needs the gradient to start"
        f" from: y.backward(gy) with gy of shape {y.shape}, or y.sum().backward()"
    )


def wrong_seed(gy: Any, y: Any) -> ValueError:
    return ValueError(
        f"backward(gy): gy is {describe(gy)}, and must have the shape {y.shape} of the Variable"
        " that it is called on"
    )


def wrong_grad(x: Any) -> ValueError:
    return ValueError(f"the .grad that was set on {x!r} is {describe(x.grad)}: not of its shape")


def _argument(function: Any, x: Any) -> str:
    """Which input of ``function`` x is, by the name of forward's parameter: "input 1 (W)"."""
    i = next((i for i, v in enumerate(function._inputs) if v is x), 0)
    parameters = inspect.signature(function.forward).parameters.values()
    names = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL]
    return f"input {i}" + (f" ({names[i]})" if i < len(names) else "")


def wrong_count(function: Any, gxs: Sequence[Any], differentiable: int) -> ValueError:
    return ValueError(
        f"the backward of {_name(function)} returned {counted(len(gxs), 'gradient')} for"
        f" {counted(len(function._inputs), 'input')}, {differentiable} of them differentiable;"
        f" return a tuple, one for each input{where(function)}"
    )


def no_gradient(function: Any, x: Any) -> ValueError:
    return ValueError(
        f"the backward of {_name(function)} returned None for {_argument(function, x)},"
        f" {describe(x)}, which is differentiable; is a return missing? For an input without"
        f" influence return zeros{where(function)}"
    )


def wrong_shape(function: Any, gx: Any, x: Any) -> ValueError:
    return ValueError(
        f"the backward of {_name(function)} returned {describe(gx)} as the gradient of"
        f" {_argument(function, x)}, {describe(x)}: the shapes must be equal{where(function)}"
    )
