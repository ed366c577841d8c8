"""Maximum pooling."""

from tinycc.ops.max_pool2d.dsp import DspMaxPool2D
from tinycc.ops.max_pool2d.float32 import FloatMaxPool2D
from tinycc.ops.max_pool2d.helium import HeliumMaxPool2D
from tinycc.ops.max_pool2d.portable import PortableMaxPool2D
from tinycc.ops.max_pool2d.view import MaxPool2D
from tinycc.ops.room import Room

ROOM = Room(
    MaxPool2D, (HeliumMaxPool2D(), DspMaxPool2D(), PortableMaxPool2D()), float_kernels=(FloatMaxPool2D(),)
)
