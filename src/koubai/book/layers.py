"""The notebooks' layers, each an operation of the engine (or one that it drives).

A layer is used by hand with ``forward`` and ``backward``; a call, ``layer(x)`` with a
``Variable``, records it in a graph. Either way the gradients of the parameters are found in the
layer, and an instance stands for its latest ``forward``.

``MatMul`` and ``Affine`` make a new operation in every ``forward``: when the same layer is used
twice in a graph, the older call must keep what it kept.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NoReturn

from koubai.arrays import Array
from koubai.core import Function
from koubai.ops.elementwise import Add, Divide, Multiply, Sigmoid, Tanh
from koubai.ops.elementwise import Relu as Rectifier
from koubai.ops.linalg import Linear, Matmul
from koubai.ops.losses import SoftmaxCrossEntropy


class Layer(Function, ABC):
    """What every layer has: a ``forward`` and a ``backward``. Inherit from it for your own.

    Raises:
        TypeError: when a class that lacks one of the two is instantiated.

    >>> from koubai import Variable
    >>> class Double(Layer):
    ...     def forward(self, x):
    ...         return 2 * x
    ...     def backward(self, dout):
    ...         return 2 * dout
    >>> layer = Double()
    >>> layer.forward(3), layer.backward(1)
    (6, 2)
    >>> layer(Variable(3.0))
    Variable(6.)
    """

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            """Only asked for what is not there, most often what forward keeps for backward."""
            raise AttributeError(
                f"{type(self).__name__} has no attribute {name!r}; if it is forward that sets it,"
                " call forward before backward",
                name=name,
                obj=self,
            )

    @abstractmethod
    def forward(self, *xs: Any) -> Any:
        """The output for the inputs."""

    @abstractmethod
    def backward(self, *gys: Any) -> Any:
        """The gradient of each input, from the gradient of the output."""


class MulLayer(Multiply, Layer):
    """Multiplication, x * y, of numbers or arrays: ``backward(dout)`` is dout * y, dout * x.

    Integers stay integers.

    >>> layer = MulLayer()
    >>> layer.forward(100, 2), layer.backward(1)
    (200, (2, 100))
    """


class AddLayer(Add, Layer):
    """Addition, x + y, of numbers or arrays: ``backward(dout)`` is dout, dout, each its own array.

    Integers stay integers.

    >>> layer = AddLayer()
    >>> layer.forward(200, 450), layer.backward(1)
    (650, (1, 1))
    """

    def backward(self, dout: Array) -> tuple[Array, Array]:
        dx, dy = super().backward(dout)
        # Twice the same array, by hand: writing into dx would change dy and dout.
        return dx * 1, dy * 1


class DivLayer(Divide, Layer):
    """Division, x / y, of numbers or arrays: ``backward(dout)`` is dout / y, -dout * x / y**2.

    >>> layer = DivLayer()
    >>> layer.forward(10, 20), layer.backward(1)
    (0.5, (0.05, -0.025))
    """


class SigmoidLayer(Sigmoid, Layer):
    """Logistic function, 1 / (1 + exp(-x)), of a number or an array; does not overflow.

    >>> layer = SigmoidLayer()
    >>> print(layer.forward(10), layer.backward(1))
    0.9999546021312976 4.5395807735907655e-05
    """


class TanhLayer(Tanh, Layer):
    """Hyperbolic tangent of a number or an array.

    >>> layer = TanhLayer()
    >>> print(layer.forward(0.0), layer.backward(2.0))
    0.0 2.0
    """


class ReluLayer(Rectifier, Layer):
    """Rectifier, max(x, 0), of a number or an array; the derivative at 0 is 0.

    Unlike the notebooks' it leaves ``dout`` as it is and returns an array of its own.

    >>> import numpy as np
    >>> layer = ReluLayer()
    >>> layer.forward(np.array([-1.0, 0.0, 2.0])), layer.backward(np.array([5.0, 5.0, 5.0]))
    (array([0., 0., 2.]), array([0., 0., 5.]))
    """


Relu = ReluLayer


class MatMul(Layer):
    """Matrix product x W with weights that the layer holds.

    Args:
        W: weights, (I, O).

    ``forward(x)`` takes rows x, (..., I), and returns (..., O); ``backward(dout)`` returns dx, of
    x's shape.

    Attributes:
        W: the weights, the same array (not a copy).
        dW: the gradient of W, (I, O), set anew by each ``backward``; None before.

    >>> import numpy as np
    >>> layer = MatMul(np.array([[1, 2, 3], [4, 5, 6]]))
    >>> layer.forward(np.array([[1, 2]]))
    array([[ 9, 12, 15]])
    >>> layer.backward(np.array([[1, 0, 0]]))
    array([[1, 4]])
    >>> layer.dW
    array([[1, 0, 0],
           [2, 0, 0]])
    """

    def __init__(self, W: Array) -> None:
        self.W = W
        self.dW: Any = None

    def forward(self, x: Array) -> Array:
        self.matmul = Matmul()
        return self.matmul.forward(x, self.W)

    def backward(self, dout: Array) -> Array:
        dx, self.dW = self.matmul.backward(dout)
        return dx


class Affine(Layer):
    """Affine map x W + b of rows, with weights and a bias that the layer holds.

    Args:
        W: weights, (I, O).
        b: bias, (O,).

    ``forward(x)`` takes rows x, (..., I), and returns (..., O); ``backward(dout)`` returns dx, of
    x's shape.

    Attributes:
        W, b: the parameters, the same arrays (not copies): ``layer.W -= 0.1 * layer.dW`` trains.
        dW, db: their gradients, of their shapes, set anew by each ``backward``; None before.

    Raises:
        ValueError: for other shapes.

    >>> import numpy as np
    >>> layer = Affine(np.array([[1.0], [2.0]]), np.array([0.5]))
    >>> layer.forward(np.array([[3.0, 4.0]]))
    array([[11.5]])
    >>> layer.backward(np.array([[1.0]])), layer.dW, layer.db
    (array([[1., 2.]]), array([[3.],
           [4.]]), array([1.]))
    """

    def __init__(self, W: Array, b: Array) -> None:
        self.W, self.b = W, b
        self.dW: Any = None
        self.db: Any = None

    def forward(self, x: Array) -> Array:
        self.linear = Linear()
        return self.linear.forward(x, self.W, self.b)

    def backward(self, dout: Array) -> Array:
        dx, self.dW, self.db = self.linear.backward(dout)
        return dx


class SoftmaxWithLoss(SoftmaxCrossEntropy, Layer):
    """Softmax and the mean cross entropy, as one layer: the last one of a classifier.

    ``forward(x, t)`` takes scores x, (N, C), and targets t, labels (N,) or one-hot rows (N, C),
    and returns the loss, one number. ``backward(dout)`` returns dx = dout * (softmax(x) - t) / N
    of shape (N, C), and the pair (dx, dt) only where t is a Variable of real numbers in a graph.

    Attributes:
        loss: the latest loss; None before.

    Raises:
        ValueError: for other shapes, and for labels that are not between 0 and C - 1.

    >>> import numpy as np
    >>> layer = SoftmaxWithLoss()
    >>> print(layer.forward(np.array([[0.0, 0.0]]), np.array([1])))
    0.6931471805599453
    >>> layer.backward(), layer.backward(10)
    (array([[ 0.5, -0.5]]), array([[ 5., -5.]]))
    """

    loss: Any = None

    def forward(self, x: Array, t: Array) -> Array:
        self.loss = super().forward(x, t)
        return self.loss

    def backward(self, dout: Array = 1.0) -> Any:
        dx, dt = super().backward(dout)
        return (dx, dt) if self._inputs and self.needs_grad(1) else dx
