"""The table is complete: every public operation has a row, with all that a row must have."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from op_table import OPERATIONS
from ops.row import Drawn, Operation, Sample

import koubai
from koubai.ops import constants

Shape = tuple[int, ...]
NAMES = [operation.name for operation in OPERATIONS]
EACH = pytest.mark.parametrize("operation", [pytest.param(row, id=row.name) for row in OPERATIONS])

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
    "scan",
    "checkpoint",
    "compile",
    "get_threads",
    "set_threads",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "no_grad",
    "value_and_grad",
    "vjp",
    # checking
    "check",
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
    linalg = {name: getattr(koubai.linalg, name) for name in koubai.linalg.__all__}
    own = {f"linalg.{name}" for name, f in linalg.items() if f is not getattr(koubai, name, None)}
    assert sorted(NAMES) == sorted((set(koubai.__all__) - NOT_OPERATIONS) | own)


@EACH
def test_rows_are_full(operation: Operation) -> None:
    """A row has a reference, several samples, and a wrong call of an array."""
    assert operation.reference is not None
    assert operation.torch is not None
    assert operation.torch_name
    assert len(operation.samples) >= 4
    given = [arg for call in operation.wrong for arg in call.args]
    assert any(isinstance(arg, np.ndarray) for arg in given)


def _shapes(sample: Sample) -> list[Shape]:
    """Of the arrays that are differentiated."""
    return [arg.shape for arg in sample.args if isinstance(arg, Drawn) and arg.differentiable]


SAMPLES: dict[str, Callable[[list[Shape]], bool]] = {
    "0-d": lambda shapes: () in shapes,
    "of size 0": lambda shapes: any(0 in shape for shape in shapes),
    "of size 1": lambda shapes: any(shape and math.prod(shape) == 1 for shape in shapes),
    "with an odd length": lambda shapes: any(n > 1 and n % 2 for shape in shapes for n in shape),
    "of several shapes": lambda shapes: len(set(shapes)) > 1,
}
"""What among the samples of an operation must be."""

OF_VECTORS = {"cumulative_prod", "cumulative_sum", "sort", "take_along_axis", "unstack", "concat"}
OF_VECTORS |= {"dot", "matmul", "vecdot", "outer", "linear", "moveaxis", "sliding_window_view"}
OF_MATRICES = {"matrix_transpose", "diagonal", "trace", "embedding", "softmax_cross_entropy"}
OF_MATRICES |= {name for name in NAMES if name.startswith("linalg.")}
OF_MATRICES -= {"linalg.norm", "linalg.vector_norm"}
OF_ONE_ARRAY = {row.name for row in OPERATIONS if max(len(_shapes(s)) for s in row.samples) < 2}
OF_ONE_SHAPE = {"mean_squared_error", "softmax_cross_entropy", "stack"}
IMPOSSIBLE = {
    "0-d": OF_VECTORS | OF_MATRICES | {"std"},  # of one number it is 0, without a derivative
    "of size 0": {"softmax_cross_entropy", "mean_squared_error"},  # means of nothing
    "of size 1": {"std"},
    "with an odd length": set(),
    "of several shapes": OF_ONE_ARRAY | OF_ONE_SHAPE,
}
"""The operations for which there is no such sample."""


@EACH
@pytest.mark.parametrize("what", SAMPLES)
def test_samples_are_of_all_kinds(what: str, operation: Operation) -> None:
    """The samples of each operation have the shapes that mistakes hide in."""
    found = any(SAMPLES[what](_shapes(sample)) for sample in operation.samples)
    assert found != (operation.name in IMPOSSIBLE[what])
