"""Operations that NumPy has not, written in NumPy; what PyTorch calls or passes differently."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def gelu(x: Any, approximate: str = "none") -> Any:
    if approximate == "tanh":
        return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi).astype(x.dtype) * (x + 0.044715 * x**3)))
    return x * scipy.special.ndtr(x)


def softmax(x: Any, axis: int = -1) -> Any:
    return np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)


def log_softmax(x: Any, axis: int = -1) -> Any:
    return x - np.log(np.exp(x).sum(axis=axis, keepdims=True))


def cross_entropy(x: Any, t: Any) -> Any:
    t = t if t.shape == x.shape else np.eye(x.shape[1], dtype=x.dtype)[t]
    return -(t.astype(x.dtype) * log_softmax(x)).sum() / x.dtype.type(len(x))


def squared_error(x: Any, t: Any) -> Any:
    return ((x - t) ** 2).mean()


def linear(x: Any, W: Any, b: Any = 0) -> Any:
    return x @ W + b


def scatter_add(x: Any, index: Any, shape: Any) -> Any:
    y = np.zeros(shape, x.dtype)
    np.add.at(y, index, x)
    return y


def set_item(x: Any, index: Any, value: Any) -> Any:
    y = x.copy()
    y[index] = value
    return y


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.log(np.exp(x).sum(axis=axis, keepdims=keepdims))


# What PyTorch calls or passes differently. (It is imported where it is needed: it may be absent.)


def torch_binary(name: str) -> Callable[..., Any]:
    """PyTorch's function ``name``, which takes no numbers, of two arrays or numbers."""

    def binary(x1: Any, x2: Any) -> Any:
        import torch

        return getattr(torch, name)(torch.as_tensor(x1), torch.as_tensor(x2))

    return binary


def torch_clip(x: Any, min: Any = None, max: Any = None) -> Any:
    return x.clone() if min is None and max is None else x.clamp(min, max)


def torch_functional(name: str) -> Callable[..., Any]:
    def function(x: Any, **kwargs: Any) -> Any:
        import torch

        return getattr(torch.nn.functional, name)(x, **kwargs)

    return function


def torch_reduction(name: str) -> Callable[..., Any]:
    def reduce(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        import torch

        axes = tuple(range(x.ndim)) if axis is None else axis
        return getattr(torch, name)(x, dim=axes, keepdim=keepdims)

    return reduce


def torch_set_item(x: Any, index: Any, value: Any) -> Any:
    y = x.clone()
    y[index] = value
    return y


def torch_cross_entropy(x: Any, t: Any) -> Any:
    import torch

    return torch.nn.functional.cross_entropy(x, t.to(x.dtype) if t.ndim == 2 else t)


def torch_squared_error(x: Any, t: Any) -> Any:
    import torch

    return torch.nn.functional.mse_loss(x, torch.as_tensor(t, dtype=x.dtype))


# Functions of several arrays, or with several results, as functions of their own arguments to one.


def joined(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a list of arrays, as one of the arrays."""
    return lambda *xs, **kwargs: function(xs, **kwargs)


def torch_joined(name: str) -> Callable[..., Any]:
    def join(*xs: Any, axis: int = 0) -> Any:
        import torch

        xs = tuple(map(torch.as_tensor, xs))
        if axis is None:
            xs, axis = tuple(x.flatten() for x in xs), 0
        return getattr(torch, name)(xs, dim=axis)

    return join


def ends(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function with several results, as the first minus twice the last."""

    def first_and_last(*args: Any, **kwargs: Any) -> Any:
        results = function(*args, **kwargs)
        assert isinstance(results, tuple)
        return results[0] - 2 * results[-1]

    return first_and_last


def torch_flip(x: Any, axis: Any = None) -> Any:
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return x.flip(tuple(axes))


def torch_prod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(a % x.ndim for a in axes)
    for a in axes:
        x = x.prod(int(a), keepdim=True)
    return x if keepdims else x.squeeze(axes)


def torch_cumulative(name: str) -> Callable[..., Any]:
    def run(x: Any, axis: int = 0, include_initial: bool = False) -> Any:
        import torch

        y = getattr(torch, name)(x, axis)
        if not include_initial:
            return y
        shape = list(y.shape)
        shape[axis] = 1
        first = torch.full(shape, float(name == "cumprod"), dtype=y.dtype)
        return torch.cat([first, y], axis)

    return run


def torch_var(name: str) -> Callable[..., Any]:
    def run(x: Any, axis: Any = None, keepdims: bool = False, correction: float = 0) -> Any:
        import torch

        return getattr(torch, name)(x, dim=axis, correction=correction, keepdim=keepdims)

    return run


def torch_take(x: Any, indices: Any, axis: int | None = None) -> Any:
    import torch

    if axis is None:
        x, axis = x.flatten(), 0
    indices = torch.as_tensor(indices) % x.shape[axis]
    y = x.index_select(axis, indices.flatten())
    return y.reshape(x.shape[:axis] + indices.shape + x.shape[axis:][1:])


def torch_embedding(t: Any, W: Any) -> Any:
    import torch

    return torch.nn.functional.embedding(t, W)


def torch_pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: float = 0) -> Any:
    import torch

    widths = np.broadcast_to(pad_width, (x.ndim, 2))[::-1].ravel().tolist()
    return torch.nn.functional.pad(x, widths, value=constant_values) if widths else x.clone()


def torch_windows(x: Any, window_shape: Any, axis: Any = None) -> Any:
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = [a % x.ndim for a in axes]
    lengths = window_shape if isinstance(window_shape, tuple) else (window_shape,)
    for a, n in zip(axes, lengths, strict=True):
        x = x.unfold(a, n, 1)
    return x


def torch_broadcast(*xs: Any) -> Any:
    import torch

    ys = torch.broadcast_tensors(*xs)
    return ys[0] - 2 * ys[-1]


def torch_scatter_add(x: Any, index: Any, shape: tuple[int, ...]) -> Any:
    import torch

    index = index if isinstance(index, tuple) else (index,)
    return torch.zeros(shape, dtype=x.dtype).index_put(index, x, accumulate=True)


def torch_linear(x: Any, W: Any, b: Any = None) -> Any:
    import torch

    return torch.nn.functional.linear(x, W.T, b)  # its W has a row an output
