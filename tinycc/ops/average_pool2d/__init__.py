"""Average pooling."""

from tinycc.ops.average_pool2d.dsp import DspAveragePool2D
from tinycc.ops.average_pool2d.float32 import FloatAveragePool2D
from tinycc.ops.average_pool2d.helium import HeliumAveragePool2D
from tinycc.ops.average_pool2d.portable import PortableAveragePool2D
from tinycc.ops.average_pool2d.view import AveragePool2D
from tinycc.ops.room import Room

ROOM = Room(
    AveragePool2D,
    (HeliumAveragePool2D(), DspAveragePool2D(), PortableAveragePool2D()),
    float_kernels=(FloatAveragePool2D(),),
)
