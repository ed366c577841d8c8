"""Matrix products of two tensors that the model computes."""

from tinycc.ops.matmul.float32 import FloatMatmul
from tinycc.ops.matmul.portable import PortableMatmul
from tinycc.ops.matmul.view import Matmul
from tinycc.ops.room import Room

ROOM = Room(Matmul, (PortableMatmul(),), float_kernels=(FloatMatmul(),))
