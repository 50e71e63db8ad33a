"""The table is complete: every public operation has a row, with all that a row must have."""

import numpy as np
from op_table import OPERATIONS
from ops.row import Drawn

import koubai
from koubai.ops import constants

NOT_OPERATIONS = {
    "Function",
    "Variable",
    # numbers and dtypes
    "bool",
    "e",
    "float32",
    "float64",
    "inf",
    "int32",
    "int64",
    "nan",
    "newaxis",
    "pi",
    "uint8",
    "linalg",
    # transforms
    "checkpoint",
    "compile",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "no_grad",
    "value_and_grad",
    "vjp",
    # checking
    "explain_grad",
    "watch",
    # random: tests/test_random.py
    "dropout",
    "random",
    # functions without a derivative
    *(name for name in vars(constants) if getattr(koubai, name, None) is vars(constants)[name]),
}


def test_every_public_operation_has_a_row() -> None:
    """What koubai exports is in the table, or known to be no operation; each once."""
    names = [operation.name for operation in OPERATIONS]
    linalg = {name: getattr(koubai.linalg, name) for name in koubai.linalg.__all__}
    own = {f"linalg.{name}" for name, f in linalg.items() if f is not getattr(koubai, name, None)}
    assert sorted(names) == sorted((set(koubai.__all__) - NOT_OPERATIONS) | own)


def test_rows_are_full() -> None:
    """A row has a reference, a wrong call, and several samples, one of several elements."""
    for operation in OPERATIONS:
        assert operation.reference is not None, operation.name
        assert operation.wrong, operation.name
        arguments = [arg for sample in operation.samples for arg in sample.args]
        sizes = {np.prod(arg.shape) for arg in arguments if isinstance(arg, Drawn)}
        assert max(sizes) > 1, operation.name
        assert len(operation.samples) >= 4, operation.name
