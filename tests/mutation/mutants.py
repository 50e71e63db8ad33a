"""All mutants of a function that computes gradients: each has one mistake in it."""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from koubai.arrays import namespace


@dataclass(frozen=True)
class Mutant:
    """``change`` is the statement, with the mistake as «before → after»."""

    kind: str
    change: str
    line: int
    function: ast.FunctionDef


Change = tuple[ast.AST, str, ast.expr]
"""The node that is replaced, the kind of mistake, and what stands there instead."""


def mutants(function: ast.FunctionDef) -> list[Mutant]:
    """Mutants of ``function``, no two with the same code, and none with its own."""
    seen = {ast.unparse(function)}
    found = []
    for node, parent, statement in _nodes(function, function):
        for place, kind, new in _changes(node, parent, function):
            # The memo makes the copy take ``new`` for the node.
            mutated = copy.deepcopy(function, {id(place): new})
            code = ast.unparse(mutated)
            if code not in seen:
                seen.add(code)
                marked = ast.unparse(copy.deepcopy(statement, {id(place): _mark(place, new)}))
                line = getattr(place, "lineno", statement.lineno)
                found.append(Mutant(kind, marked.splitlines()[0], line, mutated))
    return found


def _mark(place: ast.AST, new: ast.expr) -> ast.expr:
    """Shown for a mistake: «before → after», or «mistake»(before)."""
    match new:
        case ast.Call(func=ast.Name(id=mistake), args=[before]) if before is place:
            return ast.Call(ast.Name(f"«{mistake}»"), new.args, [])
    return ast.Name(f"«{ast.unparse(place)} → {ast.unparse(new)}»")


def _nodes(node: ast.AST, statement: Any) -> Iterator[tuple[ast.AST, ast.AST, Any]]:
    """Each node of a body that computes something, its parent, and the statement it is in."""
    children = node.body if isinstance(node, ast.FunctionDef) else ast.iter_child_nodes(node)
    for child in children:
        if not _computes_nothing(child):
            inside = child if isinstance(child, ast.stmt) else statement
            yield child, node, inside
            yield from _nodes(child, inside)


def _computes_nothing(node: ast.AST) -> bool:
    """Errors and their messages, the choice of a library, and zip's strict=True."""
    is_namespace = isinstance(node, ast.Call) and ast.unparse(node.func) == "namespace"
    is_strict = isinstance(node, ast.keyword) and node.arg == "strict"
    errors = (ast.Raise, ast.JoinedStr, ast.arguments)
    return is_namespace or is_strict or isinstance(node, errors)


def _changes(node: ast.AST, parent: ast.AST, function: ast.FunctionDef) -> Iterator[Change]:
    match node:
        case ast.BinOp():
            yield from ((node, kind, new) for kind, new in _of_operation(node))
        case ast.UnaryOp(op=ast.USub()):
            yield node, "sign", node.operand
        case ast.UnaryOp(op=ast.Not()):
            yield node, "condition", node.operand
        case ast.Constant(value=bool(value)):
            yield node, "flag", ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield node, "off by one", ast.Constant(value + 1)
            yield node, "off by one", _number(value - 1)
            yield node, "factor", ast.Constant(value * 2)
            if value % 2 == 0:
                yield node, "factor", ast.Constant(value // 2)
        case ast.Constant(value=float(value)):
            yield node, "factor", ast.Constant(value * 2)
            yield node, "factor", ast.Constant(value / 2)
        case ast.Compare(ops=[op]):
            for other in _OTHERS.get(type(op), ()):
                yield node, "comparison", ast.Compare(node.left, [other()], node.comparators)
        case ast.BoolOp():
            either = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield node, "condition", ast.BoolOp(either, node.values)
        case ast.If(test=test) | ast.IfExp(test=test) if not isinstance(test, ast.Compare):
            yield test, "condition", ast.UnaryOp(ast.Not(), test)
        case ast.Attribute(attr="T" | "mT"):
            yield node, "not transposed", node.value
        case ast.Call():
            yield from ((node, kind, new) for kind, new in _of_call(node))
        case ast.Return(value=ast.expr() as value):
            yield from _of_result(value)
        case ast.Name(ctx=ast.Load()) if _is_upstream(node, parent, function):
            yield node, "upstream ignored", _call("ones_like", node)


_OTHERS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}


def _number(value: int) -> ast.expr:
    """As a person would write it: a negative number is a minus and a number."""
    return ast.Constant(value) if value >= 0 else _minus(ast.Constant(-value))


def _minus(x: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.USub(), x)


def _call(name: str, *args: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(name, ast.Load()), list(args), [])


def _of_operation(node: ast.BinOp) -> Iterator[tuple[str, ast.expr]]:
    left, right = node.left, node.right

    def instead(op: ast.operator) -> ast.expr:
        return ast.BinOp(left, op, right)

    match node.op:
        case ast.Add() | ast.Sub():
            minus = isinstance(node.op, ast.Sub)
            yield "sign", instead(ast.Add() if minus else ast.Sub())
            yield "sign", ast.BinOp(_minus(left), node.op, right)
            yield "dropped term", left
            yield "dropped term", _minus(right) if minus else right
            if not minus:
                yield "* for +", instead(ast.Mult())
        case ast.Mult():
            yield "+ for *", instead(ast.Add())
            yield "dropped factor", left
            yield "dropped factor", right
        case ast.Div():
            yield "* for /", instead(ast.Mult())
            yield "dropped factor", left
            yield "dropped factor", ast.BinOp(ast.Constant(1), node.op, right)
        case ast.MatMult():
            yield "dropped factor", left
            yield "dropped factor", right
        case ast.Pow() | ast.FloorDiv() | ast.Mod():
            yield "dropped operation", left
    if not isinstance(node.op, (ast.Add, ast.Mult)):
        yield "swapped", ast.BinOp(right, node.op, left)


_SWAPPED = {"where": (1, 2), "solve": (0, 1)}
_KINDS = {
    "sum": "missing sum",
    "sum_to": "missing sum",
    "matrix_transpose": "not transposed",
    "permute_dims": "not transposed",
}


def _of_call(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    is_plain = isinstance(node.func, ast.Name) and hasattr(builtins, name)
    is_plain = is_plain or name in ("shape_of", "needs_grad")
    if not is_plain and node.args and not isinstance(node.args[0], ast.Starred):
        yield _KINDS.get(name, "missing call"), node.args[0]
    for keyword in filter(lambda k: not _computes_nothing(k), node.keywords):
        others = [k for k in node.keywords if k is not keyword]
        yield "missing keyword", ast.Call(node.func, node.args, others)
    if name in _SWAPPED:
        args, (i, j) = list(node.args), _SWAPPED[name]
        args[i], args[j] = args[j], args[i]
        yield "swapped", ast.Call(node.func, args, node.keywords)


def _of_result(value: ast.expr) -> Iterator[Change]:
    gradients = value.elts if isinstance(value, ast.Tuple) else [value]
    for gradient in gradients:
        if not isinstance(gradient, ast.Constant):  # None
            yield gradient, "sign", _call("negated", gradient)
            yield gradient, "factor", _call("doubled", gradient)
            yield gradient, "factor", _call("halved", gradient)
            yield gradient, "transposed", _call("transposed", gradient)
    for i in range(len(gradients) - 1):
        swapped = [*gradients[:i], gradients[i + 1], gradients[i], *gradients[i + 2 :]]
        yield value, "swapped", ast.Tuple(swapped, ast.Load())


def _is_upstream(node: ast.Name, parent: ast.AST, function: ast.FunctionDef) -> bool:
    """Whether it is the value of a gradient that was passed in: by custom named g..."""
    args = [*function.args.args, *filter(None, [function.args.vararg])]
    is_argument = node.id in [arg.arg for arg in args] and node.id.startswith("g")
    return is_argument and not isinstance(parent, ast.Attribute)  # gy.shape


# What a mutant does to a gradient, or to several; one that is None stays None.


def _each(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def changed(g: Any) -> Any:
        if isinstance(g, (tuple, list)):
            return tuple(map(changed, g))
        return None if g is None else change(g)

    return changed


def _transposed(g: Any) -> Any:
    """Where that leaves the shape as it is."""
    is_square = len(g.shape) > 1 and g.shape[-1] == g.shape[-2]
    return namespace(g).matrix_transpose(g) if is_square else g


MISTAKES = {
    "negated": _each(lambda g: -g),
    "doubled": _each(lambda g: 2 * g),
    "halved": _each(lambda g: g / 2),
    "ones_like": _each(lambda g: g * 0 + 1),
    "transposed": _each(_transposed),
}
