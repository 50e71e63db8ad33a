"""Modules are plain objects whose parameters are found, named, saved and loaded."""

import pickle
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from koubai import Variable, nn
from koubai.optim import Adam


class Net(nn.Module):
    """One field of every kind that is looked into, and some that are not; no super().__init__()."""

    def __init__(self) -> None:
        self.scale = nn.Parameter(2.0)
        self.blocks = [nn.Linear(3, 3, rng=np.random.default_rng(i)) for i in range(2)]
        self.heads = {"a": nn.Linear(3, 1), "b": (nn.Parameter([1.0]), nn.ReLU())}
        self.state = Variable([1.0])  # a Variable, but no parameter
        self.note = "text"
        self.nothing = None

    def forward(self, x: Any, shift: float = 0.0) -> Any:
        for block in self.blocks:
            x = block(x)
        return self.heads["a"](x) * self.scale + shift  # type: ignore[operator]


NAMES = ["scale", "blocks.0.W", "blocks.0.b", "blocks.1.W", "blocks.1.b"]
NAMES += ["heads.a.W", "heads.a.b", "heads.b.0"]


def test_parameters_are_found_in_fields_and_containers() -> None:
    """Fields, lists, tuples and dicts are walked, in order; names are the paths of the walk."""
    net = Net()
    named = dict(net.named_parameters())
    assert list(named) == NAMES
    assert named["blocks.1.W"] is net.blocks[1].W
    assert [id(p) for p in net.parameters()] == [id(p) for p in named.values()]


def test_modules_are_found() -> None:
    """The module itself comes first, with an empty name; then those inside."""
    net = Net()
    named = dict(net.named_modules())
    assert list(named) == ["", "blocks.0", "blocks.1", "heads.a", "heads.b.1"]
    assert named[""] is net
    assert list(net.modules()) == list(named.values())


def test_a_parameter_set_later_is_found() -> None:
    """Nothing is registered: what is a field now counts, what is no longer one doesn't."""
    net = Net()
    net.late = nn.Parameter([0.0])  # type: ignore[attr-defined]
    del net.scale
    assert [name for name, _ in net.named_parameters()] == [*NAMES[1:], "late"]


def test_a_shared_parameter_appears_once() -> None:
    """Two layers with the same W have one parameter W, under the first name."""
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    second.W = first.W
    model = nn.Sequential(first, second, first)
    assert [name for name, _ in model.named_parameters()] == ["0.W", "0.b", "1.b"]
    assert [name for name, _ in model.named_modules()] == ["", "0", "1"]


def test_a_module_that_knows_its_parent() -> None:
    """A cycle of fields ends the walk and the repr, and the parent's parameters come once."""
    parent, child = nn.Module(), nn.Linear(1, 1)
    parent.child, child.parent = child, parent  # type: ignore[attr-defined]
    assert [name for name, _ in parent.named_parameters()] == ["child.W", "child.b"]
    assert "..." in repr(parent)


def test_call_is_forward() -> None:
    """Positional and keyword arguments go to forward."""
    net, x = Net(), np.ones((4, 3), np.float32)
    assert net(x, shift=1.0).shape == (4, 1)
    np.testing.assert_array_equal(net(x, shift=1.0).data, net.forward(x, 1.0).data)


def test_without_forward() -> None:
    """A subclass that forgot forward is named."""
    with pytest.raises(NotImplementedError, match="Module has no forward"):
        nn.Module()(1.0)


def test_train_and_eval_reach_all_modules() -> None:
    """training is true to begin with, eval() and train() set it everywhere and return self."""
    net = Net()
    assert all(m.training for m in net.modules())
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    assert net.train() is net
    assert all(m.training for m in net.modules())
    assert nn.Module().training, "one module's mode is its own"


def test_zero_grad() -> None:
    """All gradients are forgotten."""
    net = Net()
    net(np.ones((4, 3), np.float32)).sum().backward()
    assert net.scale.grad is not None
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_state_dict_is_a_copy() -> None:
    """Writing into the state changes no parameter, and the other way round."""
    net = Net()
    state = net.state_dict()
    assert list(state) == NAMES
    before = net.blocks[0].W.data.copy()
    state["blocks.0.W"][:] = 7
    np.testing.assert_array_equal(net.blocks[0].W.data, before)
    state = net.state_dict()
    net.blocks[0].W.data[:] = 7
    np.testing.assert_array_equal(state["blocks.0.W"], before)


def test_load_state_dict_gives_the_values() -> None:
    """Two nets are equal after loading, and share no array with the state."""
    net, other = Net(), Net()
    other.scale.data = np.array(5.0)
    state = other.state_dict()
    net.load_state_dict(state)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, state[name])
        assert array.dtype == state[name].dtype
    kept = net.blocks[0].W.data.copy()
    state["blocks.0.W"][:] = 7
    np.testing.assert_array_equal(net.blocks[0].W.data, kept)


def test_load_state_dict_names_all_faults_and_changes_nothing() -> None:
    """Missing, unexpected, wrong shape, wrong dtype, not an array: one error, nothing loaded."""
    net = Net()
    before = net.state_dict()
    state: dict[str, Any] = {name: array + 1 for name, array in before.items()}
    del state["heads.a.b"]
    state["extra"] = np.zeros(1)
    state["blocks.0.W"] = np.zeros((3, 4), np.float32)
    state["blocks.0.b"] = np.zeros(3, np.float64)
    state["blocks.1.b"] = [0.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="load_state_dict of Net") as caught:
        net.load_state_dict(state)
    message = str(caught.value)
    for fault in (
        "heads.a.b is missing",
        "extra is not expected",
        "blocks.0.W is float32[3, 4], expected float32[3, 3]",
        "blocks.0.b is float64[3], expected float32[3]",
        "blocks.1.b is list [0.0, 0.0, 0.0], expected float32[3]",
    ):
        assert fault in message
    assert "\n" not in message
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_two_parameters_of_one_name_are_refused() -> None:
    """A state_dict in which one parameter would replace another is an error, not a lost one."""
    net = nn.Module()
    net.parts = {1: nn.Parameter([1.0]), "1": nn.Parameter([2.0])}  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"two parameters of Module are named 'parts\.1'"):
        net.state_dict()


def test_repr_shows_structure() -> None:
    """Settings and parameters in the head, modules inside on lines of their own, indented."""

    class Drop(nn.Module):
        def __init__(self) -> None:
            self.p = 0.5

    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.Sequential(Drop(), nn.Tanh())).eval()
    assert repr(model) == (
        "Sequential(\n"
        "  0: Linear(W=float32[2, 3])\n"
        "  1: Sequential(\n"
        "    0: Drop(p=0.5)\n"
        "    1: Tanh()\n"
        "  )\n"
        ")"
    )


def test_parameter_is_a_variable() -> None:
    """It takes part in graphs as any Variable, adds no fields, and says that it is one."""
    p = nn.Parameter(np.eye(2), name="W")
    (p * 3.0).sum().backward()
    np.testing.assert_array_equal(p.grad, np.full((2, 2), 3.0))
    assert not hasattr(p, "__dict__")
    assert repr(nn.Parameter([1.0, 2.0], name="W")) == "Parameter([1., 2.], name='W')"


@pytest.mark.parametrize("copied", [deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_models_can_be_copied(copied: Any) -> None:
    """Together with an optimizer: the copy computes the same, and trains without the original."""
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    x = np.ones((5, 3), np.float32)
    other, optimizer = copied((model, Adam(model.parameters())))
    np.testing.assert_array_equal(other(x).data, model(x).data)
    before = model.state_dict()
    other(x).sum().backward()
    optimizer.step()
    assert not np.array_equal(other(x).data, model(x).data)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
