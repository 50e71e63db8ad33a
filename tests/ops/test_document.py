"""The table of operations in the docs is that of the rows, complete, and true where it can tell."""

import functools
import inspect
import re
import textwrap
from pathlib import Path

import op_table
import pytest
from op_table import OPERATIONS
from ops import document
from ops.functions import documented, functions_of, own
from ops.row import Operation

from koubai import Function
from koubai.ops import exponential

EACH = pytest.mark.parametrize("operation", [pytest.param(row, id=row.name) for row in OPERATIONS])
PAGE = document.page()


def test_the_page_is_up_to_date() -> None:
    """docs/operations.md is what the rows and the docstrings say now."""
    assert document.FILE.read_text(encoding="utf-8") == PAGE, "run `make docs`"


@EACH
def test_every_operation_is_on_the_page(operation: Operation) -> None:
    """Each row of a table has its six cells: no operation is left out, no pipe breaks a cell."""
    lines = [line for line in PAGE.splitlines() if line.startswith(f"| `{operation.name}` |")]
    assert len(lines) == max(1, len(own(operation)))
    for line in lines:
        cells = re.split(r"(?<!\\)\|", line)[1:-1]
        assert len(cells) == 6
        assert all(cells[i].strip() for i in (1, 2, 4, 5))


@EACH
def test_every_choice_is_tested(operation: Operation) -> None:
    """Where a docstring says what is taken at a point, a special value of the row holds it."""
    raises = {"setitem", "linalg.qr"}  # in test_indexing.py, test_linalg.py
    smooth = {"linalg.pinv"}  # says where it is right
    if any(f.where_it_fails for f in functions_of(operation)) and own(operation):
        assert operation.special or operation.name in raises | smooth


@EACH
def test_pytorch_has_what_the_page_names(operation: Operation) -> None:
    """The name of PyTorch's function is one that PyTorch has."""
    torch = pytest.importorskip("torch")
    first, *names = operation.torch_name.split(".")
    assert first == "torch"
    assert functools.reduce(getattr, names, torch) is not None


def test_the_example_of_adding_an_operation() -> None:
    """The code that docs/add_an_operation.md shows is that of logit."""
    page = document.FILE.with_name("add_an_operation.md").read_text(encoding="utf-8")
    for thing in (exponential.Logit, exponential.logit):
        assert inspect.getsource(thing) in page
    row = re.search(r"```py\n(Operation\(.*?)```", page, re.DOTALL)
    assert row is not None
    table = Path(op_table.__file__).read_text(encoding="utf-8")
    assert textwrap.indent(row[1].strip(), "    ") in table


def test_a_function_without_a_gradient_in_its_docstring() -> None:
    """The page is not written without it; the error names the class."""

    class Cube(Function):
        """Cube: y = x^3."""

    with pytest.raises(ValueError, match=r"docstring of Cube has no paragraph 'Gradient: \.\.\.'"):
        documented(Cube)
