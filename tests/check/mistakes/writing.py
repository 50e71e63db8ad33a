"""Right gradients, of layers that write into arrays of others or give one array away twice."""

import numpy as np
from check.case import Case, normal, weights

from koubai import Function


class ReluLayer:
    def __init__(self):
        self.mask = None

    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0

        return out

    def backward(self, dout):
        dout[self.mask] = 0  # writes into the gradient of the caller
        return dout  # dx


class ReluFunction(Function):
    def forward(self, x):
        self.mask = x <= 0
        return np.where(self.mask, 0, x)

    def backward(self, gy):
        gy[self.mask] = 0  # writes into the gradient of the caller
        return gy


class Exp:
    def forward(self, x):
        self.y = np.exp(x)
        return self.y

    def backward(self, dout):
        dout *= self.y  # writes into the gradient of the caller
        return dout.copy()


class Relu:
    def forward(self, x):
        self.mask = x <= 0
        x[self.mask] = 0  # writes into the input
        return x

    def backward(self, dout):
        dx = dout.copy()
        dx[self.mask] = 0
        return dx


class Center(Function):
    def forward(self, x):
        x -= x.mean(axis=0)  # writes into the input
        return x * 1

    def backward(self, gy):
        return gy - gy.mean(axis=0)


class Square:
    def forward(self, x):
        self.x = x
        return x**2

    def backward(self, dout):
        self.x *= 2  # writes into the input
        return dout * self.x


class AddLayer:
    def forward(self, x, y):
        return x + y

    def backward(self, dout):
        return dout, dout  # the same array twice


class Shift:
    def __init__(self, b):
        self.b = b
        self.db = None

    def forward(self, x):
        return x + self.b

    def backward(self, dout):
        self.db = dout  # the same array as dx
        return dout


class Sigmoid:
    """With a buffer, to save memory."""

    def __init__(self):
        self.out = None
        self.buffer = None

    def forward(self, x):
        self.out = 1 / (1 + np.exp(-x))
        if self.buffer is None or self.buffer.shape != x.shape:
            self.buffer = np.empty(x.shape)
        return self.out

    def backward(self, dout):
        np.multiply(self.out, 1 - self.out, out=self.buffer)
        np.multiply(self.buffer, dout, out=self.buffer)
        return self.buffer  # the next backward writes into it


class Linear:
    def __init__(self, W):
        self.W = W
        self.dW = None

    def forward(self, x):
        self.x = x
        return x * self.W

    def backward(self, dout):
        d = np.stack([dout * self.W, dout * self.x])
        self.dW = d[1].sum(axis=0)
        self.x[...] = d[0]  # writes into the input
        return self.x


UPSTREAM, INPUT, ALIASED = "upstream mutated", "input mutated", "aliased"
CASES = [
    Case(
        "notebook_relu",
        ReluLayer,
        normal((4, 3)),
        UPSTREAM,
        (),
        "ReluLayer",
        warns=True,
        notes="verbatim in a notebook",
    ),
    Case(
        "relu_function",
        ReluFunction,
        normal((4, 3)),
        UPSTREAM,
        (),
        "ReluFunction",
        warns=True,
        notes="in a graph it harms nothing: the engine hands a copy to users' functions",
    ),
    Case("exp_in_place", Exp, normal((5,)), UPSTREAM, (), "Exp", warns=True),
    Case(
        "relu_into_its_input",
        Relu,
        normal((4, 3)),
        INPUT,
        (),
        "Relu",
        warns=True,
        notes="called again on the same array, it would see its own output",
    ),
    Case("center_its_input", Center, normal((4, 3)), INPUT, (), "Center", warns=True),
    Case(
        "square_backward_into_x",
        Square,
        normal((4,)),
        INPUT,
        (),
        "Square",
        warns=True,
        notes="a second backward is wrong",
    ),
    Case(
        "dx_into_x",
        lambda: Linear(weights(3)),
        normal((4, 3)),
        INPUT,
        (),
        "Linear",
        warns=True,
        notes="the gradient is the array of the input: 'aliased' as well",
        also=("aliased",),
    ),
    Case("add_same_twice", AddLayer, normal((3, 2), (3, 2)), ALIASED, (), "AddLayer", warns=True),
    Case(
        "db_is_dx", lambda: Shift(weights(3, 2)), normal((3, 2)), ALIASED, (), "Shift", warns=True
    ),
    Case(
        "buffer",
        Sigmoid,
        normal((4, 3)),
        ALIASED,
        (),
        "Sigmoid",
        warns=True,
        notes="two gradients of two calls are the same array",
    ),
]
