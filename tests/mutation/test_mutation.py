"""The tool makes the mutants that it promises, of all that it should, and they are refused."""

from __future__ import annotations

import ast
import inspect

import pytest
from mutation.mutants import mutants
from mutation.refusal import refusal
from mutation.targets import targets

import koubai
from koubai import Function

TARGETS = {target.name: target for target in targets()}

EXAMPLE = """
def backward(self, gy):
    if self.x > 0 and self.needs_grad(0):
        gx = xp.sum(gy * self.x, axis=-1, keepdims=True)
    return (gx - xp.where(self.mask, 3, gx @ xp.matrix_transpose(self.W)), gx / self.n)
"""
SUM = "xp.sum(gy * self.x, axis=-1, keepdims=True)"
GRADIENT = "gx - xp.where(self.mask, 3, gx @ xp.matrix_transpose(self.W))"
REST = f"return ({GRADIENT}, gx / self.n)"


def _changes(source: str) -> list[tuple[str, str]]:
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    return [(mutant.kind, mutant.change) for mutant in mutants(function)]


def _with(before: str, after: str) -> str:
    """The last line of the example with a mistake in it."""
    return REST.replace(before, f"«{before} → {after}»", 1)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("sign", _with(GRADIENT, GRADIENT.replace("-", "+"))),
        ("sign", _with(GRADIENT, "-" + GRADIENT)),
        ("sign", REST.replace("gx / self.n", "«negated»(gx / self.n)")),
        ("factor", REST.replace("gx / self.n", "«doubled»(gx / self.n)")),
        ("factor", REST.replace("gx / self.n", "«halved»(gx / self.n)")),
        ("factor", _with("3", "6")),
        ("off by one", _with("3", "4")),
        ("off by one", _with("3", "2")),
        ("swapped", _with("gx / self.n", "self.n / gx")),
        (
            "swapped",
            _with("gx @ xp.matrix_transpose(self.W)", "xp.matrix_transpose(self.W) @ gx"),
        ),
        (
            "swapped",
            _with(
                "xp.where(self.mask, 3, gx @ xp.matrix_transpose(self.W))",
                "xp.where(self.mask, gx @ xp.matrix_transpose(self.W), 3)",
            ),
        ),
        ("swapped", _with(f"({GRADIENT}, gx / self.n)", f"(gx / self.n, {GRADIENT})")),
        ("dropped term", _with(GRADIENT, "gx")),
        ("dropped term", _with(GRADIENT, "-" + GRADIENT.removeprefix("gx - "))),
        ("dropped factor", "gx = xp.sum(«gy * self.x → gy», axis=-1, keepdims=True)"),
        ("dropped factor", "gx = xp.sum(«gy * self.x → self.x», axis=-1, keepdims=True)"),
        ("dropped factor", _with("gx / self.n", "1 / self.n")),
        ("+ for *", "gx = xp.sum(«gy * self.x → gy + self.x», axis=-1, keepdims=True)"),
        ("* for /", _with("gx / self.n", "gx * self.n")),
        ("missing sum", f"gx = «{SUM} → gy * self.x»"),
        ("missing keyword", f"gx = «{SUM} → xp.sum(gy * self.x, axis=-1)»"),
        ("flag", "gx = xp.sum(gy * self.x, axis=-1, keepdims=«True → False»)"),
        ("sign", "gx = xp.sum(gy * self.x, axis=«-1 → 1», keepdims=True)"),
        ("not transposed", _with("xp.matrix_transpose(self.W)", "self.W")),
        ("transposed", REST.replace("gx / self.n", "«transposed»(gx / self.n)")),
        ("upstream ignored", "gx = xp.sum(«ones_like»(gy) * self.x, axis=-1, keepdims=True)"),
        ("comparison", "if «self.x > 0 → self.x >= 0» and self.needs_grad(0):"),
        ("comparison", "if «self.x > 0 → self.x <= 0» and self.needs_grad(0):"),
        (
            "condition",
            "if «self.x > 0 and self.needs_grad(0) → self.x > 0 or self.needs_grad(0)»:",
        ),
    ],
)
def test_mutants_of_an_example(kind: str, change: str) -> None:
    """Each kind of mistake is made, and named in a line that shows it."""
    assert (kind, change) in _changes(EXAMPLE)


def test_mutants_differ() -> None:
    """No two are the same code, and none is the function itself."""
    (function,) = ast.parse(EXAMPLE).body
    assert isinstance(function, ast.FunctionDef)
    codes = [ast.unparse(node) for node in (function, *(m.function for m in mutants(function)))]
    assert len(set(codes)) == len(codes)


def test_messages_of_errors_are_left_alone() -> None:
    """A mutant computes something else; it does not word an error differently."""
    source = "def backward(self, gy):\n    raise ValueError(f'{gy.ndim + 1} axes')"
    assert _changes(source) == []


def _subclasses(cls: type) -> set[type]:
    return {cls}.union(*map(_subclasses, cls.__subclasses__()))


def test_every_backward_is_mutated() -> None:
    """Of all classes in ops; and helpers that they alone call, such as Einsum.gradient_of."""
    ops = [c for c in _subclasses(Function) if c.__module__.startswith("koubai.ops.")]
    assert {f"{c.__name__}.backward" for c in ops if "backward" in vars(c)} <= set(TARGETS)
    assert {"Einsum.gradient_of", "reduction._times_others"} <= set(TARGETS)
    assert TARGETS["exponential._to_subtract"].users == {
        koubai.ops.exponential.LogAddExp,
        koubai.ops.exponential.LogSumExp,
    }
    assert not {name for name in TARGETS if name.endswith(("forward", "_rolled", "contract"))}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("Tanh.backward", "return gy * «1 - self.y * self.y → 1 + self.y * self.y»"),
        ("Maximum.backward", "half = «ones_like»(gy) / 2"),
        ("Std.backward", "return super().backward(xp.where(zero, «0 → 1», gy / (2 * y)))"),
        ("exponential._to_subtract", "return xp.where(y == -math.inf, «xp.zeros_like(y) → y», y)"),
        (
            "SetItem.gradient_of_value",
            "if «not names_each_element_once(self.index) → names_each_element_once(self.index)»:",
        ),
    ],
)
def test_mutants_are_refused(name: str, change: str) -> None:
    """By a sample, a special value or a further test; the function itself is not."""
    target = TARGETS[name]
    original = inspect.getattr_static(target.owner, target.node.name)
    (function,) = [m.function for m in mutants(target.node) if m.change == change]
    assert refusal(target, target.node) is None
    assert refusal(target, function) is not None
    assert inspect.getattr_static(target.owner, target.node.name) is original
