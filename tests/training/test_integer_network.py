"""The network in torch computes the integers of the generated C."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tvm

import tinycc
from tests.tools.networks import inverted_residual, squeeze_and_excite
from tests.tools.random_graphs import random_model
from tinycc.edges import read_edges
from tinycc.errors import UnsupportedError

pytest.importorskip("torch", reason="the simulation needs the extra tinycc[torch]")

import torch

from tinycc.training.simulation import IntegerNetwork


def assert_equal_integers(model: Any, inputs: list[np.ndarray]) -> None:
    """Every result of the simulation is that of the C, in the device's layout."""
    compiled = tinycc.compile(model, io="int8", schedule="whole", kernels="portable")
    network = IntegerNetwork.load(model)
    computed = network.outputs(network.parameters(), network.read_inputs(inputs))
    for edge, expected, integers in zip(
        read_edges(compiled.module).outputs, compiled.run(inputs), computed, strict=True
    ):
        whole = expected.reshape(len(expected), *edge.shape)
        axes = edge.permutation or range(len(edge.shape))
        there = whole.transpose(0, *(axis + 1 for axis in axes))
        assert np.array_equal(integers.numpy().reshape(there.shape), there)


@pytest.mark.parametrize("make", [inverted_residual, squeeze_and_excite])
def test_blocks(make: Any) -> None:
    module: tvm.IRModule = make()
    shape = read_edges(module).inputs[0].shape
    assert_equal_integers(module, [np.random.default_rng(1).integers(-128, 128, (6, *shape), dtype=np.int8)])


# Between them they have every operator that is simulated.
@pytest.mark.parametrize("seed", [10, 25, 40, 43, 51, 52])
def test_random_graphs(seed: int, tmp_path: Path) -> None:
    model = random_model(seed, operators=6)
    path = tmp_path / "model.tflite"
    path.write_bytes(model.content)
    assert_equal_integers(path, model.cases(np.random.default_rng(seed), 20))


def test_what_cannot_be_simulated_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(random_model(3, operators=6).content)
    with pytest.raises(UnsupportedError, match=r"resize_bilinear .* cannot be simulated"):
        IntegerNetwork.load(path)


def test_float32_and_runs_with_weights_of_their_own_change_nothing() -> None:
    network = IntegerNetwork.load(squeeze_and_excite())
    parameters = network.parameters()
    other = {name: value.roll(1, 1) for name, value in parameters.items()}
    (image,) = network.graph.parameters
    shape = (1, 4, *network.graph.tensor_of(image).shape)
    inputs = {image: torch.randint(-128, 128, shape, generator=torch.Generator().manual_seed(0))}
    together = {name: torch.cat([value, other[name]]) for name, value in parameters.items()}
    both = network.forward(together, inputs)
    assert both.dtype == torch.float32
    for run, alone in enumerate((parameters, other)):
        assert torch.equal(both[run].double(), network.outputs(alone, inputs)[0][0])
