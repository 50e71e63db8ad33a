"""The notebooks' purchases of apples and oranges, digit for digit as they printed them."""

from typing import Any

import pytest

from koubai import Variable
from koubai.book import AddLayer, MulLayer


def text(*values: Any) -> str:
    """What print(*values) writes."""
    return " ".join(map(str, values))


class Apples:
    """apple * number * tax, of two layers that stay the same from purchase to purchase."""

    def __init__(self) -> None:
        self.mul_apple, self.mul_tax = MulLayer(), MulLayer()

    def price(self, number: Any, apple: Any, tax: Any) -> Any:
        return self.mul_tax.forward(self.mul_apple.forward(apple, number), tax)

    def slope(self, before: list[Any], after: list[Any], changed: int) -> Any:
        """The change of the price for a change of one quantity."""
        return (self.price(*before) - self.price(*after)) / (before[changed] - after[changed])


class Fruit:
    """(apple * apples + orange * oranges) * tax, of four layers."""

    def __init__(self) -> None:
        self.mul_apple, self.mul_orange, self.mul_tax = MulLayer(), MulLayer(), MulLayer()
        self.add = AddLayer()

    def price(self, apple: Any, apples: Any, orange: Any, oranges: Any, tax: Any) -> Any:
        self.apple_price = self.mul_apple.forward(apple, apples)
        self.orange_price = self.mul_orange.forward(orange, oranges)
        self.all_price = self.add.forward(self.apple_price, self.orange_price)
        return self.mul_tax.forward(self.all_price, tax)


ONE_PURCHASE = [2, 100, 1.1]  # apples, the price of one, tax
OF_BOTH = [100, 2, 150, 3, 1.1]  # price and number of apples, of oranges, tax


def test_two_apples() -> None:
    """Two apples cost 220.00000000000003; the derivatives come as printed, 200 as an integer."""
    purchase = Apples()
    assert text(purchase.price(*ONE_PURCHASE)) == "220.00000000000003"
    dapple_price, dtax = purchase.mul_tax.backward(1)
    dapple, dnumber = purchase.mul_apple.backward(dapple_price)
    assert text(dapple, dnumber, dtax) == "2.2 110.00000000000001 200"
    assert type(dtax) is int


def test_apples_and_oranges() -> None:
    """Prices and derivatives of the larger purchase, every intermediate one, integers kept."""
    purchase = Fruit()
    price = purchase.price(*OF_BOTH)
    prices = purchase.apple_price, purchase.orange_price, purchase.all_price
    assert text(*prices, price) == "200 450 650 715.0000000000001"
    assert [type(p) for p in prices] == [int, int, int]

    dall_price, dtax = purchase.mul_tax.backward(1)
    dapple_price, dorange_price = purchase.add.backward(dall_price)
    assert text(dall_price, dtax, dapple_price, dorange_price) == "1.1 650 1.1 1.1"
    assert type(dtax) is int

    assert text(*purchase.mul_orange.backward(dorange_price)) == "3.3000000000000003 165.0"
    assert text(*purchase.mul_apple.backward(dapple_price)) == "2.2 110.00000000000001"


STEPS = [
    (0, 1, "330.0", "109.99999999999997"),
    (1, 10, "242.00000000000003", "2.2"),
    (2, 0.1, "240.00000000000003", "199.99999999999983"),
]
DOUBLES = [
    (0, "4", "440.00000000000006", "110.00000000000001"),
    (1, "200", "440.00000000000006", "2.2"),
    (2, "2.2", "440.00000000000006", "200.0"),
]


@pytest.mark.parametrize(("changed", "step", "price", "slope"), STEPS)
def test_finite_steps(changed: int, step: float, price: str, slope: str) -> None:
    """The table of finite steps, 1 apple, 10 of money, 0.1 of tax: prices and slopes as printed."""
    purchase, after = Apples(), ONE_PURCHASE.copy()
    after[changed] += step
    assert text(purchase.price(*after)) == price
    assert text(purchase.slope(ONE_PURCHASE, after, changed)) == slope


@pytest.mark.parametrize(("changed", "doubled", "price", "slope"), DOUBLES)
def test_doubled_quantities(changed: int, doubled: str, price: str, slope: str) -> None:
    """The table with one quantity doubled: the price is linear in each, so slopes are the same."""
    purchase, after = Apples(), ONE_PURCHASE.copy()
    after[changed] *= 2
    assert text(after[changed]) == doubled
    assert text(purchase.price(*after)) == price
    assert text(purchase.slope(ONE_PURCHASE, after, changed)) == slope


def test_backward_is_of_the_latest_forward() -> None:
    """After the steps the layers hold the last purchase, tax 1.2: derivatives are those of it."""
    purchase = Apples()
    for changed, step, _, _ in STEPS:
        after = ONE_PURCHASE.copy()
        after[changed] += step
        purchase.price(*after)
    dapple_price, dtax = purchase.mul_tax.backward(1)
    assert text(dapple_price, dtax) == "1.2000000000000002 200"
    dapple, dnumber = purchase.mul_apple.backward(dapple_price)
    assert text(dapple, dnumber, dtax) == "2.4000000000000004 120.00000000000001 200"

    # The same with an upstream gradient of 2, and divided by it again.
    dapple_price, dtax = purchase.mul_tax.backward(2)
    assert text(dapple_price, dtax) == "2.4000000000000004 400"
    assert text(dapple_price / 2, dtax / 2) == "1.2000000000000002 200.0"
    gradients = (*purchase.mul_apple.backward(dapple_price), dtax)
    assert text(*gradients) == "4.800000000000001 240.00000000000003 400"
    assert text(*(g / 2 for g in gradients)) == "2.4000000000000004 120.00000000000001 200.0"


def test_a_tenth_more_of_each() -> None:
    """The table with each of five quantities raised by a tenth, formatted as the notebook does."""
    names = ["apple", "apple_num", "orange", "orange_num", "tax"]
    expected = [
        "     apple: 737.00 2.20",
        " apple_num: 737.00 110.00",
        "    orange: 764.50 3.30",
        "orange_num: 764.50 165.00",
        "       tax: 786.50 650.00",
    ]
    purchase = Fruit()
    before = purchase.price(*OF_BOTH)
    assert text(before) == "715.0000000000001"
    for i, (name, line) in enumerate(zip(names, expected, strict=True)):
        quantities: list[Any] = OF_BOTH.copy()
        quantities[i] *= 1.1
        price = purchase.price(*quantities)
        slope = (before - price) / (OF_BOTH[i] - quantities[i])
        assert f"{name:>10}: {price:4.2f} {slope:4.2f}" == line


def test_the_same_layers_in_a_graph() -> None:
    """Called on Variables, the layers make a graph whose backward() gives the same digits."""
    apple, apples, orange, oranges, tax = quantities = [Variable(q) for q in OF_BOTH]
    all_price = AddLayer()(MulLayer()(apple, apples), MulLayer()(orange, oranges))
    price = MulLayer()(all_price, tax)
    price.backward()
    assert text(price.data) == "715.0000000000001"
    gradients = [q.grad for q in quantities]
    assert text(*gradients) == "2.2 110.00000000000001 3.3000000000000003 165.0 650.0"
