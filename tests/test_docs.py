"""The examples in README.md and docs/ run, and give what they show."""

import ast
import contextlib
import io
import itertools
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
CONTINUED = "# continued"
"""How the first line of a block begins that needs what the blocks above it have defined."""


class Block(NamedTuple):
    """A block of Python in a document, with its names: the file and the line."""

    file: str
    line: int
    code: str


def blocks_of(path: Path) -> list[Block]:
    """The blocks that are marked as Python."""
    text = path.read_text(encoding="utf-8")
    return [
        Block(path.name, text.count("\n", 0, match.start(1)) + 1, match[1])
        for match in re.finditer(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    ]


def run(code: str, scope: dict[str, Any]) -> None:
    """Run a block statement by statement, and hold what each gives against the comment after it.

    ``print(x)  # 3.0, which is ...`` and ``x.grad  # array(24.)``: a comment on the line of a print
    or of an expression begins with what is printed, or with the value. Lines of comment directly
    below a print are all that it prints.
    """
    lines = code.splitlines()
    for statement in ast.parse(code).body:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            if not isinstance(statement, ast.Expr):
                exec(compile(ast.Module([statement], []), "block", "exec"), scope)
                continue
            value = eval(compile(ast.Expression(statement.value), "block", "eval"), scope)
        given = out.getvalue().rstrip() or repr(value)
        last = statement.end_lineno or statement.lineno
        beside = lines[last - 1].encode()[statement.end_col_offset :].decode().lstrip(" #")
        below = [*itertools.takewhile(lambda line: line.startswith("#"), lines[last:])]
        if beside:
            assert beside.startswith(given), f"{lines[last - 1]!r} gives {given}"
        elif below:
            assert [line[2:] for line in below] == given.splitlines()


DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.native
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_examples(path: Path) -> None:
    """Each block runs by itself, or says in its first line that it continues those above."""
    above: dict[str, Any] = {}
    for block in blocks_of(path):
        scope = {"__name__": "__main__"}
        if block.code.startswith(CONTINUED):
            scope |= above
        try:
            run(block.code, scope)
        except Exception as error:
            error.add_note(f"in the block at {block.file}:{block.line}")
            raise
        above |= scope


def test_the_documents_have_examples() -> None:
    """Blocks are found at all, in every document but the table of operations."""
    assert all(len(blocks_of(path)) >= 3 for path in DOCUMENTS if path.name != "operations.md")


@pytest.mark.parametrize(
    "wrong", ["1 + 1  # 3", "print('a')  # b", "print('a')\n# a\n# b", "import nothing_at_all", "x"]
)
def test_wrong_examples(wrong: str) -> None:
    """A value that is not what the comment says, and code that fails, are found."""
    with pytest.raises((AssertionError, ImportError, NameError)):
        run(wrong, {})


def test_right_examples() -> None:
    """Names last from statement to statement; a comment may go on in prose, or stand below."""
    run("x = 1  # any\nprint(x + 1)  # 2, of course\nx + 2  # 3", {})
    run("# first\nprint('a\\nb')\n# a\n# b\n\n# then\nfor i in (): pass  # never", {})
