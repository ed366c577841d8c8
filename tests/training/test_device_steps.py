"""The generated C takes the steps that are simulated."""

from pathlib import Path

import numpy as np
import pytest
import tvm
from tvm import relax

pytest.importorskip("torch", reason="the simulation needs the extra tinycc[torch]")

from tests.tools.kernel_runner import module_of
from tests.tools.networks import Network, shared
from tests.tools.training_graphs import training_graph
from tinycc import training
from tinycc.run.training import train
from tinycc.training.channels import trained_elements
from tinycc.training.gradients import GradientType
from tinycc.training.scheme import LayerScheme, Scheme, full
from tinycc.training.simulation import Data, IntegerNetwork, Run, simulate

STEPS, RATE, SEED = 20, 0.01, 7


def assert_steps_are_those_simulated(
    module: tvm.IRModule, scheme: Scheme, gradients: GradientType, folder: Path
) -> None:
    """Of a network with an image [1,8,8,3] and four classes, on the host."""
    random = np.random.default_rng(0)
    images = random.integers(-128, 128, (STEPS, 8, 8, 3), dtype=np.int8)
    labels = random.integers(0, 4, STEPS)
    rule = training.UpdateRule(seed=SEED)
    compiled = training.compile(module, scheme=scheme, gradients=gradients, rate=RATE, rule=rule)
    compiled.export(folder)
    device = train(folder, "host", [images], labels, RATE)
    network = IntegerNetwork.load(module)
    data, runs = Data([images], labels), [Run(SEED, RATE, scheme)]
    (simulated,) = simulate(network, data, runs=runs, shuffled=False, gradients=gradients)

    assert device.states is not None
    assert device.outputs[0].mean() == pytest.approx(simulated.losses[0], rel=1e-4)
    assert set(simulated.states) <= set(device.states)
    for name, state in simulated.states.items():
        if name.endswith("_weights"):
            layer = network.layers[name.removesuffix("_weights")]
            state = state[trained_elements(layer, scheme.layers[layer.name].weights) >= 0]
        # Sums of real numbers have another order: one next to a threshold may be rounded the other way.
        differing = state.reshape(-1) != device.states[name].reshape(-1)
        assert differing.mean() <= (0.01 if gradients == "float" else 0), name


# Of one layer of the second graph the last channel trains, which is in its place already.
@pytest.mark.parametrize(
    ("seed", "is_sparse", "gradients"), [(4, False, "float"), (4, True, "float"), (1, True, "integer")]
)
def test_random_graphs(seed: int, is_sparse: bool, gradients: GradientType, tmp_path: Path) -> None:
    module = training_graph(seed)
    layers = IntegerNetwork.load(module).layers
    scheme, shares = full(layers), (0.5, 1.0, 0.0, 0.34)
    if is_sparse:
        parts = {
            name: LayerScheme(bias=index % 2 == 0, weights=shares[index % 4])
            for index, name in enumerate(layers)
        }
        scheme = Scheme(parts)
    assert_steps_are_those_simulated(module, scheme, gradients, tmp_path / "model")


def test_windows_that_overlap_and_operands_that_are_broadcast(tmp_path: Path) -> None:
    network = Network()

    def pooled(x: relax.Expr) -> relax.Expr:
        window = {"strides": (1, 1), "padding": (1, 1, 1, 1), "layout": "NHWC"}
        largest = relax.op.nn.max_pool2d(x, (3, 3), **window)
        means = relax.op.nn.avg_pool2d(network._real(largest), (3, 3), **window, count_include_pad=False)
        return network._finish(means)

    def body(x: relax.Expr) -> relax.Expr:
        first = pooled(network.convolution(x, 6, 3, kernel=3))
        mean = network.mean(network.convolution(first, 6, 6))
        lifted = network._finish(relax.op.subtract(network._real(first), network._real(mean)))
        squared = network.scaled(lifted, lifted)
        return network.dense(network.mean(network.convolution(network.scaled(squared, mean), 6, 6)), 6, 4)

    module = shared(module_of([((1, 8, 8, 3), "int8")], body))
    scheme = full(IntegerNetwork.load(module).layers)
    assert_steps_are_those_simulated(module, scheme, "integer", tmp_path / "model")
