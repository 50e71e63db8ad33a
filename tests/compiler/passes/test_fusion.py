"""Which instructions share a loop nest, and what goes through memory between nests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from compiler.native.networks import deep
from compiler.random_array_programs import random_array_program

import koubai
from koubai import Variable, nn, optim
from koubai.compiler.kernels import Check, Draw, Fallback, Kernel, Nest, Product, Scan
from koubai.compiler.passes import optimize
from koubai.compiler.passes.fusion import CHEAP, MOST_NODES, Plan, fuse
from koubai.compiler.runtime.coverage import is_native

RNG = np.random.default_rng(0)
F4 = np.float32


def plan_of(f: Callable[..., Any], *args: Any) -> Plan:
    """The plan of the last program, where optimizers have their state and gradients are there."""
    compiled = koubai.compile(f)
    for _ in range(3):
        compiled(*args)
    return fuse(optimize(compiled.programs[-1]), is_native)


def real(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(F4)


def names(nest: Nest) -> list[str]:
    return [node.instruction.op for node in nest.nodes.values()]


def stored(nest: Any) -> list[str]:
    return [nest.nodes[value].instruction.op for value in sorted(nest.stored)]


def test_softmax_cross_entropy() -> None:
    """From scores to their gradients in one nest, of which but these and the total loss are kept.

    What only depends on labels comes before, and one division by the length after it.
    """
    X, W, t = real(100, 20), real(20, 10), RNG.integers(0, 10, 100)

    def step(X: Any, W: Any, t: Any) -> Any:
        W = Variable(W)
        loss = koubai.softmax_cross_entropy(X @ W, t)
        loss.backward()
        return loss.data, W.grad

    plan = plan_of(step, X, W, t)
    kinds = [type(kernel) for kernel in plan.kernels]
    first, last = (i for i, kind in enumerate(kinds) if kind is Product)
    assert Check in kinds[:first]
    between = [k for k in plan.kernels[first:last] if isinstance(k, Nest) and k.domain]
    (nest,) = between
    assert (nest.domain, nest.split) == ((100, 10), 1)
    assert {"max", "exp", "log", "sum"} <= set(names(nest))
    assert len(nest.stored) == 2
    assert sum(node.is_total for node in nest.nodes.values()) == 1


def test_adam() -> None:
    """One nest for a parameter: it reads p, m, v and g, and writes p, m and v. One for numbers."""
    p, g = nn.Parameter(real(64, 32)), real(64, 32)
    optimizer = optim.Adam([p])

    def step(g: Any) -> None:
        p.grad = g
        optimizer.step()

    plan = plan_of(step, g)
    numbers, update = plan.kernels
    assert isinstance(numbers, Nest)
    assert isinstance(update, Nest)
    assert (numbers.domain, update.domain) == ((), (64, 32))
    assert len(update.stored) == 3
    assert update.stored <= set(plan.outputs)
    read = {x.buffer for node in update.nodes.values() for x in node.reads} - set(update.nodes)
    assert len([b for b in read if plan.types[b].shape]) == 4


def test_layer_norm() -> None:
    """Forward and backward in one nest, though one reduction of rows waits for another.

    The sum of the gradients alone, for the bias, may have a nest of its own.
    """

    def step(x: Any, gain: Any, bias: Any, gy: Any) -> Any:
        xs = [Variable(x), Variable(gain), Variable(bias)]
        centred = xs[0] - koubai.mean(xs[0], axis=1, keepdims=True)
        variance = koubai.mean(centred * centred, axis=1, keepdims=True)
        y = centred / koubai.sqrt(variance + 1e-5) * xs[1] + xs[2]
        y.backward(gy)
        return y.data, [x.grad for x in xs]

    plan = plan_of(step, real(64, 32), real(32), real(32), real(64, 32))
    first, *others = plan.kernels
    assert isinstance(first, Nest)
    assert (first.domain, first.split) == ((64, 32), 1)
    assert max(node.phase for node in first.nodes.values()) == 4
    assert len(first.stored) <= 5
    assert [stored(nest) for nest in others] in ([], [["sum"]])


def test_activations() -> None:
    """Forward and backward of what is elementwise: one nest, only the results are kept."""
    for f in (koubai.gelu, koubai.silu, koubai.tanh, koubai.softplus):

        def step(x: Any, gy: Any, f: Any = f) -> Any:
            x = Variable(x)
            y = f(x)
            y.backward(gy)
            return y.data, x.grad

        (nest,) = plan_of(step, real(100, 10), real(100, 10)).kernels
        assert isinstance(nest, Nest)
        assert len(nest.stored) == 2


def test_a_layer_is_three_products_and_four_nests() -> None:
    """One more layer of ReLU with Adam: nests for bias and ReLU, the gradients of these, W, b."""
    counts = []
    for hidden in (2, 3):
        training = deep(F4, hidden)
        plan = plan_of(training.step, *training.batch(np.random.default_rng(0)))
        counts.append(Counter(type(kernel) for kernel in plan.kernels))
    assert counts[1] - counts[0] == {Product: 3, Nest: 4}


@pytest.mark.parametrize("seed", range(60))
def test_plans_of_random_programs(seed: int) -> None:
    """Kernels read what was computed before; each value has one home; what is kept, is needed."""
    program, _ = random_array_program(seed, length=40)
    plan = fuse(optimize(program), is_native)
    complete = {*range(len(program.inputs)), *plan.constants}
    later: Counter[int] = Counter(b for kernel in plan.kernels for b in set(_reads(kernel)))
    for kernel in plan.kernels:
        inside = set(kernel.nodes) if isinstance(kernel, Nest) else set()
        outside = set(_reads(kernel)) - inside
        assert outside <= complete, f"seed {seed}"
        if isinstance(kernel, Nest):
            assert kernel.stored <= inside
            for value in kernel.stored:
                node = kernel.nodes[value]
                is_kept_for_a_phase = node.instruction.op not in CHEAP and any(
                    other.phase > node.phase for other in kernel.nodes.values()
                )
                assert (
                    value in plan.outputs or later[value] or node.is_total or is_kept_for_a_phase
                ), f"seed {seed}: %{value}"
            complete |= kernel.stored
        elif not isinstance(kernel, Check):
            complete.add(kernel.value)
    assert set(plan.outputs) <= complete
    assert len(set(plan.outputs)) == len(plan.outputs)


def _reads(kernel: Kernel) -> list[int]:
    """The buffers that a kernel reads; of a nest, those of other kernels and its own."""
    if isinstance(kernel, Nest):
        accesses = [x for node in kernel.nodes.values() for x in node.reads]
        accesses += [node.through.access for node in kernel.nodes.values() if node.through]
        return [x.buffer for x in accesses if x.buffer not in kernel.nodes]
    if isinstance(kernel, Product):
        operands = [kernel.a, kernel.b, *([kernel.addend] if kernel.addend else [])]
        return [x.buffer for x in operands]
    if isinstance(kernel, Check):
        return [kernel.condition.buffer]
    assert isinstance(kernel, Scan | Draw | Fallback)
    return [x.buffer for x in kernel.operands]


def test_a_long_chain_is_cut() -> None:
    """Into nests of no more than may be in one, however many instructions wait for their only use;
    and it can be compiled: the chain of a thousand is not one expression."""

    def chain(x: Any) -> Any:
        for i in range(500):
            x = koubai.sin(x) + i
        return x

    plan = plan_of(chain, real(3))
    sizes = [len(kernel.nodes) for kernel in plan.kernels if isinstance(kernel, Nest)]
    assert sum(sizes) == 1000
    assert max(sizes) <= MOST_NODES
    assert len(sizes) < 12
