"""The generated C takes the steps that are simulated."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the simulation needs the extra tinycc[torch]")

from tests.tools.training_graphs import training_graph
from tinycc import training
from tinycc.run.training import train
from tinycc.training.channels import trained_elements
from tinycc.training.gradients import GradientType
from tinycc.training.scheme import LayerScheme, Scheme, full
from tinycc.training.simulation import Data, IntegerNetwork, Run, simulate

STEPS, RATE, SEED = 20, 0.01, 7


@pytest.mark.parametrize(
    ("is_sparse", "gradients"), [(False, "float"), (True, "float"), (False, "integer"), (True, "integer")]
)
def test_weights_after_steps_on_the_host(is_sparse: bool, gradients: GradientType, tmp_path: Path) -> None:
    module = training_graph(4)
    network = IntegerNetwork.load(module)
    scheme = full(network.layers)
    if is_sparse:
        shares = (0.5, 1.0, 0.0, 0.34)
        parts = {
            name: LayerScheme(bias=index % 2 == 0, weights=shares[index % 4])
            for index, name in enumerate(network.layers)
        }
        scheme = Scheme(parts)
    random = np.random.default_rng(0)
    images = random.integers(-128, 128, (STEPS, 8, 8, 3), dtype=np.int8)
    labels = random.integers(0, 4, STEPS)

    rule = training.UpdateRule(seed=SEED)
    compiled = training.compile(module, scheme=scheme, gradients=gradients, rate=RATE, rule=rule)
    compiled.export(tmp_path / "model")
    device = train(tmp_path / "model", "host", [images], labels, RATE)
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
