"""Our gradients against those of the training graph that TinyEngine's authors published.

That graph leaves the skip paths of residual blocks out, and takes weights' gradients of the stored input,
zero point included. Made to do the same, and given its activations, ours are its 25 gradients.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the simulation needs the extra tinycc[torch]")

import torch

from tests.tools.tte_graph import TrainingGraph
from tinycc.graph import Node
from tinycc.ops.add.view import Add
from tinycc.training.layers import Layer
from tinycc.training.simulation import IntegerNetwork, gradients, layer_output
from tinycc.training.simulation.layer_output import layer_sums
from tinycc.training.simulation.network import Parameters
from tinycc.training.simulation.straight_through import Rounded

LABEL = 3


def sums_of_stored_inputs(layer: Layer, source: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted sums, differentiated by weights as if the input had no zero point."""
    stored = source.detach() + layer.view.inputs[0].zero_point
    return layer_sums(layer, source, weights.detach()) + layer_sums(layer, stored, weights)


class PublishedNetwork(IntegerNetwork):
    """A network without gradients of skip paths, whose operators have the results that they are given."""

    given: list[torch.Tensor]

    def made(
        self, parameters: Parameters, node: Node, operands: Sequence[torch.Tensor]
    ) -> Rounded | torch.Tensor:
        """The result given in place of the computed; there, an element at a bound counts as inside."""
        if isinstance(node.view, Add):
            operands = [operands[0].detach(), operands[1]]
        made = super().made(parameters, node, operands)
        assert isinstance(made, Rounded)
        given = self.given[node.index].permute(0, 2, 3, 1)[None, None]
        return replace(made, integers=given.reshape(made.integers.shape), bounds=(-129, 128))

    def _output(self, parameters: Parameters, node: Node, operands: Sequence[torch.Tensor]) -> torch.Tensor:
        """What lies outside of int8 passes no gradient, but is held to it."""
        result = super()._output(parameters, node, operands)
        return result + (result.clamp(-128, 127) - result).detach()


def test_the_25_gradients_of_the_published_graph(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = TrainingGraph.load(corpus)
    image = torch.randint(-128, 128, (1, 3, 128, 128), generator=torch.Generator().manual_seed(0))
    values, published = graph.run(image, LABEL)
    sound = IntegerNetwork.load(graph.module())
    network = PublishedNetwork(sound.graph, sound.layers)
    items = graph.forward()
    object.__setattr__(network, "given", [values[item["outputs"][0]["name"]] for item in items])
    monkeypatch.setattr(layer_output, "layer_sums", sums_of_stored_inputs)

    pixels = {network.graph.parameters[0]: image.permute(0, 2, 3, 1)[None]}
    loss, found = gradients(
        network, network.parameters(), pixels, torch.tensor([[LABEL]]), dtype=torch.float64
    )

    assert len(published) == 25
    assert float(loss) == pytest.approx(float(values["out_nn.cross_entropy_with_logits@104"]))
    ours_by_name: dict[str, torch.Tensor] = {}
    for name, layer in network.layers.items():
        weights, bias = (operand["name"] for operand in items[layer.node.index]["inputs"][1:3])
        ours_by_name |= {weights: found[f"{name}_weights"][0], bias: found[f"{name}_bias"][0]}
    for name, expected in published.items():
        ours = ours_by_name[name]
        if expected.ndim == 4:
            # Only the first input channels are trained.
            ours = ours.permute(0, 3, 1, 2)[:, : expected.shape[1]]
        # Scales are float32 numbers here and there.
        assert (ours - expected).norm() <= 1e-6 * expected.norm(), name
