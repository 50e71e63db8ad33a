"""Cofactors of square matrices: the derivative of the determinant, with or without an inverse."""

from __future__ import annotations

from typing import Any

import numpy as np

from koubai.arrays import Array, constant_like, finfo, namespace
from koubai.core import Function


class Cofactors(Function):
    """y_ij, the derivative of det(x) by x_ij: up to its sign, det of x without row i and column j.

    Of x = u diag(s) vh it is det(u vh) u diag(c) vh, where c_i is the product of all other s. With
    h = det(u vh) u^T gy vh^T and p_ij, the product of all s but s_i and s_j, gx = u b vh, where
    b_ij = -p_ij h_ji and b_ii = sum_j p_ij h_jj. Nothing is divided by, so any x will do.
    (A derivative of third order differentiates u and vh, which equal s do not determine.)
    """

    def forward(self, x: Array) -> Array:
        xp = namespace(x)
        self.u, self.s, self.vh = xp.linalg.svd(x, full_matrices=False)
        sign = xp.sign(xp.linalg.det(self.u @ self.vh))
        self.sign = xp.reshape(sign, (*sign.shape, 1, 1))
        each = np.eye(x.shape[-1], dtype=bool)
        return self.sign * ((self.u * _products(self.s, each[None])) @ self.vh)

    def backward(self, gy: Array) -> Array:
        u, vh, xp = self.u, self.vh, namespace(gy, self.u)
        each = np.eye(u.shape[-1], dtype=bool)
        eye = constant_like(each.astype(float), u)
        h = self.sign * (xp.matrix_transpose(u) @ gy @ xp.matrix_transpose(vh))
        p = _products(self.s, each[:, None] | each) * (1 - eye)
        diagonal = p @ xp.sum(h * eye, axis=-1, keepdims=True)
        return u @ (eye * diagonal - xp.matrix_transpose(p * h)) @ vh


def _products(s: Array, left_out: np.ndarray[Any, Any]) -> Array:
    """Of each row of s the products of all but those that the last axis of ``left_out`` marks."""
    xp = namespace(s)
    s = xp.reshape(s, (*s.shape[:-1], *(1,) * (left_out.ndim - 1), s.shape[-1]))
    return xp.prod(xp.where(constant_like(left_out, s), 1, s), axis=-1)


def is_far_from_singular(x: Array) -> Array:
    """Which matrices x (..., n, n) are; booleans, (..., 1, 1).

    By the determinant of x with its rows scaled to length 1, which is 1 for orthogonal rows and 0
    for dependent ones.
    """
    xp = namespace(x)
    lengths = xp.sum(x * x, axis=-1, keepdims=True) ** 0.5
    volume = xp.abs(xp.linalg.det(x / xp.where(lengths == 0, xp.ones_like(lengths), lengths)))
    return xp.reshape(volume, (*volume.shape, 1, 1)) > float(finfo(x).eps) ** 0.5
