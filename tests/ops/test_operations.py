"""Every operation of the table keeps every promise of ``checks.py``, on each of its samples."""

from typing import Any

import numpy as np
import pytest
from op_table import OPERATIONS
from ops.checks import CHECKS, Check, applies, torch_results
from ops.functions import functions_of, recorded
from ops.row import Operation, Sample, Special, Wrong

from koubai import Variable
from koubai.arrays import describe


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
    """Where the derivative is a choice, or a careless formula fails: as the row says."""
    args = [Variable(a.astype(dtype)) if _is_floating(a) else a for a in special.args]
    with special.warnings():
        y = operation.call(*args, **special.kwargs)
        y.backward(np.full(y.shape, 4.0))  # not 1, so that it cannot be ignored
    tolerance = 1e-6 if dtype == np.float32 else 1e-14
    np.testing.assert_allclose(y.data, special.value, rtol=tolerance)
    gradients = [a.grad for a in args if isinstance(a, Variable)]
    assert len(gradients) == len(special.gradients)
    for gradient, expected in zip(gradients, special.gradients, strict=True):
        np.testing.assert_allclose(gradient, 4 * np.asarray(expected), rtol=tolerance)


def _is_floating(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


@pytest.mark.parametrize(("operation", "special"), _params("special"))
def test_special_values_are_those_of_pytorch(operation: Operation, special: Special) -> None:
    """Value and gradients, for a random upstream gradient; or the Function says why not."""
    if operation.torch is None:
        pytest.skip("PyTorch has no such operation")
    if not special.torch:
        assert any("PyTorch" in f.where_it_fails for f in functions_of(operation))
        return
    places = [i for i, a in enumerate(special.args) if _is_floating(a)]
    args = [Variable(a) if i in places else a for i, a in enumerate(special.args)]
    with special.warnings():
        y = operation.call(*args, **special.kwargs)
        gy = np.asarray(np.random.default_rng(0).uniform(1, 2, y.shape))
        y.backward(gy)
    theirs = torch_results(operation, special.args, places, special.kwargs, gy)
    for a, b in zip([y.data, *(args[i].grad for i in places)], theirs, strict=True):
        np.testing.assert_allclose(a, b, 1e-10, 1e-12)


@pytest.mark.parametrize(("operation", "call"), _params("wrong"))
def test_wrong_calls(operation: Operation, call: Wrong) -> None:
    """The error names the operation, or the Function that it calls, and dtypes and shapes."""
    args = [Variable(a) if _is_floating(a) else a for a in call.args]
    with pytest.raises(call.error) as caught:
        operation.call(*args, **call.kwargs)
    message = str(caught.value)
    for words in call.words:
        assert words in message
    for array in filter(_is_floating, call.args):
        assert describe(array) in message
    name = message.partition("(")[0].replace("_", "").lower()
    functions = {cls.__name__.lower() for cls in recorded(operation.name)}
    assert name in functions | {operation.name.rpartition(".")[2].replace("_", "")}
