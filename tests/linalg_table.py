"""The rows of products and of linear algebra, see ``op_table.py``."""

from __future__ import annotations

from typing import Any

import numpy as np
from ops.row import (
    Operation,
    array,
    integers,
    mixed,
    ones,
    real,
    regular,
    sample,
    singular,
    special,
    wrong,
)

import koubai
from koubai.arrays import namespace

inf = np.inf


def _torch_tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    import torch

    pair = axes if isinstance(axes, int) else [[a] if isinstance(a, int) else a for a in axes]
    return torch.tensordot(x1, x2, pair)


def _torch_diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return x.diagonal(offset, axis1, axis2)


def _torch_trace(*args: Any, **kwargs: Any) -> Any:
    return _torch_diagonal(*args, **kwargs).sum(-1)


DIAGONALS = [
    sample(real(3, 3)),
    sample(real(1, 1)),
    sample(real(2, 3)),
    sample(real(4, 2)),
    sample(real(2, 4), offset=1),
    sample(real(2, 4), offset=3),
    sample(real(4, 3), offset=-2),
    sample(real(4, 3), 1),
    sample(real(2, 3, 4)),
    sample(real(2, 3, 4), axis1=-1, axis2=1),
    sample(real(2, 3, 4, 3), 1, 3, 0),
    sample(real(0, 3)),
    sample(real(3, 3), offset=-3, torch=False),
    sample(real(2, 3), offset=7, torch=False),
]
STACKED_DIAGONALS = [
    sample(real(2, 3)),
    sample(real(1, 1)),
    sample(real(0, 2, 3)),
    sample(real(3, 3), offset=1),
    sample(real(4, 3, 3), offset=-1),
    sample(real(2, 1, 2, 3)),
]


def _wrong_diagonals(function: str) -> tuple[Any, ...]:
    return (
        wrong(ones(3), says=(f"{function}(x: float64[3])", "two axes")),
        wrong(ones(2, 3), axis1=2, says=(f"{function}(x: float64[2, 3])", "axis1=2 and axis2=1")),
        wrong(ones(2, 3), axis1=-1, axis2=1, says=(f"{function}(x: float64[2, 3])", "axis1=-1")),
    )


PRODUCTS = [
    Operation(
        "diagonal",
        DIAGONALS,
        torch=_torch_diagonal,
        torch_name="torch.diagonal",
        wrong=_wrong_diagonals("diagonal"),
    ),
    Operation(
        "trace",
        DIAGONALS,
        torch=_torch_trace,
        torch_name="torch.trace",
        wrong=_wrong_diagonals("trace"),
    ),
    Operation(
        "einsum",
        [
            sample("ij,jk->ik", real(2, 3), real(3, 4)),
            sample("i,i", real(1), real(1)),
            sample("ij,jk", real(2, 3), real(3, 4)),
            sample("ij,kj->k", real(2, 3), real(4, 3)),
            sample("i,i", real(3), real(3)),
            sample("i,j->ij", real(3), real(2)),
            sample("i,j->ji", real(3), real(2)),
            sample("i,j->", real(3), real(2)),
            sample("ij,ij->ij", real(2, 3), real(2, 3)),
            sample("ij,ij->i", real(2, 3), real(2, 3)),
            sample("ij,j->ij", real(2, 3), real(3)),
            sample("bij,bjk->bik", real(2, 3, 4), real(2, 4, 5)),
            sample("bij,bj->ib", real(2, 3, 4), real(2, 4)),
            sample("abij,ikb->kaj", real(2, 3, 4, 5), real(4, 2, 3)),
            sample("ij->ji", real(2, 3)),
            sample("ba", real(2, 3)),
            sample("ij->i", real(3, 3)),
            sample("ij->", real(2, 3)),
            sample("ij->ij", real(2, 3)),
            sample("->", real()),
            sample(",i->i", real(), real(3)),
            sample("ii->i", real(3, 3)),
            sample("ii", real(3, 3)),
            sample("iji->j", real(3, 2, 3)),
            sample("iii->i", real(3, 3, 3)),
            sample("iij,jk->ki", real(2, 2, 3), real(3, 4)),
            sample("ij,jk,kl->il", real(2, 3), real(3, 4), real(4, 5)),
            sample("ij,ik,il->jkl", real(2, 3), real(2, 4), real(2, 2)),
            sample("i,j,k->", real(2), real(3), real(4)),
            sample("...ij,...jk->...ik", real(2, 5, 3, 4), real(5, 4, 2)),
            sample("...i,...i", real(2, 3), real(3)),
            sample("i...->...", real(2, 3, 4)),
            sample("...,i->i...", real(2, 1), real(3)),
            sample("i...,j...->ij...", real(2, 1, 3), real(3, 4, 1)),
            sample("ij,jk->ik", real(2, 0), real(0, 3)),
            sample("ij,jk->ik", real(0, 2), real(2, 3)),
            sample("ij,ij->ij", real(1, 3), real(2, 1)),
            sample("ij , jk -> ik", real(2, 3), ones(3, 2)),
            sample("ij,jk->ik", array([1, 2], [3, 4]), real(2, 3)),
        ],
        torch="einsum",
        wrong=(
            wrong(
                "ij,jk->ik",
                ones(2, 3),
                ones(2, 3),
                says=("einsum('ij,jk->ik', float64[2, 3], float64[2, 3])", "'j'", "3", "2"),
            ),
            wrong("ij,jk->ik", ones(2, 3), says=("einsum('ij,jk->ik', float64[2, 3])", "2 operan")),
            wrong("ij->i", ones(2), says=("einsum('ij->i', float64[2])", "'ij' is for 2 axes")),
            wrong("i->i", ones(2, 2), says=("einsum('i->i', float64[2, 2])", "1 axes")),
            wrong("i->k", ones(2), says=("einsum('i->k', float64[2])", "'k'")),
            wrong("i->ii", ones(2), says=("einsum('i->ii', float64[2])", "'ii'")),
            wrong("i1->i", ones(2, 2), says=("einsum('i1->i'", "must be letters")),
            wrong("...i->i", ones(2, 2), says=("einsum('...i->i'", "'...' too")),
            wrong("i......", ones(2, 2), says=("einsum('i......'",)),
            wrong("...,...", ones(2), ones(3), says=("einsum('...,...'", "'...'", "2", "3")),
            wrong(5, ones(2), says=("einsum(5, float64[2])", '"ij,jk->ik"')),
        ),
    ),
    Operation(
        "tensordot",
        [
            sample(real(2, 3), real(2, 3)),
            sample(real(), real(), axes=0),
            sample(real(1), real(1), axes=1),
            sample(real(2, 3), real(3, 4), axes=1),
            sample(real(3, 3), real(3, 3), axes=1),
            sample(real(2, 3, 4), real(3, 4, 5)),
            sample(real(2), real(3), axes=0),
            sample(real(2, 3, 4), real(4, 5, 2), axes=((0, 2), (2, 0))),
            sample(real(2, 3, 4), real(4, 5, 2), axes=((-1,), (0,))),
            sample(real(2, 3), real(2, 4), axes=(0, 0), strict=False),
            sample(real(0, 3), real(3, 2), axes=1),
            sample(real(2, 0), real(0, 2), axes=1),
            sample(real(2, 3), ones(3, 2), axes=1),
        ],
        torch=_torch_tensordot,
        torch_name="torch.tensordot",
        wrong=(
            wrong(
                ones(2, 3),
                ones(2, 3),
                axes=1,
                says=("tensordot(x1: float64[2, 3], x2: float64[2, 3], axes=1)", "same lengths"),
            ),
            wrong(ones(2), ones(2, 2), axes=2, says=("tensordot(x1: float64[2]", "axes=2")),
            wrong(ones(2), ones(2), axes=((1,), (0,)), says=("tensordot(x1: float64[2]",)),
            wrong(ones(2, 2), ones(2, 2), axes=((0, 0), (0, 1)), says=("tensordot(x1: float64[2",)),
            wrong(ones(2, 2), ones(2, 2), axes=((0, 1), (0,)), says=("tensordot(x1: float64[2",)),
        ),
    ),
    Operation(
        "vecdot",
        [
            sample(real(3), real(3)),
            sample(real(2, 3), real(2, 3)),
            sample(real(2, 3), real(3)),
            sample(real(4, 1, 3), real(2, 3)),
            sample(real(3, 2), real(3, 2), axis=-2),
            sample(real(3, 2), real(4, 3, 2), axis=-2),
            sample(real(3, 2), real(3, 1), axis=0, strict=False, torch=False),
            sample(real(2, 0), real(2, 0)),
            sample(real(1), real(1)),
            sample(real(2, 3), ones(3)),
        ],
        torch=lambda x1, x2, axis=-1: (x1 * x2).sum(axis),
        torch_name="torch.linalg.vecdot",
        wrong=(
            wrong(ones(3), ones(2), says=("vecdot(x1: float64[3], x2: float64[2])", "axis -1")),
            wrong(ones(3), ones(1), says=("vecdot(x1: float64[3], x2: float64[1])", "same length")),
            wrong(ones(3), ones(), says=("vecdot(x1: float64[3], x2: float64[])",)),
            wrong(ones(2, 3), ones(3, 3), says=("vecdot(x1: float64[2, 3], x2: float64[3, 3])",)),
        ),
    ),
    Operation(
        "outer",
        [
            sample(real(3), real(2)),
            sample(real(3), real(3)),
            sample(real(1), real(1)),
            sample(real(0), real(2)),
            sample(real(3), array(1, 2)),
            sample(integers(1, 5, 3), real(2), strict=False),
        ],
        torch="outer",
        wrong=(
            wrong(ones(2, 2), ones(2), says=("outer(x1: float64[2, 2], x2: float64[2])", "vector")),
            wrong(ones(2), 1.0, says=("outer(x1: float64[2], x2: 1.0)", "vectors")),
        ),
    ),
]


# koubai.linalg.


def _torch(name: str) -> Any:
    def function(*args: Any, **kwargs: Any) -> Any:
        import torch

        names = {"axis": "dim", "keepdims": "keepdim"}
        kwargs = {names.get(key, key): value for key, value in kwargs.items()}
        return getattr(torch.linalg, name)(*args, **kwargs)

    return function


def _wrong_matrices(function: str) -> tuple[Any, ...]:
    return (
        wrong(ones(2, 3), says=(f"{function}(x: float64[2, 3]",)),
        wrong(ones(3), says=(f"{function}(x: float64[3]",)),
    )


def _plus_transpose(x: Any) -> Any:
    """A symmetric matrix."""
    return x + _transposed(x) if _is_square(x) else x


def _definite(x: Any) -> Any:
    """A positive definite one."""
    return x @ _transposed(x) if _is_square(x) else x


def _is_square(x: Any) -> bool:
    return x.ndim > 1 and x.shape[-1] == x.shape[-2]


def _transposed(x: Any) -> Any:
    return x.mT if hasattr(x, "mT") else namespace(x).matrix_transpose(x)


def _calls(name: str, prepare: Any = lambda x: x) -> dict[str, Any]:
    """``linalg.<name>`` of prepared matrices, in each library.

    Of several results ``part`` says which: a number; "0" for the squares of result 0, for the signs
    of vectors are arbitrary; several numbers for a product that depends on all of them.
    """

    def of(xp: Any) -> Any:
        def call(x: Any, part: Any = None, **kwargs: Any) -> Any:
            y = getattr(xp().linalg, name)(prepare(x), **kwargs)
            if part is None:
                return y
            if isinstance(part, int):
                return y[part]
            if isinstance(part, str):
                return y[int(part)] * y[int(part)]
            z = y[part[0]]
            for i in part[1:]:
                z = z * y[i][..., None, :] if y[i].ndim < z.ndim else z @ y[i]
            return z

        return call

    def torch() -> Any:
        import torch

        return torch

    numpys = of(lambda: np)
    return {"call": of(lambda: koubai), "reference": numpys, "protocol": numpys, "torch": of(torch)}


SQUARES = [(3, 3), (1, 1), (3, 1, 2, 2), (0, 2, 2)]
RECTANGLES = [(3, 3), (1, 1), (0, 3, 2), (4, 2), (3, 4), (3, 3, 2), (2, 2, 3)]
NORMS: list[Any] = [
    sample(real(3), **kwargs)
    for kwargs in [{}, *({"ord": p} for p in (1, 2, 3, 4, inf, -inf, 1.5, 0.5, -1.5))]
]
AXES: list[Any] = [
    sample(real(2, 3), axis=0),
    sample(real(2, 3), axis=-1, keepdims=True),
    sample(real(3, 3), axis=0, ord=inf),
    sample(real(3, 3), axis=0, ord=1, keepdims=True),
    sample(real(2, 3), axis=0, ord=-inf),
    sample(real(3, 3), axis=1, ord=3),
    sample(real(3, 3)),
    sample(real(2, 3, 4)),
    sample(real(0, 3), axis=0),
]
NORMS_AT_0 = [
    special(array(0, 0), value=0, gradients=([0, 0],)),
    special(array(0, -2), ord=1, value=2, gradients=([0, -1],)),
    special(array(0, 0), ord=inf, value=0, gradients=([0, 0],)),
    special(array(-2, 2, 1), ord=inf, value=2, gradients=([-0.5, 0.5, 0],)),
    special(array(-2, 2, 3), ord=-inf, value=2, gradients=([-0.5, 0.5, 0],)),
    special(array(0, 0), ord=3, value=0, gradients=([0, 0],)),
    special(array(0, 0), ord=1.5, value=0, gradients=([0, 0],)),
    special(array(0, -2), ord=1.5, value=2, gradients=([0, -1],)),
    special(array(0, 4), ord=0.5, value=4, gradients=([0, 1],)),
    special(array(0, 2, -2), ord=-1, value=0, gradients=([0, 0, 0],), divides=True),
    special(array(0, 4), ord=0, value=1, gradients=([0, 0],), torch=False),
]

LINALG = [
    Operation(
        "linalg.vector_norm",
        [
            *NORMS,
            sample(real()),
            sample(real(1)),
            *AXES,
            sample(real(2, 3, 4), axis=(0, 2)),
            sample(real(2, 3, 4), axis=(0, 2), ord=1),
            sample(real(2, 3, 4), axis=(0, 2), ord=inf, keepdims=True),
        ],
        torch=_torch("vector_norm"),
        torch_name="torch.linalg.vector_norm",
        special=tuple(NORMS_AT_0),
        wrong=(
            wrong(ones(2), axis=1, says=("VectorNorm(x: float64[2])", "axis 1")),
            wrong(ones(0), ord=-inf, says=("VectorNorm(x: float64[0])", "zero-size")),
            wrong(ones(2), ord="fro", says=("vector_norm(x: float64[2], ord='fro')",)),
        ),
    ),
    Operation(
        "linalg.matrix_norm",
        [
            sample(real(2, 3)),
            sample(real(1, 1)),
            sample(real(2, 3), keepdims=True),
            sample(real(4, 2, 3)),
            *(sample(real(4, 2, 3), ord=p) for p in (1, -1, inf, -inf, 2, -2, "nuc")),
            sample(real(2, 3), ord=1, keepdims=True),
            sample(real(0, 3)),
        ],
        torch=_torch("matrix_norm"),
        torch_name="torch.linalg.matrix_norm",
        special=(
            special(np.eye(2), ord=2, value=1, gradients=(np.eye(2) / 2,)),
            special(array([0, 0], [0, 0]), value=0, gradients=([[0, 0], [0, 0]],)),
            special(array([1, -1], [0, 0]), ord=1, value=1, gradients=([[0.5, -0.5], [0, 0]],)),
        ),
        wrong=(
            wrong(ones(3), says=("matrix_norm(x: float64[3])", "two axes")),
            wrong(ones(2, 3), ord=3, says=("matrix_norm(x: float64[2, 3], ord=3)",)),
        ),
    ),
    Operation(
        "linalg.norm",
        [
            *NORMS,
            sample(real(1)),
            *AXES,
            sample(real(2, 3), "fro"),
            sample(real(2, 3), 1),
            sample(real(2, 3), inf),
            sample(real(2, 3, 4), ord=1, axis=(2, 0)),
            sample(real(2, 3, 4), axis=(2, 0), keepdims=True),
            sample(real(2, 3, 4), ord="nuc", axis=(2, 0), keepdims=True),
            sample(real(), torch=False),
        ],
        torch=_torch("norm"),
        torch_name="torch.linalg.norm",
        special=tuple(NORMS_AT_0),
        wrong=(
            wrong(ones(2, 3, 4), 2, says=("norm(x: float64[2, 3, 4], ord=2, axis=None)", "one")),
            wrong(ones(2), "fro", says=("norm(x: float64[2], ord='fro')", "number")),
            wrong(ones(2), axis=2, says=("VectorNorm(x: float64[2])", "axis 2")),
        ),
    ),
    Operation(
        "linalg.inv",
        [
            sample(regular(3, 3)),
            sample(regular(1, 1)),
            sample(regular(2, 2)),
            sample(regular(4, 3, 3)),
            sample(regular(2, 1, 2, 2)),
            sample(regular(0, 2, 2)),
        ],
        torch=_torch("inv"),
        torch_name="torch.linalg.inv",
        wrong=(
            *_wrong_matrices("Inv"),
            wrong(ones(2, 2), says=("Inv(x: float64[2, 2])", "Singular")),
        ),
    ),
    Operation(
        "linalg.solve",
        [
            sample(regular(3, 3), real(3, 2)),
            sample(regular(0, 2, 2), real(0, 2, 3)),
            sample(regular(3, 3), real(3, 3)),
            sample(regular(3, 3), real(3)),
            sample(regular(1, 1), real(1, 1)),
            sample(regular(4, 3, 3), real(4, 3, 2)),
            sample(regular(4, 3, 3), real(3, 2), torch=False),
            sample(regular(3, 3), real(4, 3, 2), torch=False),
            sample(regular(4, 3, 3), real(3), torch=False),
            sample(regular(2, 2), ones(2, 1)),
            sample(array([2, 1], [1, 3]), real(2)),
        ],
        torch=_torch("solve"),
        torch_name="torch.linalg.solve",
        wrong=(
            wrong(ones(2, 3), ones(2), says=("Solve(x1: float64[2, 3], x2: float64[2])",)),
            wrong(ones(2, 2), ones(3), says=("Solve(x1: float64[2, 2], x2: float64[3])",)),
            wrong(ones(2, 2), ones(2), says=("Solve(x1: float64[2, 2]", "Singular")),
        ),
    ),
    Operation(
        "linalg.det",
        [
            sample(regular(3, 3)),
            sample(regular(1, 1)),
            sample(regular(4, 2, 2)),
            sample(regular(2, 1, 3, 3)),
            sample(regular(0, 2, 2)),
            sample(singular(3, 3), torch=False),  # where PyTorch's gradient is 0, as det is
            sample(singular(2, 2), torch=False),
            sample(mixed(4, 3, 3)),
            sample(mixed(5, 4, 4)),
            sample(real(5, 5)),
        ],
        torch=_torch("det"),
        torch_name="torch.linalg.det",
        special=(
            special(array([0]), value=0, gradients=([[1]],)),
            special(np.zeros((2, 2)), value=0, gradients=(np.zeros((2, 2)),)),
            special(np.diag([0.0, 2, 3]), value=0, gradients=(np.diag([6.0, 0, 0]),), torch=False),
            special(
                np.diag([0.0, -2, 3]), value=0, gradients=(np.diag([-6.0, 0, 0]),), torch=False
            ),
        ),
        wrong=_wrong_matrices("Det"),
    ),
    Operation(
        "linalg.slogdet",
        [
            sample(regular(3, 3)),
            sample(regular(1, 1)),
            sample(regular(4, 2, 2)),
            sample(regular(2, 1, 3, 3)),
            sample(regular(0, 2, 2)),
        ],
        call=lambda x: koubai.linalg.slogdet(x).logabsdet,
        reference=lambda x: np.linalg.slogdet(x).logabsdet,
        protocol=lambda x: np.linalg.slogdet(x).logabsdet,
        torch=lambda x: x.slogdet().logabsdet,
        torch_name="torch.linalg.slogdet",
        special=(
            special(  # where det overflows in float32
                np.diag([1e30, 1e30]),
                value=60 * np.log(10),
                gradients=(np.diag([1e-30, 1e-30]),),
            ),
        ),
        wrong=_wrong_matrices("Slogdet"),
    ),
    Operation(
        "linalg.pinv",
        [
            sample(real(3, 2)),
            sample(real(0, 3, 2)),
            sample(real(2, 3)),
            sample(real(3, 3)),
            sample(real(1, 1)),
            sample(real(4, 3, 2)),
        ],
        torch=_torch("pinv"),
        torch_name="torch.linalg.pinv",
        wrong=(wrong(ones(3), says=("Pinv(x: float64[3])",)),),
    ),
    Operation(
        "linalg.matrix_power",
        [
            *(sample(regular(3, 3), n) for n in (1, 2, 3, 6, 7, -1, -2, 0)),
            sample(regular(4, 2, 2), 3),
            sample(regular(4, 2, 2), 0),
            sample(regular(1, 1), 5),
            sample(regular(0, 2, 2), 2),
        ],
        torch=_torch("matrix_power"),
        torch_name="torch.linalg.matrix_power",
        wrong=(
            wrong(ones(2, 3), 2, says=("matrix_power(x: float64[2, 3], n=2)", "square")),
            wrong(
                ones(2, 2), 0.5, error=TypeError, says=("matrix_power(x: float64[2, 2], n=0.5)",)
            ),
        ),
    ),
    Operation(
        "linalg.diagonal",
        STACKED_DIAGONALS,
        torch=lambda x, offset=0: x.diagonal(offset, -2, -1),
        torch_name="torch.linalg.diagonal",
        wrong=(wrong(ones(3), says=("diagonal(x: float64[3])", "two axes")),),
    ),
    Operation(
        "linalg.trace",
        STACKED_DIAGONALS,
        torch=lambda x, offset=0: x.diagonal(offset, -2, -1).sum(-1),
        torch_name="torch.trace",
        wrong=(wrong(ones(3), says=("trace(x: float64[3])", "two axes")),),
    ),
    Operation(
        "linalg.cholesky",
        [
            *(sample(regular(*s)) for s in [(3, 3), (1, 1), (2, 2), (3, 1, 2, 2), (0, 2, 2)]),
            sample(regular(3, 3), upper=True, torch=False),
        ],
        **_calls("cholesky", _definite),
        torch_name="torch.linalg.cholesky",
        wrong=(
            wrong(np.zeros((2, 2)), says=("Cholesky(x: float64[2, 2]", "positive definite")),
            wrong(ones(2, 3), says=("Cholesky(x: float64[2, 3]",)),
        ),
    ),
    Operation(
        "linalg.eigh",
        [
            *(
                sample(regular(*s), i, torch=i != 1, strict=i != (1, 0))
                for s in SQUARES
                for i in (0, 1, "1", (1, 0))
            ),
        ],
        **_calls("eigh", _plus_transpose),
        torch_name="torch.linalg.eigh",
        special=(
            special(
                2 * np.eye(2), "1", value=np.eye(2), gradients=(np.zeros((2, 2)),), torch=False
            ),
            special(2 * np.eye(2), 0, value=[4, 4], gradients=(2 * np.eye(2),)),
        ),
        wrong=(wrong(ones(2, 1), 0, says=("Eigh(x: float64[2, 1])",)),),
    ),
    Operation(
        "linalg.eigvalsh",
        [sample(regular(*s)) for s in SQUARES],
        **_calls("eigvalsh", _plus_transpose),
        torch_name="torch.linalg.eigvalsh",
        special=(special(2 * np.eye(2), value=[4, 4], gradients=(2 * np.eye(2),)),),
        wrong=_wrong_matrices("Eigh"),
    ),
    Operation(
        "linalg.qr",
        [
            *(
                sample(real(*s), i, torch=isinstance(i, str))
                for s in RECTANGLES
                for i in (0, 1, "0", "1")
            ),
            sample(real(3, 3), (0, 1)),
        ],
        **_calls("qr"),
        torch_name="torch.linalg.qr",
        wrong=(
            wrong(ones(3), 0, says=("Qr(x: float64[3])",)),
            wrong(
                ones(3, 2),
                0,
                mode="complete",
                says=("qr(x: float64[3, 2], mode='complete'", "'reduced'"),
            ),
        ),
    ),
    Operation(
        "linalg.svd",
        [
            *(
                sample(
                    real(*s), i, full_matrices=False, torch=i not in (0, 2), strict=i != (0, 1, 2)
                )
                for s in RECTANGLES
                for i in (0, 1, 2, "0", "2", (0, 1, 2))
            ),
            sample(real(2, 2), "0"),
        ],
        **_calls("svd"),
        torch_name="torch.linalg.svd",
        special=(
            special(np.eye(2), "0", value=np.eye(2), gradients=(np.zeros((2, 2)),), torch=False),
            special(np.eye(2), 1, value=[1, 1], gradients=(np.eye(2),)),
        ),
        wrong=(
            wrong(ones(3), 0, says=("Svd(x: float64[3])",), full_matrices=False),
            wrong(ones(3, 2), 0, says=("svd(x: float64[3, 2], full_matrices=True)", "=False")),
        ),
    ),
    Operation(
        "linalg.svdvals",
        [sample(real(*s)) for s in RECTANGLES],
        torch=_torch("svdvals"),
        torch_name="torch.linalg.svdvals",
        special=(special(np.eye(2), value=[1, 1], gradients=(np.eye(2),)),),
        wrong=(wrong(ones(3), says=("Svd(x: float64[3])",)),),
    ),
]
