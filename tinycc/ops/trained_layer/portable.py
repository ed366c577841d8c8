"""Trained layers on any core."""

import numpy as np

from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import Packed, RowCall, Value
from tinycc.ops.row_window import RowWindow
from tinycc.ops.trained_layer.view import TrainedLayer


class PortableTrainedLayer(Kernel[TrainedLayer]):
    """Pixel by pixel; its output channels are written while its window is still being read."""

    def call(self, view: TrainedLayer) -> RowCall:
        """One call for each output row; weights and bias are handed to each."""
        source, weights, bias = view.inputs
        output = view.outputs[0]
        return RowCall(
            header="trained_layer.h",
            function="tinycc_trained_layer_int8",
            struct="tinycc_trained_layer",
            shape={
                **view.window.kernel_shape(source),
                "output_channels": output.channels,
                "groups": view.groups,
            },
            data=layer_data(view),
            windows=(view.window.rows_of(source), RowWindow.whole(weights), RowWindow.whole(bias)),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def overlap(self, view: TrainedLayer, index: int) -> int | None:
        """The last channel of a pixel is written once its window is read; weights outlive the layer."""
        return view.window.pixelwise_overlap(view.inputs[0], view.outputs[0]) if index == 0 else None


def layer_data(view: TrainedLayer) -> dict[str, Value]:
    """Requantization, zero points and clamp, as all kernels of these layers take them."""
    source, output = view.inputs[0], view.outputs[0]
    channels = (output.channels,)
    return {
        "multiplier": Packed(channels, "int32", lambda: view.fixed_point[0]),
        "shift": Packed(channels, "int8", lambda: view.fixed_point[1].astype(np.int8)),
        "input_zero_point": source.zero_point,
        "output_zero_point": output.zero_point,
        "output_min": view.output_range[0],
        "output_max": view.output_range[1],
    }
