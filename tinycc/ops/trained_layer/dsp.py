"""Layers that train, with the DSP extension: weights lie in their natural order, as updates want them."""

from typing import ClassVar

import numpy as np

from tinycc.ops.dsp import FEATURE, mode_of, stored_multiplier
from tinycc.ops.kernel import Kernel, Scratch
from tinycc.ops.kernel_call import Packed, RowCall, Value
from tinycc.ops.overlap import overlap_distance
from tinycc.ops.row_window import RowWindow
from tinycc.ops.spread_window import PIXEL, spread_shape
from tinycc.ops.trained_layer.view import TrainedLayer
from tinycc.runtime_c.constants import constant

_PIXELS = constant("TINYCC_DSP_TILE_PIXELS")
_BLOCK, _TAPS, _REACH, _PAIRS = (
    constant(f"TINYCC_TRAINED_DEPTHWISE_DSP_{limit}") for limit in ("BLOCK", "TAPS", "REACH", "PAIRS")
)
# Of a kernel's geometry.
_OF_WINDOWS = ("kernel", "stride", "dilation", "pad")


class DspTrainedPointwise(Kernel[TrainedLayer]):
    """Windows of one pixel: a tile of pixels is read before it is written."""

    name: ClassVar[str] = FEATURE
    needs: ClassVar[str | None] = FEATURE

    def fits(self, view: TrainedLayer) -> bool:
        """Whether an output pixel is of one pixel of the input, in the same place; sums are scaled down."""
        is_plain = view.window == PIXEL and view.groups == 1
        is_in_place = view.inputs[0].shape[:-1] == view.outputs[0].shape[:-1]
        return is_plain and is_in_place and bool(view.fixed_point[1].max() <= 0)

    def call(self, view: TrainedLayer) -> RowCall:
        """All pixels as one row."""
        source, weights, bias = view.inputs
        output = view.outputs[0]
        return RowCall(
            header="trained_pointwise_dsp.h",
            function="tinycc_trained_pointwise_dsp_int8",
            struct="tinycc_trained_pointwise_dsp",
            shape={
                "input_channels": source.channels,
                "output_channels": output.channels,
                "mode": _mode(view),
            },
            data=_scaling(view),
            windows=(RowWindow.whole(source), RowWindow.whole(weights), RowWindow.whole(bias)),
            rows=1,
            columns=output.elements // output.channels,
            row_elements=output.elements,
        )

    def scratch(self, view: TrainedLayer) -> Scratch:
        """A tile of widened pixels, and the weights of two outputs."""
        output = view.outputs[0]
        pairs = -(-min(_PIXELS, output.elements // output.channels) // 2)
        return Scratch(16 * (pairs + 1) * -(-view.inputs[0].channels // 4))

    def overlap(self, view: TrainedLayer, index: int) -> int | None:
        """A pixel is written once it is read; weights outlive the layer."""
        if index != 0:
            return None
        source, output = view.inputs[0], view.outputs[0]
        pixel = np.arange(output.elements // output.channels)
        written = pixel * output.channels
        return overlap_distance(pixel * source.channels, written + output.channels, written)


class DspTrainedDepthwise(Kernel[TrainedLayer]):
    """Layers whose channels do not mix: a channel of the input is read before it is written."""

    name: ClassVar[str] = FEATURE
    needs: ClassVar[str | None] = FEATURE
    overlaps_exactly: ClassVar[bool] = True

    def fits(self, view: TrainedLayer) -> bool:
        """Whether each channel has an output, windows are of some size, and sums are scaled down."""
        window = view.window
        return (
            view.groups == view.inputs[0].channels == view.outputs[0].channels
            and window.kernel[0] <= 2 * _PAIRS
            and window.kernel[1] <= _TAPS
            and (_BLOCK - 1) * window.stride[1] + (window.kernel[1] - 1) * window.dilation[1] < _REACH
            and bool(view.fixed_point[1].max() <= 0)
        )

    def call(self, view: TrainedLayer) -> RowCall:
        """All pixels at once."""
        output = view.outputs[0]
        height, width = _plane(view)
        # As few outputs as possible are done twice.
        blocks = range(min(output.width, _BLOCK), 0, -1)
        block = min(blocks, key=lambda size: -(-output.width // size) * size)
        shape = spread_shape(view.window, output, view.inputs[0], view.groups)
        return RowCall(
            header="trained_depthwise_dsp.h",
            function="tinycc_trained_depthwise_dsp_int8",
            struct="tinycc_trained_depthwise_dsp",
            shape={
                "input_height": view.inputs[0].height,
                "input_width": view.inputs[0].width,
                "channels": output.channels,
                "output_height": output.height,
                "output_width": output.width,
                **{name: shape[name] for name in shape if name.startswith(_OF_WINDOWS)},
                "plane_height": height,
                "plane_width": width,
                "block": block,
                "mode": _mode(view),
            },
            data=_scaling(view),
            windows=tuple(map(RowWindow.whole, view.inputs)),
            rows=1,
            columns=output.height * output.width,
            row_elements=output.elements,
        )

    def scratch(self, view: TrainedLayer) -> Scratch:
        """The plane of a channel."""
        height, width = _plane(view)
        return Scratch(4 * height * width)

    def overlap(self, view: TrainedLayer, index: int) -> int | None:
        """In place of an input of the same shape; weights outlive the layer."""
        return 0 if index == 0 and view.inputs[0].shape == view.outputs[0].shape else None


def _plane(view: TrainedLayer) -> tuple[int, int]:
    """Rows, which have the row below in them, and columns under the windows of a channel."""
    window, source, output = view.window, view.inputs[0], view.outputs[0]
    last = (window.kernel[0] - 1) // 2 * 2
    height = (output.height - 1) * window.stride[0] + last * window.dilation[0] + 1
    width = (output.width - 1) * window.stride[1] + (window.kernel[1] - 1) * window.dilation[1] + 1
    return height, max(width, window.padding[1] + source.width)


def _scaling(view: TrainedLayer) -> dict[str, Value]:
    """What makes sums outputs, and the zero points; see `tinycc_dsp_rescale`."""
    source, output = view.inputs[0], view.outputs[0]
    channels = (output.channels,)
    return {
        "multiplier": Packed(channels, "int32", lambda: _stored(view)[0]),
        "exponent": Packed(channels, "int8", lambda: _stored(view)[1]),
        "input_zero_point": source.zero_point,
        "output_zero_point": output.zero_point,
        "output_min": view.output_range[0],
        "output_max": view.output_range[1],
    }


def _stored(view: TrainedLayer) -> tuple[np.ndarray, np.ndarray]:
    """Multiplier, int32, and exponent, int8, of each output channel.

    A multiplier of 0 is one that an exponent of 32 makes 0 of.
    """
    multiplier, shift = (array.astype(np.int64) for array in view.fixed_point)
    stored = stored_multiplier(np.maximum(multiplier, 2**30))
    return stored.astype(np.int32), np.where(multiplier == 0, 32, -shift).astype(np.int8)


def _mode(view: TrainedLayer) -> int:
    """How sums become outputs, a tinycc_dsp_mode."""
    return mode_of(view.output_range, view.outputs[0].zero_point, int(_stored(view)[1].min()))
