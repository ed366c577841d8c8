"""Trained layers on any core."""

import numpy as np

from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import Packed, RowCall
from tinycc.ops.row_window import RowWindow
from tinycc.ops.trained_layer.view import TrainedLayer
from tinycc.runtime_c.constants import constant

# Columns of a tile, of the kernel and of the input that they reach, at most.
_TILE, _TAPS = constant("TINYCC_TRAINED_TILE"), constant("TINYCC_TRAINED_TAPS")
_REACH = constant("TINYCC_SPREAD_REACH")


class PortableTrainedDepthwise(Kernel[TrainedLayer]):
    """Layers whose channels do not mix: tiles of columns, channel by channel."""

    def fits(self, view: TrainedLayer) -> bool:
        """Whether each channel has an output, and a tile needs no more than there are registers for."""
        window = view.window
        reach = (_TILE - 1) * window.stride[1] + (window.kernel[1] - 1) * window.dilation[1] + 1
        is_depthwise = view.groups == view.inputs[0].channels == view.outputs[0].channels
        return is_depthwise and window.kernel[1] <= _TAPS and reach <= _REACH

    def call(self, view: TrainedLayer) -> RowCall:
        """One call for each output row."""
        return _row_call(view, "trained_depthwise")

    def overlap(self, view: TrainedLayer, index: int) -> int | None:
        """Of a tile all that a channel needs is read before it is written; weights outlive the layer."""
        return view.window.tilewise_overlap(view.inputs[0], view.outputs[0], _TILE) if index == 0 else None


class PortableTrainedLayer(Kernel[TrainedLayer]):
    """Pixel by pixel; its output channels are written while its window is still being read."""

    def call(self, view: TrainedLayer) -> RowCall:
        """One call for each output row."""
        return _row_call(view, "trained_layer")

    def overlap(self, view: TrainedLayer, index: int) -> int | None:
        """The last channel of a pixel is written once its window is read; weights outlive the layer."""
        return view.window.pixelwise_overlap(view.inputs[0], view.outputs[0]) if index == 0 else None


def _row_call(view: TrainedLayer, name: str) -> RowCall:
    """One call for each output row; weights and bias are handed to each."""
    source, weights, bias = view.inputs
    output = view.outputs[0]
    channels = (output.channels,)
    return RowCall(
        header=f"{name}.h",
        function=f"tinycc_{name}_int8",
        struct="tinycc_trained_layer",
        shape={
            **view.window.kernel_shape(source),
            "output_channels": output.channels,
            "groups": view.groups,
        },
        data={
            "multiplier": Packed(channels, "int32", lambda: view.fixed_point[0]),
            "shift": Packed(channels, "int8", lambda: view.fixed_point[1].astype(np.int8)),
            "input_zero_point": source.zero_point,
            "output_zero_point": output.zero_point,
            "output_min": view.output_range[0],
            "output_max": view.output_range[1],
        },
        windows=(view.window.rows_of(source), RowWindow.whole(weights), RowWindow.whole(bias)),
        rows=output.height,
        columns=output.width,
        row_elements=output.width * output.channels,
    )
