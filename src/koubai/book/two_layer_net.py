"""``TwoLayerNet``: the notebooks' network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from koubai.arrays import Array
from koubai.book.gradient import numerical_gradient
from koubai.book.layers import Affine, Layer, Relu, SoftmaxWithLoss
from koubai.ops.losses import as_targets

Params = dict[str, NDArray[Any]]


class TwoLayerNet:
    """A classifier of two layers: Affine1, Relu1, Affine2, and softmax with cross entropy.

    Args:
        input_size, hidden_size, output_size: I, H and C.
        weight_init_std: the standard deviation of the first weights; the biases are 0.
        rng: what draws them. None: NumPy's global state, which ``np.random.seed`` sets.

    Attributes:
        params: W1 (I, H), b1 (H,), W2 (H, C), b2 (C,), float64. The layers use these very arrays,
            so ``net.params["W1"] -= 0.1 * grads["W1"]`` trains; so does putting in a new array.
        layers: Affine1, Relu1 and Affine2, by name, in the order of ``predict``.
        lastLayer: the loss, a SoftmaxWithLoss.

    Everywhere x is rows of inputs, (N, I), and t their labels, integers (N,), or one-hot rows,
    (N, C); other shapes, and labels out of range, raise ValueError.

    Source: K. Saitoh, "Deep Learning from Scratch", O'Reilly Japan 2016, section 5.7.

    >>> rng = np.random.default_rng(0)
    >>> net = TwoLayerNet(4, 5, 3, rng=rng)
    >>> x, t = rng.standard_normal((2, 4)), np.array([0, 2])
    >>> before = net.loss(x, t)
    >>> grads = net.gradient(x, t)
    >>> for key in net.params:
    ...     net.params[key] -= 0.1 * grads[key]
    >>> bool(net.loss(x, t) < before)
    True
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        weight_init_std: float = 0.01,
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        def weights(*shape: int) -> NDArray[np.float64]:
            if rng is None:
                # As the book draws them, so that its np.random.seed(...) gives its weights.
                return weight_init_std * np.random.randn(*shape)  # noqa: NPY002
            return weight_init_std * rng.standard_normal(shape)

        self.params: Params = {
            "W1": weights(input_size, hidden_size),
            "b1": np.zeros(hidden_size),
            "W2": weights(hidden_size, output_size),
            "b2": np.zeros(output_size),
        }
        self._affine1 = Affine(self.params["W1"], self.params["b1"])
        self._affine2 = Affine(self.params["W2"], self.params["b2"])
        self.layers: dict[str, Layer] = {
            "Affine1": self._affine1,
            "Relu1": Relu(),
            "Affine2": self._affine2,
        }
        self.lastLayer = SoftmaxWithLoss()

    def predict(self, x: Array) -> Array:
        """The scores before softmax, (N, C)."""
        # Read anew, for the user may have put another array into params.
        self._affine1.W, self._affine1.b = self.params["W1"], self.params["b1"]
        self._affine2.W, self._affine2.b = self.params["W2"], self.params["b2"]
        for layer in self.layers.values():
            x = layer.forward(x)
        return x

    def loss(self, x: Array, t: Array) -> Any:
        """The mean cross entropy, one number."""
        return self.lastLayer.forward(self.predict(x), t)

    def accuracy(self, x: Array, t: Array) -> float:
        """The share of the rows whose largest score is the target's, between 0 and 1."""
        y = self.predict(x)
        return float(np.mean(np.argmax(y, axis=1) == np.argmax(as_targets(y, t), axis=1)))

    def numerical_gradient(self, x: Array, t: Array) -> Params:
        """The gradients of the loss by differences: slow, two losses for each parameter."""
        return {
            key: numerical_gradient(lambda _: self.loss(x, t), parameter)
            for key, parameter in self.params.items()
        }

    def gradient(self, x: Array, t: Array) -> Params:
        """The gradients of the loss by backpropagation: arrays of the shapes of ``params``."""
        self.loss(x, t)
        dout = self.lastLayer.backward()
        for layer in reversed(self.layers.values()):
            dout = layer.backward(dout)
        first, second = self._affine1, self._affine2
        return {"W1": first.dW, "b1": first.db, "W2": second.dW, "b2": second.db}
