"""Depthwise convolution of float32."""

import numpy as np

from tinycc.ops import float_layer
from tinycc.ops.depthwise_conv2d.view import DepthwiseConv2D
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.runtime_c.constants import constant

# Neighbouring pixels of a channel that are summed together.
_TILE = constant("TINYCC_FLOAT_TILE")


class FloatDepthwiseConv2D(Kernel[DepthwiseConv2D]):
    """Neighbouring pixels at a time, of these channel by channel."""

    def call(self, view: DepthwiseConv2D) -> RowCall:
        """One call for each output row."""
        source, output = view.inputs[0], view.outputs[0]
        return RowCall(
            header="depthwise_conv2d_float.h",
            function="tinycc_depthwise_conv2d_float32",
            struct="tinycc_depthwise_conv2d_float",
            shape={**view.window.kernel_shape(source), "depth_multiplier": view.depth_multiplier},
            data={
                "weights": view.real.weights.astype(np.float32),
                **float_layer.bias_and_range(view),
            },
            windows=(view.window.rows_of(source),),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def overlap(self, view: DepthwiseConv2D, index: int) -> int:
        """A channel of neighbours is written once its taps are read."""
        source, output = view.inputs[0], view.outputs[0]
        reads = view.window.first_reads(source, output)
        return float_layer.tilewise_overlap(reads, output, _TILE, is_channelwise=view.depth_multiplier == 1)
