"""Functions as a user writes them, that several tests need."""

from __future__ import annotations

from typing import Any

import numpy as np

from koubai import Function


class Square(Function):
    """y = x * x."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return x * x

    def backward(self, gy: Any) -> Any:
        return 2 * self.x * gy


class Exp(Function):
    """y = exp(x), with NumPy's function."""

    def forward(self, x: Any) -> Any:
        self.y = np.exp(x)
        return self.y

    def backward(self, gy: Any) -> Any:
        return gy * self.y


class Affine(Function):
    """y = x @ W + b, which keeps its parameters' gradients as the notebooks' layer does."""

    def forward(self, x: Any, W: Any, b: Any) -> Any:
        self.x, self.W = x, W
        return np.dot(x, W) + b

    def backward(self, gy: Any) -> Any:
        self.dW = np.dot(self.x.T, gy)
        self.db = np.sum(gy, axis=0)
        return np.dot(gy, self.W.T), self.dW, self.db


class SumAndDifference(Function):
    """Two outputs: x1 + x2 and x1 - x2."""

    def forward(self, x1: Any, x2: Any) -> Any:
        return x1 + x2, x1 - x2

    def backward(self, g_sum: Any, g_difference: Any) -> Any:
        return g_sum + g_difference, g_sum - g_difference
