"""Products: of matrices, of two axes each, as few and as large as possible.

    (5, 2, 3) @ (3, 4)             is one product of (10, 3) and (3, 4)
    sum of (5, 3, 2) @ (5, 2, 4)   over the five: one of (3, 10) and (10, 4), if the first has been
                                   transposed, as in the gradient of a layer's weights
    (3,) @ (3, 4)                  is (1, 3) @ (3, 4)
    (4, 1) @ (1, 6)                has one term: it is elementwise, and joins what is around it
    (4, 6) @ (6, 1)                is a sum of rows: it joins what is around it too

Stacks on both sides stay, and so do transposes, which cost a product nothing. The same numbers are
multiplied and added up, in another order.
"""

from __future__ import annotations

import math

from koubai.compiler.passes.rewrite import Rewriter, rewrite
from koubai.compiler.primitives import BOOL
from koubai.compiler.program import Instruction, Program


def flatten_products(program: Program) -> Program:
    """``program`` by the rule of this file."""
    return rewrite(program, [flattened])


def flattened(new: Rewriter, i: Instruction) -> int | None:
    """The rule."""
    if i.op == "matmul":
        return _matmul(new, i)
    return _sum(new, i) if i.op == "sum" else None


def _matmul(new: Rewriter, i: Instruction) -> int | None:
    x, y = i.inputs
    a, b = new.shape(x), new.shape(y)
    if len(a) == 1 or len(b) == 1:
        rows = new.reshape(i, x, (1, *a) if len(a) == 1 else a)
        columns = new.reshape(i, y, (*b, 1) if len(b) == 1 else b)
        return new.reshape(i, new.emit(i, "matmul", rows, columns), i.type.shape)
    if a[-1] == 1 and i.type.dtype != BOOL:
        product = new.emit(i, "multiply", x, y)
        if i.type.dtype.kind != "f":
            return product
        # A sum begins with 0.0, and so is not -0.0.
        return new.emit(i, "add", product, new.constant(i, 0, i.type.dtype))
    if len(a) > 2 and len(b) == 2 and new.source(x, "permute_dims") is None:
        rows = new.reshape(i, x, (math.prod(a[:-1]), a[-1]))
        return new.reshape(i, new.emit(i, "matmul", rows, y), i.type.shape)
    if len(a) == len(b) == 2 and 1 in (a[0], b[1]) and i.type.dtype.kind == "f":
        return _vector(new, i, x, y)
    return None


def _vector(new: Rewriter, i: Instruction, x: int, y: int) -> int:
    """The product of a matrix and a column, or of a row and a matrix.

    The terms are written in the order in which the matrix lies, before it was transposed.
    """
    matrix, vector, axis = (x, y, 1) if new.shape(y)[1] == 1 else (y, x, 0)
    turned = new.source(matrix, "permute_dims")
    if turned is not None:
        matrix, axis = turned.inputs[0], 1 - axis
    n = new.shape(matrix)[axis]
    along = new.reshape(i, vector, (1, n) if axis == 1 else (n, 1))
    terms = new.emit(i, "multiply", matrix, along)
    return new.reshape(i, new.emit(i, "sum", terms, axis=(axis,)), i.type.shape)


def _sum(new: Rewriter, i: Instruction) -> int | None:
    """Of the products in a stack."""
    product = new.source(i.inputs[0], "matmul")
    if product is None or product.type.dtype != i.type.dtype:
        return None
    x, y = product.inputs
    a, b = new.shape(x), new.shape(y)
    turned = new.source(x, "permute_dims")
    stack = tuple(range(len(a) - 2))
    if turned is None or turned.params["axes"] != (*stack, len(a) - 1, len(a) - 2):
        return None
    if not stack or i.params["axis"] != stack or a[:-2] != b[:-2]:
        return None
    terms = math.prod(b[:-1])
    rows = new.reshape(i, turned.inputs[0], (terms, a[-2]))
    columns = new.reshape(i, y, (terms, b[-1]))
    return new.emit(i, "matmul", new.emit(i, "permute_dims", rows, axes=(1, 0)), columns)
