"""The generated C takes the steps that are simulated."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the simulation needs the extra tinycc[torch]")

from tests.tools.training_graphs import training_graph
from tinycc import training
from tinycc.run.training import train
from tinycc.training.channels import trained_elements
from tinycc.training.scheme import LayerScheme, Scheme, full
from tinycc.training.simulation import Data, IntegerNetwork, Run, simulate

STEPS, RATE, SEED = 20, 0.01, 7


@pytest.mark.parametrize("is_sparse", [False, True])
def test_weights_after_steps_on_the_host(is_sparse: bool, tmp_path: Path) -> None:
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

    compiled = training.compile(module, scheme=scheme, rate=RATE, rule=training.UpdateRule(seed=SEED))
    compiled.export(tmp_path / "model")
    device = train(tmp_path / "model", "host", [images], labels, RATE)
    (simulated,) = simulate(network, Data([images], labels), runs=[Run(SEED, RATE, scheme)], shuffled=False)

    assert device.states is not None
    assert device.outputs[0].mean() == pytest.approx(simulated.losses[0], rel=1e-4)
    assert set(simulated.states) <= set(device.states)
    for name, state in simulated.states.items():
        if name.endswith("_weights"):
            layer = network.layers[name.removesuffix("_weights")]
            state = state[trained_elements(layer, scheme.layers[layer.name].weights) >= 0]
        # Sums of gradients have another order: a number next to a threshold may be rounded the other way.
        differing = state.reshape(-1) != device.states[name].reshape(-1)
        assert differing.mean() <= 0.01, name
