"""Verdicts on single elements: wrong, a choice at a kink, a tie that doesn't add up, unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from koubai.checking.evidence import gather
from koubai.checking.subjects import Layer
from koubai.checking.verdict import Verdict, judge


class Given:
    """A forward, and a gradient that is given: the upstream gradient times these local slopes."""

    def __init__(self, forward: Callable[..., Any], *slopes: Any) -> None:
        self.f, self.slopes = forward, slopes

    def forward(self, x: Any, t: Any = None) -> Any:
        return self.f(x) if t is None else self.f(x, t)

    def backward(self, dout: Any) -> Any:
        gradients = tuple(dout * slope for slope in self.slopes)
        return gradients if len(gradients) > 1 else gradients[0]


def verdict(layer: Any, *xs: Any) -> Verdict:
    subject = Layer(layer, [np.array(x, dtype=float) for x in xs])
    return judge(
        gather(subject, subject.values, np.random.default_rng(3)), np.random.default_rng(3)
    )


X = np.array([0.5, -1.0, 2.0, 3.0])


def test_right() -> None:
    """A right gradient has nothing to be said of it."""
    assert verdict(Given(np.sin, np.cos(X)), X) == Verdict()


@pytest.mark.parametrize("off", [1e-3, 0.1, 1.0, 1e6, np.nan])
def test_one_wrong_element(off: float) -> None:
    """It is found, and no other; NaN is wrong as well."""
    slopes = np.cos(X)
    slopes[2] += off
    v = verdict(Given(np.sin, slopes), X)
    assert v.wrong == [2]
    assert not v.unknown


def test_the_worst_comes_first() -> None:
    """Wrong elements are sorted by how far they are off."""
    v = verdict(Given(lambda x: x, 1 + np.array([0.1, 0, 1e3, 10])), X)
    assert v.wrong[0] == 2
    assert sorted(v.wrong) == [0, 2, 3]


def test_rounding_is_not_wrong() -> None:
    """The last digits of a right gradient, and of one that is rounded to float32, do not matter."""
    right = np.cos(X)
    for slope in (right * (1 + 1e-10), right.astype(np.float32).astype(float)):
        assert not verdict(Given(np.sin, slope), X).wrong


@pytest.mark.parametrize("choice", [-1.0, -0.3, 0.0, 0.5, 1.0])
def test_choices_at_a_kink(choice: float) -> None:
    """At 0 the slopes of abs are -1 and 1: all between them is a legitimate choice."""
    v = verdict(Given(np.abs, np.array([choice, 1.0, -1.0])), [0.0, 2.0, -3.0])
    assert not v.wrong
    assert not v.unknown
    if choice:  # in the middle it agrees with the central differences
        (kink,) = v.kinks
        assert kink.element == 0
        assert kink.left == pytest.approx(-kink.right)


@pytest.mark.parametrize("choice", [-3.0, -1.01, 1.01, 2.0])
def test_outside_the_slopes_at_a_kink(choice: float) -> None:
    """What lies outside them is wrong."""
    v = verdict(Given(np.abs, np.array([choice, 1.0, -1.0])), [0.0, 2.0, -3.0])
    assert v.wrong == [0]
    assert not v.kinks


@pytest.mark.parametrize("distance", [1e-7, 1e-5, 1e-3])
def test_beside_a_kink(distance: float) -> None:
    """Beside a kink there is one slope, and the other branch's is wrong."""
    x = [distance, 2.0, -3.0]
    assert not verdict(Given(np.abs, np.array([1.0, 1.0, -1.0])), x).wrong
    assert verdict(Given(np.abs, np.array([-1.0, 1.0, -1.0])), x).wrong == [0]


@pytest.mark.parametrize(("first", "second"), [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5), (0.2, 0.8)])
def test_ties_that_add_up(first: float, second: float) -> None:
    """Where two are equal, their maximum grows by 1 when both do: any split of 1 is right."""
    slopes = np.array([1.0, first]), np.array([0.0, second])
    v = verdict(Given(np.maximum, *slopes), [3.0, 2.0], [1.0, 2.0])
    assert not v.wrong
    assert not v.ties


@pytest.mark.parametrize(("first", "second"), [(1.0, 1.0), (0.0, 0.0), (0.3, 0.3)])
def test_ties_that_do_not_add_up(first: float, second: float) -> None:
    """Each alone lies between the slopes, but together they count the maximum twice, or not."""
    slopes = np.array([1.0, first]), np.array([0.0, second])
    v = verdict(Given(np.maximum, *slopes), [3.0, 2.0], [1.0, 2.0])
    assert v.ties == [(1, 3)]


def test_unknown() -> None:
    """Where the forward is only defined on one side, nothing is said of the element."""
    v = verdict(Given(np.sqrt, np.array([7.0, 0.5])), [0.0, 1.0])
    assert not v.wrong
    assert v.unknown == [0]


def test_noise_is_unknown() -> None:
    """A forward that jumps about hides the slope: unknown, not wrong."""
    v = verdict(Given(lambda x: x + 1e-3 * np.sin(1e9 * x), np.ones(4)), X)
    assert not v.wrong
    assert v.unknown == [0, 1, 2, 3]


class Many:
    """A thousand and more outputs of as many inputs; one local slope may be wrong."""

    def __init__(self, off: float, at: int) -> None:
        self.off, self.at = off, at

    def forward(self, x: Any) -> Any:
        self.x = x
        return np.sin(x)

    def backward(self, dout: Any) -> Any:
        slopes = np.cos(self.x)
        slopes[self.at] += self.off
        return dout * slopes


@pytest.mark.parametrize("at", [0, 777, 1999])
def test_a_needle_in_a_haystack(at: int) -> None:
    """In 2000 elements, too many for all slopes, a single wrong one is found."""
    x = np.linspace(0.1, 2, 2000)
    v = verdict(Many(0.5, at), x)
    assert v.sampled
    assert v.wrong == [at]
    assert verdict(Many(0.0, at), x) == Verdict()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_needle_that_is_not_finite(value: float) -> None:
    """Of a large gradient, too, what is not finite is wrong."""
    assert verdict(Many(value, 777), np.linspace(0.1, 2, 2000)).wrong == [777]


def test_a_large_gradient_that_cannot_be_told() -> None:
    """Where a large subject has no slopes it is not called right."""
    x = np.concatenate([np.zeros(50), np.linspace(1, 2, 2000)])
    with np.errstate(divide="ignore"):
        v = verdict(Given(np.sqrt, 0.5 / np.sqrt(x)), x)
    assert v.unknown
    assert set(v.unknown) <= set(range(50))
    assert not v.wrong


def test_a_missing_gradient_hides_no_other() -> None:
    """Beside a gradient that is None, a wrong one of a large value is found."""

    class Left(Given):
        def backward(self, dout: Any) -> Any:
            return None, super().backward(dout)

    x = np.linspace(0.1, 2, 2000)
    v = verdict(Left(np.multiply, 3 * x), x, x)
    assert v.wrong
    assert min(v.wrong) >= 2000
    assert not verdict(Left(np.multiply, x), x, x).wrong


def test_a_tie_with_a_label() -> None:
    """x = t is a kink of abs(x - t); t, of which no gradient is asked, need not add up with x."""
    v = verdict(Given(lambda x, t: np.abs(x - t), np.array([1.0, -1.0])), [1.0, 2.0], [1.0, 3.0])
    assert not v.ties
    assert [kink.element for kink in v.kinks] == [0]
