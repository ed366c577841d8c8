"""Depthwise convolution with bias, activation and requantization."""

from tinycc.ops.depthwise_conv2d.blocks import DepthwiseConv2DByBlocks
from tinycc.ops.depthwise_conv2d.dsp import DspDepthwiseConv2D, NarrowDspDepthwiseConv2D
from tinycc.ops.depthwise_conv2d.float32 import FloatDepthwiseConv2D
from tinycc.ops.depthwise_conv2d.helium import HeliumDepthwiseConv2D, NarrowHeliumDepthwiseConv2D
from tinycc.ops.depthwise_conv2d.portable import NarrowPortableDepthwiseConv2D, PortableDepthwiseConv2D
from tinycc.ops.depthwise_conv2d.view import DepthwiseConv2D
from tinycc.ops.room import Room

ROOM = Room(
    DepthwiseConv2D,
    (
        NarrowHeliumDepthwiseConv2D(),
        HeliumDepthwiseConv2D(),
        NarrowDspDepthwiseConv2D(),
        DspDepthwiseConv2D(),
        DepthwiseConv2DByBlocks(),
        NarrowPortableDepthwiseConv2D(),
        PortableDepthwiseConv2D(),
    ),
    float_kernels=(FloatDepthwiseConv2D(),),
)
