"""Gradients of inputs on any core."""

from typing import ClassVar

import numpy as np

from tinycc.ops.gradient_integers import header_ending
from tinycc.ops.input_gradient.view import InputGradient
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.overlap import overlap_distance
from tinycc.ops.row_window import RowWindow
from tinycc.ops.spread_window import PIXEL, rows_over, rowwise_overlap, spread_shape
from tinycc.ops.tensor import ITEM_BYTES
from tinycc.runtime_c.constants import constant

_TILE = constant("TINYCC_GRADIENT_TILE")
_COLUMNS, _REACH = constant("TINYCC_SPREAD_TILE"), constant("TINYCC_SPREAD_REACH")


class PortablePointwiseInputGradient(Kernel[InputGradient]):
    """Layers that take pixels by themselves: tiles of pixels, each in blocks of inputs."""

    accesses_bytes: ClassVar[bool] = True

    def fits(self, view: InputGradient) -> bool:
        """Whether a pixel's gradient is of one output pixel, and weights serve several."""
        output = view.outputs[0]
        is_plain = view.window == PIXEL and view.groups == 1 and output.height * output.width > 1
        return is_plain and view.inputs[0].shape[:3] == output.shape[:3]

    def call(self, view: InputGradient) -> RowCall:
        """All pixels as one row."""
        gradient, weights = view.inputs
        output = view.outputs[0]
        return RowCall(
            header=f"pointwise_input_gradient{header_ending(gradient)}.h",
            function=f"tinycc_pointwise_input_gradient_{gradient.dtype}",
            struct=f"tinycc_pointwise_input_gradient{header_ending(gradient)}",
            shape={"gradient_channels": gradient.channels, "output_channels": output.channels},
            data={"zero": 0},
            windows=(RowWindow.whole(gradient), RowWindow.whole(weights)),
            rows=1,
            columns=output.height * output.width,
            row_elements=output.elements,
        )

    def overlap(self, view: InputGradient, index: int) -> int | None:
        """A tile is written while it is read."""
        if index != 0:
            return None
        gradient, output = view.inputs[0], view.outputs[0]
        pixels = output.height * output.width
        first = np.arange(0, pixels, _TILE)
        reads = first * gradient.channels * ITEM_BYTES[gradient.dtype]
        ends = np.minimum(first + _TILE, pixels) * output.channels * ITEM_BYTES[output.dtype]
        return overlap_distance(reads, ends, ends)


class PortableDepthwiseInputGradient(Kernel[InputGradient]):
    """Layers whose channels do not mix: tiles of columns, channel by channel."""

    accesses_bytes: ClassVar[bool] = True

    def fits(self, view: InputGradient) -> bool:
        """Whether each channel has an output, and a tile needs no more columns than there are places for."""
        window, stride = view.window, view.window.stride[1]
        reach = (_COLUMNS - 1 + (window.kernel[1] - 1) * window.dilation[1]) // stride + 2
        is_depthwise = view.groups == view.outputs[0].channels == view.inputs[0].channels
        return is_depthwise and stride <= _COLUMNS and reach <= _REACH

    def call(self, view: InputGradient) -> RowCall:
        """One call for each row."""
        return _row_call(view, "depthwise_input_gradient")

    def overlap(self, view: InputGradient, index: int) -> int | None:
        """Channels of a row are written while others are read."""
        return rowwise_overlap(view.window, view.inputs[0], view.outputs[0]) if index == 0 else None


class PortableInputGradient(Kernel[InputGradient]):
    """Any layer: pixel by pixel, in blocks of inputs."""

    accesses_bytes: ClassVar[bool] = True

    def call(self, view: InputGradient) -> RowCall:
        """One call for each row."""
        return _row_call(view, "input_gradient")

    def overlap(self, view: InputGradient, index: int) -> int | None:
        """Pixels of a row are written while others are read for it."""
        return rowwise_overlap(view.window, view.inputs[0], view.outputs[0]) if index == 0 else None


def _row_call(view: InputGradient, name: str) -> RowCall:
    gradient, weights = view.inputs
    output = view.outputs[0]
    return RowCall(
        header=f"{name}{header_ending(gradient)}.h",
        function=f"tinycc_{name}_{gradient.dtype}",
        struct="tinycc_spread",
        shape=spread_shape(view.window, gradient, output, view.groups),
        data={"zero": 0},
        windows=(rows_over(view.window, gradient), RowWindow.whole(weights)),
        rows=output.height,
        columns=output.width,
        row_elements=output.width * output.channels,
        pixel_columns=0,
        counts_rows=True,
    )
