"""Simulated training takes the device's steps: rounding, saturation, schemes, runs beside each other."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the simulation needs the extra tinycc[torch]")

import torch

from tests.tools.training_graphs import training_graph
from tinycc.errors import InputDataError, TrainingError
from tinycc.ops.update import UpdateRounding
from tinycc.training.channels import trained_elements
from tinycc.training.scheme import LayerScheme, Scheme, full, last_layers
from tinycc.training.simulation import Data, GradientDescent, IntegerNetwork, Run, simulate
from tinycc.training.simulation.network import bias_name, weights_name
from tinycc.training.simulation.random_bits import uniform
from tinycc.training.simulation.update import Updater

CASES = 24


@pytest.fixture(scope="module")
def network() -> IntegerNetwork:
    return IntegerNetwork.load(training_graph(1))


@pytest.fixture(scope="module")
def data() -> Data:
    random = np.random.default_rng(0)
    return Data([random.integers(-128, 128, (CASES, 8, 8, 3), dtype=np.int8)], random.integers(0, 4, CASES))


def test_random_numbers_are_those_of_the_device() -> None:
    elements = np.arange(500)
    for seed, step, tensor in ((0, 0, 0), (7, 3, 2), (-5, 2**31 - 1, 40), (2**31, 12345, 1)):
        numbers = uniform(torch.tensor(seed), step, torch.tensor(tensor), torch.tensor(elements))
        assert np.array_equal(numbers.numpy(), UpdateRounding(seed, tensor).uniform(step, elements))


def updated(
    network: IntegerNetwork, rule: GradientDescent, gradient: float, *, steps: int = 1, rate: float = 1.0
) -> np.ndarray:
    """The change of a layer's weights by a gradient that is the same for all and for each step."""
    name, layer = "conv2d_1", network.layers["conv2d_1"]
    scheme = Scheme({name: LayerScheme(bias=False, weights=1.0)})
    updater = Updater.of(network.layers, [scheme], [3], rule)
    for _ in range(steps):
        gradients = {weights_name(name): torch.full((1, *layer.weights.shape), gradient)}
        updater.update(gradients, torch.tensor([rate]))
    changed = updater.tensors[weights_name(name)].values[0].numpy()
    return changed.astype(int) - layer.weights


def test_stochastic_rounding_moves_by_the_gradient_on_average(network: IntegerNetwork) -> None:
    change = updated(network, GradientDescent(is_scaled=False), 0.25, steps=40)
    inside = network.layers["conv2d_1"].weights > -100
    assert change[inside].mean() == pytest.approx(-10, abs=0.8)
    assert len(np.unique(change[inside])) > 5


def test_rounding_to_nearest_loses_small_steps(network: IntegerNetwork) -> None:
    rule = GradientDescent(rounding="nearest", is_scaled=False)
    assert not updated(network, rule, 0.25, steps=40).any()
    assert (updated(network, rule, -0.75)[network.layers["conv2d_1"].weights < 127] == 1).all()


def test_truncation_makes_any_step_towards_zero_a_whole_one(network: IntegerNetwork) -> None:
    """`int8_t w = 5; w -= 0.001f;` is 4 in C."""
    change = updated(network, GradientDescent(rounding="truncate", is_scaled=False), 0.001)
    assert np.array_equal(change, -1 * (network.layers["conv2d_1"].weights > 0))


def test_a_master_keeps_fractions(network: IntegerNetwork) -> None:
    rule = GradientDescent(rounding="master", is_scaled=False)
    inside = abs(network.layers["conv2d_1"].weights.astype(int)) < 100
    assert (updated(network, rule, 0.25, steps=40)[inside] == -10).all()


def test_momentum_adds_what_is_left_of_steps_before(network: IntegerNetwork) -> None:
    rule = GradientDescent(rounding="nearest", is_scaled=False, momentum=0.5)
    inside = abs(network.layers["conv2d_1"].weights.astype(int)) < 100
    assert (updated(network, rule, 4.0, steps=3)[inside] == -(4 + 6 + 7)).all()


def test_integers_saturate(network: IntegerNetwork) -> None:
    weights = network.layers["conv2d_1"].weights
    assert ((updated(network, GradientDescent(is_scaled=False), 500.0) + weights) == -128).all()
    assert ((updated(network, GradientDescent(is_scaled=False), -1e30) + weights) == 127).all()
    symmetric = GradientDescent(is_scaled=False, lowest_weight=-127)
    assert ((updated(network, symmetric, 500.0) + weights) == -127).all()


@pytest.mark.parametrize("gradient", [float("nan"), float("inf")])
def test_what_is_no_number_changes_nothing(network: IntegerNetwork, gradient: float) -> None:
    assert not updated(network, GradientDescent(), gradient).any()


def test_scaling_makes_steps_those_of_real_weights(network: IntegerNetwork) -> None:
    """A real weight steps by rate x its gradient, an integer by rate x the integer's gradient / scale^2."""
    rule = GradientDescent(rounding="master")
    scales = network.layers["conv2d_1"].weight_scales.astype(np.float64)
    change = updated(network, rule, 1.0, rate=1e-3) / (1e-3 / scales**2)[:, None, None, None]
    inside = abs(network.layers["conv2d_1"].weights.astype(int)) < 60
    assert abs(change[inside] + 1).max() < 0.15  # the integers are rounded


def test_only_what_a_scheme_says_changes(network: IntegerNetwork) -> None:
    scheme = Scheme(
        {
            "dense_0": LayerScheme(True, 1.0),
            "conv2d_4": LayerScheme(False, 0.5),
            "depthwise_conv2d_1": LayerScheme(True, 0.3),
        }
    )
    updater = Updater.of(network.layers, [scheme], [0], GradientDescent())
    ones = {name: torch.ones(tensor.values.shape) for name, tensor in updater.tensors.items()}
    updater.update(ones, torch.tensor([1.0]))
    states = updater.states(0)
    assert set(states) == {
        "dense_0_weights",
        "dense_0_bias",
        "conv2d_4_weights",
        "depthwise_conv2d_1_weights",
        "depthwise_conv2d_1_bias",
    }
    for name, share, axes in (("conv2d_4", 0.5, (0, 1, 2)), ("depthwise_conv2d_1", 0.3, (1, 2, 3))):
        layer = network.layers[name]
        changed = (states[weights_name(name)] != layer.weights).any(axes)
        real = np.square(layer.weights * layer.weight_scales[:, None, None, None]).sum(axes)
        count = int(share * len(real))
        assert changed.sum() == count
        assert real[changed].min() >= np.sort(real)[-count]
        elements = trained_elements(layer, share)
        assert np.array_equal(np.sort(elements[elements >= 0]), np.arange((elements >= 0).sum()))


def test_runs_do_not_know_of_each_other(network: IntegerNetwork, data: Data) -> None:
    """Not to the bit: sums of gradients may have another order, and stochastic rounding is a threshold."""
    runs = [Run(0, 0.003), Run(1, 0.01), Run(0, 0.003, last_layers(network.layers, 2))]
    together = simulate(network, data, data, runs=runs, batch=4)
    for run, result in zip(runs, together, strict=True):
        (alone,) = simulate(network, data, data, runs=[run], batch=4)
        assert result.losses == pytest.approx(alone.losses, rel=1e-3)
        assert result.accuracies[0] == alone.accuracies[0]
        assert set(result.states) == set(alone.states)
        for name, state in alone.states.items():
            assert (result.states[name] != state).mean() < 0.01, name


def test_runs_that_train_biases_alone_share_sums(network: IntegerNetwork, data: Data) -> None:
    scheme = Scheme({name: LayerScheme(bias=True) for name in ("conv2d_0", "conv2d_5", "dense_0")})
    runs = [Run(0, rate, scheme) for rate in (0.003, 0.01)]
    together = simulate(network, data, runs=runs, batch=4)
    for run, result in zip(runs, together, strict=True):
        (alone,) = simulate(network, data, runs=[run], batch=4)
        assert result.losses == pytest.approx(alone.losses, rel=1e-3)


def test_it_learns(network: IntegerNetwork, data: Data) -> None:
    (result,) = simulate(network, data, data, runs=[Run(0, 0.01)], epochs=10, batch=4)
    assert result.losses[-1] < result.losses[0] / 2
    assert result.accuracies[-1] > 2 * result.accuracies[0]


def test_squared_error(network: IntegerNetwork, data: Data) -> None:
    targets = np.eye(4)[data.targets].reshape(CASES, 1, 4)
    numbers = Data(data.inputs, targets)
    runs = [Run(0, 0.003, last_layers(network.layers, 3))]
    (result,) = simulate(network, numbers, numbers, runs=runs, epochs=6, batch=4, loss="squared_error")
    assert result.accuracies[-1] < result.accuracies[0] / 2


def test_what_does_not_fit_is_refused(network: IntegerNetwork, data: Data) -> None:
    cases = [
        (Data(data.inputs, np.full(CASES, 4)), InputDataError, "labels must be one number from 0 to 3"),
        (Data(data.inputs, data.targets - 1), InputDataError, "labels must be one number from 0 to 3"),
        (Data(data.inputs, data.targets[:5]), InputDataError, r"24 cases, and targets of shape \[5\]"),
        (Data(data.inputs, data.targets + 0.5), InputDataError, "labels must be one number from 0 to 3"),
        (Data([data.inputs[0][:, :4]], data.targets), InputDataError, "expected"),
    ]
    for wrong, kind, message in cases:
        with pytest.raises(kind, match=message):
            simulate(network, wrong)
    with pytest.raises(InputDataError, match="a target must be 4 real numbers"):
        simulate(network, data, loss="squared_error")
    with pytest.raises(TrainingError, match="no loss is called"):
        simulate(network, data, loss="hinge")  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match="which is no layer"):
        simulate(network, data, runs=[Run(scheme=Scheme({"conv2d_99": LayerScheme()}))])
    with pytest.raises(TrainingError, match="a batch of 100 cannot be had of 24 cases"):
        simulate(network, data, batch=100)
    with pytest.raises(TrainingError, match="no rounding is called"):
        GradientDescent(rounding="up")  # type: ignore[arg-type]


def test_all_that_trains_by_default(network: IntegerNetwork, data: Data) -> None:
    (result,) = simulate(network, data)
    names = {name(layer) for layer in full(network.layers).layers for name in (weights_name, bias_name)}
    assert set(result.states) == names
