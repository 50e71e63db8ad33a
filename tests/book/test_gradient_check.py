"""The notebooks' gradient check: backpropagation against differences, on real digits."""

from typing import Any

import numpy as np
import pytest

from koubai.book import TwoLayerNet

# The table that the notebook printed, unseeded. Its loss was the logarithm of y + 1e-7, the
# package's is exact, and the differences are smaller by a factor of a thousand.
NOTEBOOK = {
    "W1": 4.5428372319864346e-10,
    "b1": 2.9178701937049215e-09,
    "W2": 5.49950883880191e-09,
    "b2": 1.3921819623924358e-07,
}


@pytest.mark.parametrize("seed", [0])
def test_gradient_check_table(digits: Any, seed: int) -> None:
    """Mean absolute differences: above 0, below a hundredth of the notebook's, in its order."""
    x, t = digits[0]
    net = TwoLayerNet(784, 50, 10, rng=np.random.default_rng(seed))
    numerical = net.numerical_gradient(x[:3], t[:3])
    backprop = net.gradient(x[:3], t[:3])
    assert list(numerical) == list(backprop) == list(NOTEBOOK)
    for key, printed in NOTEBOOK.items():
        difference = np.average(np.abs(backprop[key] - numerical[key]))
        assert 0 < difference < printed / 100, f"seed {seed}: {key}: {difference}"
        # The gradient itself is far larger than that.
        assert np.average(np.abs(numerical[key])) > 1e4 * difference, f"seed {seed}: {key}"
