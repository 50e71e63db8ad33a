"""The pytest plug-in: ``check_gradients``, a fixture that fails a test with the report of a check.

It is a module beside the package, for pytest imports it in every run: it must cost nothing there,
and must not import koubai before its coverage is measured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from koubai.checking import Report


@pytest.fixture
def check_gradients() -> Callable[..., Report]:
    """``koubai.check`` that fails the test if a gradient is wrong: with the report, no traceback.

    def test_affine(check_gradients):
        check_gradients(Affine(W, b), x)
    """

    def check(target: Any, /, *inputs: Any, seed: int = 0) -> Report:
        import koubai  # when first used

        report = koubai.check(target, *inputs, seed=seed)
        if not report.ok:
            pytest.fail(str(report), pytrace=False)
        return report

    return check
