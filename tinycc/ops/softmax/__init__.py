"""Softmax over the last axis."""

from tinycc.ops.room import Room
from tinycc.ops.softmax.float32 import FloatSoftmax
from tinycc.ops.softmax.helium import HeliumSoftmax
from tinycc.ops.softmax.int16 import SoftmaxInt16
from tinycc.ops.softmax.portable import PortableSoftmax
from tinycc.ops.softmax.view import Softmax

ROOM = Room(Softmax, (HeliumSoftmax(), SoftmaxInt16(), PortableSoftmax()), float_kernels=(FloatSoftmax(),))
