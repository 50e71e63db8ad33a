"""A plan as text: which kernels compute a program, and how they walk through memory.

    1: nest over 100 x 10, rows of 10
        phase 0
            %8 = max(%7[10i + j]) over j : float32
        phase 1
            %10 = subtract(%7[10i + j], %8) : float32
            %11 = exp(%10) : float32                                    -> %11[10i + j]

An element of a buffer is written by the axes of the loops, i the outermost; what is computed at
the very same point bears its number alone. An arrow is a store into memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from koubai.compiler.kernels import (
    Access,
    Check,
    Draw,
    Fallback,
    Kernel,
    Loop,
    Nest,
    Node,
    Product,
    Scan,
    Sort,
)
from koubai.compiler.layout import Layout
from koubai.compiler.passes.fusion import Plan
from koubai.compiler.runtime.code import Code
from koubai.location import describe_location


def plan_text(plan: Plan, bodies: Mapping[int, Code]) -> str:
    """All kernels of ``plan``, in order, and those in its loops, whose code is in ``bodies``."""
    lines: list[str] = []
    for k, kernel in enumerate(plan.kernels):
        lines += _kernel(plan, k)
        if isinstance(kernel, Loop):
            body = bodies[kernel.value]
            inside = plan_text(body.plan, body.bodies).replace("\n", "\n    ")
            lines.append(f"    {inside}")
    return "\n".join(lines)


def loops(kernel: Kernel) -> str:
    """What a kernel goes over: ``100 x 10``; ``(100, 784) @ (784, 50)``."""
    if isinstance(kernel, Nest):
        return " x ".join(map(str, kernel.domain)) or "one number"
    if isinstance(kernel, Product):
        *stack, _, _ = kernel.a.shape
        times = f"{' x '.join(map(str, stack))} times " if stack else ""
        return f"{times}{kernel.a.shape[-2:]} @ {kernel.b.shape[-2:]}"
    if isinstance(kernel, Loop):
        return f"{kernel.instruction.params['length']} times"
    if isinstance(kernel, Scan | Draw | Sort):
        return " x ".join(map(str, kernel.instruction.type.shape)) or "one number"
    return ""


def _kernel(plan: Plan, k: int) -> Iterator[str]:
    kernel = plan.kernels[k]
    if isinstance(kernel, Nest):
        inner = kernel.domain[kernel.split or 0 :]
        rows = f", rows of {' x '.join(map(str, inner))}" if kernel.split is not None else ""
        yield f"{k}: nest over {loops(kernel)}{rows}"
        yield from _nodes(plan, kernel)
        return
    value, op = kernel.value, kernel.instruction.op
    if isinstance(kernel, Product):
        factor = f"{kernel.alpha:g} * " if kernel.alpha != 1 else ""
        addend = f" + {_layout(kernel.addend)}" if kernel.addend else ""
        text = f"product %{value} = {factor}{_layout(kernel.a)} @ {_layout(kernel.b)}{addend}"
        text += f"  {loops(kernel)}"
    elif isinstance(kernel, Check):
        text = f"check {_layout(kernel.condition)}"
    elif isinstance(kernel, Loop):
        results = ", ".join(f"%{b}" for b in kernel.results)
        text = f"loop {results} = {loops(kernel)}({', '.join(map(_layout, kernel.operands))})"
    else:
        kind = "numpy" if isinstance(kernel, Fallback) else type(kernel).__name__.lower()
        over = f" over {_axis(kernel.axis)}" if isinstance(kernel, Scan | Sort) else ""
        text = f"{kind} %{value} = {op}({', '.join(map(_layout, kernel.operands))}){over}"
    location = kernel.instruction.location
    at = f"  # {describe_location(location)}" if location else ""
    yield f"{f'{k}: {text} : {kernel.instruction.type}':60}{at}".rstrip()


def _nodes(plan: Plan, nest: Nest) -> Iterator[str]:
    if nest.split is None:
        yield from (f"    {_node(plan, nest, node)}" for node in nest.nodes.values())
        return
    nodes = sorted(nest.nodes.values(), key=lambda node: (node.phase, _is_after(node)))
    for (phase, after), group in itertools.groupby(nodes, lambda n: (n.phase, _is_after(n))):
        yield f"    {'after ' if after else ''}phase {phase}"
        yield from (f"        {_node(plan, nest, node)}" for node in group)


def _is_after(node: Node) -> bool:
    """Whether it is computed of row values alone, after the phase."""
    return node.is_row_value


def _node(plan: Plan, nest: Nest, node: Node) -> str:
    reads = [_read(plan, nest, x) for x in node.reads]
    if node.through:
        steps = node.through.steps
        # The operands that are indices come last.
        indices, reads = reads[-len(steps) :], reads[: -len(steps)]
        picked = [f"{n} * {x}" if n != 1 else x for x, (n, _) in zip(indices, steps, strict=True)]
        first = _place(node.through.access)
        where = " + ".join([*([first] if first != "0" else []), *picked])
        place = f"%{node.through.access.buffer}[{where}]"
        reads = [*reads, f"into {place}" if node.is_scatter else place]
    over = ""
    if node.reduced is not None:
        over = f" over {', '.join(_axis(i) for i in node.reduced)}"
    text = f"%{node.value} = {node.instruction.op}({', '.join(reads)}){over}"
    text += f" : {node.instruction.type.dtype}"
    if node.value in nest.stored and not node.is_scatter:
        text = f"{text:60}-> {_access(node.store)}"
    return text


def _read(plan: Plan, nest: Nest, x: Access) -> str:
    literal = plan.literal(x.buffer)
    if literal is not None:
        return str(literal.reshape(())[()])
    other = nest.nodes.get(x.buffer)
    return f"%{x.buffer}" if other is not None and other.store == x else _access(x)


def _access(x: Access) -> str:
    return f"%{x.buffer}[{_place(x)}]"


def _place(x: Access) -> str:
    """``3 + 10i + j``."""
    terms = [f"{'' if s == 1 else s}{_axis(i)}" for i, s in enumerate(x.strides) if s]
    return " + ".join([*([str(x.offset)] if x.offset else []), *terms]) or "0"


def _axis(i: int) -> str:
    return "ijklmnpqrs"[i] if i < 10 else f"i{i}"


def _layout(x: Layout) -> str:
    """Strides of axes of length 1 mean nothing."""
    strides = [0 if n == 1 else step for n, step in zip(x.shape, x.strides, strict=True)]
    return _access(Access(x.buffer, x.offset, tuple(strides)))
