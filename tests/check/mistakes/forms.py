"""What comes back has the wrong form: shape, dtype, number, nothing; or is drawn anew."""
# ruff: noqa: RET504

import numpy as np
from check.case import Case, normal, weights

import koubai
from koubai import Function, Variable, nn


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW = self.db = None

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = np.sum(dout, axis=0, keepdims=True)  # wrong: keepdims
        return dout @ self.W.T


class Outer(Function):
    def forward(self, x, w):
        self.x, self.w = x, w
        return x[:, None] * w

    def backward(self, gy):
        gx = np.sum(gy * self.w, axis=1, keepdims=True)  # wrong: keepdims
        gw = np.sum(gy * self.x[:, None], axis=0)
        return gx, gw


class Flatten:
    def forward(self, x):
        return x.reshape(x.shape[0], -1)

    def backward(self, dout):
        return dout.copy()  # wrong: .reshape(the shape of x)


class Energy:
    def forward(self, x):
        self.x = x
        return np.sum(self.x**2)

    def backward(self, dout):
        return np.reshape(2 * self.x * dout, (1, -1))  # wrong: a row for a vector


class ReluInt:
    def forward(self, x):
        self.x = x
        return np.maximum(x, 0)

    def backward(self, dout):
        dx = np.zeros(self.x.shape, dtype=int)  # wrong: int cuts off the decimals
        dx[self.x > 0] = dout[self.x > 0]
        return dx


class Tanh:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out

    def backward(self, dout):
        return (dout * (1 - self.out**2)).astype(np.float32)  # wrong: x is float64


class TakeRows(Function):
    def __init__(self, idx):
        self.idx = idx

    def forward(self, x):
        self.n = x.shape
        return x[self.idx]

    def backward(self, gy):
        gx = np.zeros_like(self.idx, shape=self.n)  # wrong: integers, as the indices are
        np.add.at(gx, self.idx, gy.astype(gx.dtype))
        return gx


def picked(x):
    return 5 * koubai.tanh(TakeRows(np.array([2, 0, 2]))(x))


class Scaling:
    def __init__(self, W):
        self.params = [W]
        self.grads = [np.zeros_like(W, dtype=int)]  # wrong: integers

    def forward(self, x):
        self.x = x
        return x * self.params[0]

    def backward(self, dout):
        self.grads[0][...] = (dout * self.x).sum(axis=0)
        return dout * self.params[0]


class Mul:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        dx = dout * self.y
        return dx  # wrong: dx, dy


class Power(Function):
    def __init__(self, c):
        self.c = c

    def forward(self, x):
        self.x = x
        return x**self.c

    def backward(self, gy):
        gx = self.c * self.x ** (self.c - 1) * gy
        return gx, None, None  # wrong: c is no input


def powers(x, y):
    return Power(3)(x) * y


class LinearFunction(Function):
    def forward(self, x, W, b):
        self.x, self.W = x, W
        return x @ W + b

    def backward(self, gy):
        return gy @ self.W.T, self.x.T @ gy  # wrong: the gradient of b is missing


class Hidden(nn.Module):
    def __init__(self):
        self.W = nn.Parameter(weights(3, 4))
        self.b = nn.Parameter(weights(4, seed=1))

    def forward(self, x):
        return koubai.relu(LinearFunction()(x, self.W, self.b))


class Sqrt:
    def forward(self, x):
        self.y = np.sqrt(x)
        return self.y

    def backward(self, dout):
        dx = dout / (2 * self.y)  # wrong: return is missing  # noqa: F841


class Sin(Function):
    def forward(self, x):
        self.x = x
        return np.sin(x)

    def backward(self, gy):
        gx = gy * np.cos(self.x)  # wrong: return is missing  # noqa: F841


def graph():
    x = Variable(np.array([1.0, 2.0]), name="x")
    return koubai.sum(Sin()(x * x))


class Blend(Function):
    def forward(self, a, b, w):
        self.a, self.b, self.w = a, b, w
        return w * a + (1 - w) * b

    def backward(self, gy):
        return gy * self.w, gy * (1 - self.w), None  # wrong: gy * (a - b) for w


class Dense:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW = self.db = None

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        dW = self.x.T @ dout  # wrong: self.dW  # noqa: F841
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


class Noise:
    def __init__(self, std):
        self.std = std
        self.rng = np.random.default_rng()

    def forward(self, x):
        return x + self.std * self.rng.standard_normal(x.shape)  # wrong: another each time

    def backward(self, dout):
        return dout * 1


class DropoutFunction(Function):
    def __init__(self, p):
        self.p = p

    def forward(self, x):
        rng = np.random.default_rng()
        self.mask = rng.random(x.shape) > self.p  # wrong: another each time
        return x * self.mask / (1 - self.p)

    def backward(self, gy):
        return gy * self.mask / (1 - self.p)


def regularized(x, w):
    return koubai.tanh(DropoutFunction(0.5)(x)) * w


class Augment(nn.Module):
    def __init__(self):
        self.scale = nn.Parameter(weights(3))
        self.rng = np.random.default_rng(0)

    def forward(self, x):
        jitter = self.rng.uniform(0.9, 1.1, x.shape)  # wrong: another each time
        return koubai.sin(x * jitter * self.scale)


SHAPE, DTYPE, COUNT, NONE, RANDOM = (
    "wrong shape",
    "wrong dtype",
    "wrong count",
    "none",
    "random forward",
)
CASES = [
    Case(
        "bias_keepdims",
        lambda: Affine(weights(3, 2), weights(2)),
        normal((4, 3)),
        SHAPE,
        ("b",),
        "Affine",
    ),
    Case("column_for_a_vector", Outer, normal((4,), (3,)), SHAPE, ("x",), "Outer"),
    Case("flatten_not_undone", Flatten, normal((2, 3, 2, 2)), SHAPE, ("x",), "Flatten"),
    Case("row_for_a_vector", Energy, normal((5,)), SHAPE, ("x",), "Energy"),
    Case("relu_of_int", ReluInt, normal((4, 3)), DTYPE, ("x",), "ReluInt"),
    Case(
        "tanh_of_float32",
        Tanh,
        normal((4, 3)),
        DTYPE,
        ("x",),
        "Tanh",
        notes="right to seven digits",
    ),
    Case(
        "rows_of_int",
        lambda: picked,
        normal((4, 3)),
        DTYPE,
        ("x",),
        "TakeRows",
        notes="the engine casts to float64, so only the numbers tell",
    ),
    Case(
        "grads_of_int",
        lambda: Scaling(weights(3)),
        normal((5, 3)),
        DTYPE,
        ("params[0]",),
        "Scaling",
    ),
    Case("mul_returns_one", Mul, normal((3, 2), (3, 2)), COUNT, (), "Mul"),
    Case("power_returns_three", lambda: powers, normal((4,), (4,)), COUNT, (), "Power"),
    Case("linear_returns_two", Hidden, normal((5, 3)), COUNT, (), "LinearFunction"),
    Case(
        "sqrt_without_return", Sqrt, lambda rng: (rng.uniform(1, 2, (3, 2)),), NONE, ("x",), "Sqrt"
    ),
    Case("sin_without_return_in_a_graph", graph, normal(), NONE, ("x",), "Sin"),
    Case("none_for_one_of_three", Blend, normal((3, 2), (3, 2), (3, 2)), NONE, ("w",), "Blend"),
    Case(
        "dW_not_set",
        lambda: Dense(weights(3, 2), weights(2)),
        normal((4, 3)),
        NONE,
        ("W",),
        "Dense",
    ),
    Case("noise", lambda: Noise(0.1), normal((4, 3)), RANDOM, (), "Noise"),
    Case(
        "dropout_by_its_own_generator",
        lambda: regularized,
        normal((5, 6), (5, 6)),
        RANDOM,
        (),
        "DropoutFunction",
    ),
    Case(
        "augmentation_in_a_module",
        Augment,
        normal((4, 3)),
        RANDOM,
        (),
        "Augment",
        notes="a generator with a seed, kept; its backward is the engine's and right",
    ),
]
