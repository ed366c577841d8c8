"""Mean and sum over any dimensions."""

from tinycc.ops.reduce.dsp import DspReduce
from tinycc.ops.reduce.float32 import FloatReduce
from tinycc.ops.reduce.helium import HeliumReduce
from tinycc.ops.reduce.portable import PortableReduce
from tinycc.ops.reduce.view import Reduce
from tinycc.ops.room import Room

ROOM = Room(Reduce, (HeliumReduce(), DspReduce(), PortableReduce()), float_kernels=(FloatReduce(),))
