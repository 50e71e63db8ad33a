"""``RNN``: one time step of a recurrent layer."""

from __future__ import annotations

from koubai.arrays import Array, describe, is_floating, namespace
from koubai.book.layers import Layer
from koubai.core.variable import array_of
from koubai.ops.elementwise import Add, Tanh
from koubai.ops.linalg import Linear, Matmul


class RNN(Layer):
    """One step of a recurrent layer: h_next = tanh(h_prev Wh + x Wx + b).

    Args:
        Wx: weights of the input, (D, H).
        Wh: weights of the state, (H, H).
        b: bias, (H,).

    ``forward(x, h_prev)`` takes x, (N, D), and the state before, (N, H), and returns the state
    after, (N, H). ``backward(dh_next)`` returns dx and dh_prev, of the shapes of x and h_prev.

    Attributes:
        params: [Wx, Wh, b], the same arrays (not copies).
        grads: their gradients in the same order: arrays made once, into which each ``backward``
            writes those of its own step. For T steps take T layers with the same parameters and
            add their gradients up.

    Raises:
        ValueError: for parameters that are not real numbers, and for other shapes.

    Source: K. Saitoh, "Deep Learning from Scratch 2", O'Reilly Japan 2018, section 5.3.

    >>> import numpy as np
    >>> layer = RNN(np.ones((2, 1)), np.zeros((1, 1)), np.zeros(1))
    >>> layer.forward(np.array([[1.0, -1.0]]), np.array([[5.0]]))
    array([[0.]])
    >>> dx, dh_prev = layer.backward(np.array([[1.0]]))
    >>> dx, layer.grads[1]
    (array([[1., 1.]]), array([[5.]]))
    """

    def __init__(self, Wx: Array, Wh: Array, b: Array) -> None:
        for name, parameter in (("Wx", Wx), ("Wh", Wh), ("b", b)):
            if not is_floating(parameter):
                # Its gradient, written into an array of its dtype, would lose all decimals.
                raise ValueError(
                    f"RNN: {name} is {describe(parameter)}; write {name}.astype(float)"
                )
        self.params = [Wx, Wh, b]
        self.grads = [namespace(p).zeros_like(p) for p in self.params]

    def forward(self, x: Array, h_prev: Array) -> Array:
        Wx, Wh, b = self.params
        self.linear, self.matmul, self.add, self.tanh = Linear(), Matmul(), Add(), Tanh()
        from_x = self.linear.forward(x, Wx, b)
        from_h = self.matmul.forward(h_prev, Wh)
        if from_x.shape != from_h.shape:
            raise ValueError(
                "RNN needs x (N, D), h_prev (N, H), Wx (D, H), Wh (H, H) and b (H,), not"
                f" x {x.shape}, h_prev {h_prev.shape}, Wx {Wx.shape}, Wh {Wh.shape}, b {b.shape}"
            )
        return self.tanh.forward(self.add.forward(from_h, from_x))

    def backward(self, dh_next: Array) -> tuple[Array, Array]:
        dfrom_h, dfrom_x = self.add.backward(self.tanh.backward(dh_next))
        dx, dWx, db = self.linear.backward(dfrom_x)
        dh_prev, dWh = self.matmul.backward(dfrom_h)
        for grad, new in zip(self.grads, (dWx, dWh, db), strict=True):
            # Constants: what is written into an array has no history, also in higher orders.
            grad[...] = array_of(new)
        return dx, dh_prev
