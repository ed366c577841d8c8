"""Two-dimensional convolution with bias, activation and requantization."""

from tinycc.ops.conv2d.dsp import DspConv2D, NarrowDspConv2D, WideDspConv2D
from tinycc.ops.conv2d.float32 import FloatConv2D
from tinycc.ops.conv2d.helium import HeliumConv2D, NarrowHeliumConv2D
from tinycc.ops.conv2d.portable import NarrowPortableConv2D, PortableConv2D
from tinycc.ops.conv2d.view import Conv2D
from tinycc.ops.pointwise.dsp import DspPointwise, NarrowDspPointwise, WideDspPointwise
from tinycc.ops.pointwise.float32 import FloatPointwise
from tinycc.ops.pointwise.helium import HeliumPointwise, NarrowHeliumPointwise
from tinycc.ops.pointwise.portable import NarrowPortablePointwise, PortablePointwise
from tinycc.ops.room import Room

ROOM = Room(
    Conv2D,
    (
        NarrowHeliumPointwise(),
        NarrowHeliumConv2D(),
        HeliumPointwise(),
        HeliumConv2D(),
        WideDspPointwise(),
        WideDspConv2D(),
        NarrowDspPointwise(),
        NarrowDspConv2D(),
        DspPointwise(),
        DspConv2D(),
        NarrowPortablePointwise(),
        NarrowPortableConv2D(),
        PortablePointwise(),
        PortableConv2D(),
    ),
    float_kernels=(FloatPointwise(), FloatConv2D()),
)
