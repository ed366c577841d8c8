"""Bilinear resizing."""

from tinycc.ops.resize_bilinear.float32 import FloatResizeBilinear
from tinycc.ops.resize_bilinear.portable import PortableResizeBilinear
from tinycc.ops.resize_bilinear.view import ResizeBilinear
from tinycc.ops.room import Room

ROOM = Room(ResizeBilinear, (PortableResizeBilinear(),), float_kernels=(FloatResizeBilinear(),))
