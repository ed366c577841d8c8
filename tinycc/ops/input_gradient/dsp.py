"""Gradients of inputs, of integers, with the DSP extension."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from tinycc.ops.dsp import FEATURE
from tinycc.ops.input_gradient.portable import PortablePointwiseInputGradient
from tinycc.ops.input_gradient.view import InputGradient
from tinycc.ops.kernel import Kernel, Scratch
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.overlap import overlap_distance
from tinycc.ops.row_window import RowWindow
from tinycc.ops.spread_window import rows_over
from tinycc.ops.tensor import ITEM_BYTES
from tinycc.runtime_c.constants import constant

_BLOCK, _TAPS, _PAIRS, _ROWS = (
    constant(f"TINYCC_DEPTHWISE_GRADIENT_DSP_{limit}") for limit in ("BLOCK", "TAPS", "PAIRS", "ROWS")
)
_PIXELS = constant("TINYCC_DSP_TILE_PIXELS")
_PORTABLE = PortablePointwiseInputGradient()


class DspPointwiseInputGradient(Kernel[InputGradient]):
    """Layers that take pixels by themselves: a tile of pixels is read before it is written."""

    name: ClassVar[str] = FEATURE
    needs: ClassVar[str | None] = FEATURE
    accesses_bytes: ClassVar[bool] = True

    def fits(self, view: InputGradient) -> bool:
        """Whether a pixel's gradient is of one output pixel, and weights serve several."""
        return view.inputs[0].dtype == "int16" and _PORTABLE.fits(view)

    def call(self, view: InputGradient) -> RowCall:
        """All pixels as one row."""
        return replace(
            _PORTABLE.call(view),
            header="pointwise_input_gradient_dsp.h",
            function="tinycc_pointwise_input_gradient_dsp_int16",
            struct="tinycc_pointwise_input_gradient_dsp",
        )

    def scratch(self, view: InputGradient) -> Scratch:
        """A tile of gradients, and the weights of four inputs."""
        output = view.outputs[0]
        pairs = -(-min(_PIXELS, output.height * output.width) // 2)
        return Scratch(16 * (pairs + 2) * -(-view.inputs[0].channels // 4))

    def overlap(self, view: InputGradient, index: int) -> int | None:
        """A tile is written once it is read."""
        if index != 0:
            return None
        gradient, output = view.inputs[0], view.outputs[0]
        pixels = output.height * output.width
        first = np.arange(0, pixels, _PIXELS)
        reads = first * gradient.channels * ITEM_BYTES[gradient.dtype]
        pixel_bytes = output.channels * ITEM_BYTES[output.dtype]
        ends = np.minimum(first + _PIXELS, pixels) * pixel_bytes
        return overlap_distance(reads, ends, first * pixel_bytes)


@dataclass(frozen=True)
class _Plane:
    """The rows and columns of a channel's gradient, and zeros around them, that a band is summed from.

    first_column: of the gradient. pairs: of kernel rows for an input row.
    """

    first_column: int
    height: int
    width: int
    block: int
    pairs: int

    @classmethod
    def of(cls, view: InputGradient) -> "_Plane":
        """That of a gradient, whose window's stride is no more than a block."""
        window, gradient, output = view.window, view.inputs[0], view.outputs[0]
        taps, padding, stride = window.kernel[1], window.padding[1], window.stride[1]
        first_column = -((taps - 1 - padding) // stride)
        block = _BLOCK // stride * stride
        pairs = -(-window.kernel[0] // (2 * window.stride[0]))
        rows = rows_over(window, gradient)
        reach = max(rows.first_row(end - 1) - rows.first_row(y) for y, end in _bands(output.height))
        last_block = (output.width - 1) // block * block
        last_column = (last_block + block - 1 + padding) // stride
        width = max(last_column + 1, gradient.width) - first_column
        return cls(first_column, reach + 2 * pairs - 1, width, block, pairs)


def _bands(height: int) -> list[tuple[int, int]]:
    """Where the bands of rows begin and end."""
    return [(y, min(y + _ROWS, height)) for y in range(0, height, _ROWS)]


class DspDepthwiseInputGradient(Kernel[InputGradient]):
    """Layers whose channels do not mix: the gradient of a channel is gathered, two rows in a word."""

    name: ClassVar[str] = FEATURE
    needs: ClassVar[str | None] = FEATURE
    accesses_bytes: ClassVar[bool] = True

    def fits(self, view: InputGradient) -> bool:
        """Whether each channel has an output, windows are of some size, and no padding is wider than they."""
        window = view.window
        is_depthwise = view.groups == view.outputs[0].channels == view.inputs[0].channels
        is_whole = all(0 <= pad < taps for pad, taps in zip(window.padding, window.kernel, strict=True))
        return (
            view.inputs[0].dtype == "int16"
            and is_depthwise
            and is_whole
            and window.dilation == (1, 1)
            and window.kernel[1] <= _TAPS
            and window.stride[1] <= _BLOCK
            and window.stride[0] * _Plane.of(view).pairs <= _PAIRS
        )

    def call(self, view: InputGradient) -> RowCall:
        """All pixels at once."""
        gradient, output, window = view.inputs[0], view.outputs[0], view.window
        plane = _Plane.of(view)
        return RowCall(
            header="depthwise_input_gradient_dsp.h",
            function="tinycc_depthwise_input_gradient_dsp_int16",
            struct="tinycc_depthwise_input_gradient_dsp",
            shape={
                "gradient_height": gradient.height,
                "gradient_width": gradient.width,
                "output_height": output.height,
                "output_width": output.width,
                "channels": output.channels,
                "kernel_height": window.kernel[0],
                "kernel_width": window.kernel[1],
                "stride_height": window.stride[0],
                "stride_width": window.stride[1],
                "pad_top": window.padding[0],
                "pad_left": window.padding[1],
                "first_column": plane.first_column,
                "plane_height": plane.height,
                "plane_width": plane.width,
                "block": plane.block,
                "pairs": plane.pairs,
            },
            data={"zero": 0},
            windows=tuple(map(RowWindow.whole, view.inputs)),
            rows=1,
            columns=output.height * output.width,
            row_elements=output.elements,
        )

    def scratch(self, view: InputGradient) -> Scratch:
        """The plane of a channel."""
        plane = _Plane.of(view)
        return Scratch(4 * plane.height * plane.width)

    def overlap(self, view: InputGradient, index: int) -> int | None:
        """Channels of a band are written while others are read."""
        if index != 0:
            return None
        gradient, output = view.inputs[0], view.outputs[0]
        rows = rows_over(view.window, gradient)
        first = np.array([rows.first_row(y) for y, _ in _bands(output.height)])
        reads = np.clip(first, 0, gradient.height) * rows.row_elements * ITEM_BYTES[gradient.dtype]
        ends = np.array([end for _, end in _bands(output.height)])
        written = ends * output.width * output.channels * ITEM_BYTES[output.dtype]
        return overlap_distance(reads, written, written)
