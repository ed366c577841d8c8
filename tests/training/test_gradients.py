"""Gradients of integers are those that torch's autograd finds for the real numbers they stand for.

Those in real numbers to the last bits, those in integers within what 15 bits can tell.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the simulation needs the extra tinycc[torch]")

import torch

from tests.tools.real_autograd import real_gradients
from tests.tools.training_graphs import training_graph
from tests.tools.view_reference import reference_of
from tinycc.training.simulation import IntegerNetwork, gradients, integer_gradients
from tinycc.training.simulation.network import Values


def assert_gradients_are_those_of_real_numbers(network: IntegerNetwork, image: Values, label: int) -> None:
    """Of all weights and biases, whose layers are not all dead. image: one case."""
    wanted = [*network.graph.parameters, *(node.variable for node in network.graph.nodes)]
    integers = network.integers(network.parameters(), image, wanted)
    expected_loss, expected = real_gradients(
        network, {key: value[0, 0] for key, value in integers.items()}, label
    )
    assert sum(bool(gradient.any()) for gradient in expected.values()) > len(expected) / 2
    # Multipliers are float32 numbers in one and quotients of scales in the other.
    for dtype, tolerance in ((torch.float64, 1e-6), (torch.float32, 1e-5)):
        loss, found = gradients(network, network.parameters(), image, torch.tensor([[label]]), dtype=dtype)
        assert float(loss) == pytest.approx(float(expected_loss), rel=1e-5)
        assert found.keys() == expected.keys()
        for name, gradient in expected.items():
            assert (found[name][0] - gradient).norm() <= tolerance * gradient.norm(), name
    loss, whole = integer_gradients(network, network.parameters(), image, torch.tensor([[label]]))
    assert float(loss) == pytest.approx(float(expected_loss), rel=1e-5)
    assert whole.keys() == expected.keys()
    for name, gradient in expected.items():
        numbers = whole[name].real()[0, 0]
        assert (numbers * gradient).sum() >= 0.9999 * numbers.norm() * gradient.norm(), name
        assert numbers.norm() == pytest.approx(float(gradient.norm()), rel=0.01), name


@pytest.mark.parametrize("seed", [0, 1, 2, 4, 5, 6, 7, 8])
def test_random_graphs(seed: int) -> None:
    network = IntegerNetwork.load(training_graph(seed))
    pixels = torch.randint(-128, 128, (1, 1, 1, 8, 8, 3), generator=torch.Generator().manual_seed(seed))
    assert_gradients_are_those_of_real_numbers(network, {network.graph.parameters[0]: pixels}, seed % 4)


@pytest.mark.parametrize("name", ["tt_mcunet-5fps_128_qdq", "tt_mbv2-w0.35_128_qdq"])
def test_real_networks(name: str, corpus: Path) -> None:
    """Their integers, too, by the integer reference, to which test_corpus_onnx.py holds the generated C."""
    network = IntegerNetwork.load(corpus / "onnx" / "from_pkl_int8" / f"{name}.onnx")
    image = network.read_inputs([np.load(corpus / "golden" / f"{name}.npz")["in0"][:1]])
    expected: dict[Any, np.ndarray] = {variable: value.numpy() for variable, value in image.items()}
    for node in network.graph.nodes:
        operands = [expected[value] for value in node.operands if value is not None]
        expected[node.variable] = reference_of(node.view, operands)
    (computed,) = network.outputs(network.parameters(), image)
    assert np.array_equal(computed[0, 0].numpy(), expected[network.graph.results[0]])
    assert_gradients_are_those_of_real_numbers(network, image, label=7)


def test_logits_at_a_bound_leave_bits_to_those_that_pass_gradients_on() -> None:
    """Theirs are the largest by far, and would be measured with the others."""
    network = IntegerNetwork.load(training_graph(5))
    generator = torch.Generator().manual_seed(5)
    image = {
        network.graph.parameters[0]: torch.randint(-128, 128, (1, 8, 1, 8, 8, 3), generator=generator)[:, 2:3]
    }
    label = torch.tensor([[2]])
    _, expected = gradients(network, network.parameters(), image, label, dtype=torch.float64)
    _, whole = integer_gradients(network, network.parameters(), image, label)
    for name, gradient in expected.items():
        numbers = whole[name].real()[0]
        assert (numbers * gradient).sum() >= 0.999 * numbers.norm() * gradient.norm(), name
