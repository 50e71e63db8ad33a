"""Shapes from 0-d to 5-d, empty ones, views, several outputs, inputs without influence."""

import numpy as np
from check.case import Case, given, normal, weights

import koubai
from koubai import Function, Variable, nn


class MulLayer:
    def __init__(self):
        self.x = None
        self.y = None

    def forward(self, x, y):
        self.x = x
        self.y = y
        return x * y

    def backward(self, dout):
        return dout * self.y, dout * self.x


class Cube(Function):
    def forward(self, x):
        self.x = x
        return x**3

    def backward(self, gy):
        return 3 * self.x**2 * gy


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW = self.db = None

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


class TensorAffine:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW = self.db = None

    def forward(self, x):
        self.shape = x.shape
        self.x = x.reshape(x.shape[0], -1)
        return np.dot(self.x, self.W) + self.b

    def backward(self, dout):
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout, axis=0)
        return np.dot(dout, self.W.T).reshape(*self.shape)


class AddBias(Function):
    """What is broadcast, the engine sums."""

    def forward(self, x, b):
        return x + b

    def backward(self, gy):
        return gy, gy * 1


class ScaleBy(Function):
    def forward(self, x, s):
        self.x, self.s = x, s
        return x * s

    def backward(self, gy):
        return gy * self.s, gy * self.x


class Identity:
    def forward(self, x):
        return x

    def backward(self, dout):
        return dout


class Flatten:
    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dout):
        return dout.reshape(self.shape)


class SwapAxes(Function):
    def forward(self, x):
        return x.transpose(0, 2, 1)

    def backward(self, gy):
        return gy.transpose(0, 2, 1)


class Concat:
    def forward(self, a, b):
        self.n = a.shape[1]
        return np.concatenate([a, b], axis=1)

    def backward(self, dout):
        return dout[:, : self.n], dout[:, self.n :]


class Split:
    def forward(self, x):
        self.n = x.shape[1] // 2
        return x[:, : self.n], x[:, self.n :]

    def backward(self, da, db):
        return np.concatenate([da, db], axis=1)


class SinCos(Function):
    def forward(self, x):
        self.s, self.c = np.sin(x), np.cos(x)
        return self.s, self.c

    def backward(self, gs, gc):
        return gs * self.c - gc * self.s


def only_the_sine(x):
    s, _ = SinCos()(x)
    return s * x


class Polar(Function):
    def forward(self, r, phi):
        self.r, self.phi = r, phi
        return r * np.cos(phi), r * np.sin(phi)

    def backward(self, gx, gy):
        c, s = np.cos(self.phi), np.sin(self.phi)
        return [gx * c + gy * s, self.r * (gy * c - gx * s)]


class Constant:
    def forward(self, x):
        self.shape = x.shape
        return np.full(3, 7.0)

    def backward(self, dout):
        return np.zeros(self.shape)


class First(Function):
    def forward(self, x, unused):
        self.x, self.shape = x, unused.shape
        return np.exp(x)

    def backward(self, gy):
        return gy * np.exp(self.x), np.zeros(self.shape)


class SumOfAll(Function):
    def forward(self, *xs):
        self.n = len(xs)
        return sum(x * x for x in xs)

    def backward(self, gy):
        return tuple(2 * x.data * gy for x in self.inputs)


class Outer:
    def forward(self, a, b):
        self.a, self.b = a, b
        return np.outer(a, b)

    def backward(self, dout):
        return dout @ self.b, self.a @ dout


class Box(Function):
    def forward(self, x):
        self.axes = (1, 3)
        self.x = x
        return (x**2).sum(axis=self.axes)

    def backward(self, gy):
        return 2 * self.x * np.expand_dims(gy, self.axes)


class SquaredSum(Function):
    def forward(self, x):
        self.x = x
        return np.sum(x**2)

    def backward(self, gy):
        return 2 * self.x * gy


class Partial(nn.Module):
    def __init__(self):
        self.used = nn.Parameter(weights(3))
        self.spare = nn.Parameter(weights(2))

    def forward(self, x):
        return x * self.used


def ignores(x, y):
    return koubai.sum(x * 2.0)


def constant(x):
    return koubai.sum(x * 0.0) + 5.0


def zero_d():
    x = Variable(3.0, name="x")
    return x * koubai.exp(-x)


def diamond():
    x = Variable(weights(3), name="x")
    b = x + x
    c = b * b
    return koubai.sum(c * b + x)


CASES = [
    Case("numbers", MulLayer, given(100.0, 2.0), None),
    Case("numbers_some_of_them_int", MulLayer, given(220.0, 2), None, notes="2 may be a constant"),
    Case("zero_d_array", Cube, given(np.array(1.5)), None),
    Case("one_element", Cube, given([1.5]), None),
    Case("zero_d_in_a_graph", zero_d, normal(), None),
    Case(
        "empty_batch",
        lambda: Affine(weights(3, 2), weights(2)),
        normal((0, 3)),
        None,
        notes="dW and db are zeros",
    ),
    Case("empty_sum", SquaredSum, normal((0,)), None),
    Case("batch_of_one", lambda: Affine(weights(3, 2), weights(2)), normal((1, 3)), None),
    Case(
        "tensor_affine",
        lambda: TensorAffine(weights(12, 4), weights(4)),
        normal((3, 2, 3, 2)),
        None,
    ),
    Case(
        "bias_broadcast",
        AddBias,
        normal((2, 4, 3), (3,)),
        None,
        notes="gy has the shape of the output; its two gradients share no memory",
    ),
    Case("scalar_broadcast", ScaleBy, normal((3, 4), ()), None),
    Case("both_broadcast", ScaleBy, normal((3, 1), (1, 4)), None),
    Case("identity", Identity, normal((3, 2)), None, notes="returns dout itself, and x itself"),
    Case("flatten_view", Flatten, normal((2, 3, 2)), None, notes="returns a view of dout"),
    Case("transposed_view", SwapAxes, normal((2, 3, 4)), None),
    Case(
        "concat_views",
        Concat,
        normal((3, 2), (3, 4)),
        None,
        notes="two views of dout that do not overlap",
    ),
    Case("split_in_two_outputs", Split, normal((3, 4)), None),
    Case("sine_and_cosine", SinCos, normal((5,)), None),
    Case("an_output_unused", lambda: only_the_sine, normal((5,)), None),
    Case("two_in_two_out", Polar, normal((4,), (4,)), None, notes="returns a list"),
    Case("constant_layer", Constant, normal((2, 3)), None),
    Case("constant_function", lambda: constant, normal((4,)), None),
    Case("input_unused", First, normal((3,), (2, 2)), None),
    Case("argument_unused", lambda: ignores, normal((3,), (4,)), None),
    Case("parameter_unused", Partial, normal((4, 3)), None),
    Case("any_number_of_inputs", SumOfAll, normal((3,), (3,), (3,), (3,)), None),
    Case("outer", Outer, normal((3,), (4,)), None),
    Case("five_d", Box, normal((2, 3, 1, 2, 2)), None),
    Case("diamond", diamond, normal(), None),
]
