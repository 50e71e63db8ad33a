"""Whole networks, dropout, long chains, graphs."""

from collections import OrderedDict

import numpy as np
from check.case import Case, given, labelled, normal, weights

import koubai
from koubai import Function, Variable, nn
from koubai.book import TwoLayerNet as BookNet


class Affine:
    def __init__(self, W, b):
        self.W = W
        self.b = b
        self.x = None
        self.dW = None
        self.db = None

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        dx = np.dot(dout, self.W.T)
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout, axis=0)
        return dx


class Relu:
    def __init__(self):
        self.mask = None

    def forward(self, x):
        self.mask = x <= 0
        return np.where(self.mask, 0, x)

    def backward(self, dout):
        return np.where(self.mask, 0, dout)


class Tanh:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out

    def backward(self, dout):
        return dout * (1 - self.out**2)


def softmax(x):
    x = x - x.max(axis=-1, keepdims=True)
    return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)


class SoftmaxWithLoss:
    """The notebook's; whatever comes from above, the last layer ignores."""

    def __init__(self):
        self.loss = None
        self.y = None
        self.t = None

    def forward(self, x, t):
        self.t = t
        self.y = softmax(x)
        self.loss = -np.sum(t * np.log(self.y + 1e-7)) / self.y.shape[0]
        return self.loss

    def backward(self, dout=1):
        batch_size = self.t.shape[0]
        return (self.y - self.t) / batch_size


class TwoLayerNet:
    def __init__(self, input_size, hidden_size, output_size, std=0.1):
        self.params = {}
        self.params["W1"] = std * weights(input_size, hidden_size, seed=1)
        self.params["b1"] = np.zeros(hidden_size)
        self.params["W2"] = std * weights(hidden_size, output_size, seed=2)
        self.params["b2"] = np.zeros(output_size)

        self.layers = OrderedDict()
        self.layers["Affine1"] = Affine(self.params["W1"], self.params["b1"])
        self.layers["Relu1"] = Relu()
        self.layers["Affine2"] = Affine(self.params["W2"], self.params["b2"])
        self.lastLayer = SoftmaxWithLoss()

    def predict(self, x):
        for layer in self.layers.values():
            x = layer.forward(x)
        return x

    def loss(self, x, t):
        y = self.predict(x)
        return self.lastLayer.forward(y, t)

    def gradient(self, x, t):
        self.loss(x, t)
        dout = self.lastLayer.backward(np.ones(1))
        for layer in list(self.layers.values())[::-1]:
            dout = layer.backward(dout)

        grads = {}
        grads["W1"] = self.layers["Affine1"].dW
        grads["b1"] = self.layers["Affine1"].db
        grads["W2"] = self.layers["Affine2"].dW
        grads["b2"] = self.layers["Affine2"].db
        return grads


class DecayNet(TwoLayerNet):
    """With weight decay in the loss and in the gradient, and forward and backward in one method."""

    lam = 0.1

    def loss(self, x, t):
        decay = sum(np.sum(self.params[k] ** 2) for k in ("W1", "W2"))
        return super().loss(x, t) + 0.5 * self.lam * decay

    def gradient(self, x, t):
        grads = super().gradient(x, t)
        for k in ("W1", "W2"):
            grads[k] = grads[k] + self.lam * self.params[k]
        return grads


class Regression:
    """No layers at all."""

    def __init__(self):
        self.params = {"w": weights(3), "b": np.zeros(1)}

    def predict(self, x):
        return x @ self.params["w"] + self.params["b"]

    def loss(self, x, t):
        return 0.5 * np.mean((self.predict(x) - t) ** 2)

    def gradient(self, x, t):
        e = self.predict(x) - t
        return {"w": x.T @ e / len(x), "b": np.array([e.mean()])}


class Dropout:
    def __init__(self, ratio=0.5, train=True):
        self.ratio, self.train = ratio, train
        self.mask = None

    def forward(self, x):
        if not self.train:
            return x * (1.0 - self.ratio)
        self.mask = np.random.rand(*x.shape) > self.ratio  # noqa: NPY002
        return x * self.mask

    def backward(self, dout):
        return dout * (self.mask if self.train else 1.0 - self.ratio)


class FixedDropout(Function):
    """One mask, drawn when it is made."""

    def __init__(self, shape):
        self.mask = np.random.default_rng(3).random(shape) > 0.3

    def forward(self, x):
        return x * self.mask / 0.7

    def backward(self, gy):
        return gy * self.mask / 0.7


class DropoutNet(nn.Module):
    def __init__(self):
        rng = np.random.default_rng(0)
        self.fc1 = nn.Linear(3, 8, rng=rng, dtype=np.float64)
        self.fc2 = nn.Linear(8, 2, rng=rng, dtype=np.float64)

    def forward(self, x):
        h = koubai.tanh(self.fc1(x))
        if self.training:
            h = koubai.dropout(h, 0.5)
        return self.fc2(h)


class Chain:
    """Fifty matrices, each with a tanh: a hundred layers."""

    def __init__(self):
        self.layers = []
        for i in range(50):
            q, _ = np.linalg.qr(weights(3, 3, seed=i))
            self.layers += [Affine(1.2 * q, 0.1 * weights(3, seed=100 + i)), Tanh()]

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dout):
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return dout


class TanhFunction(Function):
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, gy):
        return gy * (1 - self.y**2)


def fifty(x):
    f = TanhFunction()
    for _ in range(50):
        x = f(1.02 * x)
    return x


def logistic_map(x):
    for _ in range(12):
        x = 3.9 * x * (1 - x)
    return x


class Tied(nn.Module):
    """Words in and out by the same matrix."""

    def __init__(self):
        self.E = nn.Parameter(0.5 * weights(5, 3))

    def forward(self, idx, t):
        h = koubai.tanh(koubai.embedding(idx, self.E))
        return koubai.softmax_cross_entropy(h @ self.E.T, t)


def sequential():
    rng = np.random.default_rng(0)
    return nn.Sequential(
        nn.Linear(4, 6, rng=rng, dtype=np.float64),
        nn.ReLU(),
        nn.Linear(6, 5, rng=rng, dtype=np.float64),
        nn.Sigmoid(),
        nn.Linear(5, 2, rng=rng, dtype=np.float64),
    )


def evaluated():
    return DropoutNet().eval()


def loss_of_a_module():
    model = sequential()
    x = Variable(weights(3, 4), name="x")
    return koubai.softmax_cross_entropy(model(x), np.array([0, 1, 1]))


def step6():
    x = Variable(np.array(0.5), name="x")
    a = x * x
    b = koubai.exp(a)
    return b * b


class Attention(nn.Module):
    def __init__(self):
        self.Wq, self.Wk, self.Wv = (nn.Parameter(weights(4, 4, seed=i)) for i in range(3))

    def forward(self, x):
        q, k, v = x @ self.Wq, x @ self.Wk, x @ self.Wv
        scores = q @ koubai.matrix_transpose(k) / 2.0
        scores = koubai.where(np.tri(x.shape[-2], dtype=bool), scores, -1e9)
        return koubai.softmax(scores, axis=-1) @ v


CASES = [
    Case(
        "two_layer_net_of_the_book",
        lambda: BookNet(4, 5, 3, weight_init_std=1.0, rng=np.random.default_rng(0)),
        labelled(6, 4, 3),
        None,
    ),
    Case(
        "two_layer_net_of_the_book_with_small_weights",
        lambda: BookNet(20, 6, 10, rng=np.random.default_rng(0)),
        labelled(3, 20, 10, one_hot=True),
        None,
        notes="gradients of 1e-4 beside those of 1e-1",
    ),
    Case(
        "two_layer_net_of_the_notebook",
        lambda: TwoLayerNet(4, 5, 3),
        labelled(6, 4, 3, one_hot=True),
        None,
        notes="its loss has 1e-7 in the logarithm, its last layer ignores dout, which is 1",
    ),
    Case(
        "two_layer_net_larger",
        lambda: TwoLayerNet(40, 25, 10),
        labelled(20, 40, 10, one_hot=True),
        None,
        notes="1285 numbers",
    ),
    Case("net_with_weight_decay", lambda: DecayNet(4, 5, 3), labelled(6, 4, 3, one_hot=True), None),
    Case(
        "net_without_layers",
        Regression,
        lambda rng: (rng.standard_normal((6, 3)), rng.standard_normal(6)),
        None,
    ),
    Case("sequential", sequential, normal((3, 4)), None),
    Case(
        "dropout",
        Dropout,
        normal((4, 5)),
        None,
        notes="draws from NumPy's global state at each forward",
    ),
    Case("dropout_evaluated", lambda: Dropout(0.3, train=False), normal((4, 5)), None),
    Case("dropout_with_a_fixed_mask", lambda: FixedDropout((4, 5)), normal((4, 5)), None),
    Case(
        "dropout_of_koubai",
        DropoutNet,
        normal((4, 3)),
        None,
        notes="draws from koubai's default generator at each forward",
    ),
    Case("dropout_of_koubai_evaluated", evaluated, normal((4, 3)), None),
    Case("chain_of_100_layers", Chain, normal((2, 3)), None),
    Case("chain_of_one_function", lambda: fifty, normal((4,)), None),
    Case(
        "chaos",
        lambda: logistic_map,
        given([0.3, 0.71]),
        None,
        notes="derivatives of the order of 1000, and large higher ones",
    ),
    Case("tied_embedding", Tied, given(np.array([0, 3, 3, 1]), np.array([1, 2, 0, 3])), None),
    Case("attention", Attention, normal((2, 3, 4)), None, notes="scores of -1e9"),
    Case(
        "loss_of_a_module",
        loss_of_a_module,
        normal(),
        None,
        notes="a graph whose leaves are x and the parameters",
    ),
    Case("step_6", step6, normal(), None),
]
