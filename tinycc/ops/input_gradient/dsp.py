"""Gradients of inputs, of integers, with the DSP extension."""

from dataclasses import dataclass, replace
from typing import ClassVar

from tinycc.ops.dsp import FEATURE
from tinycc.ops.input_gradient.portable import PortablePointwiseInputGradient
from tinycc.ops.input_gradient.view import InputGradient
from tinycc.ops.kernel import Kernel, Scratch
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.row_window import RowWindow
from tinycc.runtime_c.constants import constant

_BLOCK, _TAPS, _PAIRS = (
    constant(f"TINYCC_DEPTHWISE_GRADIENT_DSP_{limit}") for limit in ("BLOCK", "TAPS", "PAIRS")
)


class DspPointwiseInputGradient(PortablePointwiseInputGradient):
    """Layers that take pixels by themselves: two outputs' weights are one word for a tile of pixels."""

    name: ClassVar[str] = FEATURE
    needs: ClassVar[str | None] = FEATURE

    def fits(self, view: InputGradient) -> bool:
        """Whether a pixel's gradient is of one output pixel, and weights serve several."""
        return view.inputs[0].dtype == "int16" and super().fits(view)

    def call(self, view: InputGradient) -> RowCall:
        """All pixels as one row."""
        return replace(
            super().call(view),
            header="pointwise_input_gradient_dsp.h",
            function="tinycc_pointwise_input_gradient_dsp_int16",
            struct="tinycc_pointwise_input_gradient_dsp",
        )

    def overlap(self, view: InputGradient, index: int) -> int | None:
        """Never: elements of the gradient and of the output are of different sizes."""
        return None


@dataclass(frozen=True)
class _Plane:
    """The rows and columns of a channel's gradient, and zeros around them, that its inputs are summed from.

    first: row and column, of the gradient. pairs: of kernel rows for an input row.
    """

    first: tuple[int, int]
    height: int
    width: int
    block: int
    pairs: int

    @classmethod
    def of(cls, view: InputGradient) -> "_Plane":
        """That of a gradient, whose window's stride is no more than a block."""
        window, gradient, output = view.window, view.inputs[0], view.outputs[0]
        stride = window.stride
        first_row, first_column = (
            -((taps - 1 - padding) // step)
            for taps, padding, step in zip(window.kernel, window.padding, stride, strict=True)
        )
        block = _BLOCK // stride[1] * stride[1]
        pairs = -(-window.kernel[0] // (2 * stride[0]))
        last_row = -((window.kernel[0] - output.height - window.padding[0]) // stride[0]) + 2 * (pairs - 1)
        last_block = (output.width - 1) // block * block
        last_column = (last_block + block - 1 + window.padding[1]) // stride[1]
        return cls(
            (first_row, first_column),
            last_row - first_row + 1,
            max(last_column + 1, gradient.width) - first_column,
            block,
            pairs,
        )


class DspDepthwiseInputGradient(Kernel[InputGradient]):
    """Layers whose channels do not mix: the gradient of a channel is gathered, two rows in a word."""

    name: ClassVar[str] = FEATURE
    needs: ClassVar[str | None] = FEATURE

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
                "first_row": plane.first[0],
                "first_column": plane.first[1],
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
