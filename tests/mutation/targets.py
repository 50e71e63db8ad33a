"""What is mutated: every ``backward`` in ``ops``, and what nothing but a ``backward`` calls."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from mutation.mutants import MISTAKES

import koubai
from koubai import ops


@dataclass(eq=False)
class Target:
    """A function of a module, or a method of a class, and the operations that it computes."""

    module: ModuleType
    owner: Any  # the module, or the class
    node: ast.FunctionDef
    users: set[type] = field(default_factory=set)

    def __post_init__(self) -> None:
        if isinstance(self.owner, type):
            self.users = {self.owner}

    @property
    def name(self) -> str:
        return f"{self.owner.__name__.rpartition('.')[2]}.{self.node.name}"

    @property
    def file(self) -> str:
        return Path(str(self.module.__file__)).name

    @contextmanager
    def replaced(self, function: ast.FunctionDef) -> Iterator[None]:
        """While ``function`` stands in its place."""
        # Inside a function with the argument __class__, super() finds its class.
        names = ", ".join(["__class__", *MISTAKES])
        maker = ast.parse(f"def make({names}):\n    return {function.name}")
        maker.body[0].body.insert(0, function)  # type: ignore[attr-defined]
        made: dict[str, Any] = {}
        code = compile(ast.fix_missing_locations(maker), str(self.module.__file__), "exec")
        exec(code, vars(self.module), made)
        with mock.patch.object(self.owner, function.name, made["make"](self.owner, **MISTAKES)):
            yield


def targets() -> list[Target]:
    """In the order of the source."""
    found, mentioned_by = [], _names_outside()
    for info in pkgutil.iter_modules(ops.__path__):
        module = importlib.import_module(f"{ops.__name__}.{info.name}")
        for node in ast.parse(Path(str(module.__file__)).read_text()).body:
            owner = getattr(module, node.name) if isinstance(node, ast.ClassDef) else module
            for part in node.body if isinstance(node, ast.ClassDef) else [node]:
                target = Target(module, owner, part) if isinstance(part, ast.FunctionDef) else None
                for name in _names(part):
                    mentioned_by[name].add(target)
                if target is not None:
                    found.append(target)

    # What something else calls too is no part of a backward; nor, then, is what that calls.
    chosen = {t for t in found if _is_backward(t) or _may_be_part_of_one(t)}
    while others := {
        t for t in chosen if not _is_backward(t) and not mentioned_by[t.node.name] <= chosen
    }:
        chosen -= others
    functions = [t for t in chosen if t.owner is t.module]
    for _ in functions:  # as many rounds as a chain of calls may have links
        for t in functions:
            t.users.update(*[user.users for user in mentioned_by[t.node.name] if user])
    return [t for t in found if t in chosen and t.users]


def _is_backward(target: Target) -> bool:
    return target.node.name in ("backward", "differentiable_backward")


def _may_be_part_of_one(target: Target) -> bool:
    name = target.node.name
    public = {*vars(koubai), *vars(koubai.linalg), "forward"}
    return name not in public and not name.startswith("__")


def _names(node: ast.AST) -> set[str]:
    return {getattr(n, "id", getattr(n, "attr", "")) for n in ast.walk(node)}


def _names_outside() -> defaultdict[str, set[Target | None]]:
    """Names of functions and methods that code outside of ``ops`` may call: by None."""
    found: defaultdict[str, set[Target | None]] = defaultdict(set)
    for path in Path(koubai.__path__[0]).rglob("*.py"):
        if path.parent.name != "ops":
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute):
                    found[node.attr].add(None)
                elif isinstance(node, ast.alias):
                    found[node.name].add(None)
    return found
