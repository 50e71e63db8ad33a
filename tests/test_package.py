"""The package as a whole: it can be imported, quickly, and its examples are true."""

import ast
import doctest
import importlib
import io
import pkgutil
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

import koubai

MODULES = [
    "koubai",
    *(
        module.name
        for module in pkgutil.walk_packages(koubai.__path__, prefix="koubai.")
        if not module.name.endswith(".__main__")  # which runs when it is imported
    ),
]


@pytest.mark.native
@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    """Every module can be imported, and every example in a docstring gives what it shows."""
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert not failed


@pytest.mark.parametrize("name", sorted(set(koubai.__all__)))
def test_public_names(name: str) -> None:
    """Every public name exists, and every function and class says what it does."""
    thing = getattr(koubai, name)
    if callable(thing):
        assert thing.__doc__


def test_operations_have_an_example() -> None:
    """Each operation's docstring shows a call and what it gives."""
    for name in koubai.__all__:
        thing = getattr(koubai, name)
        if getattr(thing, "__module__", "").startswith("koubai.ops"):
            constant = thing.__module__ == "koubai.ops.constants"
            assert constant or ">>>" in thing.__doc__, name


def test_the_import_is_light() -> None:
    """import koubai loads NumPy and nothing else heavy."""
    heavy = ("scipy", "matplotlib", "rich", "PIL", "llvmlite", "torch", "safetensors", "pooch")
    code = "import sys, koubai; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(run.stdout.split()) & set(heavy)


def test_the_core_can_be_read_in_one_sitting() -> None:
    """core/ has at most 300 lines of code: no blank lines, comments and docstrings counted."""
    files = Path(koubai.__path__[0], "core").glob("*.py")
    assert sum(_lines_of_code(file.read_text(encoding="utf-8")) for file in files) <= 300


def _lines_of_code(source: str) -> int:
    code: set[int] = set()
    layout = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in (*layout, tokenize.ENDMARKER):
            code.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if documented and ast.get_docstring(node) is not None:
            text = node.body[0]
            code -= set(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return len(code)


def test_lines_of_code() -> None:
    """What the count above counts."""
    source = ['"""Doc', '"""', "", "# a comment", "x = 1  # one", "def f():", "    'Doc.'"]
    source += ['    return """two', '"""']
    assert _lines_of_code("\n".join(source)) == 4
