"""Depthwise convolution with the DSP extension: tiles of one channel, their columns paired on the stack."""

from tinycc.ops import dsp_linear
from tinycc.ops.depthwise_conv2d.view import DepthwiseConv2D
from tinycc.ops.dsp_layer import DspLayer
from tinycc.ops.dsp_linear import DspLinear, NarrowDsp
from tinycc.ops.kernel_call import RowCall
from tinycc.runtime_c.constants import constant

# Limits of depthwise_conv2d_dsp.h: words on the stack, words of weights, outputs in a block.
_WORDS, _TAPS, _BLOCK = (constant(f"TINYCC_DEPTHWISE_DSP_{limit}") for limit in ("WORDS", "TAPS", "BLOCK"))
# Weights of four bits in a word.
_WORD_TAPS = 8
# Longer tiles save little, and in place they keep the output further behind the input.
_TILE = 40


class DspDepthwiseConv2D(DspLinear[DepthwiseConv2D]):
    """Tiles of a row's pixels, each channel by channel."""

    def fits(self, view: DepthwiseConv2D) -> bool:
        """A channel to a channel, windows of some size."""
        height, width = view.window.kernel
        return (
            view.depth_multiplier == 1
            and view.inputs[0].dtype == "int8"
            and view.window.dilation[1] == 1
            and height * width <= 2 * _TAPS - 1
            and _tile(view) > 0
            and dsp_linear.fits(view, self.storage)
        )

    def call(self, view: DepthwiseConv2D) -> RowCall:
        """One call for each output row."""
        source, output = view.inputs[0], view.outputs[0]
        shape = view.window.kernel_shape(source)
        del shape["dilation_width"]
        tile = _tile(view)
        # Padding is left out where each output's part of it is known: where they are done all at once.
        is_relative = (
            view.window.kernel != (3, 3)
            and tile == output.width <= _BLOCK
            and view.arithmetic.meets(lambda: dsp_linear.is_large(view) or DspLayer.of(view).fits_relative)
        )
        # As few outputs as possible are done twice.
        block = min(range(min(tile, _BLOCK), 0, -1), key=lambda size: -(-tile // size) * size)
        return RowCall(
            header="depthwise_conv2d_dsp.h",
            function="tinycc_depthwise_conv2d_dsp_int8",
            struct="tinycc_depthwise_conv2d_dsp",
            shape={
                **shape,
                "tile": tile,
                "block": block,
                "mode": dsp_linear.mode(view),
                "is_relative": int(is_relative),
                **dsp_linear.narrow_shape(self.storage),
            },
            data=dsp_linear.channel_data(view, view.window.kernel, self.storage, is_relative=is_relative),
            windows=(view.window.rows_of(source),),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def overlap(self, view: DepthwiseConv2D, index: int) -> int:
        """A channel's outputs in a tile are written once all that they need is read."""
        return view.window.tilewise_overlap(view.inputs[0], view.outputs[0], _tile(view))


class NarrowDspDepthwiseConv2D(NarrowDsp[DepthwiseConv2D], DspDepthwiseConv2D):
    """With weights of four bits."""

    def fits(self, view: DepthwiseConv2D) -> bool:
        """Windows of fewer taps than a word has take no less flash."""
        return view.taps >= _WORD_TAPS and super().fits(view)


def _tile(view: DepthwiseConv2D) -> int:
    """Output pixels whose columns of one channel fit on the stack; less than 1 where there is no room."""
    words = (view.window.kernel[0] + 1) // 2
    columns, width = _WORDS // words - 1, view.outputs[0].width
    most = min((columns - view.window.kernel[1]) // view.window.stride[1] + 1, _TILE)
    return -(-width // -(-width // most)) if most > 0 else 0
