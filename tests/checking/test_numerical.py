"""Numerical derivatives: the estimate of their error holds; the complex step, only if it agrees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from koubai.checking import numerical
from koubai.checking.numerical import Derivative, derivative, with_complex_step

Curve = Callable[[Any], Any]

SMOOTH: dict[str, tuple[Curve, Curve]] = {
    "sin": (np.sin, np.cos),
    "exp": (np.exp, np.exp),
    "cube": (lambda x: x**3, lambda x: 3 * x**2),
    "log": (np.log, lambda x: 1 / x),
    "sqrt": (np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    "reciprocal": (lambda x: 1 / x, lambda x: -1 / x**2),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
}
BELIEVED = 20
"""By how much a verdict multiplies the estimate before it calls a gradient wrong."""


def slope(
    f: Curve, x: float, unit: float = 1.0, side: int = 0, dtype: Any = np.float64
) -> tuple[float, float]:
    """The numerical derivative of f at x, and the estimate of its error."""
    (d,) = derivative([lambda t: np.array([f(x + t)])], np.array([unit]), dtype, side)
    return float(d.value[0]), float(d.error[0])


@pytest.mark.parametrize("side", [0, 1, -1])
@pytest.mark.parametrize("name", SMOOTH)
def test_smooth(name: str, side: int) -> None:
    """Over 35 orders of magnitude: precise to a millionth, and no further off than it says."""
    f, df = SMOOTH[name]
    for scale in 10.0 ** np.array([-20, -15, -10, -5, -1, 0, 1, 5, 10, 15]):
        for x in (0.7, 1.3):
            truth = float(df(x)) / scale
            value, error = slope(lambda x, s=scale: f(x / s), x * scale, x * scale, side)
            assert abs(value - truth) <= 2 * error, (scale, x)
            assert error <= 1e-6 * abs(truth), (scale, x)


@pytest.mark.parametrize("scale", [1e-10, 1e-3, 1.0, 1e3, 1e10])
def test_float32(scale: float) -> None:
    """A computation in float32 is known to three digits at least, and says how well."""
    for x in np.linspace(0.3, 2, 20):
        truth = np.cos(x) / scale
        value, error = slope(
            lambda x: float(np.sin(np.float32(x / scale))), x * scale, x * scale, 0, np.float32
        )
        assert abs(value - truth) <= error <= 1e-3 / scale


@pytest.mark.parametrize("offset", [0.0, 1.0, 1e4, 1e8, 1e12, 1e16])
def test_cancellation(offset: float) -> None:
    """What is lost beside a large constant is in the estimate."""
    value, error = slope(lambda x: np.sin(x) + offset, 1.0)
    assert abs(value - np.cos(1.0)) <= error


@pytest.mark.parametrize("distance", [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.5])
@pytest.mark.parametrize("side", [0, 1, -1])
def test_near_a_kink(distance: float, side: int) -> None:
    """A kink beside the point is stepped over: the slope is that of the point's own side."""
    for sign in (1, -1):
        value, error = slope(lambda x: np.sin(x) + 2 * abs(x - 1 - sign * distance), 1.0, side=side)  # noqa: B023
        truth = np.cos(1.0) - 2 * sign
        assert abs(value - truth) <= 2 * error
        assert error <= 1e-4


def test_at_a_kink() -> None:
    """The slopes to the two sides are those of the two branches."""

    def kinked(x: float) -> float:
        return float(np.where(x < 1, np.sin(x), np.sin(1) + 3 * (x - 1)))

    for side, truth in ((-1, np.cos(1.0)), (1, 3.0)):
        value, error = slope(kinked, 1.0, side=side)
        assert abs(value - truth) <= 2 * error <= 1e-9


def test_at_the_edge_of_a_domain() -> None:
    """Where there is nothing on one side, that side is unknown; the other is not."""
    f = SMOOTH["sqrt"][0]
    value, error = slope(lambda x: f(x - 1) if x >= 1 else np.nan, 1.0, side=-1)
    assert not np.isfinite(error)
    value, error = slope(lambda x: x if x >= 1 else np.nan, 1.0, side=1)
    assert abs(value - 1) <= 2 * error <= 1e-9


@pytest.mark.parametrize("level", [1e-14, 1e-12, 1e-8, 1e-6, 1e-4, 1e-2])
def test_noise(level: float) -> None:
    """Noise of a forward is in the estimate, so that it makes no right gradient wrong."""
    for seed in range(20):
        rng, seen = np.random.default_rng(seed), {}

        def noisy(x: float, rng: Any = rng, seen: dict[float, float] = seen) -> float:
            return seen.setdefault(x, np.sin(x) + level * rng.uniform(-1, 1))

        x = rng.uniform(0.5, 2)
        value, error = slope(noisy, x, x)
        assert abs(value - np.cos(x)) <= BELIEVED * error
        assert error >= level


def test_each_output_along_each_direction() -> None:
    """One direction comes after the other, each with a step of its own size."""
    a, b = 2.0, 3e8
    curves: list[Curve] = [
        lambda t: np.array([(a + t) ** 2, (a + t) * b, 5.0]),
        lambda t: np.array([a * a, a * (b + t), 5.0]),
    ]
    found = [d.value for d in derivative(curves, np.array([a, b]), np.float64)]
    np.testing.assert_allclose(found, [[4, 3e8, 0], [0, 2, 0]], rtol=1e-8, atol=1e-8)


def test_the_derivatives_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """They limit the memory that is taken, and change no result to the bit."""
    x = np.random.default_rng(0).normal(size=7)

    def along(k: int) -> Curve:
        return lambda t: np.tanh(x + t * np.eye(7)[k])

    def found() -> Any:
        curves = [along(k) for k in range(7)]
        return [(d.value, d.error, d.step) for d in derivative(curves, np.abs(x), np.float64)]

    together = found()
    monkeypatch.setattr(numerical, "AT_ONCE", 10)
    np.testing.assert_array_equal(found(), together)


def complex_step(f: Curve, x: float, error: float = 1e-8) -> tuple[float, float]:
    """By the complex step, near a numerical derivative that is off by half of ``error``."""
    value = slope(lambda x: np.real(f(x)), x)[0] + error / 2
    near = Derivative(np.array([value]), np.array([error]))
    d = with_complex_step(lambda t: np.array([f(x + t)]), 1.0, near)
    return float(d.value[0] - value), float(d.error[0])


@pytest.mark.parametrize("name", SMOOTH)
def test_complex_step(name: str) -> None:
    """Of an analytic function it is right to the last digits."""
    f, df = SMOOTH[name]
    near = Derivative(np.array([float(df(1.3)) + 1e-9]), np.array([1e-8]))
    d = with_complex_step(lambda t: np.array([f(1.3 + t)]), 1.3, near)
    assert d.value[0] == pytest.approx(float(df(1.3)), rel=1e-14)
    assert d.error[0] <= 1e-11


def real_only(x: Any) -> Any:
    if isinstance(x, complex):
        raise TypeError("real numbers only")
    return x * x


@pytest.mark.parametrize(
    "f",
    [real_only, np.abs, np.conj, lambda x: np.real(x) ** 2, lambda x: x * np.conj(x), np.angle],
    ids=["raises", "abs", "conj", "real", "square of abs", "angle"],
)
def test_complex_step_that_does_not_agree(f: Curve) -> None:
    """A forward that refuses complex numbers, or is not analytic, leaves everything as it was."""
    assert complex_step(f, 1.3) == (0.0, 1e-8)
