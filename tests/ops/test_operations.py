"""Every operation of the table keeps every promise of ``checks.py``, on each of its samples."""

from typing import Any

import numpy as np
import pytest
from op_table import OPERATIONS
from ops.checks import CHECKS, Check, applies
from ops.row import Operation, Sample, Special, Wrong

from koubai import Variable


def _each(of: str) -> list[tuple[Operation, Any, str]]:
    """The operations with each of their samples, special values or wrong calls, and an id."""
    return [
        (operation, one, f"{operation.name}-{i}")
        for operation in OPERATIONS
        for i, one in enumerate(getattr(operation, of))
    ]


def _params(of: str) -> list[Any]:
    return [pytest.param(operation, one, id=id_) for operation, one, id_ in _each(of)]


@pytest.mark.parametrize(
    ("check", "operation", "sample"),
    [
        pytest.param(check, operation, sample, id=f"{check.__name__}-{id_}")
        for check in CHECKS
        for operation, sample, id_ in _each("samples")
        if applies(check, operation, sample)
    ],
)
def test_operation(check: Check, operation: Operation, sample: Sample) -> None:
    """What the check's own docstring says."""
    check(operation, sample)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("operation", "special"), _params("special"))
def test_special_values(operation: Operation, special: Special, dtype: Any) -> None:
    """Where the derivative is a choice, or a careless formula fails: no warning, no NaN."""
    args = [
        Variable(a.astype(dtype)) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a
        for a in special.args
    ]
    y = operation.call(*args, **special.kwargs)
    tolerance = 1e-6 if dtype == np.float32 else 1e-14
    np.testing.assert_allclose(y.data, special.value, rtol=tolerance)
    y.backward(np.full(y.shape, 4.0))  # not 1, so that it cannot be ignored
    gradients = [a.grad for a in args if isinstance(a, Variable)]
    assert len(gradients) == len(special.gradients)
    for gradient, expected in zip(gradients, special.gradients, strict=True):
        np.testing.assert_allclose(gradient, 4 * np.asarray(expected), rtol=tolerance)


@pytest.mark.parametrize(("operation", "call"), _params("wrong"))
def test_wrong_calls(operation: Operation, call: Wrong) -> None:
    """The error names the operation, the argument and the shapes."""
    args = [
        Variable(a) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in call.args
    ]
    with pytest.raises(call.error) as caught:
        operation.call(*args, **call.kwargs)
    for words in call.words:
        assert words in str(caught.value)
