"""Linear algebra: the names of the standard's extension ``linalg``, and of ``numpy.linalg``.

>>> import koubai
>>> koubai.linalg.norm(koubai.Variable([3.0, 4.0]))
Variable(5.)
"""

from koubai.ops.decompositions import cholesky, eigh, eigvalsh, qr, svd, svdvals
from koubai.ops.diagonals import last_diagonal as diagonal
from koubai.ops.diagonals import last_trace as trace
from koubai.ops.einsum import outer, tensordot, vecdot
from koubai.ops.linalg import matmul
from koubai.ops.matrices import det, inv, matrix_power, pinv, slogdet, solve
from koubai.ops.norms import matrix_norm, norm, vector_norm
from koubai.ops.shaping import matrix_transpose

__all__ = [
    "cholesky",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_transpose",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]
