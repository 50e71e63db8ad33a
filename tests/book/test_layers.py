"""The layers: the notebooks' outputs, and the same gradients by hand, in a graph, twice over."""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from koubai import Function, Variable
from koubai.book import (
    AddLayer,
    Affine,
    DivLayer,
    Layer,
    MatMul,
    MulLayer,
    Relu,
    ReluLayer,
    SigmoidLayer,
    SoftmaxWithLoss,
    TanhLayer,
    numerical_gradient,
)
from koubai.core.variable import array_of

Array = np.ndarray[Any, Any]


class Row(NamedTuple):
    """A layer, and arrays that it can be tested on."""

    make: Callable[[np.random.Generator], Any]
    shapes: list[tuple[int, ...]]
    constants: tuple[Any, ...] = ()  # further inputs, that have no gradient


ROWS = {
    "MulLayer": Row(lambda rng: MulLayer(), [(2, 3), (2, 3)]),
    "AddLayer": Row(lambda rng: AddLayer(), [(2, 3), (2, 3)]),
    "DivLayer": Row(lambda rng: DivLayer(), [(2, 3), (2, 3)]),
    "SigmoidLayer": Row(lambda rng: SigmoidLayer(), [(2, 3)]),
    "TanhLayer": Row(lambda rng: TanhLayer(), [(2, 3)]),
    "ReluLayer": Row(lambda rng: ReluLayer(), [(2, 3)]),
    "MatMul": Row(lambda rng: MatMul(rng.standard_normal((3, 2))), [(4, 3)]),
    "Affine": Row(
        lambda rng: Affine(rng.standard_normal((3, 2)), rng.standard_normal(2)), [(4, 3)]
    ),
    "SoftmaxWithLoss, labels": Row(
        lambda rng: SoftmaxWithLoss(), [(4, 3)], (np.array([2, 0, 1, 1]),)
    ),
    "SoftmaxWithLoss, one-hot": Row(
        lambda rng: SoftmaxWithLoss(), [(4, 3)], (np.eye(3)[[2, 0, 1, 1]],)
    ),
}
each_row = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
each_seed = pytest.mark.parametrize("seed", [0, 1])


def drawn(row: Row, seed: int) -> tuple[Any, list[Array], np.random.Generator]:
    """The row's layer, random inputs well away from 0 (a divisor, the corner of relu)."""
    rng = np.random.default_rng(seed)
    layer = row.make(rng)
    xs = [rng.uniform(0.5, 2.0, s) * rng.choice([-1.0, 1.0], s) for s in row.shapes]
    return layer, xs, rng


def listed(gradients: Any) -> list[Any]:
    return list(gradients) if isinstance(gradients, tuple) else [gradients]


# What the notebook on layers printed.


def test_add() -> None:
    """10 + 20 is 30, and both get the upstream 1, an integer."""
    layer = AddLayer()
    assert str(layer.forward(10, 20)) == "30"
    dx, dy = layer.backward(1)
    assert (str(dx), str(dy)) == ("1", "1")
    assert type(dx) is type(dy) is int


def test_mul() -> None:
    """10 * 20 is 200, and each gets the other, an integer."""
    layer = MulLayer()
    assert str(layer.forward(10, 20)) == "200"
    assert "{} {}".format(*layer.backward(1)) == "20 10"


def test_div() -> None:
    """10 / 20 with its derivatives 1/y and -x/y^2."""
    layer = DivLayer()
    assert str(layer.forward(10, 20)) == "0.5"
    assert "{} {}".format(*layer.backward(1)) == "0.05 -0.025"


def test_sigmoid() -> None:
    """The logistic function of 10, and its derivative, all digits."""
    layer = SigmoidLayer()
    assert str(layer.forward(10)) == "0.9999546021312976"
    assert str(layer.backward(1)) == "4.5395807735907655e-05"


@pytest.mark.parametrize("x", [-2.0, 0.0, 0.7, 30.0])
def test_tanh(x: float) -> None:
    """tanh x = (e^x - e^-x)/(e^x + e^-x) and dtanh/dx = 1 - tanh^2 x, times the upstream."""
    layer = TanhLayer()
    y = (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))
    assert layer.forward(x) == pytest.approx(y, rel=1e-14)
    assert layer.backward(3.0) == pytest.approx(3 * (1 - y**2), abs=1e-14)


def test_matmul() -> None:
    """The product of integer matrices, dx as printed, and dW = x^T dout, all integers."""
    layer = MatMul(np.array([[1, 2, 3], [4, 5, 6]]))
    assert str(layer.forward(np.array([[1, 2], [3, 4]]))) == "[[ 9 12 15]\n [19 26 33]]"
    assert str(layer.backward(np.array([[1, 2, 3], [4, 5, 6]]))) == "[[14 32]\n [32 77]]"
    assert str(layer.dW) == "[[13 17 21]\n [18 24 30]]"


# Beyond the notebooks: what all layers have in common.


def test_abstract_layer() -> None:
    """Layer itself, and a class that lacks backward, cannot be instantiated."""

    class OnlyForward(Layer):
        def forward(self, x: Any) -> Any:
            return x

    for abstract in (Layer, OnlyForward):
        with pytest.raises(TypeError, match="abstract"):
            abstract()


@each_row
def test_every_layer_is_a_layer(row: Row) -> None:
    """Each is a Layer of the book, and so a Function of the engine."""
    layer = row.make(np.random.default_rng(0))
    assert isinstance(layer, Layer)
    assert isinstance(layer, Function)


@pytest.mark.parametrize("name", [name for name in ROWS if name != "AddLayer"])
def test_backward_before_forward(name: str) -> None:
    """An error that says what to call first. (Of AddLayer, forward keeps nothing.)"""
    layer, _, _ = drawn(ROWS[name], 0)
    message = rf"{type(layer).__name__} has no attribute '\w+'.* call forward before backward"
    with pytest.raises(AttributeError, match=message):
        layer.backward(np.ones((4, 2)))
    assert not hasattr(layer, "nonsense")


def test_relu_has_two_names() -> None:
    """The notebooks call the same layer Relu and ReluLayer."""
    assert Relu is ReluLayer


@each_seed
@each_row
def test_by_hand_against_differences(row: Row, seed: int) -> None:
    """The gradients of all inputs, with a random upstream, are those of central differences."""
    layer, xs, rng = drawn(row, seed)
    dout = rng.standard_normal(np.shape(layer.forward(*xs, *row.constants)))
    gradients = listed(layer.backward(dout))
    assert len(gradients) == len(xs)
    for x, gradient in zip(xs, gradients, strict=True):
        expected = numerical_gradient(
            lambda _: np.sum(dout * layer.forward(*xs, *row.constants)),
            x,
        )
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


@each_seed
@pytest.mark.parametrize("name", ["MatMul", "Affine"])
def test_parameters_against_differences(name: str, seed: int) -> None:
    """dW and db, with a random upstream, are those of central differences."""
    layer, (x,), rng = drawn(ROWS[name], seed)
    dout = rng.standard_normal(layer.forward(x).shape)
    layer.backward(dout)
    for parameter, gradient in [("W", "dW"), ("b", "db")] if name == "Affine" else [("W", "dW")]:
        expected = numerical_gradient(
            lambda _: np.sum(dout * layer.forward(x)), getattr(layer, parameter)
        )
        np.testing.assert_allclose(getattr(layer, gradient), expected, rtol=1e-6, atol=1e-8)


@each_seed
@each_row
def test_in_a_graph_as_by_hand(row: Row, seed: int) -> None:
    """A call on Variables records the layer, and backward() gives the gradients by hand."""
    layer, xs, rng = drawn(row, seed)
    dout = rng.standard_normal(np.shape(layer.forward(*xs, *row.constants)))
    expected = listed(layer.backward(dout))
    variables = [Variable(x) for x in xs]
    y = layer(*variables, *row.constants)
    assert y.creator is layer
    y.backward(dout)
    for x, gradient in zip(variables, expected, strict=True):
        np.testing.assert_array_equal(x.grad, gradient)


@each_seed
@each_row
def test_second_derivatives(row: Row, seed: int) -> None:
    """With create_graph the gradients can be differentiated: a product with a random vector."""
    layer, xs, rng = drawn(row, seed)
    dout = rng.standard_normal(np.shape(layer.forward(*xs, *row.constants)))
    vectors = [rng.standard_normal(x.shape) for x in xs]

    def along_vectors(gradients: list[Any]) -> Any:
        parts = (np.sum(g * v) for g, v in zip(gradients, vectors, strict=True))
        return sum(parts, start=0.0)

    def first_order(_: Any) -> Any:
        layer.forward(*xs, *row.constants)
        return along_vectors(listed(layer.backward(dout)))

    variables = [Variable(x.copy()) for x in xs]
    layer(*variables, *row.constants).backward(dout, create_graph=True)
    gradients = [x.grad for x in variables]
    assert all(isinstance(g, Variable) for g in gradients)
    for x in variables:
        x.cleargrad()
    # x^2 / 2 besides: where the layer is linear, its gradient does not depend on x at all.
    y = along_vectors(gradients) + sum((0.5 * x * x).sum() for x in variables)
    y.backward()
    for x, variable in zip(xs, variables, strict=True):
        expected = numerical_gradient(first_order, x) + x
        np.testing.assert_allclose(variable.grad, expected, rtol=1e-6, atol=1e-7)


@each_row
def test_nothing_is_shared_or_changed(row: Row) -> None:
    """Gradients share memory with nothing, so writing into one changes no other array."""
    layer, xs, rng = drawn(row, 0)
    dout = rng.standard_normal(np.shape(layer.forward(*xs, *row.constants)))
    given = [*xs, dout, *row.constants]
    copies = [x.copy() for x in given]
    returned = listed(layer.backward(dout))
    returned += [g for name in ("dW", "db") if (g := getattr(layer, name, None)) is not None]
    for one, other in itertools.combinations(returned, 2):
        assert not np.may_share_memory(one, other)
    for gradient, array in itertools.product(returned, given):
        assert not np.may_share_memory(gradient, array)
    for array, copy in zip(given, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@each_seed
def test_float32_stays(seed: int) -> None:
    """In float32 the layers, their gradients and the loss are float32."""
    rng = np.random.default_rng(seed)
    W, b, x = (rng.standard_normal(s).astype(np.float32) for s in [(3, 2), (2,), (4, 3)])
    affine, relu, last = Affine(W, b), Relu(), SoftmaxWithLoss()
    loss = last.forward(relu.forward(affine.forward(x)), np.array([0, 1, 1, 0]))
    dx = affine.backward(relu.backward(last.backward()))
    assert loss.dtype == dx.dtype == affine.dW.dtype == affine.db.dtype == np.float32


def test_relu_at_zero_and_in_place() -> None:
    """At 0 the derivative is 0; input and upstream are left as they are."""
    layer = Relu()
    x, dout = np.array([-1.0, 0.0, 2.0]), np.array([5.0, 6.0, 7.0])
    assert layer.forward(x).tolist() == [0.0, 0.0, 2.0]
    assert layer.backward(dout).tolist() == [0.0, 0.0, 7.0]
    assert dout.tolist() == [5.0, 6.0, 7.0]


# The last layer.


def test_loss_honours_dout() -> None:
    """backward(dout) is dout times backward(); a one-element array does as well."""
    layer = SoftmaxWithLoss()
    layer.forward(np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 5.0]]), np.array([0, 2]))
    once = layer.backward()
    assert np.abs(once).max() > 0.1
    np.testing.assert_allclose(layer.backward(-3.0), -3 * once, rtol=1e-15)
    np.testing.assert_array_equal(layer.backward(np.ones(1)), once)


def test_loss_of_labels_and_of_one_hot_rows() -> None:
    """Labels and one-hot rows give the same loss, kept in .loss, and the same gradient."""
    x, t = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 5.0]]), np.array([0, 2])
    one, other = SoftmaxWithLoss(), SoftmaxWithLoss()
    assert one.loss is None
    assert one.forward(x, t) == other.forward(x, np.eye(3)[t]) == one.loss
    np.testing.assert_array_equal(one.backward(), other.backward())
    # log-sum-exp less the score of the target, averaged.
    expected = np.mean(np.log(np.exp(x).sum(axis=1)) - x[[0, 1], t])
    assert one.loss == pytest.approx(expected, rel=1e-14)


def test_loss_at_the_extremes() -> None:
    """Scores of 1e4 in float32 give a finite loss and gradient."""
    layer = SoftmaxWithLoss()
    x = np.array([[1e4, -1e4], [-1e4, 1e4]], dtype=np.float32)
    assert layer.forward(x, np.array([0, 0])) == 1e4
    assert layer.backward().tolist() == [[0, 0], [-0.5, 0.5]]


def test_targets_that_are_differentiated() -> None:
    """Targets given as a Variable of real numbers get their gradient, -log softmax(x) / N."""
    x, t = Variable([[0.0, 0.0]]), Variable([[0.25, 0.75]])
    SoftmaxWithLoss()(x, t).backward()
    np.testing.assert_allclose(x.grad, [[0.25, -0.25]], atol=1e-15)
    np.testing.assert_allclose(t.grad, np.log(2) * np.ones((1, 2)))


@pytest.mark.parametrize(
    ("t", "message"),
    [
        (np.array([0, 3]), "between 0 and 2"),
        (np.array([-1, 0]), "between 0 and 2"),
        (np.array([0, 1, 2]), r"shape \(2,\)"),
        (np.array([[0], [1]]), r"shape \(2,\)"),
        (np.array([0.0, 1.0]), r"shape \(2,\)"),
        (np.eye(3), r"shape \(2,\)"),
        (np.eye(2), r"shape \(2,\)"),
    ],
    ids=["too large", "negative", "too many", "(N, 1)", "not integers", "3 rows", "2 classes"],
)
def test_bad_targets_are_refused(t: Array, message: str) -> None:
    """Labels out of range, of the wrong length or shape are errors, by hand and in a graph."""
    x = np.zeros((2, 3))
    with pytest.raises(ValueError, match=message):
        SoftmaxWithLoss().forward(x, t)
    with pytest.raises(ValueError, match=message):
        SoftmaxWithLoss()(Variable(x), t)


@pytest.mark.parametrize("shape", [(4, 2), (3,), (4, 3)], ids=["x", "b", "b 2-d"])
def test_bad_shapes_in_affine_are_refused(shape: tuple[int, ...]) -> None:
    """x that does not fit W, and a bias that would broadcast, are errors."""
    x = np.ones(shape if shape == (4, 2) else (4, 3))
    b = np.ones(2 if shape == (4, 2) else shape)
    with pytest.raises(ValueError, match=r"x \(\.\.\., I\), W \(I, O\) and b \(O,\)"):
        Affine(np.ones((3, 2)), b).forward(x)


# A layer object is its latest call, and can be called again.


@each_seed
def test_affine_iteration_after_iteration(seed: int) -> None:
    """In a loop with updates in place, dW and db are each time those of this iteration."""
    rng = np.random.default_rng(seed)
    layer = Affine(rng.standard_normal((3, 2)), rng.standard_normal(2))
    for _ in range(4):
        x, dout = rng.standard_normal((5, 3)), rng.standard_normal((5, 2))
        layer(Variable(x)).backward(dout)
        np.testing.assert_allclose(layer.dW, x.T @ dout, rtol=1e-13)
        np.testing.assert_allclose(layer.db, dout.sum(axis=0), rtol=1e-13)
        layer.W -= 0.1 * layer.dW
        layer.b -= 0.1 * layer.db


@each_seed
@pytest.mark.parametrize(
    "make", [MatMul, lambda W: Affine(W, np.ones(3))], ids=["MatMul", "Affine"]
)
def test_twice_in_one_graph(make: Callable[[Array], Any], seed: int) -> None:
    """The same object used for two calls that are both alive gives the right input gradients."""
    rng = np.random.default_rng(seed)
    W, dout = rng.standard_normal((3, 3)), rng.standard_normal((2, 3))
    layer, tanh = make(W), TanhLayer()
    x = Variable(rng.standard_normal((2, 3)))
    tanh(layer(tanh(layer(x)))).backward(dout)

    def by_hand(values: Array) -> Any:
        a = np.tanh(array_of(make(W).forward(values)))
        return np.sum(dout * np.tanh(make(W).forward(a)))

    np.testing.assert_allclose(x.grad, numerical_gradient(by_hand, x.data), rtol=1e-6, atol=1e-8)


@each_seed
@pytest.mark.parametrize(
    "make", [MatMul, lambda W: Affine(W, np.ones(3))], ids=["MatMul", "Affine"]
)
def test_each_call_has_its_own_dW(make: Callable[[Array], Any], seed: int) -> None:
    """Of two calls in a graph, layer.dW belongs to the later, the older creator's to the older.

    Their sum is the derivative of the whole with respect to W.
    """
    rng = np.random.default_rng(seed)
    W, dout, values = rng.standard_normal((3, 3, 3))
    layer = make(W)
    x = Variable(values)
    older = layer(x)
    later = layer(older)
    later.backward(dout)
    assert later.creator is layer
    np.testing.assert_allclose(layer.dW, older.data.T @ dout, rtol=1e-12)
    np.testing.assert_allclose(older.creator.dW, values.T @ (dout @ W.T), rtol=1e-12)

    def by_hand(_: Any) -> Any:
        return np.sum(dout * make(W).forward(make(W).forward(values)))

    total = layer.dW + older.creator.dW
    np.testing.assert_allclose(total, numerical_gradient(by_hand, W), rtol=1e-6, atol=1e-8)
