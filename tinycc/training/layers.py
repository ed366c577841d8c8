"""The layers with weights of a network, as training names and sees them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinycc.graph import Node, OperatorGraph
from tinycc.ops.conv2d.view import Conv2D
from tinycc.ops.dense.view import Dense
from tinycc.ops.depthwise_conv2d.view import DepthwiseConv2D
from tinycc.ops.linear import Linear
from tinycc.ops.window import Window

# A dense layer is a convolution of pixels by themselves.
_PIXEL = Window(kernel=(1, 1), stride=(1, 1), padding=(0, 0))


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer of int8 with its geometry as that of a grouped convolution.

    name: its kind and number among its kind, in the order of the model, e.g. "conv2d_3".
    window, groups: see `TrainedLayer`; a depthwise convolution has as many groups as input channels.
    weights: int8 [outputs, kernel height, kernel width, inputs / groups].
    bias: int32 [outputs].
    weight_scales: float32 [outputs].
    """

    name: str
    node: Node
    window: Window
    groups: int
    weights: np.ndarray
    bias: np.ndarray
    weight_scales: np.ndarray

    @property
    def view(self) -> Linear:
        """The layer as it was found."""
        assert isinstance(self.node.view, Linear)
        return self.node.view

    @property
    def source_scale(self) -> float:
        """Of its input."""
        return self.view.inputs[0].real_scale


def layers_of(graph: OperatorGraph) -> dict[str, Layer]:
    """The layers of int8 that can be trained, by name, in order.

    Layers whose weights have a zero point (uint8 models), of int16 or of real numbers are not among them.
    """
    return {
        name: _layer(name, node, view) for name, node, view in _named_layers(graph) if _obstacle(view) is None
    }


def untrainable_layers(graph: OperatorGraph) -> dict[str, str]:
    """Why other layers cannot be trained, by name."""
    obstacles = {name: _obstacle(view) for name, _, view in _named_layers(graph)}
    return {name: obstacle for name, obstacle in obstacles.items() if obstacle is not None}


def _named_layers(graph: OperatorGraph) -> Iterator[tuple[str, Node, Linear]]:
    counts: Counter[str] = Counter()
    for node in graph.nodes:
        view = node.view
        if isinstance(view, Conv2D | DepthwiseConv2D | Dense):
            yield f"{view.kind}_{counts[view.kind]}", node, view
            counts[view.kind] += 1


def _obstacle(view: Linear) -> str | None:
    """Why a layer cannot be trained; None where it can be."""
    dtypes = (view.inputs[0].dtype, view.outputs[0].dtype)
    if dtypes != ("int8", "int8"):
        return f"it computes {dtypes[1]} from {dtypes[0]}, and only int8 trains"
    if view.inputs[0].value is not None:
        return "its input is a constant"
    if view.requantized.weight_zero_points.any():
        return "its weights have a zero point"
    return None


def geometry_of(view: Linear) -> tuple[Window, int, np.ndarray]:
    """The window, groups and weights of a layer of int8, as `Layer` has them."""
    if isinstance(view, Conv2D):
        return view.window, view.groups, np.ascontiguousarray(view.requantized.weights)
    if isinstance(view, DepthwiseConv2D):
        weights = np.moveaxis(view.requantized.weights, 2, 0)[..., np.newaxis]
        return view.window, view.inputs[0].channels, np.ascontiguousarray(weights)
    weights = view.requantized.weights.reshape(view.outputs[0].channels, 1, 1, -1)
    return _PIXEL, 1, np.ascontiguousarray(weights)


def _layer(name: str, node: Node, view: Linear) -> Layer:
    window, groups, weights = geometry_of(view)
    # The factor of each channel is source scale x weight scale / output scale, of which two are known.
    scales = view.requantized.multipliers * view.outputs[0].real_scale / np.float64(view.inputs[0].real_scale)
    bias = np.ascontiguousarray(view.requantized.bias.astype(np.int32))
    return Layer(name, node, window, groups, weights, bias, scales.astype(np.float32))
